package storetest

import (
	"cmp"
	"context"
	"slices"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// claim is a record with the batch that speaks for it.
type claim struct {
	batch *usage.Batch
	unit  int64
	usage.Record
}

func (m *Model) claims() []claim {
	var out []claim
	for i := range m.batches {
		b := &m.batches[i].Batch
		for _, r := range b.Records {
			out = append(out, claim{b, int64(slices.Index(m.units, unitOf(b, r.GPU))) + 1, r})
		}
	}
	return out
}

// Presence merges the records of each unit that lie at most
// contract.Decommission apart. A span has a goodbye if an event said so of the
// GPU, or of its whole node, between the span's end and the unit's next span.
func (m *Model) Presence(context.Context) ([]contract.Presence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	claims := m.claims()
	slices.SortFunc(claims, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.unit, b.unit), cmp.Compare(a.StartMs, b.StartMs))
	})
	var out []contract.Presence
	for _, c := range claims {
		last := len(out) - 1
		if last >= 0 && out[last].Unit == c.unit && c.StartMs-out[last].EndMs <= contract.Decommission.Milliseconds() {
			out[last].EndMs = max(out[last].EndMs, c.EndMs)
			continue
		}
		out = append(out, m.present(c))
	}
	for i := range out {
		next := int64(-1)
		if i+1 < len(out) && out[i+1].Unit == out[i].Unit {
			next = out[i+1].StartMs
		}
		out[i].Goodbye = m.goodbye(m.units[out[i].Unit-1], out[i].EndMs, next)
	}
	return out, nil
}

func (m *Model) present(c claim) contract.Presence {
	u := m.units[c.unit-1]
	return contract.Presence{
		Unit: c.unit, GPU: u.gpu, Model: u.model, Node: u.node.Name,
		Provider: u.node.Cloud.Provider, Account: u.node.Cloud.Account,
		Region: u.node.Cloud.Region, Zone: u.node.Cloud.Zone, Reservation: u.node.Cloud.Reservation,
		InstanceType: u.node.Cloud.InstanceType, InstanceID: u.node.Cloud.InstanceID,
		Cluster: u.node.Cloud.Cluster, NodePool: u.node.Cloud.NodePool, Rack: u.node.Cloud.Rack,
		StartMs: c.StartMs, EndMs: c.EndMs,
	}
}

// goodbye reports whether a unit said goodbye in [fromMs, toMs); a negative
// toMs is open.
func (m *Model) goodbye(u unit, fromMs, toMs int64) bool {
	for i := range m.batches {
		b := &m.batches[i].Batch
		for _, e := range b.Events {
			if e.Kind == usage.EventGoodbye && e.AtMs >= fromMs && (toMs < 0 || e.AtMs < toMs) &&
				unitOf(b, u.gpu).node == u.node && (e.GPU == "" || e.GPU == u.gpu) {
				return true
			}
		}
	}
	return false
}

// Sums compares every record with every other of its GPU, and with every span
// and slot.
func (m *Model) Sums(_ context.Context, q contract.Query) (contract.Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	claims := m.claims()
	byGPU := map[string][]claim{}
	for _, c := range claims {
		byGPU[c.GPU] = append(byGPU[c.GPU], c)
	}
	var out contract.Answer
	type cell struct{ key, slot, group int }
	sums := map[cell]usage.Sums{}
	for _, c := range claims {
		key, slot, found := find(q, c)
		switch {
		case !found:
		case slices.ContainsFunc(byGPU[c.GPU], c.losesTo):
			out.Overlaps++
		case slot < 0:
			out.Straddles = append(out.Straddles, contract.Straddle{Unit: c.unit, Record: c.Record})
		default:
			at := cell{key, slot, 0}
			if q.By.Held() {
				if at.group = slices.Index(out.Groups, q.By.Group(c.Holder)); at.group < 0 {
					at.group = len(out.Groups)
					out.Groups = append(out.Groups, q.By.Group(c.Holder))
				}
			}
			s := sums[at]
			s.Add(c.Sums)
			sums[at] = s
		}
	}
	for at, s := range sums {
		out.Sums = append(out.Sums, contract.Sum{Key: at.key, Slot: at.slot, Group: at.group, Sums: s})
	}
	sortAnswer(&out)
	return out, nil
}

// losesTo reports whether another record of the same GPU owns some of c's time.
func (c claim) losesTo(o claim) bool {
	if o.StartMs >= c.EndMs || c.StartMs >= o.EndMs {
		return false
	}
	a, b := c.batch, o.batch
	if a.Evidence != b.Evidence {
		return b.Evidence == usage.EvidenceAgent
	}
	return cmp.Or(cmp.Compare(b.Agent, a.Agent), cmp.Compare(b.Epoch, a.Epoch), cmp.Compare(b.Seq, a.Seq)) < 0
}

// find returns the key and slot that a record lies wholly inside, a slot of -1
// if it only overlaps what was asked for, and false if it does not.
func find(q contract.Query, c claim) (key, slot int, found bool) {
	for _, s := range q.Spans {
		if s.Unit != c.unit {
			continue
		}
		for i := range len(q.Edges) - 1 {
			from, to := max(s.FromMs, q.Edges[i]), min(s.ToMs, q.Edges[i+1])
			if from <= c.StartMs && c.EndMs <= to {
				return s.Key, i, true
			}
			if max(from, c.StartMs) < min(to, c.EndMs) {
				slot, found = -1, true
			}
		}
	}
	return key, slot, found
}

// sortAnswer puts an answer into one order, for comparing.
func sortAnswer(a *contract.Answer) {
	sortGroups(a)
	slices.SortFunc(a.Sums, func(x, y contract.Sum) int {
		return cmp.Or(cmp.Compare(x.Key, y.Key), cmp.Compare(x.Slot, y.Slot), cmp.Compare(x.Group, y.Group))
	})
	slices.SortFunc(a.Straddles, compareStraddles)
}

// sortGroups numbers the groups in their order. Those of which no sum speaks
// are left in: none should be there.
func sortGroups(a *contract.Answer) {
	sorted := slices.Sorted(slices.Values(a.Groups))
	for i := range a.Sums {
		if g := a.Sums[i].Group; g < len(a.Groups) {
			a.Sums[i].Group = slices.Index(sorted, a.Groups[g])
		}
	}
	a.Groups = sorted
}

func compareHolders(a, b usage.Holder) int {
	return cmp.Or(cmp.Compare(a.Basis, b.Basis), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Group, b.Group),
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.Part, b.Part), cmp.Compare(a.Labels, b.Labels))
}

func compareStraddles(x, y contract.Straddle) int {
	return cmp.Or(cmp.Compare(x.Unit, y.Unit), cmp.Compare(x.StartMs, y.StartMs), cmp.Compare(x.EndMs, y.EndMs),
		compareHolders(x.Holder, y.Holder), cmp.Compare(x.Reason, y.Reason),
		cmp.Compare(x.BusyMs, y.BusyMs), cmp.Compare(x.IdleMs, y.IdleMs), cmp.Compare(x.UnallocatedMs, y.UnallocatedMs),
		cmp.Compare(x.UnmeasuredMs, y.UnmeasuredMs), cmp.Compare(x.UnhealthyMs, y.UnhealthyMs), cmp.Compare(x.EnergyMJ, y.EnergyMJ))
}
