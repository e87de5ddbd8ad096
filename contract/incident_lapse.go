package contract

import (
	"cmp"
	"slices"
	"sort"

	"github.com/gpumeter/gpumeter/usage"
)

// lapse is lost time of one GPU, or of so many that a tranche lacks.
type lapse struct {
	timeSpan
	contract, tranche int
	month             Month
	kind              IncidentKind
	cause             string
	p                 *Presence // nil for what a tranche lacks
	machine           Machine   // that p stands in
	by                *Presence // who took p's node or rack down
	notice            *Notice   // that excuses it; nil is none
	sinceMs           int64     // its begin before notices cut it
	gpus              int64
	edgeMs            int64 // how far off its begin and end may be
}

// usualWindow is the length of the windows that silence begins and ends in.
const usualWindow = 60_000 // ms

// inquest derives incidents from a watch.
type inquest struct {
	w         *Watch
	placed    Placements
	units     map[int64]*Presence
	stretches map[int64][]Stretch // by unit, in order
	nodes     heard
	racks     heard
	zones     heard
	machines  Machines
	events    map[Machine][]NodeEvent // in order
	last      map[Machine]int64       // the end of its last record
	lives     []timeSpan
	outages   []timeSpan
	beganMs   int64                // when anybody first looked
	reach     []timeSpan           // by contract
	sick      map[int64][]timeSpan // by unit, when it had an outage; disjoint, in order
	wholes    map[bundle]whole
	lapses    []lapse
	notices   [][]*Notice // by contract, by time
}

func newInquest(w *Watch, m Month) *inquest {
	q := &inquest{w: w, units: map[int64]*Presence{}, stretches: map[int64][]Stretch{}, events: map[Machine][]NodeEvent{}, last: map[Machine]int64{}}
	q.machines = MachinesOf(w.Presences, w.machines()...)
	for i := range w.Presences {
		p := &w.Presences[i]
		q.units[p.Unit] = p
		m := q.machines.Of(p)
		q.last[m] = max(q.last[m], p.EndMs)
	}
	for _, s := range w.Stretches {
		q.stretches[s.Unit] = append(q.stretches[s.Unit], s)
	}
	for unit, list := range q.stretches {
		slices.SortFunc(list, func(a, b Stretch) int { return cmp.Compare(a.FromMs, b.FromMs) })
		q.stretches[unit] = slices.CompactFunc(list, func(a, b Stretch) bool { return a == b })
	}
	q.nodes, q.racks, q.zones = q.listen(q.node), q.listen(q.rack), q.listen(q.zone)
	for _, e := range w.Events {
		m := q.machines.Known(e.Machine)
		q.events[m] = append(q.events[m], e)
	}
	for node := range q.events {
		slices.SortFunc(q.events[node], func(a, b NodeEvent) int {
			return cmp.Or(cmp.Compare(a.AtMs, b.AtMs), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Value, b.Value))
		})
	}
	q.listenForCollectors()
	q.beganMs = w.beganMs()
	q.findCulprits()
	q.placed = Place(w.Contracts, w.Presences, w.AsOfMs)
	for i := range w.Contracts {
		q.notices = append(q.notices, noticesOf(&w.Contracts[i]))
		q.reach = append(q.reach, w.Contracts[i].reach(m).clip(timeSpan{0, w.AsOfMs}))
	}
	return q
}

// listenForCollectors finds when no collector ran. Before the first that is
// known, nobody knows.
func (q *inquest) listenForCollectors() {
	for _, l := range q.w.Lives {
		q.lives = append(q.lives, timeSpan{l.FromMs, max(l.ToMs, l.FromMs+1)})
	}
	q.lives = union(q.lives)
	if len(q.lives) > 0 {
		q.outages = timeSpan{q.lives[0].fromMs, q.w.AsOfMs}.without(q.lives)
	}
}

// find fills lapses.
func (q *inquest) find() {
	for i := range q.placed.List {
		x := &q.placed.List[i]
		if x.Fate == Placed {
			q.look(x, timeSpan{x.FromMs, x.ToMs}.clip(q.reach[x.Contract]))
		}
	}
	for c := range q.w.Contracts {
		for t := range q.w.Contracts[c].Tranches {
			q.count(c, t)
		}
	}
	slices.SortFunc(q.lapses, compareLapses)
}

// compareLapses puts the lapses that can be one incident side by side.
func compareLapses(a, b lapse) int {
	return cmp.Or(cmp.Compare(a.contract, b.contract), cmp.Compare(a.tranche, b.tranche), a.machine.Compare(b.machine),
		cmp.Compare(a.kind, b.kind), cmp.Compare(a.cause, b.cause), cmp.Compare(a.notice.id(), b.notice.id()),
		a.compare(b.timeSpan), cmp.Compare(a.gpu(), b.gpu()), cmp.Compare(a.gpus, b.gpus))
}

func (l *lapse) gpu() string {
	if l.p == nil {
		return ""
	}
	return l.p.GPU
}

