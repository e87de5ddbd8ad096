package collector

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"time"

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
	in := c.newIntake()
	defer in.done()
	if err := in.read(w, r); err != nil {
		c.refuse(w, err)
		return
	}
	in.put()
	// A requester who went away is not waited for elsewhere: the post is in
	// the queue, and its bytes are held, until it is committed.
	select {
	case out := <-in.post.done:
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
	var busy *busyError
	switch {
	case errors.As(err, &busy):
		setRetryAfter(w, busy.wait)
	case status == http.StatusServiceUnavailable:
		setRetryAfter(w, storeRest)
	}
	writeError(w, status, err)
}

// setRetryAfter asks to be left alone for whole seconds, at least one.
func setRetryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(max(wait.Seconds(), 1)))))
}

func statusOf(err error) int {
	var large *http.MaxBytesError
	var busy *busyError
	switch {
	case errors.As(err, &large), errors.Is(err, errTooLarge), errors.Is(err, bufio.ErrTooLong):
		return http.StatusRequestEntityTooLarge
	case errors.As(err, &busy):
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
