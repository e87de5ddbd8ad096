package collector

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/contract"
)

// Standing is a month and how final it is: see docs/periods.md.
type Standing struct {
	Month    string               `json:"month"`
	State    contract.PeriodState `json:"state"`
	ClosesAt time.Time            `json:"closes_at"`
	// Revisions are those of a closed month, from 0.
	Revisions []Revision `json:"revisions"`
}

// Revision is an entry of the ledger in a list of months.
type Revision struct {
	Revision    int                   `json:"revision"`
	Kind        ledger.Kind           `json:"kind"`
	AsOf        time.Time             `json:"as_of"`
	Entry       int                   `json:"entry"`
	SHA256      string                `json:"sha256"`
	Report      string                `json:"report_sha256"`
	Terms       string                `json:"contracts_sha256"`
	Batches     string                `json:"batches_sha256,omitempty"`
	UnplacedMs  int64                 `json:"unplaced_gpu_ms"`
	Corrections []contract.Correction `json:"corrections"`
}

// RevisionOf is an entry as it stands in a list.
func RevisionOf(e ledger.Sealed) Revision {
	return Revision{e.Revision, e.Kind, e.AsOf, e.N, e.SHA256, e.Entry.Report, e.Terms, e.Batches, e.UnplacedMs, e.Corrections}
}

// Periods lists the months that the store has data of, and those that are
// closed, in order.
func (b *Books) Periods(ctx context.Context, contracts []contract.Contract, now time.Time) ([]Standing, error) {
	entries, err := b.journal.Entries(ctx)
	if err != nil {
		return nil, err
	}
	months, err := b.months(ctx, contracts)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		m, err := contract.ParseMonth(e.Month)
		if err != nil {
			return nil, fmt.Errorf("read ledger entry %d: %w", e.N, err)
		}
		months = append(months, m)
	}
	out := []Standing{}
	for _, m := range sorted(months) {
		edition, err := liveEdition(contracts, m.String(), now)
		if err != nil {
			return nil, err
		}
		s := Standing{Month: m.String(), State: edition.State, ClosesAt: edition.ClosesAt, Revisions: []Revision{}}
		for _, e := range ledger.Revisions(entries, m.String()) {
			s.State = contract.Closed
			s.Revisions = append(s.Revisions, RevisionOf(e))
		}
		out = append(out, s)
	}
	return out, nil
}

// servePeriods is GET /api/v1/periods.
func (c *Collector) servePeriods(w http.ResponseWriter, r *http.Request) {
	list, err := c.books.Periods(r.Context(), c.cfg.Book.Contracts(), c.cfg.Now())
	if err != nil {
		status, err := c.explain(err)
		writeError(w, status, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, list)
}

// sorted returns each month once, in order.
func sorted(months []contract.Month) []contract.Month {
	slices.SortFunc(months, func(a, b contract.Month) int {
		return cmp.Or(cmp.Compare(a.Year, b.Year), cmp.Compare(a.Month, b.Month))
	})
	return slices.Compact(months)
}

// months returns the months, in any of the contracts' zones, in which a GPU was
// there.
func (b *Books) months(ctx context.Context, contracts []contract.Contract) ([]contract.Month, error) {
	presences, err := b.store.Presence(ctx)
	if err != nil {
		return nil, fmt.Errorf("read presence: %w", err)
	}
	presences = slices.Clone(presences)
	slices.SortFunc(presences, func(a, b contract.Presence) int { return cmp.Compare(a.StartMs, b.StartMs) })
	zones := []*time.Location{time.UTC}
	for i := range contracts {
		zones = append(zones, contracts[i].Zone)
	}
	var out []contract.Month
	until := int64(-1 << 62)
	for _, p := range presences {
		from := max(p.StartMs, until) // what was there before has been looked at
		until = max(until, p.EndMs)
		if from >= p.EndMs {
			continue
		}
		for _, z := range zones {
			for m := contract.MonthOf(from, z); m.In(z).FromMs < p.EndMs; m = m.Next() {
				out = append(out, m)
			}
		}
	}
	return sorted(out), nil
}

// Settle closes every month that is due and corrects every closed one, and
// returns what that added to the ledger.
func (b *Books) Settle(ctx context.Context, contracts []contract.Contract, now time.Time) ([]ledger.Sealed, error) {
	list, err := b.Periods(ctx, contracts, now)
	if err != nil {
		return nil, err
	}
	var out []ledger.Sealed
	for _, s := range list {
		m, err := contract.ParseMonth(s.Month)
		if err != nil {
			return out, err
		}
		var e ledger.Sealed
		switch {
		case s.State == contract.Closed:
			e, err = b.Correct(ctx, m, now)
		case m.StateAt(contracts, now.UnixMilli()) == contract.Closed:
			e, err = b.Close(ctx, contracts, m, now)
		default:
			continue
		}
		if err != nil {
			return out, err
		}
		if e.Revision >= len(s.Revisions) {
			out = append(out, e)
		}
	}
	return out, nil
}
