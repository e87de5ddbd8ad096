package collector

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// Report computes the report that is asked for out of what the store holds
// and the contracts say, up to two minutes before now. With Ask.Contract it is
// about that contract alone and names no uncontracted GPUs; placing still
// looks at all contracts, which share the GPUs.
//
// An error wraps ErrNoData (an *AwaitedError where data is on its way) or
// ErrUnknownContract, is an *AskError, or is the store's.
func Report(ctx context.Context, st store.Store, contracts []contract.Contract, ask Ask, now time.Time) (contract.Report, error) {
	r, err := newRequest(contracts, ask, now)
	if err != nil {
		return contract.Report{}, err
	}
	presences, err := st.Presence(ctx)
	if err != nil {
		return contract.Report{}, fmt.Errorf("read presence: %w", err)
	}
	if !r.overlaps(presences) {
		return contract.Report{}, r.noData(ctx, st, presences)
	}
	plan, err := r.plan(ctx, st, presences)
	if err != nil {
		return contract.Report{}, err
	}
	answer, err := st.Sums(ctx, plan.Query())
	if err != nil {
		return contract.Report{}, fmt.Errorf("read sums: %w", err)
	}
	out, err := plan.Build(answer, r.asOf)
	if err != nil {
		return contract.Report{}, fmt.Errorf("build report: %w", err)
	}
	counts, err := st.Counts(ctx)
	if err != nil {
		return contract.Report{}, fmt.Errorf("read counts: %w", err)
	}
	out.Quality.Conflicts, out.Quality.Quarantined = counts.Conflicts, counts.Quarantined
	out.Quality.RecordedSince = r.recordedSince(presences)
	if out.Edition, err = liveEdition(contracts, r.month, now); err != nil {
		return contract.Report{}, fmt.Errorf("build report: %w", err)
	}
	out.Remarks = contract.Remarks(&out, contracts, presences)
	return r.trim(out)
}

// request is an Ask with its periods found.
type request struct {
	contracts []contract.Contract
	only      int // index of the contract asked for; -1 is all
	periods   []contract.Period
	stray     contract.Period
	asked     contract.Period // of stray, before it was clipped
	month     string          // if one is asked for
	by        contract.By
	top       int
	now, asOf time.Time
}

func newRequest(contracts []contract.Contract, ask Ask, now time.Time) (*request, error) {
	if err := ask.Check(); err != nil {
		return nil, err
	}
	r := &request{contracts: contracts, only: -1, now: now, asOf: settled(now).UTC(), by: ask.By, top: ask.Top}
	zone := time.UTC
	if ask.Contract != "" {
		r.only = slices.IndexFunc(contracts, func(c contract.Contract) bool { return c.ID == ask.Contract })
		if r.only < 0 {
			return nil, fmt.Errorf("%w %q: the contract file has %s", ErrUnknownContract, ask.Contract, idsOf(contracts))
		}
		zone = contracts[r.only].Zone
	}
	ask = ask.orMonth(zone, now)
	r.month = ask.Month
	var err error
	if r.asked, err = ask.period(zone, now); err != nil {
		return nil, err
	}
	r.stray = r.clip(r.asked)
	for i := range contracts {
		p, err := ask.period(contracts[i].Zone, now)
		if err != nil {
			return nil, err
		}
		p = r.clip(p)
		if r.only >= 0 && i != r.only {
			p.ToMs = p.FromMs
		}
		r.periods = append(r.periods, p)
	}
	return r, nil
}

// clip ends a period where what is settled ends.
func (r *request) clip(p contract.Period) contract.Period {
	p.ToMs = max(p.FromMs, min(p.ToMs, r.asOf.UnixMilli()))
	return p
}

func idsOf(contracts []contract.Contract) string {
	if len(contracts) == 0 {
		return "none"
	}
	var ids []string
	for i := range contracts {
		ids = append(ids, contracts[i].ID)
	}
	return strings.Join(ids, ", ")
}

// overlaps reports whether any GPU was there in what is asked for.
func (r *request) overlaps(presences []contract.Presence) bool {
	all := append(slices.Clone(r.periods), r.stray)
	for i := range presences {
		for _, q := range all {
			if max(presences[i].StartMs, q.FromMs) < min(presences[i].EndMs, q.ToMs) {
				return true
			}
		}
	}
	return false
}

// noData says what the store holds instead, and what is on its way.
func (r *request) noData(ctx context.Context, st store.Store, presences []contract.Presence) error {
	if e := r.awaited(presences); e != nil {
		return e
	}
	e, err := st.Extent(ctx)
	if err != nil {
		return fmt.Errorf("read extent: %w", err)
	}
	holds := "the store holds no records yet"
	if e.FromMs < e.ToMs {
		holds = fmt.Sprintf("the store holds records from %s to %s", utc(e.FromMs), utc(e.ToMs))
	}
	if r.asked.FromMs >= r.asOf.UnixMilli() {
		return fmt.Errorf("%w %s: it begins at %s, and reports go to %s; %s", ErrNoData, within(r.asked.Name), utc(r.asked.FromMs), utc(r.asOf.UnixMilli()), holds)
	}
	return fmt.Errorf("%w %s: %s", ErrNoData, within(r.asked.Name), holds)
}

// within puts the name of a period into a sentence.
func within(name string) string {
	switch word, _, _ := strings.Cut(name, " "); word {
	case "since":
		return name
	case "last":
		return "in the " + name
	}
	return "for " + name
}

func utc(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// plan places the GPUs and lays them against the periods.
func (r *request) plan(ctx context.Context, st store.Store, presences []contract.Presence) (*contract.Plan, error) {
	placed := contract.Place(r.contracts, presences, r.asOf.UnixMilli())
	if r.only >= 0 {
		placed.List = slices.DeleteFunc(placed.List, func(p contract.Placement) bool { return p.Contract != r.only })
	}
	from, to := r.bounds()
	placed, err := ground(ctx, st, r.contracts, placed, presences, from, to)
	if err != nil {
		return nil, err
	}
	// Without a breakdown it is made by team all the same, for the remarks.
	grouping := contract.Grouping{By: cmp.Or(r.by, contract.ByTeam), Presences: presences}
	return contract.NewPlanBy(grouping, r.contracts, placed, r.periods, r.stray), nil
}

// trim leaves the contract that was asked for, and as many groups.
func (r *request) trim(out contract.Report) (contract.Report, error) {
	if r.only >= 0 {
		out.Contracts = out.Contracts[r.only : r.only+1]
		out.Uncontracted = []contract.Stray{}
		if b := out.Breakdown; b != nil {
			b.Uncontracted = []contract.Parcel{}
			b.Currencies = slices.DeleteFunc(b.Currencies, func(s contract.Showback) bool { return s.Currency != out.Contracts[0].Currency })
		}
	}
	if r.by == "" {
		ungroup(&out)
	}
	if r.by == "" || r.top == AllGroups {
		return out, nil
	}
	if err := out.Top(cmp.Or(r.top, DefaultTop)); err != nil {
		return contract.Report{}, fmt.Errorf("build report: %w", err)
	}
	return out, nil
}

// ungroup takes the groups out of a report.
func ungroup(out *contract.Report) {
	out.Breakdown = nil
	for i := range out.Contracts {
		out.Contracts[i].Total.Groups = nil
		for k := range out.Contracts[i].Tranches {
			out.Contracts[i].Tranches[k].Groups = nil
		}
	}
}
