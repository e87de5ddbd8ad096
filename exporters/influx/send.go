package influx

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What bounds the pause after a failure.
const (
	retryBase     = time.Second
	retryCap      = 5 * time.Minute
	retryAfterCap = time.Hour
)

// refused is the error of a backend that will never take a batch.
type refused struct{ err error }

func (r *refused) Error() string { return r.err.Error() }
func (r *refused) Unwrap() error { return r.err }

// later is the error of a backend that says when to come again.
type later struct {
	err   error
	after time.Duration
}

func (l *later) Error() string { return l.err.Error() }
func (l *later) Unwrap() error { return l.err }

// send writes batches until the queue is closed and empty, or ctx ends.
func (e *Exporter) send(ctx context.Context) {
	defer e.sink.close()
	for {
		b, ok := e.queue.take(ctx)
		if !ok {
			return
		}
		if !e.deliver(ctx, b) {
			e.delivery.Dropped(b.values)
			return
		}
	}
}

// deliver writes one batch, again and again until it is taken or refused. It
// returns false when the exporter ends before.
func (e *Exporter) deliver(ctx context.Context, b batch) bool {
	for failures := 0; ; failures++ {
		err := e.sink.write(ctx, b)
		if err == nil {
			e.delivery.Sent(b.values)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		var no *refused
		if errors.As(err, &no) {
			e.delivery.Failed(fmt.Errorf("%d lines are given up: %w", b.lines, err))
			e.delivery.Dropped(b.values)
			return true
		}
		e.delivery.Failed(err)
		if e.queue.isClosed() || !e.pause(ctx, e.backoff(err, failures)) {
			return false
		}
	}
}

// backoff is how long to wait after a failure: full jitter, doubling, and not
// less than the backend asks for.
func (e *Exporter) backoff(err error, failures int) time.Duration {
	most := retryCap
	if failures < 16 {
		most = min(retryCap, retryBase<<failures)
	}
	d := time.Duration(e.cfg.Rand() * float64(most))
	var l *later
	if errors.As(err, &l) {
		d = max(d, min(l.after, retryAfterCap))
	}
	return d
}

// pause waits, but not after the end: what waits is tried once more then. It
// returns false if ctx ended.
func (e *Exporter) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-e.queue.end:
		return true
	case <-ctx.Done():
		return false
	}
}
