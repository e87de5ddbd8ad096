package collector

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/contract"
)

// place drafts a revision with new placements.
func (b *Books) place(ctx context.Context, kind ledger.Kind, contracts []contract.Contract, m contract.Month, now time.Time) (*draft, error) {
	terms, err := contract.Canonical(contracts)
	if err != nil {
		return nil, err
	}
	// What is read back is what a correction will be computed with.
	if contracts, err = contract.ReadCanonical(terms); err != nil {
		return nil, err
	}
	r, placed, err := b.standing(ctx, contracts, m, now)
	if err != nil {
		return nil, err
	}
	placements, err := json.Marshal(placed)
	if err != nil {
		return nil, fmt.Errorf("write placements: %w", err)
	}
	d := &draft{kind: kind, terms: terms, placements: placements, contracts: contracts}
	d.fromMs, d.toMs = r.bounds()
	d.report, err = b.compute(ctx, r, placed)
	return d, err
}

// recompute drafts a correction of what was closed: its terms and placements
// stay. What has come to stand there since is told, not placed.
func (b *Books) recompute(ctx context.Context, last ledger.Sealed, m contract.Month, now time.Time) (*draft, error) {
	if id := b.store.ID(); last.Store != id {
		return nil, fmt.Errorf("correct %s: it was closed in store %s, this is store %s: restate it", m, last.Store, id)
	}
	terms, err := b.journal.Part(ctx, last.Terms)
	if err != nil {
		return nil, err
	}
	contracts, err := contract.ReadCanonical(terms)
	if err != nil {
		return nil, err
	}
	placed, placements, err := b.placements(ctx, last)
	if err != nil {
		return nil, err
	}
	r, standing, err := b.standing(ctx, contracts, m, now)
	if err != nil {
		return nil, err
	}
	from, to := r.bounds()
	d := &draft{
		kind: ledger.Correction, terms: terms, placements: placements, contracts: contracts,
		fromMs: from, toMs: to, unplacedMs: placed.Missing(standing, from, to),
	}
	d.report, err = b.compute(ctx, r, placed)
	return d, err
}

// standing places the GPUs of a month as is known now.
func (b *Books) standing(ctx context.Context, contracts []contract.Contract, m contract.Month, now time.Time) (*request, contract.Placements, error) {
	r, err := newRequest(contracts, Ask{Month: m.String()}, now)
	if err != nil {
		return nil, contract.Placements{}, err
	}
	presences, err := b.store.Presence(ctx)
	if err != nil {
		return nil, contract.Placements{}, fmt.Errorf("read presence: %w", err)
	}
	if !r.overlaps(presences) {
		return nil, contract.Placements{}, r.noData(ctx, b.store, presences)
	}
	from, to := r.bounds()
	return r, contract.Place(contracts, presences, r.asOf.UnixMilli()).Within(from, to), nil
}

// bounds is all the time that a request's periods cover.
func (r *request) bounds() (fromMs, toMs int64) {
	fromMs, toMs = r.stray.FromMs, r.stray.ToMs
	for _, p := range r.periods {
		fromMs, toMs = min(fromMs, p.FromMs), max(toMs, p.ToMs)
	}
	return fromMs, toMs
}

// compute makes the report of a month out of placements and what the store
// holds now.
func (b *Books) compute(ctx context.Context, r *request, placed contract.Placements) (contract.Report, error) {
	presences, err := b.store.Presence(ctx)
	if err != nil {
		return contract.Report{}, fmt.Errorf("read presence: %w", err)
	}
	from, to := r.bounds()
	if placed, err = ground(ctx, b.store, r.contracts, placed, presences, from, to); err != nil {
		return contract.Report{}, err
	}
	plan := contract.NewPlanBy(contract.Grouping{By: contract.ByTeam}, r.contracts, placed, r.periods, r.stray) // for the remarks
	answer, err := b.store.Sums(ctx, plan.Query())
	if err != nil {
		return contract.Report{}, fmt.Errorf("read sums: %w", err)
	}
	out, err := plan.Build(answer, r.asOf)
	if err != nil {
		return contract.Report{}, fmt.Errorf("build report: %w", err)
	}
	counts, err := b.store.Counts(ctx)
	if err != nil {
		return contract.Report{}, fmt.Errorf("read counts: %w", err)
	}
	out.Quality.Conflicts, out.Quality.Quarantined = counts.Conflicts, counts.Quarantined
	out.Quality.RecordedSince = r.recordedSince(presences)
	out.Remarks = contract.Remarks(&out, r.contracts, presences)
	ungroup(&out)
	return out, nil
}
