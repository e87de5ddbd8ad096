package contract

import (
	"slices"

	"github.com/gpumeter/gpumeter/usage"
)

// Outage is a span of time in which one unit of the store, a GPU in its node,
// was not usable.
type Outage struct {
	Unit         int64
	FromMs, ToMs int64
}

// Ground says of placements when the node or rack that a GPU belongs to was
// not usable as a whole: in tranches that are delivered by node or rack, and as
// long as any GPU in it had an outage, whatever tranche that one counts
// toward. It returns the placements cut there, Down where the node or rack was; the
// contracts and presences are those that Place was given. It is a pure
// function; the order of its arguments does not matter, and an outage may be
// said twice.
func Ground(contracts []Contract, p Placements, presences []Presence, outages []Outage) Placements {
	units := make(map[int64]*Presence, len(presences))
	for i := range presences {
		units[presences[i].Unit] = &presences[i]
	}
	machines := MachinesOf(presences)
	down := bundlesDown(machines, units, outages)
	list := make([]Placement, 0, len(p.List))
	for _, x := range p.List {
		if x.Fate != Placed {
			list = append(list, x)
			continue
		}
		d := &contracts[x.Contract].Tranches[x.Tranche].Delivery
		list = append(list, x.cut(down[d.bundle(machines, units[x.Unit])])...)
	}
	p.List = list
	return p
}

// bundle is a node or rack that is good only as a whole; the zero bundle is
// none.
type bundle struct {
	machine Machine // of a rack, without the node
	zone    string
	rack    string
}

// bundle names the node or rack that a GPU belongs to. A node whose rack is not
// known is a bundle of its own.
func (d *Delivery) bundle(m Machines, p *Presence) bundle {
	switch {
	case p == nil || (d.Unit != DeliverNode && d.Unit != DeliverRack):
		return bundle{}
	case d.Unit == DeliverNode || p.Rack == "":
		return bundle{machine: m.Of(p)}
	}
	around := m.Of(p)
	around.Node = ""
	return bundle{around, p.Zone, p.Rack}
}

// bundlesOf names the node and the rack that a GPU is in.
func bundlesOf(m Machines, p *Presence) (node, rack bundle) {
	return (&Delivery{Unit: DeliverNode}).bundle(m, p), (&Delivery{Unit: DeliverRack}).bundle(m, p)
}

// bundlesDown says of every node and rack when one of its GPUs had an outage.
func bundlesDown(m Machines, units map[int64]*Presence, outages []Outage) map[bundle][]timeSpan {
	down := map[bundle][]timeSpan{}
	for _, o := range outages {
		node, rack := bundlesOf(m, units[o.Unit])
		down[node] = append(down[node], timeSpan{o.FromMs, o.ToMs})
		if rack != node {
			down[rack] = append(down[rack], timeSpan{o.FromMs, o.ToMs})
		}
	}
	delete(down, bundle{})
	for k, spans := range down {
		down[k] = union(spans)
	}
	return down
}

// cut cuts a placement where spans begin and end; it is down within them.
func (x Placement) cut(spans []timeSpan) []Placement {
	whole := timeSpan{x.FromMs, x.ToMs}
	out := make([]Placement, 0, 1)
	add := func(s timeSpan, down bool) {
		part := x
		part.FromMs, part.ToMs, part.Down = s.fromMs, s.toMs, down
		out = append(out, part)
	}
	for _, s := range whole.without(spans) {
		add(s, false)
	}
	for _, s := range spans {
		if s = s.clip(whole); s.ms() > 0 {
			add(s, true)
		}
	}
	slices.SortFunc(out, func(a, b Placement) int { return int(a.FromMs - b.FromMs) })
	return out
}

// became is what became of the time of a key: buckets, and what else is to be
// added up. Of a GPU that is down with its node or rack, all time is unhealthy
// and no activity counts.
func (k *key) became(stood int64, s usage.Sums) (Time, usage.Sums) {
	if !k.down {
		return buckets(stood, s), s
	}
	var t Time
	t[Unhealthy] = stood
	s.SMActiveMs, s.SMKnownMs = 0, 0
	return t, s
}

// divideAround is divide, but what was unhealthy goes first to the parts in
// which the node or rack was down: an outage begins where its trouble does.
func divideAround(s usage.Sums, lengths []int64, down []bool) []usage.Sums {
	weights, room := make([]int64, len(lengths)), int64(0)
	for i, l := range lengths {
		if down[i] {
			weights[i] = l
			room += l
		}
	}
	sick := min(s.UnhealthyMs, room)
	s.UnhealthyMs -= sick
	given := shares(sick, weights, room)
	rest := slices.Clone(lengths)
	for i, v := range given {
		rest[i] -= v
	}
	out := divide(s, rest)
	for i, v := range given {
		out[i].UnhealthyMs += v
	}
	return out
}
