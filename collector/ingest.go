package collector

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"

	"github.com/gpumeter/gpumeter/usage"
)

// Answer is what a post is answered with, once its batches are durable. See
// docs/wire.md.
type Answer struct {
	// StoreID changes when the collector's store is another one than before.
	StoreID string `json:"store_id"`
	// Committed holds, for each AGENT/EPOCH of the post, all the sequence
	// numbers that the store has, whichever post brought them.
	Committed map[string]usage.Ranges `json:"committed"`
	// Duplicates counts batches of the post that were there before.
	Duplicates int `json:"duplicates"`
	// Conflicts are the seqs that were there before with other content.
	Conflicts   []uint64      `json:"conflicts"`
	Quarantined []Quarantined `json:"quarantined"`
	// ServerTimeMs is the collector's clock, Unix milliseconds.
	ServerTimeMs int64 `json:"server_time_ms"`
}

// Quarantined is a batch that was kept but cannot be counted.
type Quarantined struct {
	Agent  string `json:"agent"`
	Epoch  string `json:"epoch"`
	Seq    uint64 `json:"seq"`
	Reason string `json:"reason"`
}

// takeUsage is POST /v1/usage.
func (c *Collector) takeUsage(w http.ResponseWriter, r *http.Request) {
	p, held, err := readPost(w, r, &c.held)
	defer c.held.used.Add(-held)
	if err != nil {
		c.refuse(w, err)
		return
	}
	select {
	case c.queue <- p:
	default:
		c.refuse(w, errBusy)
		return
	}
	// A requester who went away is not waited for elsewhere: the post is in
	// the queue, and its bytes are held, until it is committed.
	select {
	case out := <-p.done:
		c.answerPost(w, out)
	case <-c.stopped:
		c.refuse(w, errStopped)
	}
}

func (c *Collector) answerPost(w http.ResponseWriter, out outcome) {
	if out.err != nil {
		c.cfg.Log.Error("post not committed", "err", out.err)
		c.refuse(w, errStore)
		return
	}
	writeJSON(w, http.StatusOK, out.answer)
}

// errStore is all that a sender is told about trouble with the store; the log
// has the rest.
var errStore = errors.New("the store did not take the post: nothing of it is acknowledged")

// refuse answers a post that is not committed.
func (c *Collector) refuse(w http.ResponseWriter, err error) {
	status := statusOf(err)
	c.metrics.refusedPosts.WithLabelValues(strconv.Itoa(status)).Inc()
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	writeError(w, status, err)
}

func statusOf(err error) int {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), errors.Is(err, errTooLarge), errors.Is(err, bufio.ErrTooLong):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errBusy):
		return http.StatusTooManyRequests
	case errors.Is(err, errEncoding):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, errStore), errors.Is(err, errStopped):
		return http.StatusServiceUnavailable
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF):
		// Cut off on the way: it is not the sender who is wrong.
		return http.StatusRequestTimeout
	}
	return http.StatusBadRequest
}
