package collector

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// tallyLag is how far the tally stays behind: agents send a window within
// seconds, and most outages of a network are shorter.
const tallyLag = 10 * time.Minute

// tallyBack is the time over which late records are looked for again: as long
// as minute records are kept.
const tallyBack = 35 * 24 * time.Hour

// tallyShare bounds what of its time a collector spends on the tally.
const tallyShare = 20

// tally counts what became of contracted time up to a watermark, for /metrics.
// What it has counted it never takes back: what arrives later is shown apart,
// as the correction. It begins at the first start of a store's first
// collector, and goes on where it stopped: the counts at each full hour, and at
// the end of a collector, are a document in the store, so that all collectors
// of a store count the same. After a kill, what follows the last full hour is
// counted anew.
type tally struct {
	store     store.Store
	contracts func() []contract.Contract
	now       func() time.Time
	log       *slog.Logger

	// Of the one goroutine that advances.
	loaded bool
	counts counts
	began  time.Time // when it first looked
	until  time.Time // nothing is counted before it

	mu          sync.Mutex // guards what follows
	shown       counts     // counts, but no number below what was shown before
	corrections map[string]contract.Time
	fleet       fleetCounts
	failures    int
}

// run advances the tally once a minute until ctx ends; less often where that
// takes long.
func (t *tally) run(ctx context.Context) {
	defer t.leave(ctx)
	for {
		start := t.now()
		err := t.advance(ctx, start)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.log.Error("contract counters do not advance", "err", err)
			t.set(func() { t.failures++ })
		}
		wait := time.NewTimer(max(time.Minute, tallyShare*t.now().Sub(start)))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}

// advance counts up to tallyLag before now, by way of the last full hour.
func (t *tally) advance(ctx context.Context, now time.Time) error {
	presences, err := t.store.Presence(ctx)
	if err != nil {
		return fmt.Errorf("read presence: %w", err)
	}
	t.set(func() { t.fleet = countFleet(presences, now) })
	if waits, err := t.waits(ctx, now); waits || err != nil {
		return err
	}
	to := now.Add(-tallyLag).Truncate(time.Minute)
	hour := to.Truncate(time.Hour)
	if !t.loaded {
		if err := t.load(ctx, hour); err != nil {
			return err
		}
	}
	if t.counts.AtMs < hour.UnixMilli() {
		if err := t.close(ctx, presences, hour); err != nil {
			return err
		}
	}
	if t.counts.AtMs < to.UnixMilli() {
		more, err := t.count(ctx, presences, t.counts.AtMs, to.UnixMilli())
		if err != nil {
			return err
		}
		t.counts = t.counts.plus(more)
	}
	// Only now: a document that was taken up may be behind what was shown.
	t.set(func() { t.shown = t.counts.atLeast(t.shown) })
	return nil
}

func (t *tally) set(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

// close counts up to a full hour, keeps that, and compares what was counted
// with what the records say now.
func (t *tally) close(ctx context.Context, presences []contract.Presence, hour time.Time) error {
	more, err := t.count(ctx, presences, t.counts.AtMs, hour.UnixMilli())
	if err != nil {
		return err
	}
	c, err := t.keep(ctx, t.counts.plus(more))
	if err != nil {
		return err
	}
	t.counts = c
	return t.correct(ctx, presences, hour)
}

// correct finds by how much the counts since tallyBack, or since the first
// document, are off.
func (t *tally) correct(ctx context.Context, presences []contract.Presence, hour time.Time) error {
	names, err := t.store.DocumentNames(ctx, tallyFolder)
	if err != nil {
		return fmt.Errorf("list the tally's documents: %w", err)
	}
	for len(names) > 1 && names[0] < tallyName(hour.Add(-tallyBack)) {
		names = names[1:]
	}
	base, err := t.read(ctx, names[0])
	if err != nil {
		return err
	}
	truth, err := t.count(ctx, presences, base.AtMs, hour.UnixMilli())
	if err != nil {
		return err
	}
	off := map[string]contract.Time{}
	for key, is := range truth.Tranches {
		was := t.counts.Tranches[key].Buckets
		for b := range was {
			is.Buckets[b] -= was[b] - base.Tranches[key].Buckets[b]
		}
		off[key] = is.Buckets
	}
	t.set(func() { t.corrections = off })
	return nil
}

// count lays [fromMs, toMs) against the contracts.
func (t *tally) count(ctx context.Context, presences []contract.Presence, fromMs, toMs int64) (counts, error) {
	out := counts{AtMs: toMs, Tranches: map[string]trancheCount{}, Uncontracted: map[string]int64{}}
	if fromMs >= toMs {
		return out, nil
	}
	contracts := t.contracts()
	span := contract.Period{FromMs: fromMs, ToMs: toMs}
	periods := make([]contract.Period, len(contracts))
	for i := range periods {
		periods[i] = span
	}
	placed, err := ground(ctx, t.store, contracts, contract.Place(contracts, presences, toMs), presences, fromMs, toMs)
	if err != nil {
		return out, err
	}
	plan := contract.NewPlan(contracts, placed, periods, span)
	answer, err := t.store.Sums(ctx, plan.Query())
	if err != nil {
		return out, fmt.Errorf("read sums: %w", err)
	}
	rep, err := plan.Build(answer, time.UnixMilli(toMs))
	if err != nil {
		return out, fmt.Errorf("lay against the contracts: %w", err)
	}
	for i := range rep.Contracts {
		for _, l := range rep.Contracts[i].Tranches {
			out.Tranches[rep.Contracts[i].Contract+"/"+l.Tranche] = trancheCount{l.Buckets, l.OverageMs, l.SMActiveMs, l.SMKnownMs}
		}
	}
	for _, s := range rep.Uncontracted {
		out.Uncontracted[s.Provider+"/"+s.Model] += s.Ms
	}
	return out, nil
}
