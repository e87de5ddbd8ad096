package xid

import (
	"cmp"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// maxCounts bounds the counters: a node has tens of GPUs and few codes each.
const maxCounts = 4096

// Count is how often one error was reported about one GPU. A code whose
// severity stands in the line has one for each severity.
type Count struct {
	UUID     string          `json:"gpu,omitempty"` // empty where no GPU could be told, and for switches
	Code     int             `json:"xid"`
	Count    uint64          `json:"count"`
	Last     time.Time       `json:"last"` // wall clock
	Severity metric.Severity `json:"severity"`
}

// counted is what has a counter.
type counted struct {
	uuid     string
	code     int
	severity metric.Severity
}

type tally struct {
	n    uint64
	last time.Time
}

func (m *Merger) count(of counted, n uint64, at time.Time) {
	t := m.counts[of]
	if t == nil {
		if len(m.counts) >= maxCounts {
			m.dropped += n
			return
		}
		t = &tally{}
		m.counts[of] = t
	}
	t.n += n
	if at.After(t.last) {
		t.last = at
	}
}

// Counts returns all counters, by GPU, code and severity. They never fall.
func (m *Merger) Counts() []Count {
	out := make([]Count, 0, len(m.counts))
	for of, t := range m.counts {
		out = append(out, Count{of.uuid, of.code, t.n, t.last, of.severity})
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.UUID, b.UUID), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Severity, b.Severity))
	})
	return out
}

// Dropped returns how many errors have no counter because there are too many
// counters already.
func (m *Merger) Dropped() uint64 { return m.dropped }

// State is what a merger needs to go on after the agent was restarted. It is
// kept in the spool, as JSON.
type State struct {
	BootID string  `json:"boot_id"`
	Counts []Count `json:"counts,omitempty"`
	// Open are reports that have no counterpart yet, and Held those that wait
	// to be passed on; both are of this boot only.
	Open []Open       `json:"open,omitempty"`
	Held []metric.Xid `json:"held,omitempty"`
}

// Open is a number of reports without a counterpart.
type Open struct {
	UUID   string        `json:"gpu,omitempty"`
	PCI    string        `json:"pci,omitempty"`
	Code   int           `json:"xid"`
	At     time.Duration `json:"at"`
	N      uint64        `json:"n"`
	Origin metric.Origin `json:"origin"`
	Late   time.Duration `json:"late,omitempty"`
}

// State returns what New needs to go on.
func (m *Merger) State() State {
	s := State{BootID: m.bootID, Counts: m.Counts()}
	for of, entries := range m.pending {
		for _, e := range entries {
			if m.now-e.at <= 2*Within {
				s.Open = append(s.Open, Open{of.uuid, of.pci, of.code, e.at, e.n, e.origin, e.late})
			}
		}
	}
	slices.SortStableFunc(s.Open, func(a, b Open) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.UUID, b.UUID), cmp.Compare(a.PCI, b.PCI), cmp.Compare(a.Code, b.Code))
	})
	for _, h := range m.held {
		s.Held = append(s.Held, h.Xid)
	}
	return s
}

func (m *Merger) restore(s State) {
	for _, c := range s.Counts {
		m.count(counted{c.UUID, c.Code, c.Severity}, c.Count, c.Last)
	}
	if s.BootID != m.bootID {
		return
	}
	for _, o := range s.Open {
		of := subject{o.UUID, o.PCI, o.Code}
		m.pending[of] = append(m.pending[of], entry{o.At, o.N, o.Origin, o.Late})
	}
	for _, x := range s.Held {
		m.held = append(m.held, held{x, x.At + Within})
	}
}
