// Package meter turns frames into records: it adds up, for every GPU and
// window, how long the GPU was busy, idle, unallocated, unmeasured or
// unhealthy, and for whom.
//
// Time is the boot clock, in whole milliseconds. The wall clock only labels
// windows, so that a clock step can move a label but never add or remove
// GPU time. What no look speaks for is in no sum.
package meter

import (
	"sort"
	"time"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// Defaults of Config.
const (
	DefaultWindow   = time.Minute
	DefaultInterval = time.Second
)

// Config says how to meter. The zero Config meters one-minute windows at one
// look a second and knows no holders.
type Config struct {
	// Window is the length of a window; it divides an hour.
	Window time.Duration
	// Interval is the time between looks.
	Interval time.Duration
	// Grace is how long a window stays open after its edge for looks that
	// end before it.
	Grace time.Duration
	// Holders names who holds a GPU. known is false where no source works;
	// known without holders is a free GPU. Nil knows nothing.
	Holders func(metric.Look) (holders []usage.Holder, known bool)
	// Parts names who holds one compute instance ("MIG-…") of a divided GPU, as
	// Holders does for a GPU; each gets the instance's slices and activity. Nil
	// asks Holders for divided GPUs too. A holder of either that is nobody
	// (see usage.Holder) says which source found none.
	Parts func(l metric.Look, instance string) (holders []usage.Holder, known bool)
	// Basis is written on records of GPUs that a working source found free.
	Basis usage.Basis
	// BootID identifies this boot of the node; a change ends unhealthy states.
	BootID string
	// Node is the name under which GPUs stand on record that the node should have
	// and that nobody has seen.
	Node string
}

// Closed is what a window edge, a clock step or Flush closed.
type Closed struct {
	StartMs, EndMs int64 // labels: Unix milliseconds
	// GPUs is the inventory that the records refer to, by UUID.
	GPUs    []metric.GPU
	Records []usage.Record
	Events  []usage.Event
	// ClockOffsetMs is wall clock minus label clock.
	ClockOffsetMs int64
}

// Meter adds up frames. It is not safe for concurrent use. Make one with New.
type Meter struct {
	cfg    Config
	window int64 // ms
	hold   int64 // ms
	clock  clock
	gpus   map[string]*gpu
	order  []*gpu // by UUID, as records are written
	events []usage.Event
	// openMs is the boot time at which the oldest open window began.
	openMs   int64
	started  bool
	rebooted bool // the node booted since the state that the meter goes on from
	most     int  // the most GPUs that ever answered at the same time
	siblings Siblings
	slots    []*slot // by number
	nextSlot int     // above the numbers of all slots that went
	lastMs   int64
	coldMs   int64  // when the meter began to learn how many GPUs there are
	faults   uint64 // changes of health
	dropped  int64  // events of the open window beyond maxEvents
	// replaced holds the GPUs that went for good. They are metered again only
	// if they answer again.
	replaced map[string]bool
	leaving  []leaver
	left     []string // went before a restart that lost their goodbyes
}

// longSilence is how long without a frame the meter goes on writing windows.
const longSilence = 60 * 60 * 1000 // ms

// leaver is a GPU that was replaced at a boot time within the open window.
type leaver struct {
	*gpu
	atMs int64
}

// New returns a meter that goes on from a state, or from nothing if s is the
// zero State.
func New(cfg Config, s State) *Meter {
	if cfg.Window == 0 {
		cfg.Window = DefaultWindow
	}
	if cfg.Interval == 0 {
		cfg.Interval = DefaultInterval
	}
	if cfg.Basis == "" {
		cfg.Basis = usage.BasisNone
	}
	m := &Meter{
		cfg:      cfg,
		window:   cfg.Window.Milliseconds(),
		hold:     (metric.MaxHold * cfg.Interval).Milliseconds(),
		gpus:     map[string]*gpu{},
		replaced: map[string]bool{},
	}
	m.restore(s)
	return m
}

// Observe adds a frame and returns the windows that it closed, oldest first.
// Frames must come in the order of their boot clock.
func (m *Meter) Observe(f metric.Frame) []Closed {
	now := f.Boot.Milliseconds()
	var out []Closed
	switch silence := now - m.lastMs; {
	case !m.started:
		m.start(now, &f)
	case silence > max(longSilence, 2*m.hold):
		// Nobody was there to write windows: the node slept. The silence
		// between two records is unobserved in every report.
		out = m.Flush()
		m.start(now-m.hold, &f)
	}
	for i := range f.Looks {
		if l := &f.Looks[i]; l.Condition == metric.Good || !m.replaced[l.GPU.UUID] {
			m.meet(l, now) // an Xid may come with the first look at its GPU
		}
	}
	for i := range f.Xids {
		m.observeXid(f.Xids[i])
	}
	for i := range f.Looks {
		m.observeLook(&f, &f.Looks[i], now)
	}
	m.retireReplaced(&f, now)
	m.keepSlots(&f, now)
	m.lastMs = max(m.lastMs, now)
	out = append(out, m.closeDue(now, m.cfg.Grace.Milliseconds())...)
	if step := m.clock.step(now, f.Wall); step != 0 {
		out = append(out, m.cut(now, f.Wall, step)...)
	}
	return out
}

// Flush closes the open window at the last frame, early: before a pause or at
// the end of the agent. Metering goes on in a new window with the next frame.
func (m *Meter) Flush() []Closed {
	if !m.started {
		return nil
	}
	return append(m.closeDue(m.lastMs, 0), m.closeAt(m.lastMs)...)
}

// Event adds an event of the agent itself to the open window, at the time of
// the last frame. The agent's start says when the node booted, by the wall
// clock: whoever missed the agent before can tell a node that was down from one
// that was up without it.
func (m *Meter) Event(kind usage.EventKind, detail string) {
	e := usage.Event{Kind: kind, Detail: detail}
	if kind == usage.EventAgentStart {
		e.Value = m.clock.label(0)
	}
	m.event(m.lastMs, e)
}

// maxEvents bounds the events of one window that may come in storms. Beyond it
// they are counted: a window with too many would be refused as a whole.
const maxEvents = 2000

func (m *Meter) event(bootMs int64, e usage.Event) {
	switch e.Kind {
	case usage.EventXid, usage.EventObserved, usage.EventUnobserved:
		if len(m.events) >= maxEvents {
			m.dropped++
			return
		}
	}
	e.AtMs = m.clock.label(bootMs)
	m.events = append(m.events, e)
}

// closeDue closes the windows whose edge plus grace has passed.
func (m *Meter) closeDue(now, grace int64) []Closed {
	var out []Closed
	for {
		edge := m.clock.edge(m.openMs, m.window)
		if edge+grace > now {
			return out
		}
		out = append(out, m.closeAt(edge)...)
	}
}

// closeAt closes the open window at a boot time.
func (m *Meter) closeAt(endMs int64) []Closed {
	if endMs <= m.openMs && len(m.events) == 0 {
		return nil
	}
	if m.dropped > 0 {
		m.event(endMs, usage.Event{Kind: usage.EventDropped, Value: m.dropped, Detail: "events beyond the limit of one window"})
		m.dropped = 0
	}
	c := Closed{
		StartMs: m.clock.label(m.openMs), EndMs: m.clock.label(endMs),
		Events: m.events, ClockOffsetMs: m.clock.offset,
	}
	for _, g := range m.order {
		c.GPUs = append(c.GPUs, g.GPU)
		c.Records = append(c.Records, m.records(g, endMs)...)
	}
	m.closeSlots(&c, endMs)
	m.closeLeavers(&c, endMs)
	m.events, m.left = nil, nil
	m.openMs = endMs
	return []Closed{c}
}

// closeLeavers adds what replaced GPUs did in the window until they went.
func (m *Meter) closeLeavers(c *Closed, endMs int64) {
	var later []leaver
	for _, g := range m.leaving {
		c.GPUs = append(c.GPUs, g.GPU)
		c.Records = append(c.Records, m.records(g.gpu, min(endMs, g.atMs))...)
		if g.atMs > endMs {
			later = append(later, g)
		}
	}
	m.leaving = later
}

// cut ends the window where the wall clock jumped. A jump that would make
// labels run backwards is only recorded (see clock.step).
func (m *Meter) cut(now int64, wall time.Time, step int64) []Closed {
	m.event(now, usage.Event{Kind: usage.EventClockStep, Value: step})
	if !m.clock.mustMove() {
		return nil
	}
	out := append(m.closeDue(now, 0), m.closeAt(now)...)
	m.clock.anchor(now, wall)
	return out
}

// find returns the GPU of a look, new to the meter or not.
func (m *Meter) find(id metric.GPU, fromMs int64) *gpu {
	if g := m.gpus[id.UUID]; g != nil {
		g.GPU = id
		return g
	}
	g := m.comeBack(id)
	if g == nil {
		g = &gpu{GPU: id, doneMs: fromMs, fromMs: fromMs}
	}
	m.gpus[id.UUID] = g
	m.order = append(m.order, g)
	sort.Slice(m.order, func(i, j int) bool { return m.order[i].UUID < m.order[j].UUID })
	delete(m.replaced, id.UUID)
	return g
}

// comeBack returns a GPU that was taken for replaced within the open window
// and answers after all; nil if there is none.
func (m *Meter) comeBack(id metric.GPU) *gpu {
	for i, g := range m.leaving {
		if g.UUID == id.UUID {
			m.leaving = append(m.leaving[:i], m.leaving[i+1:]...)
			return g.gpu
		}
	}
	return nil
}
