package meter

import (
	"slices"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// Siblings are the GPUs that a node should have.
type Siblings struct {
	// GPUs is how many; zero where nobody says.
	GPUs int
	// Model is as they are bought; where it is empty, the missing are like those
	// that are there.
	Model string
	// Elsewhere is how many of those that the driver does not show are there all
	// the same: given to a virtual machine, or not to be seen from this container.
	Elsewhere int
}

// Expect says how many GPUs the node should have, from the next frame on. A
// meter goes on expecting what it did, also after a restart of the agent, until
// it is told otherwise.
func (m *Meter) Expect(s Siblings) {
	if s.GPUs > 0 && s.GPUs < m.siblings.GPUs {
		// The node was made smaller: what it had before is no measure any more.
		m.most, m.coldMs = 0, m.lastMs
	}
	m.siblings = s
}

// Expected returns the GPUs that the node should have.
func (m *Meter) Expected() Siblings { return m.siblings }

// Missing returns how many of the expected GPUs were never seen, and how many of
// those are missing or lost for all that is known, and not only silent.
func (m *Meter) Missing() (unseen, missing int) {
	for _, s := range m.slots {
		if s.fault.reason != "" {
			missing++
		}
	}
	return len(m.slots), missing
}

// slot stands on record for a GPU that the node should have and that nobody has
// seen. It is at fault from the first frame that shows it to be missing, and
// says goodbye when a GPU takes its seat: the GPUs and slots of a node are at
// every time as many as it should have.
type slot struct {
	gpu
	// written says that there are records of it, or may be.
	written bool
}

// takeSeat makes room for a GPU that was not known before. It returns from when
// the GPU is metered, and why it was not seen since then.
func (m *Meter) takeSeat(from, now int64) (fromMs int64, missed string) {
	switch {
	case len(m.slots) > 0:
	case m.siblings.GPUs > 0 && len(m.order) >= m.siblings.GPUs:
		return now, "" // that of one that goes in this frame
	default:
		return from, ""
	}
	s := m.slots[0]
	if s.fault.reason == "" && !s.written {
		m.slots = m.slots[1:]
		return s.fromMs, s.missed // it has stood there all the time
	}
	return m.vacate(0, now, "seen"), ""
}

// keepSlots opens and ends slots so that they are as many as GPUs are missing,
// and books the time since the frame before.
func (m *Meter) keepSlots(f *metric.Frame, now int64) {
	want := max(m.siblings.GPUs-len(m.order), 0)
	for len(m.slots) > want {
		m.vacate(len(m.slots)-1, now, "not expected")
	}
	for len(m.slots) < want {
		m.openSlot(now)
	}
	for i, s := range m.slots {
		if model := m.slotModel(); model != "" {
			s.Name = model
		}
		m.bookSlot(s, now)
		m.judgeSlot(s, f, i, now)
	}
}

// openSlot opens a slot under a number that said no goodbye yet: what is on
// record after a goodbye would take it back.
func (m *Meter) openSlot(now int64) {
	k := len(m.order)
	for _, s := range m.slots {
		k = max(k, s.Index+1)
	}
	k = max(k, m.nextSlot)
	s := &slot{gpu: gpu{GPU: metric.GPU{UUID: usage.Slot(m.cfg.Node, k), Index: k}, fromMs: now, doneMs: now}}
	m.slots = append(m.slots, s)
}

func (m *Meter) slotModel() string {
	if m.siblings.Model != "" || len(m.order) == 0 {
		return m.siblings.Model
	}
	return metric.Model(m.order[0].Name)
}

// judgeSlot says what a frame shows of the slot with an index in m.slots. The
// first are those that the driver counts and that did not say who they are.
func (m *Meter) judgeSlot(s *slot, f *metric.Frame, i int, now int64) {
	reason := ""
	switch elsewhere := i >= len(m.slots)-m.siblings.Elsewhere; {
	case elsewhere && s.fault.reason == metric.ReasonMissing:
		s.fault, reason = fault{}, metric.ReasonElsewhere
		m.faults++
	case elsewhere:
		reason = metric.ReasonElsewhere
	case s.fault.reason != "":
		return
	case !f.Driver.Up && f.Driver.Reason == "":
		reason = metric.ReasonNeverSeen
	case !f.Driver.Up:
		reason = f.Driver.Reason
	case i >= len(f.Nameless):
		m.begin(&s.gpu, metric.ReasonMissing, now)
	case f.Nameless[i].Reason == metric.ReasonLost:
		m.begin(&s.gpu, metric.ReasonLost, now)
	default:
		reason = f.Nameless[i].Reason
	}
	if reason != "" {
		s.reason, s.missed = reason, reason
	}
}

// bookSlot adds the time since the frame before, if the slot was at fault.
func (m *Meter) bookSlot(s *slot, now int64) {
	if s.fault.reason == "" {
		return
	}
	from := max(m.lastMs, s.fault.fromMs, s.doneMs, now-m.hold, s.fromMs)
	if now > from {
		m.split(&s.gpu, span{fromMs: from, toMs: now})
		s.doneMs = now
	}
}

// vacate ends the slot with an index in m.slots, and returns when. A slot has at
// least a millisecond of the window in which it goes: its goodbye is then of the
// same node as its last record, whatever has changed about the node.
func (m *Meter) vacate(i int, now int64, why string) int64 {
	s, atMs := m.slots[i], max(now, m.openMs+1)
	m.bookSlot(s, atMs)
	m.event(atMs, usage.Event{Kind: usage.EventGoodbye, GPU: s.UUID, Detail: why})
	m.leaving = append(m.leaving, leaver{&s.gpu, atMs})
	m.slots = slices.Delete(m.slots, i, i+1)
	m.nextSlot = max(m.nextSlot, s.Index+1)
	m.faults++
	return atMs
}

// closeSlots adds what the slots did in the window.
func (m *Meter) closeSlots(c *Closed, endMs int64) {
	for _, s := range m.slots {
		c.GPUs = append(c.GPUs, s.GPU)
		rs := m.records(&s.gpu, endMs)
		s.written = s.written || len(rs) > 0
		c.Records = append(c.Records, rs...)
	}
}

// SlotState is the State of a GPU that the node should have and that nobody has
// seen.
type SlotState struct {
	ID     string `json:"id"`
	Number int    `json:"number"`
	Model  string `json:"model,omitempty"`
	Fault  string `json:"fault,omitempty"`
}

// slotStates returns the slots that may be on record.
func (m *Meter) slotStates() []SlotState {
	var out []SlotState
	for _, s := range m.slots {
		if s.written || s.fault.reason != "" {
			out = append(out, SlotState{ID: s.UUID, Number: s.Index, Model: s.Name, Fault: s.fault.reason})
		}
	}
	return out
}

// restoreSlots takes over slots with their ids, also where the node was renamed:
// like GPUs they then stand in the node of the new name.
func (m *Meter) restoreSlots(states []SlotState) {
	for _, x := range states {
		s := &slot{gpu: gpu{GPU: metric.GPU{UUID: x.ID, Index: x.Number, Name: x.Model}}, written: true}
		s.reason, s.missed = metric.ReasonNeverSeen, metric.ReasonNeverSeen
		if x.Fault != "" {
			s.fault = fault{reason: x.Fault, load: unknownLoad}
		}
		m.slots = append(m.slots, s)
	}
}
