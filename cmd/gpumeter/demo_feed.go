package main

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gpumeter/gpumeter/sim/fleet"
	"github.com/gpumeter/gpumeter/usage"
)

// Sizes of one post, well below the collector's limits.
const (
	demoPostBytes   = 2 << 20
	demoPostBatches = 512
)

// demoLag is how long after a minute's end it is written: agents need a
// moment, too.
const demoLag = 2 * time.Second

// demoFeed writes the life of the simulated fleet into a collector: what is
// missing of the past, then minute by minute.
type demoFeed struct {
	fleet *fleet.Fleet
	state *demoState
	save  func() error // makes the state durable
	// seqs returns what the collector has of an epoch.
	seqs func(ctx context.Context, agent, epoch string) (usage.Ranges, error)
	post func(ctx context.Context, batches []usage.Sealed) error
	now  func() time.Time
	log  *slog.Logger

	have    map[[2]string]usage.Ranges // by agent and epoch
	minutes *fleet.Minutes             // of the open segment, once caught up
	sent    int                        // records
}

// catchUp writes everything up to now that the collector does not have. step
// is told the share that is done.
func (f *demoFeed) catchUp(ctx context.Context, step func(share float64)) error {
	now := f.now()
	until, err := f.until(ctx, now)
	if err != nil {
		return err
	}
	f.state.bridge(until, now)
	if err := f.save(); err != nil {
		return err
	}
	var all, done float64 // in steps of the fleet: hours and minutes cost the same
	for _, s := range f.state.Segments {
		all += s.steps(now)
	}
	for i := range f.state.Segments {
		s := &f.state.Segments[i]
		n := s.steps(now)
		err := f.fill(ctx, f.batches(s, now), func(at time.Time) {
			step((done + s.stepsTo(at)) / max(all, 1))
		})
		if err != nil {
			return err
		}
		done += n
		if s.Done = !s.To.IsZero(); s.Done {
			if err := f.save(); err != nil {
				return err
			}
		}
	}
	return nil
}

// until returns the end of the minutes that the collector has of the open
// segment.
func (f *demoFeed) until(ctx context.Context, now time.Time) (time.Time, error) {
	last := f.state.Segments[len(f.state.Segments)-1]
	m := f.fleet.Minutes(last.From)
	for at := m.Start(); ; at = m.Start() {
		if at.Add(time.Minute).After(now) {
			return at, nil
		}
		batches, err := m.Next()
		if err != nil {
			return at, err
		}
		missing, err := f.missing(ctx, batches)
		if err != nil || len(missing) > 0 {
			return at, err
		}
	}
}

// steps is how many hours or minutes of a segment there are to write.
func (s *demoSegment) steps(now time.Time) float64 {
	if s.Done {
		return 0
	}
	if !s.To.IsZero() {
		now = s.To
	}
	return s.stepsTo(now)
}

func (s *demoSegment) stepsTo(at time.Time) float64 {
	if s.Hours {
		return at.Sub(s.From).Hours()
	}
	return at.Sub(s.From).Minutes()
}

// batches yields a segment up to now. Those of the open segment go on in live.
func (f *demoFeed) batches(s *demoSegment, now time.Time) iter.Seq2[usage.Sealed, error] {
	switch {
	case s.Done:
		return func(func(usage.Sealed, error) bool) {}
	case s.Hours:
		return f.fleet.History(s.From, s.To)
	case !s.To.IsZero():
		return minutesTo(f.fleet.Minutes(s.From), s.To)
	}
	f.minutes = f.fleet.Minutes(s.From)
	return minutesTo(f.minutes, now)
}

// minutesTo yields the minutes that have ended.
func minutesTo(m *fleet.Minutes, end time.Time) iter.Seq2[usage.Sealed, error] {
	return func(yield func(usage.Sealed, error) bool) {
		for !m.Start().Add(time.Minute).After(end) {
			batches, err := m.Next()
			if err != nil {
				yield(usage.Sealed{}, err)
				return
			}
			for _, b := range batches {
				if !yield(b, nil) {
					return
				}
			}
		}
	}
}

// fill posts the batches that are missing. Two posts are under way at a time:
// the collector decodes one while it stores the other.
func (f *demoFeed) fill(ctx context.Context, batches iter.Seq2[usage.Sealed, error], step func(at time.Time)) error {
	g, ctx := errgroup.WithContext(ctx)
	chunks := make(chan []usage.Sealed)
	for range 2 {
		g.Go(func() error {
			for c := range chunks {
				if err := f.post(ctx, c); err != nil {
					return err
				}
				step(endOf(c))
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(chunks)
		return f.cut(ctx, batches, chunks)
	})
	return g.Wait()
}

// endOf is until when the last batch with records goes.
func endOf(batches []usage.Sealed) time.Time {
	b := batches[len(batches)-1].Batch
	return time.UnixMilli(b.Records[len(b.Records)-1].EndMs)
}

// cut makes posts out of batches.
func (f *demoFeed) cut(ctx context.Context, batches iter.Seq2[usage.Sealed, error], chunks chan<- []usage.Sealed) error {
	var chunk []usage.Sealed
	size := 0
	send := func() error {
		select {
		case chunks <- chunk:
			chunk, size = nil, 0
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for b, err := range batches {
		if err != nil {
			return err
		}
		missing, err := f.missing(ctx, []usage.Sealed{b})
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			continue
		}
		if size+len(b.Body) > demoPostBytes || len(chunk) == demoPostBatches {
			if err := send(); err != nil {
				return err
			}
		}
		chunk, size = append(chunk, b), size+len(b.Body)
		f.sent += len(b.Batch.Records)
	}
	if len(chunk) == 0 {
		return nil
	}
	return send()
}

// missing returns the batches that the collector did not have when it was
// asked for the first time.
func (f *demoFeed) missing(ctx context.Context, batches []usage.Sealed) ([]usage.Sealed, error) {
	if f.have == nil {
		f.have = map[[2]string]usage.Ranges{}
	}
	var out []usage.Sealed
	for _, b := range batches {
		key := [2]string{b.Batch.Agent, b.Batch.Epoch}
		have, ok := f.have[key]
		if !ok {
			var err error
			if have, err = f.seqs(ctx, key[0], key[1]); err != nil {
				return nil, fmt.Errorf("read committed sequence numbers: %w", err)
			}
			f.have[key] = have
		}
		if !have.Has(b.Batch.Seq) {
			out = append(out, b)
		}
	}
	return out, nil
}

// live writes minute after minute, in time with the clock, until ctx ends; it
// then returns nil. Every UTC day it begins a segment.
func (f *demoFeed) live(ctx context.Context) error {
	for {
		start := f.minutes.Start()
		if !sleepUntil(ctx, start.Add(time.Minute+demoLag), f.now) {
			return nil
		}
		batches, err := f.minutes.Next()
		if err != nil {
			return err
		}
		if err := f.post(ctx, batches); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		next := f.minutes.Start()
		if next.Truncate(24 * time.Hour).Equal(next) {
			f.log.Info("day complete", "day", start.Format(time.DateOnly))
			f.state.rotate(next)
			f.minutes = f.fleet.Minutes(next)
			if err := f.save(); err != nil {
				return err
			}
		}
	}
}

// sleepUntil waits for a moment of the wall clock. It returns false when ctx
// ends first. It looks at the clock every few seconds, because the machine may
// sleep and the clock may be set.
func sleepUntil(ctx context.Context, at time.Time, now func() time.Time) bool {
	for {
		left := at.Sub(now())
		if left <= 0 {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(min(left, 5*time.Second)):
		}
	}
}
