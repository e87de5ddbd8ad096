package meter

import (
	"fmt"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// fault is the evidence that a GPU is not usable. It is kept until the driver
// or the node started anew and the GPU then answers without it: good readings
// in between do not end it.
type fault struct {
	reason string // empty: none
	fromMs int64  // boot time of the first evidence
	load   uint64 // Driver.Load at that time
	freed  bool   // the driver or the node started anew since
}

// evidence is one row of the table of readings that show a GPU to be faulty
// when they are above zero.
type evidence struct {
	name, value string // metric.Desc.Name and the value of its label
	reason      string
}

// evidences lists what the driver's readings can prove. Volatile counters and
// flags go back to zero with the reset that repairs the GPU.
var evidences = []evidence{
	{"gpu.ecc.errors", "volatile_uncorrected", "ecc_uncorrected"},
	{"gpu.row_remap.failure", "", "row_remap_failure"},
	{"gpu.recovery.action", "", "recovery_action"},
}

// proof returns what a look proves against its GPU; empty for nothing.
func proof(l *metric.Look) string {
	if l.Condition == metric.Lost {
		if l.Reason != "" {
			return l.Reason
		}
		return metric.ReasonLost
	}
	if l.Reason == metric.ReasonGone {
		return metric.ReasonGone
	}
	if l.Condition != metric.Good {
		return ""
	}
	for _, r := range l.Readings {
		for _, e := range evidences {
			if r.Value > 0 && r.Desc.Name == e.name && e.value == labelOf(r.Desc) {
				return e.reason
			}
		}
	}
	return ""
}

// labelOf returns the value of a metric's label; empty if it has none.
func labelOf(d *metric.Desc) string {
	if len(d.Labels) == 0 {
		return ""
	}
	return d.Labels[0].Value
}

// judge begins or ends a GPU's fault by what a look shows.
func (m *Meter) judge(g *gpu, f *metric.Frame, l *metric.Look, now int64) {
	load := f.Driver.Load // 0 while the driver is not up yet
	if load != 0 && g.fault.load == unknownLoad {
		g.fault.load = load
	}
	if load != 0 && load != g.fault.load || g.energyFell(l) {
		g.fault.freed, g.fault.load = true, load
	}
	why := proof(l)
	switch {
	case why != "" && g.fault.reason == "":
		m.begin(g, why, at(l, now))
	case why != "" && why != metric.ReasonGone:
		g.fault.freed = false
	case g.fault.reason != "" && g.fault.freed && l.Condition == metric.Good:
		g.fault = fault{}
		m.faults++
		m.event(now, usage.Event{Kind: usage.EventHealthy, GPU: g.UUID})
	}
}

// at is when a look saw what it proves.
func at(l *metric.Look, now int64) int64 {
	if l.Condition == metric.Good {
		return l.At.Milliseconds()
	}
	return now
}

// begin makes a GPU unhealthy. A GPU that was only missing is well again when
// it is back: it cannot come back but by starting anew.
func (m *Meter) begin(g *gpu, why string, atMs int64) {
	g.fault = fault{reason: why, fromMs: atMs, load: unknownLoad, freed: why == metric.ReasonGone}
	m.faults++
	m.event(atMs, usage.Event{Kind: usage.EventUnhealthy, GPU: g.UUID, Detail: why})
}

// unknownLoad marks a fault that no frame was compared with since it began, or
// only frames without a driver.
const unknownLoad = ^uint64(0)

// observeXid records a driver error; a fatal one makes its GPU unhealthy.
func (m *Meter) observeXid(x metric.Xid) {
	atMs := x.At.Milliseconds()
	m.event(atMs, usage.Event{Kind: usage.EventXid, GPU: x.UUID, Value: int64(x.Code), Detail: detail(&x)})
	g := m.gpus[x.UUID]
	if g == nil || g.fault.reason != "" && !g.fault.freed || !x.Fatal() {
		return
	}
	m.begin(g, fmt.Sprintf("xid_%d", x.Code), atMs)
	// The log of a new boot may tell of an error from before anybody looked,
	// and the GPU may have been reset since: the first good look decides.
	g.fault.freed = m.rebooted && atMs < m.coldMs
}

// detail is what the driver says of an error, and for how many more it stands.
func detail(x *metric.Xid) string {
	switch {
	case x.More == 0:
		return x.Detail
	case x.Detail == "":
		return fmt.Sprintf("and %d more", x.More)
	}
	return fmt.Sprintf("%s (and %d more)", x.Detail, x.More)
}

// sick reports whether a span counts as unhealthy.
func (g *gpu) sick(s span) bool { return g.fault.reason != "" && s.fromMs >= g.fault.fromMs }

func (g *gpu) energyFell(l *metric.Look) bool {
	v, ok := energyOf(l)
	return ok && g.energyKnown && v < g.energy
}

// noteCondition records that a GPU stopped or began to answer.
func (m *Meter) noteCondition(g *gpu, l *metric.Look, now int64) {
	good := l.Condition == metric.Good
	switch {
	case good && !g.good && g.reason != "" && g.reason != metric.ReasonNeverSeen:
		m.event(now, usage.Event{Kind: usage.EventObserved, GPU: g.UUID})
	case !good && l.Reason != g.reason:
		m.event(now, usage.Event{Kind: usage.EventUnobserved, GPU: g.UUID, Detail: l.Reason})
	}
	g.good, g.reason = good, l.Reason
	if !good {
		g.missed = l.Reason
	}
}

// coldStart is how long after its start a meter learns how many GPUs the node
// has, before it takes one for the replacement of another.
const coldStart = 2 * 60 * 1000 // ms

// retireReplaced says goodbye to GPUs that are lost or gone and were replaced:
// as many others answer as the node ever had, or there are more than it should
// have.
func (m *Meter) retireReplaced(f *metric.Frame, now int64) {
	live, lost := 0, 0
	for i := range f.Looks {
		if f.Looks[i].Condition == metric.Good {
			live++
		}
	}
	for _, g := range m.order {
		if !g.good && !g.restored && gone(g.reason) {
			lost++
		}
	}
	cold := now < m.coldMs+coldStart
	m.most = max(m.most, live)
	if cold && m.siblings.GPUs == 0 {
		m.most = max(m.most, live+lost)
	} else if cold {
		m.most = max(m.most, min(live+lost, m.siblings.GPUs))
	}
	full := max(m.most, m.siblings.GPUs)
	switch surplus := len(m.order) - full; {
	case m.siblings.GPUs > 0 && surplus > 0:
		m.retire(now, surplus)
	case !cold && live >= full && live < len(m.order):
		m.retire(now, len(m.order))
	}
}

// retire says goodbye to n of those that are gone, first to those that the
// driver does not even list.
func (m *Meter) retire(now int64, n int) {
	for _, reason := range []string{metric.ReasonGone, metric.ReasonLost} {
		kept := m.order[:0]
		for _, g := range m.order {
			if n == 0 || g.good || g.reason != reason {
				kept = append(kept, g)
				continue
			}
			n--
			m.event(now, usage.Event{Kind: usage.EventGoodbye, GPU: g.UUID, Detail: "replaced"})
			m.leaving = append(m.leaving, leaver{g, now})
			delete(m.gpus, g.UUID)
			m.replaced[g.UUID] = true
			m.faults++
		}
		m.order = kept
	}
}

func gone(reason string) bool { return reason == metric.ReasonLost || reason == metric.ReasonGone }
