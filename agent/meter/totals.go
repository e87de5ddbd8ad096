package meter

import "github.com/gpumeter/gpumeter/metric"

// Totals are a GPU's time integrals since the meter began, for the telemetry
// lane: they only grow.
//
// They are not kept over a restart of the agent. What a crash leaves behind is
// as old as the last closed window, and a counter that goes on from there falls
// by the difference: Prometheus takes that for a reset and adds the whole of it
// once more. From zero it loses no more than what came after its last scrape.
type Totals struct {
	observedMs, unobservedMs, unhealthyMs int64
	busyNs, smNs                          int64
	smMs                                  int64
	shares                                [len(shareIntegrals)]integral
	energy                                energy
}

// integral is a share of time, added up.
type integral struct {
	ns int64
	ms int64 // of which it was known
}

func (t *Totals) add(g *gpu, s span) {
	t.observedMs += s.ms()
	if g.sick(s) {
		t.unhealthyMs += s.ms()
		return
	}
	if s.look.Util.Known {
		t.busyNs += shareNs(s.look.Util, s.ms())
	}
	if s.look.SMActive.Known {
		t.smMs += s.ms()
		t.smNs += shareNs(s.look.SMActive, s.ms())
	}
	for i, v := range s.shares {
		if v.Known {
			t.shares[i].ms += s.ms()
			t.shares[i].ns += shareNs(v, s.ms())
		}
	}
}

// energy is what the driver's counter gained, as far as it was seen to. Unlike
// shares, a counter speaks for the time between two looks however long it was,
// so nothing is lost with a missed look, a sleep of the node or a GPU at fault.
type energy struct {
	joules float64 // gained
	at     float64 // where the counter stood
	atMs   int64
	known  bool
}

// maxWatts is more than any GPU draws. A counter that gained more is mistaken.
const maxWatts = 10_000

// see takes a reading of the counter. A counter that fell has started again, and
// all that it says is gained. What it gained between the last look and its reset
// is not known and is not in the sum; neither is what the reset hides when the
// counter has already passed its old value.
func (e *energy) see(joules float64, atMs int64) {
	if !(joules >= 0) {
		return // not a number
	}
	gain := joules
	if joules >= e.at {
		gain -= e.at
	}
	// The counter is read some time after the look's span ended, and moves in
	// steps: a second more or less is no mistake.
	if limit := maxWatts * float64(atMs-e.atMs+1000) / 1e3; e.known && gain <= limit {
		e.joules += gain
	}
	e.at, e.atMs, e.known = joules, atMs, true
}

// The time integrals that the agent exports beside the driver's own metrics.
var (
	observedSeconds     = &metric.Desc{Name: "gpu.observed", Unit: metric.Seconds, Kind: metric.Counter, Help: "Time for which the GPU was observed, unhealthy time included."}
	unobservedSeconds   = &metric.Desc{Name: "gpu.unobserved", Unit: metric.Seconds, Kind: metric.Counter, Help: "Time for which nothing is known of the GPU. It grows at window edges."}
	unhealthySeconds    = &metric.Desc{Name: "gpu.unhealthy", Unit: metric.Seconds, Kind: metric.Counter, Help: "Observed time in which the GPU was not usable."}
	busySeconds         = &metric.Desc{Name: "gpu.busy", Unit: metric.Seconds, Kind: metric.Counter, Help: "Time in which at least one kernel was resident."}
	smActiveSeconds     = &metric.Desc{Name: "gpu.sm_active", Unit: metric.Seconds, Kind: metric.Counter, Help: "Integral of the share of SM cycles that were active."}
	tensorActiveSeconds = &metric.Desc{Name: "gpu.tensor_active", Unit: metric.Seconds, Kind: metric.Counter, Help: "Integral of the share of cycles in which a tensor pipe was active."}
	memoryActiveSeconds = &metric.Desc{Name: "gpu.memory_active", Unit: metric.Seconds, Kind: metric.Counter, Help: "Integral of the share of memory bandwidth that was used."}
	energyJoules        = &metric.Desc{Name: "gpu.energy", Unit: metric.Joules, Kind: metric.Counter,
		Help: "Energy that the driver's counter gained since the agent began, over its resets and over time that was not observed; at least, as what it gained between the last look and a reset is not known.",
		OTel: metric.Alias{Name: "hw.energy"}}
)

// shareIntegrals are the integrals of shares that looks have among their
// readings: averages over the time since the look before.
var shareIntegrals = [...]struct {
	reading string // metric.Desc.Name
	desc    *metric.Desc
}{
	{"gpu.tensor.active", tensorActiveSeconds},
	{"gpu.memory.active", memoryActiveSeconds},
}

// sharesOf returns the shares of shareIntegrals that a look has.
func sharesOf(l *metric.Look) (out [len(shareIntegrals)]metric.Share) {
	for i := range l.Readings {
		for k := range shareIntegrals {
			if r := &l.Readings[i]; r.Desc.Name == shareIntegrals[k].reading {
				out[k] = metric.KnownShare(r.Value)
			}
		}
	}
	return out
}

// Descs lists the integrals that Totals can hold.
func Descs() []*metric.Desc {
	out := []*metric.Desc{observedSeconds, unobservedSeconds, unhealthySeconds, busySeconds, smActiveSeconds}
	for i := range shareIntegrals {
		out = append(out, shareIntegrals[i].desc)
	}
	return append(out, energyJoules)
}

// Totals returns a GPU's integrals as readings; nil for a GPU that the meter
// does not know. What was never reported is absent.
func (m *Meter) Totals(uuid string) []metric.Reading {
	g := m.gpus[uuid]
	if g == nil {
		return nil
	}
	t := &g.sum
	out := make([]metric.Reading, 0, 6+len(t.shares))
	out = append(out,
		metric.Reading{Desc: observedSeconds, Value: float64(t.observedMs) / 1e3},
		metric.Reading{Desc: unobservedSeconds, Value: float64(t.unobservedMs) / 1e3},
		metric.Reading{Desc: unhealthySeconds, Value: float64(t.unhealthyMs) / 1e3},
		metric.Reading{Desc: busySeconds, Value: float64(t.busyNs) / 1e9})
	if t.smMs > 0 {
		out = append(out, metric.Reading{Desc: smActiveSeconds, Value: float64(t.smNs) / 1e9})
	}
	for i := range t.shares {
		if t.shares[i].ms > 0 {
			out = append(out, metric.Reading{Desc: shareIntegrals[i].desc, Value: float64(t.shares[i].ns) / 1e9})
		}
	}
	if t.energy.known {
		out = append(out, metric.Reading{Desc: energyJoules, Value: t.energy.joules})
	}
	return out
}
