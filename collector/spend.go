package collector

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/collector/focus"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/web"
	"github.com/gpumeter/gpumeter/contract"
)

// SpendAsk says which spend report is wanted.
type SpendAsk struct {
	// At is the moment that it is of: a date ("2026-10-01": midnight in the
	// contract's billing time zone, UTC without a contract) or a time (RFC
	// 3339); empty is now.
	At       string
	Contract string // its id; empty is all
}

// ParseSpendAsk reads a SpendAsk from the parameters of a URL: at, contract.
// The error is an *AskError.
func ParseSpendAsk(q url.Values) (SpendAsk, error) {
	var a SpendAsk
	fields := map[string]*string{"at": &a.At, "contract": &a.Contract}
	for key, values := range q {
		f, ok := fields[key]
		switch {
		case !ok:
			return a, badAsk("unknown parameter %q: want at or contract", key)
		case len(values) > 1:
			return a, badAsk("%s is given %d times", key, len(values))
		}
		*f = values[0]
	}
	return a, nil
}

// Values is the inverse of ParseSpendAsk.
func (a SpendAsk) Values() url.Values {
	q := url.Values{}
	for key, v := range map[string]string{"at": a.At, "contract": a.Contract} {
		if v != "" {
			q.Set(key, v)
		}
	}
	return q
}

// moment finds the moment that is asked for. What is not settled is not in it.
func (a SpendAsk) moment(zone *time.Location, now time.Time) (time.Time, error) {
	if a.At == "" {
		return settled(now), nil
	}
	at, err := moment("at", a.At, zone)
	if err == nil && at.After(now) {
		err = badAsk("at %q lies ahead: a report is of what was", a.At)
	}
	return at, err
}

// Spend computes the spend report that is asked for, out of what was billed
// and, where nothing was, out of what the store holds. Without a store
// nothing is metered.
//
// An error wraps ErrUnknownContract, is an *AskError, or is the store's.
func Spend(ctx context.Context, st store.Store, contracts []contract.Contract, ledger *focus.Ledger, ask SpendAsk, now time.Time) (contract.SpendReport, error) {
	zone := time.UTC
	if ask.Contract != "" {
		only := slices.IndexFunc(contracts, func(c contract.Contract) bool { return c.ID == ask.Contract })
		if only < 0 {
			return contract.SpendReport{}, fmt.Errorf("%w %q: the contract file has %s", ErrUnknownContract, ask.Contract, idsOf(contracts))
		}
		zone = contracts[only].Zone
	}
	at, err := ask.moment(zone, now)
	if err != nil {
		return contract.SpendReport{}, err
	}
	in := &contract.SpendInput{Contracts: contracts, Bills: ledger.Bills, Stated: ledger.Stated, AtMs: at.UnixMilli()}
	if st != nil {
		if err := meter(ctx, st, in); err != nil {
			return contract.SpendReport{}, err
		}
	}
	out, err := contract.Spend(in)
	if err != nil {
		return contract.SpendReport{}, fmt.Errorf("build spend report: %w", err)
	}
	if ask.Contract != "" {
		out.Commitments = slices.DeleteFunc(out.Commitments, func(s contract.CommitmentSpend) bool { return s.Contract != ask.Contract })
		out.Expiries = slices.DeleteFunc(out.Expiries, func(e contract.Expiry) bool { return e.Contract != ask.Contract })
	}
	return out, nil
}

