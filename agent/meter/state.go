package meter

import (
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// State is what a meter needs to go on after the agent was restarted. It is
// kept in the spool, as JSON.
type State struct {
	BootID string `json:"boot_id"`
	// Most is how many GPUs answered at the same time at the most, Expected how
	// many the node should have; zero where nobody said.
	Most     int         `json:"most_gpus"`
	Expected int         `json:"expected_gpus,omitempty"`
	Model    string      `json:"expected_model,omitempty"`
	GPUs     []GPUState  `json:"gpus"`
	Slots    []SlotState `json:"slots,omitempty"`
	NextSlot int         `json:"next_slot,omitempty"`
	// Left are the GPUs and slots that went in the open window: their goodbyes
	// are not on record yet.
	Left []string `json:"left,omitempty"`
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
	s := State{
		BootID: m.cfg.BootID, Most: m.most, Expected: m.siblings.GPUs, Model: m.siblings.Model,
		Slots: m.slotStates(), NextSlot: m.nextSlot,
	}
	for _, g := range m.order {
		s.GPUs = append(s.GPUs, g.state())
	}
	s.Left = append(s.Left, m.left...)
	for _, g := range m.leaving {
		s.Left = append(s.Left, g.UUID)
	}
	return s
}

func (g *gpu) state() GPUState {
	return GPUState{
		GPU: g.GPU, Fault: g.fault.reason, FaultFreed: g.fault.freed,
		Energy: g.energy, EnergyKnown: g.energyKnown,
	}
}

// restore takes over a state. A reboot in between frees every fault: it ends
// with the first good look that does not show it again.
func (m *Meter) restore(s State) {
	rebooted := s.BootID != m.cfg.BootID
	m.rebooted = rebooted && s.BootID != ""
	m.most, m.siblings, m.nextSlot = s.Most, Siblings{GPUs: s.Expected, Model: s.Model}, s.NextSlot
	m.restoreSlots(s.Slots)
	m.left = s.Left
	for _, id := range s.Left {
		m.replaced[id] = true
	}
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
	for _, id := range m.left {
		m.event(fromMs, usage.Event{Kind: usage.EventGoodbye, GPU: id, Detail: "left before a restart"})
	}
	for _, s := range m.slots {
		s.fromMs, s.doneMs, s.parts = fromMs, fromMs, nil
	}
}

// Faults counts the changes of GPUs' health. State is worth keeping whenever
// it has changed: the driver tells of a fatal error only once.
func (m *Meter) Faults() uint64 { return m.faults }
