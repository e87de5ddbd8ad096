package meter

import "github.com/gpumeter/gpumeter/metric"

// Totals are a GPU's time integrals since the meter began, for the telemetry
// lane: they only grow.
type Totals struct {
	observedMs, unobservedMs, unhealthyMs int64
	busyNs, smNs                          int64
	smMs                                  int64
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
}

// The time integrals that the agent exports beside the driver's own metrics.
var (
	observedSeconds   = &metric.Desc{Name: "gpu.observed", Unit: metric.Seconds, Kind: metric.Counter, Help: "Time for which the GPU was observed, unhealthy time included."}
	unobservedSeconds = &metric.Desc{Name: "gpu.unobserved", Unit: metric.Seconds, Kind: metric.Counter, Help: "Time for which nothing is known of the GPU. It grows at window edges."}
	unhealthySeconds  = &metric.Desc{Name: "gpu.unhealthy", Unit: metric.Seconds, Kind: metric.Counter, Help: "Observed time in which the GPU was not usable."}
	busySeconds       = &metric.Desc{Name: "gpu.busy", Unit: metric.Seconds, Kind: metric.Counter, Help: "Time in which at least one kernel was resident."}
	smActiveSeconds   = &metric.Desc{Name: "gpu.sm_active", Unit: metric.Seconds, Kind: metric.Counter, Help: "Integral of the share of SM cycles that were active."}
)

// Descs lists the integrals that Totals can hold.
func Descs() []*metric.Desc {
	return []*metric.Desc{observedSeconds, unobservedSeconds, unhealthySeconds, busySeconds, smActiveSeconds}
}

// Totals returns a GPU's integrals as readings; nil for a GPU that the meter
// does not know. SM activity is absent where it was never reported.
func (m *Meter) Totals(uuid string) []metric.Reading {
	g := m.gpus[uuid]
	if g == nil {
		return nil
	}
	t := g.sum
	out := []metric.Reading{
		{Desc: observedSeconds, Value: float64(t.observedMs) / 1e3},
		{Desc: unobservedSeconds, Value: float64(t.unobservedMs) / 1e3},
		{Desc: unhealthySeconds, Value: float64(t.unhealthyMs) / 1e3},
		{Desc: busySeconds, Value: float64(t.busyNs) / 1e9},
	}
	if t.smMs > 0 {
		out = append(out, metric.Reading{Desc: smActiveSeconds, Value: float64(t.smNs) / 1e9})
	}
	return out
}
