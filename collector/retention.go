package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/collector/claim"
	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// How long records are kept.
const (
	// LeastKeepMinutes is as long as agents send again what they were
	// acknowledged.
	LeastKeepMinutes = 72 * time.Hour

	// pruneRest lets others have the store between two steps.
	pruneRest = time.Second
	// zonesMs is more than the farthest billing time zone is away from UTC.
	zonesMs = int64(24 * time.Hour / time.Millisecond)
)

// retention lets the store prune the records that are older than keep, month
// by month. Reports of days and months, closed or not, stay what they are, as
// far as the contracts do.
type retention struct {
	store     store.Store
	pruner    store.Pruner
	books     *Books
	contracts func() []contract.Contract
	now       func() time.Time
	keep      time.Duration
	pruned    func(store.Pruned)
	rest      time.Duration // between two steps
	doneMs    int64         // what is before was looked at since the start
}

// run prunes what is old enough and was not looked at yet.
func (r *retention) run(ctx context.Context) error {
	extent, err := r.store.Extent(ctx)
	if err != nil {
		return fmt.Errorf("read extent: %w", err)
	}
	from := max(r.doneMs, extent.FromMs)
	for until := r.until(); from < until; {
		m := contract.MonthOf(from, time.UTC)
		p := store.Pruning{FromMs: from, ToMs: min(until, m.Next().In(time.UTC).FromMs)}
		if err := r.pruneMonth(ctx, m, p); err != nil {
			return fmt.Errorf("prune %s: %w", m, err)
		}
		from = p.ToMs
		r.doneMs = from
	}
	return nil
}

// until is the full hour up to which records may go: they are old enough, and
// no month that they are in is open.
func (r *retention) until() int64 {
	now, contracts := r.now(), r.contracts()
	until := now.Add(-r.keep).Truncate(time.Hour).UnixMilli()
	for i := range contracts {
		m := contract.MonthOf(until, contracts[i].Zone)
		if m.StateAt(contracts, now.UnixMilli()) == contract.Open {
			until = min(until, m.In(contracts[i].Zone).FromMs)
		}
	}
	return until
}

// pruneMonth prunes a part of a month, step by step.
func (r *retention) pruneMonth(ctx context.Context, m contract.Month, p store.Pruning) error {
	var err error
	if p.Same, err = r.same(ctx, m, p.FromMs, p.ToMs); err != nil {
		return err
	}
	if p.Keep, err = r.incidents(ctx, m); err != nil {
		return err
	}
	for {
		done, err := r.pruner.Prune(ctx, p)
		if err != nil {
			return err
		}
		r.pruned(done)
		if done.NextMs >= p.ToMs {
			return nil
		}
		p.FromMs = done.NextMs
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(r.rest):
		}
	}
}

// same returns what reports of a part of a month ask for: its days under the
// contracts in force, and the months around it as they were closed last.
func (r *retention) same(ctx context.Context, m contract.Month, fromMs, toMs int64) ([]contract.Query, error) {
	contracts := r.contracts()
	day := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateOnly) }
	days, err := newRequest(contracts, Ask{From: day(fromMs - zonesMs), To: day(toMs + 2*zonesMs)}, r.now())
	if err != nil {
		return nil, err
	}
	presences, err := r.store.Presence(ctx)
	if err != nil {
		return nil, fmt.Errorf("read presence: %w", err)
	}
	plan, err := days.plan(ctx, r.store, presences)
	if err != nil {
		return nil, err
	}
	out := []contract.Query{plan.Query()}
	entries, err := r.books.journal.Entries(ctx)
	if err != nil {
		return nil, err
	}
	for _, month := range around(m) {
		if revisions := ledger.Revisions(entries, month.String()); len(revisions) > 0 {
			q, err := r.closed(ctx, revisions[len(revisions)-1], month, presences)
			if err != nil {
				return nil, err
			}
			out = append(out, q)
		}
	}
	return out, nil
}

// around returns a month and its neighbours, which time zones may let it
// reach into.
func around(m contract.Month) []contract.Month {
	before := contract.MonthOf(m.In(time.UTC).FromMs-1, time.UTC)
	return []contract.Month{before, m, m.Next()}
}

// closed returns what a correction of a closed month asks for.
func (r *retention) closed(ctx context.Context, e ledger.Sealed, m contract.Month, presences []contract.Presence) (contract.Query, error) {
	terms, err := r.books.journal.Part(ctx, e.Terms)
	if err != nil {
		return contract.Query{}, err
	}
	contracts, err := contract.ReadCanonical(terms)
	if err != nil {
		return contract.Query{}, err
	}
	body, err := r.books.journal.Part(ctx, e.Placements)
	if err != nil {
		return contract.Query{}, err
	}
	var placed contract.Placements
	if err := json.Unmarshal(body, &placed); err != nil {
		return contract.Query{}, fmt.Errorf("read placements of %s: %w", m, err)
	}
	ask, err := newRequest(contracts, Ask{Month: m.String()}, r.now())
	if err != nil {
		return contract.Query{}, err
	}
	from, to := ask.bounds()
	if placed, err = ground(ctx, r.store, contracts, placed, presences, from, to); err != nil {
		return contract.Query{}, err
	}
	return contract.NewPlan(contracts, placed, ask.periods, ask.stray).Query(), nil
}

// incidents returns the time of the GPUs whose records prove that a node or
// rack was down as a whole, theirs and their neighbours'. Of other incidents
// the store keeps the records by itself: something happened to each GPU.
func (r *retention) incidents(ctx context.Context, m contract.Month) ([]contract.Span, error) {
	contracts, now := r.contracts(), r.now()
	if !contract.DeliversWhole(contracts) {
		return nil, nil
	}
	var out []contract.Span
	for _, month := range around(m) {
		d, w, err := claims(ctx, r.store, contracts, ClaimAsk{Month: month.String()}, now)
		if errors.Is(err, ErrNoData) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for i := range d.Incidents {
			x := &d.Incidents[i]
			spans, _ := witnesses(x, w.Presences, x.From.Add(-claim.Around).UnixMilli(), x.To.Add(claim.Around).UnixMilli())
			out = append(out, spans...)
		}
	}
	return out, nil
}
