package collector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/collector/claim"
	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// ClaimAsk says which incidents are wanted: of a month ("2026-10"; empty is the
// current one), and of one contract or of all if it is empty.
type ClaimAsk struct{ Month, Contract string }

// ErrUnknownIncident is wrapped by errors about an incident that a month does
// not have.
var ErrUnknownIncident = errors.New("unknown incident")

// maxWatched bounds the events that decide whose incidents are: starts and stops
// of agents, of which a node has a few a month.
const maxWatched = 5_000_000

// Claims derives the incidents of a month out of what the store holds and the
// contracts say, up to two minutes before now. An error wraps ErrNoData or
// ErrUnknownContract, is an *AskError, or is the store's.
func Claims(ctx context.Context, st store.Store, contracts []contract.Contract, ask ClaimAsk, now time.Time) (contract.Docket, error) {
	d, _, err := claims(ctx, st, contracts, ask, now)
	return d, err
}

func claims(ctx context.Context, st store.Store, contracts []contract.Contract, ask ClaimAsk, now time.Time) (contract.Docket, *contract.Watch, error) {
	m, err := ask.month(contracts, now)
	if err != nil {
		return contract.Docket{}, nil, err
	}
	w, err := watch(ctx, st, contracts, m, settled(now).UnixMilli())
	if err != nil {
		return contract.Docket{}, nil, err
	}
	d, err := contract.Incidents(w, m)
	if err != nil {
		return contract.Docket{}, nil, fmt.Errorf("derive incidents: %w", err)
	}
	if ask.Contract != "" {
		d.Incidents = slices.DeleteFunc(d.Incidents, func(x contract.Incident) bool { return x.Contract != ask.Contract })
		d.Minor = slices.DeleteFunc(d.Minor, func(x contract.Minor) bool { return x.Contract != ask.Contract })
		if d.Unmetered() == "" {
			d.MeteredSince = nil
		}
	}
	return d, w, nil
}

// month checks what is asked for.
func (a ClaimAsk) month(contracts []contract.Contract, now time.Time) (contract.Month, error) {
	only := slices.IndexFunc(contracts, func(c contract.Contract) bool { return c.ID == a.Contract })
	switch {
	case len(contracts) == 0:
		return contract.Month{}, badAsk("there are no contracts: incidents are of what was bought")
	case a.Contract != "" && only < 0:
		return contract.Month{}, fmt.Errorf("%w %q: the contract file has %s", ErrUnknownContract, a.Contract, idsOf(contracts))
	case a.Month == "":
		return contract.MonthOf(settled(now).UnixMilli(), contracts[max(only, 0)].Zone), nil
	}
	m, err := contract.ParseMonth(a.Month)
	if err != nil {
		return m, &AskError{err.Error()}
	}
	if !slices.ContainsFunc(contracts, func(c contract.Contract) bool { return m.In(c.Zone).FromMs < settled(now).UnixMilli() }) {
		return m, fmt.Errorf("%w for %s: it has not begun, as far as data is settled", ErrNoData, m)
	}
	return m, nil
}

