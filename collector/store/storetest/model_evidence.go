package storetest

import (
	"cmp"
	"context"
	"slices"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// owners returns the claims that own their time.
func (m *Model) owners() []claim {
	all := m.claims()
	byGPU := map[string][]claim{}
	for _, c := range all {
		byGPU[c.GPU] = append(byGPU[c.GPU], c)
	}
	return slices.DeleteFunc(all, func(c claim) bool { return slices.ContainsFunc(byGPU[c.GPU], c.losesTo) })
}

// Stretches adds the records of each window up, and then joins what is whole.
func (m *Model) Stretches(_ context.Context, fromMs, toMs int64, f func(contract.Stretch) error) error {
	m.mu.Lock()
	claims := m.owners()
	m.mu.Unlock()
	type window struct{ unit, fromMs, toMs int64 }
	sums := map[window]*contract.Stretch{}
	for _, c := range claims {
		w := window{c.unit, c.StartMs, c.EndMs}
		if c.EndMs <= fromMs || c.StartMs >= toMs {
			continue
		}
		if sums[w] == nil {
			sums[w] = &contract.Stretch{Unit: c.unit, FromMs: c.StartMs, ToMs: c.EndMs}
		}
		s := sums[w]
		s.UnhealthyMs += c.UnhealthyMs
		s.HealthyMs += c.ObservedMs() - c.UnhealthyMs
		reason := &s.Missing
		if c.UnhealthyMs > 0 {
			reason = &s.Fault
		}
		if c.Reason != "" && (*reason == "" || c.Reason < *reason) {
			*reason = c.Reason
		}
	}
	var out []contract.Stretch
	for _, s := range sums {
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b contract.Stretch) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.FromMs, b.FromMs))
	})
	for i := 0; i < len(out); i++ {
		s := out[i]
		for s.Whole() && i+1 < len(out) && out[i+1].Unit == s.Unit && out[i+1].FromMs == s.ToMs && out[i+1].Whole() {
			i++
			s.ToMs, s.HealthyMs = out[i].ToMs, s.HealthyMs+out[i].HealthyMs
		}
		if err := f(s); err != nil {
			return err
		}
	}
	return nil
}

// Entries looks at every record and every span.
func (m *Model) Entries(_ context.Context, spans []contract.Span, f func(store.Entry) error) error {
	m.mu.Lock()
	claims := m.owners()
	m.mu.Unlock()
	var out []store.Entry
	for _, c := range claims {
		if slices.ContainsFunc(spans, func(s contract.Span) bool {
			return s.Unit == c.unit && max(s.FromMs, c.StartMs) < min(s.ToMs, c.EndMs)
		}) {
			out = append(out, store.Entry{Unit: c.unit, Batch: c.batch.ID(), Evidence: c.batch.Evidence, Record: c.Record})
		}
	}
	slices.SortFunc(out, compareEntries)
	for _, e := range out {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

func compareEntries(a, b store.Entry) int {
	return cmp.Or(cmp.Compare(a.GPU, b.GPU), compareStraddles(contract.Straddle{Record: a.Record}, contract.Straddle{Record: b.Record}))
}

// Links looks at every batch. Its ReceivedMs are zero: a Model has no clock.
func (m *Model) Links(_ context.Context, agent, epoch string, lo, hi uint64) ([]store.Link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.Link
	for _, s := range m.batches {
		b := &s.Batch
		if b.Agent == agent && b.Epoch == epoch && lo <= b.Seq && b.Seq <= hi {
			out = append(out, store.Link{ID: b.ID(), Node: b.Node.Name, Hash: s.Hash, Prev: b.Prev, Records: len(b.Records), Events: len(b.Events)})
		}
	}
	slices.SortFunc(out, func(a, b store.Link) int { return cmp.Compare(a.Seq, b.Seq) })
	return out, nil
}

// EventsOf takes from Events what is asked for.
func (m *Model) EventsOf(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	all, err := m.Events(ctx, q.FromMs, q.ToMs, 1<<30)
	all = slices.DeleteFunc(all, func(e store.Event) bool {
		return q.Node != "" && e.Node != q.Node || len(q.Kinds) > 0 && !slices.Contains(q.Kinds, e.Kind)
	})
	return all[:min(len(all), max(q.Limit, 0))], err
}

// Beat remembers.
func (m *Model) Beat(_ context.Context, life contract.Life) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lives = append(m.lives, life)
	return nil
}

// Lives keeps the latest of each start.
func (m *Model) Lives(context.Context) ([]contract.Life, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []contract.Life
	for _, l := range m.lives {
		i := slices.IndexFunc(out, func(o contract.Life) bool { return o.FromMs == l.FromMs })
		if i < 0 {
			out = append(out, l)
			continue
		}
		out[i].ToMs = max(out[i].ToMs, l.ToMs)
	}
	slices.SortFunc(out, func(a, b contract.Life) int { return cmp.Compare(a.FromMs, b.FromMs) })
	return out, nil
}

var _ store.Evidence = (*Model)(nil)
