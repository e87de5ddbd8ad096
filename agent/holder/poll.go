package holder

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// pace is how often a source is asked.
type pace struct {
	// cadence is how often it is asked when nothing else is reason to.
	cadence time.Duration
	// young is how old an answer may be to be as good as a new one, and the least
	// time between two questions. The GPUs of a frame are looked at one after
	// another, and one answer is for all of them.
	young time.Duration
	// stale is how long an answer is good for: a source that does not answer for
	// so long knows nothing any more.
	stale time.Duration
}

var (
	// filesPace is for what stands in folders of this node and costs next to
	// nothing.
	filesPace = pace{cadence: 2 * time.Second, young: 50 * time.Millisecond, stale: 30 * time.Second}
	// nodePace is for servers on this node.
	nodePace = pace{cadence: 10 * time.Second, young: 50 * time.Millisecond, stale: 30 * time.Second}
	// clusterPace is for what thousands of nodes share.
	clusterPace = pace{cadence: 5 * time.Minute, young: time.Second, stale: 15 * time.Minute}
)

// timeout is how long a source may take to answer.
const timeout = 5 * time.Second

var errSlow = errors.New("it does not return")

// poll keeps the newest answer of a source that is asked from time to time. Its
// methods may be called concurrently, run once.
type poll[T any] struct {
	ask     func(context.Context) (T, error)
	absent  error // what ask returns where there is no such source; nil where there must be one
	pace    pace
	metrics *sourceDescs
	log     *slog.Logger
	wake    chan struct{}

	mu       sync.Mutex // guards what follows
	value    T
	seq      uint64    // counts the answers
	asked    time.Time // when the newest answer was asked for
	met      bool      // it was there once
	failing  bool
	errors   uint64
	err      error         // of the newest question
	answered chan struct{} // closed at the next answer or error
}

func newPoll[T any](ask func(context.Context) (T, error), absent error, pace pace, metrics *sourceDescs, log *slog.Logger) *poll[T] {
	return &poll[T]{ask: ask, absent: absent, pace: pace, metrics: metrics, log: log, wake: make(chan struct{}, 1), answered: make(chan struct{})}
}

// answer is what a source said, or did not.
type answer[T any] struct {
	value T
	asked time.Time
	err   error
}

// run asks until ctx ends.
func (p *poll[T]) run(ctx context.Context) {
	tick := time.NewTicker(p.pace.cadence)
	defer tick.Stop()
	var pending chan answer[T]
	var began time.Time
	for {
		if pending == nil {
			pending, began = p.start(ctx), time.Now()
		}
		limit := time.NewTimer(timeout + time.Second)
		select {
		case a := <-pending:
			pending = nil
			p.take(ctx, a)
		case <-limit.C:
			// It sits in the kernel, where nothing can end it. No second question
			// is asked before it returns.
			p.take(ctx, answer[T]{err: errSlow})
		case <-ctx.Done():
			last := time.NewTimer(time.Second)
			defer last.Stop()
			select {
			case <-pending:
			case <-last.C:
			}
		}
		limit.Stop()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-p.wake:
			time.Sleep(p.pace.young - time.Since(began))
		}
	}
}

// start asks once, in a goroutine that ends with the answer: within timeout,
// unless the kernel holds it up.
func (p *poll[T]) start(ctx context.Context) chan answer[T] {
	ch := make(chan answer[T], 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		a := answer[T]{asked: time.Now()}
		a.value, a.err = p.ask(ctx)
		ch <- a
	}()
	return ch
}

// take keeps an answer and tells a change of state. What is said while the agent
// ends says nothing about the source.
func (p *poll[T]) take(ctx context.Context, a answer[T]) {
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.answered)
	p.answered = make(chan struct{})
	p.err = a.err
	switch {
	case a.err == nil:
		if !p.met || p.failing {
			p.log.Info("source of holders answers", "source", p.metrics.source)
		}
		p.value, p.asked, p.met, p.failing = a.value, a.asked, true, false
		p.seq++
	case errors.Is(a.err, p.absent) && !p.met:
		// There is no such source on this node.
	default:
		if !p.failing {
			p.log.Warn("source of holders does not answer", "source", p.metrics.source, "err", a.err)
		}
		p.met, p.failing = true, true
		p.errors++
	}
}

// newest returns the newest answer and its number; false if there is none that
// is still good.
func (p *poll[T]) newest() (value T, seq uint64, ok bool) {
	if p == nil {
		return value, 0, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.good() {
		return value, p.seq, false
	}
	return p.value, p.seq, true
}

// good says whether the newest answer still counts. p.mu is held.
func (p *poll[T]) good() bool {
	return p.seq > 0 && time.Since(p.asked) <= p.pace.stale
}

// renew has the source asked, and returns when it has answered; at limit at the
// latest, and at once if it fails these days or has only just been asked.
func (p *poll[T]) renew(limit <-chan struct{}) {
	if p == nil {
		return
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
	for start := time.Now(); ; {
		p.mu.Lock()
		done := start.Sub(p.asked) < p.pace.young
		failing, answered := p.failing || !p.good(), p.answered
		p.mu.Unlock()
		if done || failing {
			return
		}
		select {
		case <-answered:
		case <-limit:
			return
		}
	}
}

// readings returns how asking goes; nothing where there is no such source.
func (p *poll[T]) readings() []metric.Reading {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.met {
		return nil
	}
	out := []metric.Reading{{Desc: p.metrics.up}, {Desc: p.metrics.errors, Value: float64(p.errors)}}
	if p.good() {
		out[0].Value = 1
	}
	return out
}
