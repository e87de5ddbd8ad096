package contract

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Incidents derives what went wrong in a month, and whose it is. It is a pure
// function: order and repetition within the watch do not matter. It returns an
// error if an amount is beyond what Money holds.
func Incidents(w *Watch, m Month) (Docket, error) {
	q := newInquest(w, m)
	q.find()
	out := Docket{
		Schema: DocketSchema, AsOf: time.UnixMilli(w.AsOfMs).UTC(), Period: m.String(),
		Incidents: []Incident{}, Minor: []Minor{},
	}
	cases, err := q.join(m, &out)
	if err != nil {
		return Docket{}, err
	}
	for _, x := range cases {
		q.weigh(x)
	}
	if err := q.claim(cases); err != nil {
		return Docket{}, err
	}
	for _, x := range cases {
		if x.lapses[0].month == m {
			out.Incidents = append(out.Incidents, x.Incident)
			if x.Kind == BeforeMetering {
				at := time.UnixMilli(q.beganMs).UTC()
				out.MeteredSince = &at
			}
		}
	}
	slices.SortFunc(out.Incidents, compareIncidents)
	return out, nil
}

func compareIncidents(a, b Incident) int {
	return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Tranche, b.Tranche),
		cmp.Compare(a.Site.Node, b.Site.Node), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.ID, b.ID))
}

// caseOf is an incident with what it is made of.
type caseOf struct {
	Incident
	c      *Contract
	t      *Tranche
	lapses []lapse // by begin; of one month, kind, cause and node
	span   timeSpan
}

// join makes incidents of lapses, which are sorted. What is too small for one
// goes to the docket's minor times, of the month that is asked for.
func (q *inquest) join(m Month, out *Docket) ([]*caseOf, error) {
	var cases []*caseOf
	minor := map[[2]int]*Minor{}
	for len(q.lapses) > 0 {
		n, end := joined(q.lapses)
		x := q.lapses[:n]
		q.lapses = q.lapses[n:]
		k, ms := x[0].kind, gpuMs(x)
		gap := k.bucketOf() == Unobserved && down(x) < MinGap.Milliseconds()
		if k != graceKind && !gap {
			made, err := q.incident(x, end)
			if err != nil {
				return nil, err
			}
			cases = append(cases, made)
			continue
		}
		if x[0].month != m {
			continue
		}
		at := [2]int{x[0].contract, x[0].tranche}
		if minor[at] == nil {
			c := &q.w.Contracts[at[0]]
			minor[at] = &Minor{Contract: c.ID, Tranche: c.Tranches[at[1]].ID}
		}
		if gap {
			minor[at].GapsMs += ms
		} else {
			minor[at].GraceMs += ms
		}
	}
	for _, v := range minor {
		out.Minor = append(out.Minor, *v)
	}
	slices.SortFunc(out.Minor, func(a, b Minor) int {
		return cmp.Or(cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Tranche, b.Tranche))
	})
	return cases, nil
}

// joined returns how many of the sorted lapses are one incident, and its end.
func joined(list []lapse) (n int, endMs int64) {
	first := &list[0]
	for n < len(list) {
		l := &list[n]
		same := l.contract == first.contract && l.tranche == first.tranche && l.month == first.month &&
			l.kind == first.kind && l.cause == first.cause && l.machine == first.machine && l.notice == first.notice
		if !same || n > 0 && l.fromMs > endMs+JoinGap.Milliseconds() {
			break
		}
		endMs = max(endMs, l.toMs)
		n++
	}
	return n, endMs
}

// gpuMs counts each GPU's lost time.
func gpuMs(list []lapse) int64 {
	var sum int64
	for i := range list {
		sum += list[i].gpus * list[i].ms()
	}
	return sum
}

// down is the time in which any of the GPUs was lost.
func down(list []lapse) int64 {
	spans := make([]timeSpan, len(list))
	for i := range list {
		spans[i] = list[i].timeSpan
	}
	return length(union(spans))
}

// length is the time of disjoint spans together.
func length(spans []timeSpan) int64 {
	var sum int64
	for _, s := range spans {
		sum += s.ms()
	}
	return sum
}

