package contract

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
)

// culprit is a span in which one GPU made the node and the rack that it is in
// unusable as a whole.
type culprit struct {
	timeSpan
	sinceMs int64 // when its outage began
	cause   string
	p       *Presence
	edgeMs  int64 // how far off its begin and end may be
}

// whole is what is known of a node or rack that is good only as a whole.
type whole struct {
	down  []timeSpan // disjoint, in order
	blame []culprit  // of down, disjoint and in order: by whom it was
}

// findCulprits finds by whom nodes and racks were down, where any tranche is
// delivered by them.
func (q *inquest) findCulprits() {
	if !DeliversWhole(q.w.Contracts) {
		return
	}
	found := map[bundle][]culprit{}
	q.sick = map[int64][]timeSpan{}
	for unit, list := range q.stretches {
		p := q.units[unit]
		node, rack := bundlesOf(q.machines, p)
		for _, c := range culprits(p, list) {
			q.sick[unit] = append(q.sick[unit], c.timeSpan)
			found[node] = append(found[node], c)
			if rack != node {
				found[rack] = append(found[rack], c)
			}
		}
	}
	delete(found, bundle{})
	q.wholes = map[bundle]whole{}
	for k, list := range found {
		w := whole{blame: blameFirst(list)}
		for _, c := range w.blame {
			w.down = append(w.down, c.timeSpan)
		}
		w.down = union(w.down)
		q.wholes[k] = w
	}
}

// blameFirst gives every moment to the culprit whose outage began first, and
// returns what each has then, in order of time.
func blameFirst(list []culprit) []culprit {
	slices.SortFunc(list, func(a, b culprit) int {
		return cmp.Or(cmp.Compare(a.sinceMs, b.sinceMs), cmp.Compare(a.p.GPU, b.p.GPU), cmp.Compare(a.p.Unit, b.p.Unit), cmp.Compare(a.fromMs, b.fromMs))
	})
	type edge struct {
		ms    int64
		i     int
		opens bool
	}
	var edges []edge
	for i, c := range list {
		edges = append(edges, edge{c.fromMs, i, true}, edge{c.toMs, i, false})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.ms, b.ms) })
	var out []culprit
	var open []int // in the order of the list
	for k, e := range edges {
		at, is := slices.BinarySearch(open, e.i)
		if e.opens {
			open = slices.Insert(open, at, e.i)
		} else if is {
			open = slices.Delete(open, at, at+1)
		}
		if k+1 == len(edges) || edges[k+1].ms == e.ms || len(open) == 0 {
			continue
		}
		c := list[open[0]]
		c.timeSpan = timeSpan{e.ms, edges[k+1].ms}
		out = append(out, c)
	}
	return out
}

// during returns those of disjoint spans, which are in order, that touch s.
func during(s timeSpan, spans []timeSpan) []timeSpan {
	i := sort.Search(len(spans), func(i int) bool { return spans[i].toMs > s.fromMs })
	n := sort.Search(len(spans)-i, func(n int) bool { return spans[i+n].fromMs >= s.toMs })
	return spans[i : i+n]
}

// culprits are the outages of one unit, cut where their cause changes.
func culprits(p *Presence, list []Stretch) []culprit {
	var out []culprit
	for i := range list {
		s := &list[i]
		if s.UnhealthyMs <= 0 {
			continue
		}
		c := culprit{timeSpan: sickPart(list, i), cause: s.Fault, p: p}
		c.sinceMs = c.fromMs
		if c.ms() != s.ToMs-s.FromMs {
			c.edgeMs = s.ToMs - s.FromMs
		}
		n := len(out) - 1
		if n >= 0 && out[n].toMs == c.fromMs {
			c.sinceMs = out[n].sinceMs
			if out[n].cause == c.cause {
				out[n].toMs, out[n].edgeMs = c.toMs, max(out[n].edgeMs, c.edgeMs)
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// drag adds the time in which a placed GPU was lost only because others took its
// node or rack down, and returns all time in which that was down.
func (q *inquest) drag(x *Placement, s timeSpan) []timeSpan {
	w := q.wholes[q.w.Contracts[x.Contract].Tranches[x.Tranche].Delivery.bundle(q.machines, q.units[x.Unit])]
	i := sort.Search(len(w.blame), func(i int) bool { return w.blame[i].toMs > s.fromMs })
	for ; i < len(w.blame) && w.blame[i].fromMs < s.toMs; i++ {
		c := &w.blame[i]
		part := c.clip(s)
		for _, free := range part.without(during(part, q.sick[x.Unit])) {
			l := q.lapse(x, UnitDown, c.cause)
			l.timeSpan, l.edgeMs, l.by = free, c.edgeMs, c.p
			q.add(l)
		}
	}
	return during(s, w.down)
}

// downBy says of an incident which GPUs took what down.
func (x *caseOf) downBy() {
	if x.Kind != UnitDown {
		return
	}
	x.DownUnit = DeliverNode
	if x.t.Delivery.Unit == DeliverRack && x.lapses[0].p.Rack != "" {
		x.DownUnit = DeliverRack
	}
	for i := range x.lapses {
		x.DownBy = append(x.DownBy, x.lapses[i].by.GPU)
	}
	slices.Sort(x.DownBy)
	x.DownBy = slices.Compact(x.DownBy)
}

// wholeDown says in words what was down by whom.
func (x *caseOf) wholeDown() string {
	const named = 3
	by := strings.Join(x.DownBy[:min(len(x.DownBy), named)], ", ")
	if more := len(x.DownBy) - named; more > 0 {
		by += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("the whole %s down by %s (%s)", x.DownUnit, by, causeWords(x.Cause))
}
