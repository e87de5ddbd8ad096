package meter

import (
	"math"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// gpu is what the meter knows of one GPU.
type gpu struct {
	metric.GPU
	fromMs int64 // boot time from which it is metered
	doneMs int64 // boot time up to which looks have spoken
	fault  fault
	// restored says that the GPU comes from the state of an earlier run.
	restored bool
	good     bool   // the last look was good
	reason   string // why the last look was not
	missed   string // why time of the open window is missing, if a look said so
	// energy is the last reading of the energy counter, in joules, at energyMs.
	energy      float64
	energyMs    int64
	energyKnown bool
	// parts holds what the looks said, by window edge and holder.
	parts []*part
	// carry and smCarry are nanoseconds of activity that rounding kept back.
	carry, smCarry int64
	turn           int // which part of the next window is rounded first
	sum            Totals
}

// part is what one holder did in one window. Its times are in nanoseconds, as
// several holders may share a millisecond; those of all parts of a window add up
// to whole milliseconds.
type part struct {
	edgeMs    int64 // boot time of the window's end
	holder    usage.Holder
	rest      rest
	coverNs   int64 // healthy, utilisation known
	busyNs    int64 // of coverNs
	smNs      int64
	smKnownNs int64
	blindNs   int64 // healthy, utilisation unknown
	sickMs    int64
	energyMJ  int64
	energyNs  int64
	why       string // fault behind sickMs
}

// rest says what the time of a holder is when no kernel runs.
type rest uint8

const (
	restUnmeasured  rest = iota // nobody knows whether it is held
	restUnallocated             // a working source found no holder
	restIdle                    // held
)

// span is a stretch of boot time within one window, as one look describes it.
type span struct {
	fromMs, toMs int64
	edgeMs       int64
	look         *metric.Look
	shares       [len(shareIntegrals)]metric.Share
	energyMJ     int64
	energyKnown  bool
}

func (s span) ms() int64 { return s.toMs - s.fromMs }

// observeLook adds what a look says about the time since the look before.
func (m *Meter) observeLook(f *metric.Frame, l *metric.Look, now int64) {
	if m.replaced[l.GPU.UUID] && l.Condition != metric.Good {
		return
	}
	from, to := l.Since.Milliseconds(), l.At.Milliseconds()
	if l.Condition != metric.Good {
		from, to = m.lastMs, now
	}
	g := m.meet(l, now)
	m.judge(g, f, l, now)
	m.noteCondition(g, l, now)
	if v, ok := energyOf(l); ok && l.Condition == metric.Good {
		g.sum.energy.see(v, to)
	}
	if l.Condition != metric.Good {
		if g.fault.reason == "" {
			return // unobserved
		}
		// The agent lives and knows the GPU to be at fault: that it does not
		// answer does not make it less so.
		from = max(from, g.fault.fromMs)
	}
	from = max(from, g.doneMs, to-m.hold, g.fromMs)
	if to <= from {
		g.baseEnergy(l, to)
		return
	}
	energy, known := g.drawEnergy(l, from, to)
	m.split(g, span{fromMs: from, toMs: to, look: l, shares: sharesOf(l), energyMJ: energy, energyKnown: known})
	g.doneMs = to
}

// meet returns the GPU of a look. A new one is metered from the time that its
// first look speaks for.
func (m *Meter) meet(l *metric.Look, now int64) *gpu {
	if m.gpus[l.GPU.UUID] != nil {
		return m.find(l.GPU, 0)
	}
	from := m.lastMs
	if l.Condition == metric.Good {
		from = l.Since.Milliseconds()
	}
	from, missed := m.takeSeat(max(from, m.openMs), now)
	g := m.find(l.GPU, from)
	if g.missed == "" {
		g.missed = missed
	}
	return g
}

// split cuts a span at window edges and at the beginning of a fault.
func (m *Meter) split(g *gpu, s span) {
	total, energy := s.ms(), s.energyMJ
	var doneMs, doneMJ int64
	for from := s.fromMs; from < s.toMs; {
		edge := m.clock.edge(from, m.window)
		to := min(s.toMs, edge)
		if at := g.fault.fromMs; g.fault.reason != "" && from < at && at < to {
			to = at
		}
		doneMs += to - from
		mj := int64(float64(energy)*float64(doneMs)/float64(total)) - doneMJ
		doneMJ += mj
		piece := s
		piece.fromMs, piece.toMs, piece.edgeMs, piece.energyMJ = from, to, edge, mj
		m.add(g, piece)
		from = to
	}
}

// add books a span that lies within one window.
func (m *Meter) add(g *gpu, s span) {
	g.sum.add(g, s)
	if g.sick(s) {
		p := g.part(s.edgeMs, usage.Holder{Basis: usage.BasisNone}, restUnmeasured)
		p.sickMs += s.ms()
		p.why = g.fault.reason
		p.addEnergy(s.energyMJ, s.ms()*1_000_000, s.energyKnown)
		return
	}
	var ns, mj int64
	for _, x := range m.lots(s) {
		if x.ns == 0 {
			continue
		}
		ns += x.ns
		// Energy is divided by time.
		upTo := int64(float64(s.energyMJ) * float64(ns) / float64(s.ms()*1_000_000))
		g.part(s.edgeMs, x.holder, x.rest).book(x, upTo-mj, s.energyKnown)
		mj = upTo
	}
}

func (m *Meter) holders(l *metric.Look) ([]usage.Holder, bool) {
	if m.cfg.Holders == nil {
		return nil, false
	}
	return m.cfg.Holders(*l)
}

// book adds a lot of a healthy span and its energy.
func (p *part) book(x lot, mj int64, energyKnown bool) {
	p.addEnergy(mj, x.ns, energyKnown)
	if x.sm.Known {
		p.smKnownNs += x.ns
		p.smNs += activeNs(x.sm, x.ns)
	}
	if x.util.Known {
		p.coverNs += x.ns
		p.busyNs += activeNs(x.util, x.ns)
		return
	}
	p.blindNs += x.ns
}

func (p *part) addEnergy(mj, ns int64, known bool) {
	if known {
		p.energyMJ += mj
		p.energyNs += ns
	}
}

// shareNs is a share of ms, in nanoseconds.
func shareNs(u metric.Share, ms int64) int64 { return activeNs(u, ms*1_000_000) }

// part returns the part of a holder in the window that ends at edgeMs.
func (g *gpu) part(edgeMs int64, h usage.Holder, r rest) *part {
	for _, p := range g.parts {
		if p.edgeMs == edgeMs && p.holder == h && p.rest == r {
			return p
		}
	}
	p := &part{edgeMs: edgeMs, holder: h, rest: r}
	g.parts = append(g.parts, p)
	return p
}

// drawEnergy returns the energy that the counter gained over exactly this
// span. A counter that fell has restarted: the difference is unknown, and the
// fall is evidence of a driver load (see judge).
func (g *gpu) drawEnergy(l *metric.Look, fromMs, toMs int64) (mj int64, known bool) {
	v, ok := energyOf(l)
	if !ok {
		g.energyMs = -1 // what it gains meanwhile is of no known span
		return 0, false
	}
	if g.energyKnown && g.energyMs == fromMs && v >= g.energy {
		mj, known = int64(math.Round((v-g.energy)*1000)), true
	}
	g.energy, g.energyMs, g.energyKnown = v, toMs, true
	return mj, known
}

// baseEnergy remembers where the energy counter stood at a look that speaks for
// no time: the first one.
func (g *gpu) baseEnergy(l *metric.Look, atMs int64) {
	if v, ok := energyOf(l); ok && l.Condition == metric.Good && atMs == g.doneMs {
		g.energy, g.energyMs, g.energyKnown = v, atMs, true
	}
}

// EnergyMetric is the name of the driver's cumulative energy reading, in joules.
const EnergyMetric = "gpu.energy.driver"

func energyOf(l *metric.Look) (float64, bool) {
	for _, r := range l.Readings {
		if r.Desc.Name == EnergyMetric {
			return r.Value, true
		}
	}
	return 0, false
}
