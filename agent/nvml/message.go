package nvml

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// settings is what the parent tells the worker, first of all.
type settings struct {
	library  string
	interval time.Duration
	groups   []string // of rows that are read besides the default ones
}

func (m *settings) append(b []byte) []byte {
	start := len(b)
	b = appendText(begin(b, kindSettings), m.library)
	b = binary.LittleEndian.AppendUint16(appendTime(b, m.interval), uint16(len(m.groups)))
	for _, g := range m.groups {
		b = appendText(b, g)
	}
	return finish(b, start)
}

func (m *settings) decode(message []byte) error {
	d := newDecoder(message)
	m.library, m.interval, m.groups = d.text(), d.time(), nil
	for range d.list(maxGroups) {
		m.groups = append(m.groups, d.text())
	}
	return d.done()
}

// hello says that the driver is open, and how many GPUs it has.
type hello struct {
	table        uint64 // tableSum of the worker
	driver, nvml string // versions
	count        int
}

func (m *hello) append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(begin(b, kindHello), m.table)
	b = appendText(appendText(b, m.driver), m.nvml)
	return finish(binary.LittleEndian.AppendUint16(b, uint16(m.count)), start)
}

func (m *hello) decode(message []byte) error {
	d := newDecoder(message)
	m.table, m.driver, m.nvml, m.count = d.uint64(), d.text(), d.text(), d.list(maxSlots)
	return d.done()
}

// tableSum identifies tables: readings travel as row numbers.
func tableSum(tables ...[]Row) uint64 {
	h := fnv.New64a()
	for _, rows := range tables {
		for i := range rows {
			h.Write([]byte(rows[i].Key()))
			h.Write([]byte{0})
		}
		h.Write([]byte{1})
	}
	return h.Sum64()
}

// identity says which GPU is in a slot.
type identity struct {
	slot int
	gpu  metric.GPU
}

func (m *identity) append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint16(begin(b, kindGPU), uint16(m.slot))
	b = binary.LittleEndian.AppendUint16(b, uint16(m.gpu.Index))
	for _, s := range texts(&m.gpu) {
		b = appendText(b, *s)
	}
	return finish(binary.LittleEndian.AppendUint64(b, m.gpu.MemoryBytes), start)
}

func (m *identity) decode(message []byte) error {
	d := newDecoder(message)
	m.slot, m.gpu.Index = d.slot(), int(d.uint16())
	for _, s := range texts(&m.gpu) {
		*s = d.text()
	}
	m.gpu.MemoryBytes = d.uint64()
	if m.gpu.UUID == "" {
		d.fail(fmt.Errorf("gpu in slot %d without UUID", m.slot))
	}
	return d.done()
}

// texts lists everything that is text in a GPU's identity.
func texts(g *metric.GPU) []*string {
	p := &g.Platform
	return []*string{
		&g.UUID, &g.Name, &g.Serial, &g.PCI, &g.VBIOS,
		&g.Device, &g.Part, &g.Architecture, &g.Capability, &g.GSP, &g.InfoROM,
		&p.Chassis, &p.Slot, &p.Tray, &p.Host, &p.Module, &g.Fabric, &g.Clique,
	}
}

// look is one look at the GPU in a slot.
type look struct {
	slot      int
	condition metric.Condition
	reason    string
	// ended is when the look ended; since and at are what it speaks for.
	ended, since, at time.Duration
	util, active     metric.Share // active is that of the SMs
	processesKnown   bool
	processes        []metric.Process
	values           []float64 // by row, NaN where there is none
}

// append allocates nothing once b is large enough.
func (m *look) append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint16(begin(b, kindLook), uint16(m.slot))
	b = appendText(append(b, byte(m.condition)), m.reason)
	b = appendTime(appendTime(appendTime(b, m.ended), m.since), m.at)
	b = appendBool(appendShare(appendShare(b, m.util), m.active), m.processesKnown)
	return finish(appendValues(appendProcesses(b, m.processes), m.values), start)
}

// decode keeps m's lists: values must have the length of the table.
func (m *look) decode(message []byte) error {
	d := newDecoder(message)
	m.slot, m.condition, m.reason = d.slot(), metric.Condition(d.byte()), d.text()
	if m.condition > metric.Lost || (m.condition == metric.Good) != (m.reason == "") {
		d.fail(fmt.Errorf("condition %d with reason %q", m.condition, m.reason))
	}
	m.ended, m.since, m.at = d.time(), d.time(), d.time()
	if m.since > m.at || m.at > m.ended+time.Second {
		d.fail(fmt.Errorf("look at %s speaks for %s to %s", m.ended, m.since, m.at))
	}
	m.util, m.active, m.processesKnown = d.share(), d.share(), d.bool()
	m.processes = d.processes(m.processes)
	d.values(m.values)
	return d.done()
}

// xid is an error report of the driver about the GPU in a slot.
type xid struct {
	slot int
	code uint64
	at   time.Duration
	late time.Duration // how long the driver may have kept it
}

func (m *xid) append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint16(begin(b, kindXid), uint16(m.slot))
	return finish(appendTime(appendTime(binary.LittleEndian.AppendUint64(b, m.code), m.at), m.late), start)
}

func (m *xid) decode(message []byte) error {
	d := newDecoder(message)
	m.slot, m.code, m.at, m.late = d.slot(), d.uint64(), d.time(), d.time()
	return d.done()
}

// beat says that the worker lives, and since when it waits for which GPU.
type beat struct {
	at    time.Duration
	calls []inFlight // by slot
}

// inFlight is the driver call of one slot that has not returned. The zero
// inFlight is none.
type inFlight struct {
	since time.Duration
	// cold marks the first calls to a GPU, which may wake it up.
	cold bool
}

func (m *beat) append(b []byte) []byte {
	start := len(b)
	b = appendTime(begin(b, kindBeat), m.at)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(m.calls)))
	for _, c := range m.calls {
		b = appendBool(appendTime(b, c.since), c.cold)
	}
	return finish(b, start)
}

func (m *beat) decode(message []byte) error {
	d := newDecoder(message)
	m.at = d.time()
	m.calls = m.calls[:0]
	for range d.list(maxSlots) {
		m.calls = append(m.calls, inFlight{d.time(), d.bool()})
	}
	return d.done()
}

// note is a message of words only: stale (the node's GPUs changed, the worker
// should be replaced) and down (the driver cannot be used; the worker ends).
type note struct {
	kind           kind
	reason, detail string
}

func (m *note) append(b []byte) []byte {
	start := len(b)
	return finish(appendText(appendText(begin(b, m.kind), m.reason), m.detail), start)
}

func (m *note) decode(message []byte) error {
	m.kind = kind(message[0])
	d := newDecoder(message)
	m.reason, m.detail = d.text(), d.text()
	return d.done()
}
