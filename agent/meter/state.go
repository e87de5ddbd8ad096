package meter

import "github.com/gpumeter/gpumeter/metric"

// State is what a meter needs to go on after the agent was restarted. It is
// kept in the spool, as JSON.
type State struct {
	BootID   string     `json:"boot_id"`
	Expected int        `json:"expected_gpus"`
	GPUs     []GPUState `json:"gpus"`
}

// GPUState is the State of one GPU.
type GPUState struct {
	metric.GPU
	Fault       string  `json:"fault,omitempty"`
	FaultFreed  bool    `json:"fault_freed,omitempty"`
	Energy      float64 `json:"energy_joules,omitempty"`
	EnergyKnown bool    `json:"energy_known,omitempty"`
}

// State returns what New needs to go on.
func (m *Meter) State() State {
	s := State{BootID: m.cfg.BootID, Expected: m.expected}
	for _, g := range m.order {
		s.GPUs = append(s.GPUs, GPUState{
			GPU: g.GPU, Fault: g.fault.reason, FaultFreed: g.fault.freed,
			Energy: g.energy, EnergyKnown: g.energyKnown,
		})
	}
	return s
}

// restore takes over a state. A reboot in between frees every fault: it ends
// with the first good look that does not show it again.
func (m *Meter) restore(s State) {
	rebooted := s.BootID != m.cfg.BootID
	m.rebooted = rebooted && s.BootID != ""
	m.expected = s.Expected
	for _, x := range s.GPUs {
		g := m.find(x.GPU, 0)
		g.restored = true
		if x.Fault != "" {
			g.fault = fault{reason: x.Fault, load: unknownLoad, freed: x.FaultFreed || rebooted}
		}
		// The counter's value is kept to notice that it fell, not to count
		// over the time that the agent was down: energyMs stays unset.
		g.energy, g.energyKnown, g.energyMs = x.Energy, x.EnergyKnown && !rebooted, -1
		g.reason, g.missed = metric.ReasonNeverSeen, metric.ReasonNeverSeen
	}
}

// start starts metering at a boot time: at the first frame, and anew after a
// silence that was too long to write windows for.
func (m *Meter) start(fromMs int64, f *metric.Frame) {
	m.started, m.openMs, m.lastMs, m.coldMs = true, fromMs, fromMs, fromMs
	m.clock.anchor(f.Boot.Milliseconds(), f.Wall)
	for _, g := range m.order {
		g.fromMs, g.doneMs, g.parts = fromMs, fromMs, nil
	}
}

// Faults counts the changes of GPUs' health. State is worth keeping whenever
// it has changed: the driver tells of a fatal error only once.
func (m *Meter) Faults() uint64 { return m.faults }