// meter fills in the metered days of each contract whose capacity can draw a
// commitment down, from the first that the store knows anything of, and what
// stood there at last.
func meter(ctx context.Context, st store.Store, in *contract.SpendInput) error {
	extent, err := st.Extent(ctx)
	if err != nil {
		return fmt.Errorf("read extent: %w", err)
	}
	periods, any := spendPeriods(in.Contracts, max(extent.FromMs, 0), min(in.AtMs, extent.ToMs))
	if !any {
		return nil
	}
	presences, err := st.Presence(ctx)
	if err != nil {
		return fmt.Errorf("read presence: %w", err)
	}
	placed := contract.Place(in.Contracts, presences, in.AtMs)
	in.Stood = contract.StoodAt(in.Contracts, placed, presences, in.AtMs)
	placed.List = slices.DeleteFunc(placed.List, func(p contract.Placement) bool { return p.Fate == contract.Uncontracted })
	plan := contract.NewPlan(in.Contracts, placed, periods, contract.Period{FromMs: in.AtMs, ToMs: in.AtMs})
	answer, err := st.Sums(ctx, plan.Query())
	if err != nil {
		return fmt.Errorf("read sums: %w", err)
	}
	rep, err := plan.Build(answer, time.UnixMilli(in.AtMs).UTC())
	if err != nil {
		return fmt.Errorf("build report: %w", err)
	}
	in.Metered = make([][]contract.MeteredDay, len(in.Contracts))
	for i := range in.Contracts {
		if periods[i].FromMs == periods[i].ToMs {
			continue
		}
		if in.Metered[i], err = in.Contracts[i].MeteredDays(&rep.Contracts[i]); err != nil {
			return fmt.Errorf("contract %q: %w", in.Contracts[i].ID, err)
		}
	}
	return nil
}

// spendPeriods are the spans in which each contract's capacity is wanted: from
// the begin of the first commitment that it can draw down. Others are empty.
func spendPeriods(contracts []contract.Contract, fromMs, toMs int64) (periods []contract.Period, any bool) {
	periods = make([]contract.Period, len(contracts))
	for i := range contracts {
		c := &contracts[i]
		from := toMs
		for k := range contracts {
			for m := range contracts[k].Commitments {
				if len(c.Tranches) > 0 && contracts[k].Provider == c.Provider {
					from = min(from, contracts[k].Commitments[m].FromMs)
				}
			}
		}
		from = max(from, fromMs)
		periods[i] = contract.Period{FromMs: from, ToMs: max(from, toMs)}
		any = any || periods[i].FromMs < periods[i].ToMs
	}
	return periods, any
}

// Spend computes the spend report that is asked for, now, under the contracts
// in force. Errors are those of the function Spend.
func (c *Collector) Spend(ctx context.Context, ask SpendAsk) (contract.SpendReport, error) {
	select {
	case c.reports <- struct{}{}:
		defer func() { <-c.reports }()
	case <-ctx.Done():
		return contract.SpendReport{}, ctx.Err()
	}
	ledger := &focus.Ledger{}
	if c.cfg.Focus != nil {
		var err error
		if ledger, err = c.cfg.Focus.Load(); err != nil {
			return contract.SpendReport{}, err
		}
	}
	return Spend(ctx, c.cfg.Store, c.cfg.Book.Contracts(), ledger, ask, c.cfg.Now())
}

// serveSpendPage is the page of GET /spend, with the parameters of the API.
func (c *Collector) serveSpendPage(w http.ResponseWriter, r *http.Request) {
	page, status := web.SpendPage{Version: c.cfg.Version, Query: r.URL.Query()}, http.StatusOK
	ask, err := ParseSpendAsk(r.URL.Query())
	if err == nil {
		var rep contract.SpendReport
		if rep, err = c.Spend(r.Context(), ask); err == nil {
			page.Report = &rep
		}
	}
	if err != nil {
		status, err = c.explain(err)
		page.Problem = err.Error()
	}
	c.answerPage(w, status, page.Write)
}

func (c *Collector) serveSpend(w http.ResponseWriter, r *http.Request) {
	ask, err := ParseSpendAsk(r.URL.Query())
	var rep contract.SpendReport
	if err == nil {
		rep, err = c.Spend(r.Context(), ask)
	}
	if err != nil {
		status, err := c.explain(err)
		writeError(w, status, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, rep)
}
