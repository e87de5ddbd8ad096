// Package xid makes one stream out of the error reports of the driver library
// and of the kernel's log, and counts them.
//
// Most errors come through both doors, some through one only. Of n reports
// from one and m from the other, about the same GPU and code and within a few
// seconds, max(n, m) are errors. Which door opens first does not matter.
package xid

import (
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

const (
	// Within is how far apart the two reports of one error may be. The kernel's
	// is stamped when it is written, the library's when the agent hears of it; one
	// that waited in the driver may be as much later as it says (metric.Xid.Late).
	Within = 5 * time.Second
	// each is how many errors of a GPU, code and severity are passed on one by
	// one at a time; the rest are counted at the last of them.
	each = 10
	// maxHeld bounds the reports that wait for something.
	maxHeld = 1024
)

// Kernel is what the kernel's log said since the frame before.
type Kernel struct {
	Xids []metric.Xid
	// Up says that the log is read: reports from it may be on their way.
	Up bool
}

// Merger merges and counts. It is not safe for concurrent use, and pure: its
// only clock are the frames. Make one with New.
type Merger struct {
	bootID  string
	pending map[subject][]entry
	held    []held
	counts  map[counted]*tally
	dropped uint64

	// What follows is of one Merge.
	now   time.Duration
	wall  time.Time
	uuids map[string]string // by bus id
	out   []metric.Xid
	seen  map[counted]emitted
}

// held is a report that waits: one of the kernel for the GPU list, one of the
// library for the kernel's line.
type held struct {
	metric.Xid
	Until time.Duration // boot clock
}

// emitted says how many errors of a kind were passed on in this Merge, and
// where the last one is.
type emitted struct{ n, at int }

// New returns a merger that goes on from a state, or from nothing if s is the
// zero State. bootID identifies this boot of the node.
func New(bootID string, s State) *Merger {
	m := &Merger{bootID: bootID, pending: map[subject][]entry{}, counts: map[counted]*tally{}, seen: map[counted]emitted{}}
	m.restore(s)
	return m
}

// Merge returns the errors that are new with a frame, each once and with the
// UUID of its GPU where that is known. A report is passed on at first sight,
// except where a wait of at most Within can tell more: the GPU of a bus id that
// no frame has shown yet, and the severity of codes for which the kernel's line
// decides.
func (m *Merger) Merge(f *metric.Frame, k Kernel) []metric.Xid {
	m.now, m.wall, m.uuids, m.out = f.Boot, f.Wall, nil, nil
	clear(m.seen)
	m.expire()
	waiting := m.held
	m.held = nil
	// The kernel first: its line says more.
	for _, h := range waiting {
		if h.Origin == metric.FromKernel {
			m.kernel(f, h)
		}
	}
	for _, x := range k.Xids {
		m.kernel(f, held{x, m.now + Within})
	}
	for _, h := range waiting {
		if h.Origin == metric.FromDriver {
			m.driver(k.Up, h)
		}
	}
	for _, x := range f.Xids {
		m.driver(k.Up, held{x, m.now + Within})
	}
	return m.out
}

// kernel takes a report of the kernel's log.
func (m *Merger) kernel(f *metric.Frame, h held) {
	if id, ok := metric.BusID(h.PCI); ok {
		h.PCI = id
		h.UUID = m.uuid(f, id)
	}
	if h.UUID == "" && h.PCI != "" && h.Code < metric.FirstSwitchCode && m.hold(h) {
		return
	}
	m.settle(h.Xid, m.match(h.Xid))
}

// driver takes a report of the driver library.
func (m *Merger) driver(kernelUp bool, h held) {
	left := m.match(h.Xid)
	if left > 0 && kernelUp && metric.XidOf(h.Code).ByLine {
		h.More = left - 1
		if m.hold(h) {
			return
		}
	}
	m.settle(h.Xid, left)
}

// hold keeps a report for later; false if it must not wait any longer.
func (m *Merger) hold(h held) bool {
	if m.now >= h.Until || len(m.held) >= maxHeld {
		return false
	}
	m.held = append(m.held, h)
	return true
}

// settle counts what is left of a report after its counterparts are taken off,
// and passes it on.
func (m *Merger) settle(x metric.Xid, left uint64) {
	if left == 0 {
		return
	}
	m.wait(x, left)
	x.More = left - 1
	of := counted{x.UUID, x.Code, severity(&x)}
	m.count(of, left, m.wall.Add(x.At-m.now))
	e := m.seen[of]
	if e.n >= each {
		m.out[e.at].More += left
		return
	}
	m.seen[of] = emitted{e.n + 1, len(m.out)}
	m.out = append(m.out, x)
}

// severity is what the line says, or else the table.
func severity(x *metric.Xid) metric.Severity {
	if x.Severity != metric.Unstated {
		return x.Severity
	}
	return metric.XidOf(x.Code).Severity
}

// uuid returns the GPU at a bus id; empty if none is known. Of several that
// were there one after the other it is the one that answers.
func (m *Merger) uuid(f *metric.Frame, pci string) string {
	if m.uuids == nil {
		m.uuids = make(map[string]string, len(f.Looks))
		for i := range f.Looks {
			l := &f.Looks[i]
			id, ok := metric.BusID(l.GPU.PCI)
			if !ok {
				continue
			}
			if _, taken := m.uuids[id]; !taken || l.Condition == metric.Good {
				m.uuids[id] = l.GPU.UUID
			}
		}
	}
	return m.uuids[pci]
}
