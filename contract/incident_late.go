package contract

import (
	"cmp"
	"slices"
)

// graceKind marks lapses of GPUs that may still be late; they make no incident.
const graceKind IncidentKind = "grace"

// turn is a moment at which a tranche's numbers change, and by how much.
type turn struct {
	ms                    int64
	placed, silent, grace int
}

// count finds when a tranche lacked GPUs, and of which sort: those that fell
// silent, then those that may be late, then those that never came, which is
// what is above the most that ever stood in the tranche at one time, and the
// rest, which stood there and left.
func (q *inquest) count(c, t int) {
	tranche := &q.w.Contracts[c].Tranches[t]
	turns := q.turns(c, t)
	var now turn
	most := 0
	for i, x := range turns {
		now = turn{x.ms, now.placed + x.placed, now.silent + x.silent, now.grace + x.grace}
		most = max(most, now.placed)
		if i+1 == len(turns) || turns[i+1].ms == x.ms {
			continue
		}
		contracted := tranche.GPUsAt(x.ms)
		missing := max(0, contracted-now.placed)
		silent := min(now.silent, missing)
		grace := min(now.grace, missing-silent)
		rest := missing - silent - grace
		late := min(rest, max(0, contracted-most))
		l := lapse{timeSpan: timeSpan{x.ms, turns[i+1].ms}.clip(q.reach[c]), contract: c, tranche: t}
		for _, n := range []struct {
			kind IncidentKind
			gpus int
		}{{FellSilent, silent}, {graceKind, grace}, {LateDelivery, late}, {Departed, rest - late}} {
			if l.kind, l.gpus = n.kind, int64(n.gpus); l.gpus > 0 {
				q.lack(l)
			}
		}
	}
}

// lack adds time in which a tranche lacked GPUs. Whether they did not stand
// before anybody looked is not known, and that is what it is then. What the
// terms allow to be late is so whoever looked.
func (q *inquest) lack(l lapse) {
	at := l.timeSpan
	if l.kind != graceKind {
		before := l
		before.kind, before.timeSpan = BeforeMetering, at.clip(timeSpan{0, q.beganMs})
		q.add(before)
		at = at.clip(timeSpan{q.beganMs, q.w.AsOfMs})
	}
	l.timeSpan = at
	q.add(l)
}

// turns lists a tranche's changes by time, those at the same moment in such an
// order that what ends does so first.
func (q *inquest) turns(c, t int) []turn {
	tranche := &q.w.Contracts[c].Tranches[t]
	var out []turn
	span := func(fromMs, toMs int64, n turn) {
		n.ms = fromMs
		out = append(out, n, turn{toMs, -n.placed, -n.silent, -n.grace})
	}
	for _, s := range tranche.Steps {
		out = append(out, turn{ms: s.FromMs})
	}
	out = append(out, turn{ms: tranche.EndMs}, turn{ms: q.w.AsOfMs})
	for i := range q.placed.List {
		if x := &q.placed.List[i]; x.Fate == Placed && x.Contract == c && x.Tranche == t {
			span(x.FromMs, x.ToMs, turn{placed: 1})
		}
	}
	for _, v := range q.placed.Vacancies {
		if v.Contract == c && v.Tranche == t {
			span(v.FromMs, v.ToMs, turn{silent: v.GPUs})
		}
	}
	for _, v := range q.placed.Graces {
		if v.Contract == c && v.Tranche == t {
			span(v.FromMs, v.ToMs, turn{grace: v.GPUs})
		}
	}
	slices.SortFunc(out, func(a, b turn) int { return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.placed, b.placed)) })
	return out
}