// incident describes lapses that are one.
func (q *inquest) incident(list []lapse, endMs int64) (*caseOf, error) {
	l := &list[0]
	c := &q.w.Contracts[l.contract]
	x := &caseOf{c: c, t: &c.Tranches[l.tranche], lapses: list, span: timeSpan{l.fromMs, endMs}}
	x.Incident = Incident{
		Contract: c.ID, Tranche: x.t.ID, Kind: l.kind, Cause: l.cause, Bucket: l.kind.bucketOf().String(),
		Site: siteOf(l.p), GPUs: []string{}, From: c.local(l.fromMs), To: c.local(endMs), Open: endMs >= q.w.AsOfMs,
		DownMs: down(list), GPUMs: gpuMs(list), Currency: c.Currency, Zone: c.Zone.String(), Witnesses: []Witness{},
	}
	for i := range list {
		if g := list[i].gpu(); g != "" {
			x.GPUs = append(x.GPUs, g)
		}
		if list[i].fromMs == l.fromMs || list[i].toMs == endMs {
			x.EdgeMs = max(x.EdgeMs, list[i].edgeMs)
		}
	}
	slices.Sort(x.GPUs)
	x.GPUs = slices.Compact(x.GPUs)
	x.Notice = l.notice.id()
	x.Most = most(list)
	x.downBy()
	x.ID = x.id()
	return x, x.price()
}

// most is how many GPUs were lost at the same time.
func most(list []lapse) int {
	var turns []turn
	for i := range list {
		l := &list[i]
		turns = append(turns, turn{ms: l.fromMs, placed: int(l.gpus)}, turn{ms: l.toMs, placed: -int(l.gpus)})
	}
	slices.SortFunc(turns, func(a, b turn) int { return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.placed, b.placed)) })
	now, top := 0, 0
	for _, x := range turns {
		now += x.placed
		top = max(top, now)
	}
	return top
}

func siteOf(p *Presence) Site {
	if p == nil {
		return Site{}
	}
	return Site{
		Node: p.Node, Provider: p.Provider, Account: p.Account, Region: p.Region, Zone: p.Zone, Cluster: p.Cluster,
		Rack: p.Rack, Reservation: p.Reservation, InstanceType: p.InstanceType, InstanceID: p.InstanceID, Model: p.Model,
	}
}

// id names an incident by what cannot differ between two that are derived from
// the same data.
func (x *caseOf) id() string {
	text := fmt.Appendf(nil, "%q %q %q %q %q %d", x.Contract, x.Tranche, x.machine(), x.Kind, x.Cause, x.span.fromMs)
	if x.Notice != "" {
		text = fmt.Appendf(text, " %q", x.Notice)
	}
	sum := sha256.Sum256(text)
	return "inc-" + hex.EncodeToString(sum[:6])
}

// price fills in the amount: the time under each rate is rounded once.
func (x *caseOf) price() error {
	amount, unpriced, err := x.t.cost(x.lapses)
	if err != nil {
		return fmt.Errorf("contract %q, tranche %q, incident %s: %w", x.Contract, x.Tranche, x.ID, err)
	}
	x.Amount, x.UnpricedMs = amount, unpriced
	return nil
}

// cost is the price of GPU time at the committed rate, and the time that has
// none. The time under each rate and of each model is rounded once.
func (t *Tranche) cost(list []lapse) (sum Money, unpricedMs int64, err error) {
	ms := map[key]int64{}
	for i := range list {
		sub := asBought
		if p := list[i].p; p != nil && p.Model != t.Model {
			sub = t.substitute(p.Model)
		}
		for _, c := range t.priced(list[i].fromMs, list[i].toMs) {
			ms[key{rate: c.rate, sub: sub}] += list[i].gpus * (c.toMs - c.fromMs)
		}
	}
	for k, v := range ms {
		r := t.rateOf(k)
		if r == nil {
			unpricedMs += v
			continue
		}
		m, err := total(v, r.committed())
		if err != nil {
			return 0, 0, err
		}
		if sum, err = add(sum, m); err != nil {
			return 0, 0, err
		}
	}
	return sum, unpricedMs, nil
}
