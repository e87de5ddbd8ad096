package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// Books closes months in the ledger of a store, corrects them, and reads what
// was closed. It may be used concurrently, beside the Books of other
// collectors of the same store: whoever comes second to close a month finds it
// closed.
type Books struct {
	store   store.Store
	journal *ledger.Journal
}

// NewBooks returns the books of a store. It reads nothing yet.
func NewBooks(st store.Store) *Books { return &Books{st, ledger.New(st)} }

// ErrNotDue is wrapped by the error of a Close that comes too early.
var ErrNotDue = errors.New("it is too early to close")

// raceLimit bounds how often a revision is computed anew because another
// collector was faster.
const raceLimit = 8

// Close closes a month: it stores the report, the terms and the placements it
// was computed with, once. It returns the closing, also if it was there before.
// The error wraps ErrNotDue before the month's cut-off, and ErrNoData if the
// store has nothing of it: a month without data is never closed.
func (b *Books) Close(ctx context.Context, contracts []contract.Contract, m contract.Month, now time.Time) (ledger.Sealed, error) {
	return b.revise(ctx, m, func(revisions []ledger.Sealed) (*draft, error) {
		if len(revisions) > 0 {
			return nil, nil
		}
		if closes := m.ClosesMs(contracts); now.UnixMilli() < closes {
			return nil, fmt.Errorf("%w: %s is %s, and closes at %s", ErrNotDue, m, m.StateAt(contracts, now.UnixMilli()), utc(closes))
		}
		return b.place(ctx, ledger.Closing, contracts, m, now)
	})
}

// Correct computes a closed month again, with its own terms and placements and
// all that is in the store by now. If that says otherwise than the latest
// revision, also of GPUs that the placements do not know, it becomes a new one.
// It returns the latest.
func (b *Books) Correct(ctx context.Context, m contract.Month, now time.Time) (ledger.Sealed, error) {
	return b.revise(ctx, m, func(revisions []ledger.Sealed) (*draft, error) {
		if len(revisions) == 0 {
			return nil, fmt.Errorf("%w of %s: the month is not closed", ErrNoRevision, m)
		}
		return b.recompute(ctx, revisions[len(revisions)-1], m, now)
	})
}

// Restate computes a closed month again under the contracts given and places
// the GPUs anew. It is made on request only: what changes may be who had which
// GPU. If it says otherwise than the latest revision, or that is of another
// store, it becomes a new one.
func (b *Books) Restate(ctx context.Context, contracts []contract.Contract, m contract.Month, now time.Time) (ledger.Sealed, error) {
	return b.revise(ctx, m, func(revisions []ledger.Sealed) (*draft, error) {
		if len(revisions) == 0 {
			return nil, fmt.Errorf("%w of %s: the month is not closed", ErrNoRevision, m)
		}
		return b.place(ctx, ledger.Restatement, contracts, m, now)
	})
}

// draft is a revision before it is in the ledger.
type draft struct {
	kind              ledger.Kind
	terms, placements []byte
	report            contract.Report
	contracts         []contract.Contract
	fromMs, toMs      int64 // the month, in all zones
	unplacedMs        int64
}

// revise makes a draft after the revisions there are, and appends it; it
// begins again if another collector was faster. Without a draft it returns the
// closing, and the latest revision if the draft says nothing else.
func (b *Books) revise(ctx context.Context, m contract.Month, make func(revisions []ledger.Sealed) (*draft, error)) (ledger.Sealed, error) {
	for range raceLimit {
		entries, err := b.journal.Entries(ctx)
		if err != nil {
			return ledger.Sealed{}, err
		}
		revisions := ledger.Revisions(entries, m.String())
		d, err := make(revisions)
		if err != nil {
			return ledger.Sealed{}, err
		}
		if d == nil {
			return revisions[0], nil
		}
		e, changed, err := b.entry(ctx, d, m, revisions)
		if err != nil {
			return ledger.Sealed{}, fmt.Errorf("%s of %s: %w", d.kind, m, err)
		}
		if !changed {
			return revisions[len(revisions)-1], nil
		}
		s, err := b.journal.Append(ctx, entries, e)
		if !errors.Is(err, ledger.ErrBehind) {
			return s, err
		}
	}
	return ledger.Sealed{}, fmt.Errorf("close %s: another collector was faster %d times", m, raceLimit)
}

// entry writes the parts of a draft and says what it changes. A closing always
// changes something.
func (b *Books) entry(ctx context.Context, d *draft, m contract.Month, revisions []ledger.Sealed) (ledger.Entry, bool, error) {
	e := ledger.Entry{
		Store: b.store.ID(), Month: m.String(), Revision: len(revisions), Kind: d.kind, AsOf: d.report.AsOf, UnplacedMs: d.unplacedMs,
	}
	d.report.Edition = &contract.Edition{
		State: contract.Closed, ClosesAt: time.UnixMilli(m.ClosesMs(d.contracts)).UTC(),
		Revision: &e.Revision, Terms: contract.Hash(d.terms),
	}
	if len(revisions) > 0 {
		last := revisions[len(revisions)-1]
		before, err := b.closedReport(ctx, last)
		if err != nil {
			return e, false, err
		}
		if sameFigures(before, d.report) && last.Store == e.Store && last.UnplacedMs == d.unplacedMs && last.Terms == contract.Hash(d.terms) && last.Placements == contract.Hash(d.placements) {
			return e, false, nil
		}
		if e.Corrections, err = contract.Correct(before, d.report); err != nil {
			return e, false, err
		}
	}
	var text bytes.Buffer
	if err := report.JSON(&text, d.report); err != nil {
		return e, false, err
	}
	var err error
	if e.Batches, err = b.journal.PutBatches(ctx, d.fromMs, d.toMs); err != nil {
		return e, false, err
	}
	if e.Days, err = ledger.LastDay(ctx, b.store); err != nil {
		return e, false, err
	}
	for _, part := range []struct {
		hash *string
		body []byte
	}{{&e.Terms, d.terms}, {&e.Placements, d.placements}, {&e.Report, text.Bytes()}} {
		if *part.hash, err = b.journal.PutPart(ctx, part.body); err != nil {
			return e, false, err
		}
	}
	return e, true, nil
}

// sameFigures reports whether two reports say the same of every contract and
// of the uncontracted GPUs, whenever they were made.
func sameFigures(a, b contract.Report) bool {
	var texts [2][]byte
	for i, r := range []contract.Report{a, b} {
		r.AsOf, r.Edition, r.Quality, r.Remarks = time.Time{}, nil, contract.Quality{}, nil
		text, err := json.Marshal(r)
		if err != nil {
			return false
		}
		texts[i] = text
	}
	return bytes.Equal(texts[0], texts[1])
}
