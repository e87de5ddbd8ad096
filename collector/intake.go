package collector

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// budget bounds the bytes that all posts hold in memory together.
type budget struct {
	limit int64
	used  atomic.Int64
}

// take takes n bytes if they are there. A large post leaves a quarter of all
// to the small ones, which are those that bring what just happened.
func (b *budget) take(n int64, large bool) bool {
	limit := b.limit
	if large {
		limit -= limit / 4
	}
	if b.used.Add(n) > limit {
		b.used.Add(-n)
		return false
	}
	return true
}

// What a post is expected to hold before it is read.
const (
	usualRatio = 32        // of unpacked to travelled bytes, as agents pack
	usualPost  = 1 << 20   // bytes; agents send no more unless a batch alone has more
	largePost  = 256 << 10 // bytes; one window of a node has less
)

// busyError is why a post is refused that may come again.
type busyError struct {
	error
	wait time.Duration
}

func (e *busyError) Unwrap() error { return e.error }

// intake reads one post. Whoever finds no room is refused as early as it can
// be told: before the post is read or after its first batch, so that little of
// a crowd is decoded in vain.
type intake struct {
	c       *Collector
	post    *post
	held    int64            // bytes taken from the budget
	raw     int64            // bytes of the batches read
	sent    map[string]int64 // the same by agent
	entered bool             // the post has a place in the queue
}

// newIntake expects a request. The caller ends it with done.
func (c *Collector) newIntake() *intake {
	return &intake{c: c, post: &post{done: make(chan outcome, 1)}, sent: map[string]int64{}}
}

// done gives back what the intake holds.
func (in *intake) done() {
	in.c.held.used.Add(-in.held)
	if in.entered {
		in.c.queue.leave(in.post.lane)
	}
}

// read reads the batches of a request and finds the post a place in the queue.
// Nothing of a post counts if any of its lines is malformed: the error names
// the line.
func (in *intake) read(w http.ResponseWriter, r *http.Request) error {
	expected := expectedBytes(r)
	large := expected > largePost
	if large {
		in.post.lane = backlogLane // as far as is known
	}
	if !in.hold(expected, large) {
		return in.busy()
	}
	body, free, err := unpacked(w, r)
	if err != nil {
		return err
	}
	defer free()
	source := &remembering{r: body}
	err = usage.Lines(source, func(body []byte) error { return in.take(body, large) })
	switch {
	case source.err != nil: // and not what is wrong with the line that it cut
		return fmt.Errorf("read post: %w", source.err)
	case err != nil:
		return err
	}
	in.c.held.used.Add(in.raw - in.held) // what was expected and did not come
	in.held = in.raw
	if !in.entered { // a post without batches
		return in.enter()
	}
	return nil
}

// expectedBytes is what a request is likely to hold unpacked.
func expectedBytes(r *http.Request) int64 {
	n := r.ContentLength
	switch {
	case n < 0 || n > usualPost:
		return usualPost
	case r.Header.Get("Content-Encoding") == "gzip":
		return min(n*usualRatio, usualPost)
	}
	return n
}

// hold takes bytes from the budget.
func (in *intake) hold(n int64, large bool) bool {
	if !in.c.held.take(n, large) {
		return false
	}
	in.held += n
	return true
}

// take adds one batch to the post.
func (in *intake) take(body []byte, large bool) error {
	p, n := in.post, int64(len(body))
	if len(p.good)+len(p.bad) >= MaxPostBatches {
		return fmt.Errorf("%w: more than %d batches", errTooLarge, MaxPostBatches)
	}
	if more := in.raw + n - in.held; more > 0 && !in.hold(more, large) {
		return in.busy()
	}
	b, err := p.add(body)
	if err != nil {
		return err
	}
	in.raw += n
	if _, known := in.sent[b.Agent]; !known {
		if wait := in.c.allowances.wait(b.Agent, in.c.cfg.Now()); wait > 0 {
			return &busyError{fmt.Errorf("agent %.8s sends more than %d KiB a second", b.Agent, agentRate>>10), wait}
		}
	}
	in.sent[b.Agent] += n
	if !in.entered {
		p.lane = in.laneOf(&b)
		return in.enter()
	}
	return nil
}

// laneOf tells by a post's first batch, the oldest of an agent's, whether the
// post is live. A batch without records is.
func (in *intake) laneOf(b *usage.Batch) lane {
	old := in.c.cfg.Now().Add(-liveAge).UnixMilli()
	for i := range b.Records {
		if b.Records[i].EndMs >= old {
			return liveLane
		}
	}
	if len(b.Records) == 0 {
		return liveLane
	}
	return backlogLane
}

func (in *intake) enter() error {
	if in.entered = in.c.queue.enter(in.post.lane); !in.entered {
		return in.busy()
	}
	return nil
}

// busy is why there is no room.
func (in *intake) busy() error {
	return &busyError{errBusy, in.c.queue.turn(in.post.lane, in.c.cfg.Now())}
}

// put lets the post wait for its commit.
func (in *intake) put() {
	in.entered = false // the place is the queue's to give up
	in.c.allowances.count(in.sent, in.c.cfg.Now())
	in.c.queue.put(in.post)
}