// watch reads all that the incidents of a month are derived from.
func watch(ctx context.Context, st store.Store, contracts []contract.Contract, m contract.Month, asOfMs int64) (*contract.Watch, error) {
	w := &contract.Watch{Contracts: contracts, AsOfMs: asOfMs}
	var err error
	if w.Presences, err = st.Presence(ctx); err != nil {
		return nil, fmt.Errorf("read presence: %w", err)
	}
	from, to := contract.Reach(contracts, m, asOfMs)
	err = st.Stretches(ctx, from, to, func(s contract.Stretch) error {
		w.Stretches = append(w.Stretches, s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Until now: a node that comes back in the next month says then how long it
	// was up.
	events, err := st.EventsOf(ctx, store.EventQuery{FromMs: from - time.Hour.Milliseconds(), ToMs: asOfMs, Kinds: contract.WatchedEvents, Limit: maxWatched})
	if err != nil {
		return nil, err
	}
	if len(events) == maxWatched {
		return nil, fmt.Errorf("read events: there are more than %d starts and stops of agents: whose an incident is cannot be told", maxWatched)
	}
	for _, e := range events {
		w.Events = append(w.Events, contract.NodeEvent{Machine: machineOf(e), Event: e.Event})
	}
	if w.Lives, err = st.Lives(ctx); err != nil {
		return nil, err
	}
	return w, nil
}

// machineOf is the node that an event happened on.
func machineOf(e store.Event) contract.Machine {
	c := &e.Cloud
	return contract.Machine{Node: e.Node, Provider: c.Provider, Account: c.Account, Region: c.Region, Cluster: c.Cluster}
}

// ClaimBundle gathers the evidence of one incident of a month. With holders, it
// says who held the GPUs. An error is one of Claims, or wraps ErrUnknownIncident.
func ClaimBundle(ctx context.Context, st store.Store, contracts []contract.Contract, ask ClaimAsk, id string, holders bool, now time.Time) (*claim.Bundle, error) {
	d, w, err := claims(ctx, st, contracts, ask, now)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(d.Incidents, func(x contract.Incident) bool { return x.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("%w %q: %s has %d incidents, and not this one (it may be of another month, or late data moved its begin)", ErrUnknownIncident, id, d.Period, len(d.Incidents))
	}
	b := &claim.Bundle{StoreID: st.ID(), Incident: d.Incidents[i], WithHolders: holders}
	c := slices.IndexFunc(contracts, func(c contract.Contract) bool { return c.ID == b.Incident.Contract })
	b.Contract = termsOf(contracts[c], b.Incident.Tranche)
	m, _ := contract.ParseMonth(d.Period)
	b.AsOf = time.UnixMilli(min(w.AsOfMs, m.In(contracts[c].Zone).ToMs)).UTC()
	if b.Closed, err = closedIn(ctx, st, m); err != nil {
		return nil, err
	}
	if b.Incident.Site.Node == "" {
		t := slices.IndexFunc(contracts[c].Tranches, func(t contract.Tranche) bool { return t.ID == b.Incident.Tranche })
		placed := contract.Place(contracts, w.Presences, w.AsOfMs)
		b.Course = contract.Course(contracts, placed, c, t, b.Incident.From.UnixMilli(), b.Incident.To.UnixMilli())
		return b, nil
	}
	return b, gather(ctx, st, b, w)
}

// closedIn returns the closing of a month; nil if there is none.
func closedIn(ctx context.Context, st store.Store, m contract.Month) (*claim.Closed, error) {
	entries, err := ledger.New(st).Entries(ctx)
	if err != nil {
		return nil, err
	}
	revisions := ledger.Revisions(entries, m.String())
	if len(revisions) == 0 {
		return nil, nil
	}
	return &claim.Closed{Month: m.String(), Entry: revisions[0].N, SHA256: revisions[0].SHA256}, nil
}

// termsOf leaves of a contract the terms that concern one tranche.
func termsOf(c contract.Contract, tranche string) contract.Contract {
	c.Tranches = slices.DeleteFunc(slices.Clone(c.Tranches), func(t contract.Tranche) bool { return t.ID != tranche })
	c.SLAs = slices.DeleteFunc(slices.Clone(c.SLAs), func(s contract.SLA) bool { return s.ID != c.Tranches[0].SLA })
	c.Commitments = nil
	return c
}

// maxBundled bounds the events of one bundle.
const maxBundled = 1_000_000

// gather reads the records, events and batches around an incident.
func gather(ctx context.Context, st store.Store, b *claim.Bundle, w *contract.Watch) error {
	x := &b.Incident
	from, to := x.From.Add(-claim.Around).UnixMilli(), x.To.Add(claim.Around).UnixMilli()
	if to > w.AsOfMs {
		to = w.AsOfMs
	}
	machines := contract.MachinesOf(w.Presences)
	spans, nodes := witnesses(x, w.Presences, from, to)
	err := st.Entries(ctx, spans, func(e store.Entry) error {
		b.Entries = append(b.Entries, e)
		return nil
	})
	if err != nil {
		return err
	}
	for _, node := range nodes {
		events, err := st.EventsOf(ctx, store.EventQuery{FromMs: from, ToMs: to, Node: node.Node, Limit: maxBundled})
		if err != nil {
			return err
		}
		if len(events) == maxBundled {
			return fmt.Errorf("read events: node %s has more than %d around incident %s", node.Node, maxBundled, x.ID)
		}
		for _, e := range events {
			if machines.Known(machineOf(e)) == node {
				b.Events = append(b.Events, e)
			}
		}
	}
	b.Events = slices.DeleteFunc(b.Events, func(e store.Event) bool {
		return e.GPU != "" && !slices.Contains(x.GPUs, e.GPU) && !slices.Contains(x.DownBy, e.GPU)
	})
	return chain(ctx, st, b)
}

// witnesses returns the units whose records tell of an incident, and the nodes
// that they are in, the incident's first: the GPUs that were lost, and those
// that took their node or rack down.
func witnesses(x *contract.Incident, presences []contract.Presence, fromMs, toMs int64) (spans []contract.Span, nodes []contract.Machine) {
	machines := contract.MachinesOf(presences)
	own := machines.Known(x.Site.Machine())
	nodes = []contract.Machine{own}
	seen := map[int64]bool{}
	for i := range presences {
		p := &presences[i]
		by := slices.Contains(x.DownBy, p.GPU) && p.StartMs < toMs && fromMs < p.EndMs
		on := machines.Of(p)
		if seen[p.Unit] || !by && (on != own || !slices.Contains(x.GPUs, p.GPU)) {
			continue
		}
		seen[p.Unit] = true
		spans = append(spans, contract.Span{Unit: p.Unit, FromMs: fromMs, ToMs: toMs})
		if !slices.Contains(nodes, on) {
			nodes = append(nodes, on)
		}
	}
	slices.SortFunc(nodes[1:], contract.Machine.Compare)
	return spans, nodes
}

// chain reads the batches that brought the records, and those between.
func chain(ctx context.Context, st store.Store, b *claim.Bundle) error {
	type feed struct{ agent, epoch string }
	type bounds struct{ lo, hi uint64 }
	feeds := map[feed]bounds{}
	for _, e := range b.Entries {
		f, seq := feed{e.Batch.Agent, e.Batch.Epoch}, e.Batch.Seq
		s, ok := feeds[f]
		if !ok {
			s = bounds{seq, seq}
		}
		feeds[f] = bounds{min(s.lo, seq), max(s.hi, seq)}
	}
	for f, s := range feeds {
		links, err := st.Links(ctx, f.agent, f.epoch, s.lo, s.hi)
		if err != nil {
			return err
		}
		b.Links = append(b.Links, links...)
	}
	return nil
}
