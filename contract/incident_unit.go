package contract

import (
	"cmp"
	"fmt"
	"slices"
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

// findCulprits finds by whom nodes and racks were down, where any tranche is
// delivered by them. Whose outage began first comes first.
func (q *inquest) findCulprits() {
	if !DeliversWhole(q.w.Contracts) {
		return
	}
	q.culprits = map[bundle][]culprit{}
	for unit, list := range q.stretches {
		p := q.units[unit]
		node, rack := bundlesOf(p)
		for _, c := range culprits(p, list) {
			q.culprits[node] = append(q.culprits[node], c)
			if rack != node {
				q.culprits[rack] = append(q.culprits[rack], c)
			}
		}
	}
	delete(q.culprits, bundle{})
	for k := range q.culprits {
		slices.SortFunc(q.culprits[k], func(a, b culprit) int {
			return cmp.Or(cmp.Compare(a.sinceMs, b.sinceMs), cmp.Compare(a.p.GPU, b.p.GPU), cmp.Compare(a.p.Unit, b.p.Unit), cmp.Compare(a.fromMs, b.fromMs))
		})
	}
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
// node or rack down, and returns all time in which that was down. A millisecond
// is of the one whose outage began first.
func (q *inquest) drag(x *Placement, s timeSpan) []timeSpan {
	all := q.culprits[q.w.Contracts[x.Contract].Tranches[x.Tranche].Delivery.bundle(q.units[x.Unit])]
	var down, own []timeSpan
	for _, c := range all {
		part := c.clip(s)
		if part.ms() == 0 {
			continue
		}
		down = append(down, part)
		if c.p.Unit == x.Unit {
			own = append(own, part)
		}
	}
	down = union(down)
	own = union(own)
	var rest []timeSpan
	for _, d := range down {
		rest = append(rest, d.without(own)...)
	}
	for i := range all {
		rest = q.dragBy(x, &all[i], rest)
	}
	return down
}

// dragBy gives a culprit what is its own of the time that is left, and returns
// what is left then.
func (q *inquest) dragBy(x *Placement, c *culprit, rest []timeSpan) (left []timeSpan) {
	for _, r := range rest {
		if part := c.clip(r); part.ms() > 0 {
			l := q.lapse(x, UnitDown, c.cause)
			l.timeSpan, l.edgeMs, l.by = part, c.edgeMs, c.p
			q.add(l)
		}
		left = append(left, r.without([]timeSpan{c.timeSpan})...)
	}
	return left
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
	return fmt.Sprintf("the whole %s down by %s (%s)", x.DownUnit, by, causeWords(kindOfFault(x.Cause), x.Cause))
}