// add takes a lapse, cut at the edges of the contract's months.
func (q *inquest) add(l lapse) {
	c := &q.w.Contracts[l.contract]
	for _, m := range c.months(l.timeSpan) {
		p := m.In(c.Zone)
		part := l
		part.month, part.timeSpan = m, l.clip(timeSpan{p.FromMs, p.ToMs})
		if part.ms() > 0 {
			q.lapses = append(q.lapses, q.excused(part)...)
		}
	}
}

// look finds the lapses of a placed GPU in a part of its placement.
func (q *inquest) look(x *Placement, s timeSpan) {
	if s.ms() == 0 {
		return
	}
	down := q.drag(x, s)
	silence := func(fromMs, toMs int64) {
		quiet := timeSpan{fromMs, toMs}
		for _, part := range quiet.without(during(quiet, down)) {
			q.silence(x, part)
		}
	}
	list := q.stretches[x.Unit]
	at := s.fromMs
	i := sort.Search(len(list), func(i int) bool { return list[i].ToMs > s.fromMs })
	for ; i < len(list) && list[i].FromMs < s.toMs; i++ {
		silence(at, list[i].FromMs)
		if !list[i].Whole() {
			q.lose(x, list, i, s, down)
		}
		at = list[i].ToMs
	}
	silence(at, s.toMs)
}

// lose adds what a stretch lost. Where in the stretch that was, its sums do not
// say: it is divided as Build divides records that an edge cuts. While the node
// or rack was down nothing but the GPU's own fault is the stretch's.
func (q *inquest) lose(x *Placement, list []Stretch, i int, s timeSpan, down []timeSpan) {
	r := &list[i]
	part := timeSpan{r.FromMs, r.ToMs}.clip(s)
	down = during(part, down)
	for _, d := range within(part, down) {
		sick := q.lapse(x, kindOfFault(r.Fault), r.Fault)
		sick.timeSpan = sickPart(list, i).clip(d)
		q.addOf(r, sick)
	}
	pieces := Placement{FromMs: part.fromMs, ToMs: part.toMs}.cut(down)
	lengths, fell := []int64{part.fromMs - r.FromMs}, []bool{false}
	for _, p := range pieces {
		lengths, fell = append(lengths, p.ToMs-p.FromMs), append(fell, p.Down)
	}
	lengths, fell = append(lengths, r.ToMs-part.toMs), append(fell, false)
	parts := divideAround(usage.Sums{UnhealthyMs: r.UnhealthyMs, BusyMs: r.HealthyMs}, lengths, fell)
	for j, p := range pieces {
		if !p.Down {
			q.losePiece(x, list, i, timeSpan{p.FromMs, p.ToMs}, parts[j+1])
		}
	}
}

// losePiece adds what was lost in a piece of a stretch: lost time lies at the
// side where more of the same follows, else first.
func (q *inquest) losePiece(x *Placement, list []Stretch, i int, piece timeSpan, s usage.Sums) {
	r := &list[i]
	sick := q.lapse(x, kindOfFault(r.Fault), r.Fault)
	sick.timeSpan = piece.side(s.UnhealthyMs, sickLast(list, i))
	blind := q.lapse(x, NotObserved, r.Missing)
	last := i+1 == len(list) || list[i+1].FromMs != r.ToMs || list[i+1].UnobservedMs() > 0
	if sick.ms() > 0 {
		last = sick.fromMs == piece.fromMs
	}
	blind.timeSpan = piece.side(piece.ms()-s.ObservedMs(), last)
	q.addOf(r, sick)
	q.addOf(r, blind)
}

// addOf takes a lapse of a stretch, if it has any time.
func (q *inquest) addOf(r *Stretch, l lapse) {
	if l.ms() == 0 {
		return
	}
	if whole := (timeSpan{r.FromMs, r.ToMs}); l.timeSpan != whole {
		l.edgeMs = whole.ms()
	}
	q.add(l)
}

// side is so much of the span, at its end or at its begin.
func (s timeSpan) side(ms int64, last bool) timeSpan {
	if last {
		return timeSpan{s.toMs - ms, s.toMs}
	}
	return timeSpan{s.fromMs, s.fromMs + ms}
}

func (q *inquest) lapse(x *Placement, k IncidentKind, cause string) lapse {
	p := q.units[x.Unit]
	return lapse{contract: x.Contract, tranche: x.Tranche, kind: k, cause: cause, p: p, machine: q.machines.Of(p), gpus: 1}
}

// silence adds time in which a placed GPU has no record: what else was heard of
// its node decides what it is.
func (q *inquest) silence(x *Placement, s timeSpan) {
	if s.ms() == 0 {
		return
	}
	put := func(k IncidentKind, spans []timeSpan) {
		for _, part := range spans {
			l := q.lapse(x, k, "")
			l.timeSpan, l.edgeMs = part, usualWindow
			q.add(l)
		}
	}
	known := q.nodes[q.node(q.units[x.Unit])]
	put(NotObserved, within(s, known))
	for _, quiet := range s.without(known) {
		put(CollectorDown, within(quiet, q.outages))
		put(Unreachable, quiet.without(q.outages))
	}
}
