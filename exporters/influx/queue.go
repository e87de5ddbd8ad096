package influx

import (
	"context"
	"sync"
)

// queue holds batches that wait for a backend, at most so many bytes of them.
// Its methods may be called concurrently.
type queue struct {
	limit int
	more  chan struct{} // has one when batches may wait
	end   chan struct{} // closed when nothing more comes

	mu    sync.Mutex // guards what follows
	waits []batch
	bytes int
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, more: make(chan struct{}, 1), end: make(chan struct{})}
}

// push adds a batch, and gives up the oldest ones that there is no room for. It
// returns how many values those had.
func (q *queue) push(b batch) (dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(b.body) > q.limit {
		return b.values
	}
	for q.bytes+len(b.body) > q.limit {
		dropped += q.waits[0].values
		q.bytes -= len(q.waits[0].body)
		q.waits = q.waits[1:]
	}
	q.waits = append(q.waits, b)
	q.bytes += len(b.body)
	select {
	case q.more <- struct{}{}:
	default:
	}
	return dropped
}

// take waits for a batch and takes it out. It is not ok when ctx ended, or when
// the queue is closed and empty.
func (q *queue) take(ctx context.Context) (b batch, ok bool) {
	for {
		if b, ok := q.first(); ok {
			return b, true
		}
		select {
		case <-q.more:
		case <-q.end:
			return q.first()
		case <-ctx.Done():
			return batch{}, false
		}
	}
}

func (q *queue) first() (batch, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waits) == 0 {
		return batch{}, false
	}
	b := q.waits[0]
	q.waits[0] = batch{} // its body must not be kept alive
	q.waits, q.bytes = q.waits[1:], q.bytes-len(b.body)
	return b, true
}

// close says that nothing more comes. It is called once, after the last push.
func (q *queue) close() { close(q.end) }

func (q *queue) isClosed() bool {
	select {
	case <-q.end:
		return true
	default:
		return false
	}
}

// drop gives up all that waits and returns how many values that was.
func (q *queue) drop() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, b := range q.waits {
		n += b.values
	}
	q.waits, q.bytes = nil, 0
	return n
}
