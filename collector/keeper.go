package collector

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// How a collector keeps the books by itself.
const (
	keepEvery = time.Minute
	// keepAfterError is how long it leaves a ledger alone that did not let it.
	keepAfterError = 10 * time.Minute
	// lateAfter is the age from which a record is late: agents send within
	// minutes, and what they kept during an outage within a day of its end.
	lateAfter = 24 * time.Hour
	// quiet is how long nothing late must have come before a month is closed:
	// the history of months may just be on its way.
	quiet = time.Hour
	// patience bounds how long late records put a closing off, after it was due
	// and after the start: one node with a wrong clock must not keep all months
	// open.
	patience = 24 * time.Hour
	// correctEvery bounds the corrections of one month, so that records that
	// trickle in become one revision a day.
	correctEvery = 24 * time.Hour
)

// keeper closes months when they are due, and corrects closed ones when late
// records have come. All collectors of a store may do so at once. Its methods
// but note are called by one goroutine.
type keeper struct {
	books     *Books
	contracts func() []contract.Contract
	now       func() time.Time
	log       *slog.Logger
	fails     func() // counts a failure

	started time.Time
	rest    time.Time               // nothing is done before it
	pending map[contract.Month]bool // closed months that may need a correction
	looked  bool                    // pending has had every closed month once

	mu   sync.Mutex // guards what follows
	late time.Time  // when the last late record came
	span usage.Range
}

func newKeeper(books *Books, cfg *Config, fails func()) *keeper {
	return &keeper{
		books: books, contracts: cfg.Book.Contracts, now: cfg.Now, log: cfg.Log, fails: fails,
		started: cfg.Now(), late: cfg.Now(), pending: map[contract.Month]bool{},
	}
}

// note takes down that a batch was committed.
func (k *keeper) note(b *usage.Batch) {
	if len(b.Records) == 0 {
		return
	}
	now := k.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range b.Records {
		from, to := uint64(b.Records[i].StartMs), uint64(b.Records[i].EndMs)
		if k.span == (usage.Range{}) {
			k.span = usage.Range{Lo: from, Hi: to}
		}
		k.span = usage.Range{Lo: min(k.span.Lo, from), Hi: max(k.span.Hi, to)}
		if b.Records[i].EndMs < now.Add(-lateAfter).UnixMilli() {
			k.late = now
		}
	}
}

// take returns the span of the records that came since the last call, and when
// the last late one came.
func (k *keeper) take() (span usage.Range, late time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	span, k.span = k.span, usage.Range{}
	return span, k.late
}

// run keeps the books until ctx ends.
func (k *keeper) run(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := k.keep(ctx); err != nil && ctx.Err() == nil {
				k.fails()
				k.rest = k.now().Add(keepAfterError)
				k.log.Error("books not kept", "err", err, "again", k.rest.UTC())
			}
		}
	}
}

// keep closes what is due and corrects what is pending.
func (k *keeper) keep(ctx context.Context) error {
	contracts, now := k.contracts(), k.now()
	if len(contracts) == 0 || now.Before(k.rest) {
		return nil
	}
	span, late := k.take()
	entries, err := k.books.journal.Entries(ctx)
	if err != nil {
		return err
	}
	k.expect(entries, span)
	return errors.Join(k.close(ctx, entries, contracts, late, now), k.correct(ctx, entries, now))
}

// expect makes closed months pending that records came for; at first, all.
func (k *keeper) expect(entries []ledger.Sealed, span usage.Range) {
	for _, e := range entries {
		m, err := contract.ParseMonth(e.Month)
		if err != nil {
			continue // an entry of a later version
		}
		// A zone is at most 14 hours away from UTC.
		within := m.In(time.UTC)
		const zones = 14 * 3_600_000
		if !k.looked || int64(span.Lo) < within.ToMs+zones && int64(span.Hi) > within.FromMs-zones {
			k.pending[m] = true
		}
	}
	k.looked = true
}

// close closes the months that are due, in order. One that cannot be closed
// does not hold up the others.
func (k *keeper) close(ctx context.Context, entries []ledger.Sealed, contracts []contract.Contract, late, now time.Time) error {
	months, err := k.books.months(ctx, contracts)
	if err != nil {
		return err
	}
	var failed error
	for _, m := range months {
		if len(ledger.Revisions(entries, m.String())) > 0 || m.StateAt(contracts, now.UnixMilli()) != contract.Closed {
			continue
		}
		due := time.UnixMilli(m.ClosesMs(contracts))
		if now.Sub(late) < quiet && now.Before(latest(due, k.started).Add(patience)) {
			break // the months after it wait too
		}
		s, err := k.books.Close(ctx, contracts, m, now)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		k.log.Info("month closed", "month", s.Month, "entry", s.N, "sha256", s.SHA256)
	}
	return failed
}

// correct corrects pending months, each at most once in correctEvery.
func (k *keeper) correct(ctx context.Context, entries []ledger.Sealed, now time.Time) error {
	var failed error
	for _, m := range sorted(slices.Collect(maps.Keys(k.pending))) {
		revisions := ledger.Revisions(entries, m.String())
		last := revisions[len(revisions)-1]
		if now.Sub(last.AsOf) < correctEvery {
			continue
		}
		s, err := k.books.Correct(ctx, m, now)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		delete(k.pending, m)
		if s.Revision > last.Revision {
			k.log.Info("month corrected", "month", s.Month, "revision", s.Revision, "tranches", len(s.Corrections),
				"unplaced_gpu_ms", s.UnplacedMs, "entry", s.N, "sha256", s.SHA256)
		}
	}
	return failed
}
