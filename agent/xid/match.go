package xid

import (
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

const (
	// keep is for how long a report waits for its counterpart from the other
	// door, which may be held up on its way longer than the two are apart: for a
	// minute in the driver, while waiting for its events fails.
	keep = 2 * time.Minute
	// together is within what time reports of the same are kept as one entry.
	together = 100 * time.Millisecond
	// maxPending bounds the entries of one GPU and code.
	maxPending = 2048
)

// subject is what two reports of one error have in common.
type subject struct {
	uuid, pci string // pci only where no GPU is known
	code      int
}

func subjectOf(x *metric.Xid) subject {
	if x.UUID != "" {
		return subject{uuid: x.UUID, code: x.Code}
	}
	return subject{pci: x.PCI, code: x.Code}
}

// entry is a number of reports that have no counterpart yet.
type entry struct {
	at     time.Duration
	n      uint64
	origin metric.Origin
	late   time.Duration // of a report of the library, see metric.Xid
}

// pairs reports whether e and x may tell of the same error.
func (e *entry) pairs(x *metric.Xid) bool {
	after, late := x.At-e.at, x.Late // of the library's report after the kernel's
	if e.origin == metric.FromDriver {
		after, late = -after, e.late
	}
	return e.origin != x.Origin && -Within <= after && after <= Within+late
}

// match takes off what the other door reported of the same, oldest first, and
// returns how many of x's reports are left. Reports of one door come in the
// order of their times, so that this pairs as many as can be paired.
func (m *Merger) match(x metric.Xid) (left uint64) {
	left = 1 + x.More
	of := subjectOf(&x)
	entries := m.pending[of]
	kept := entries[:0]
	for _, e := range entries {
		if e.pairs(&x) {
			paired := min(left, e.n)
			left, e.n = left-paired, e.n-paired
		}
		if e.n > 0 {
			kept = append(kept, e)
		}
	}
	m.put(of, kept)
	return left
}

// wait keeps what is left of x for its counterparts.
func (m *Merger) wait(x metric.Xid, left uint64) {
	of := subjectOf(&x)
	entries := m.pending[of]
	if i := len(entries) - 1; i >= 0 {
		last := &entries[i]
		if apart := (x.At - last.at).Abs(); last.origin == x.Origin && (apart < together || len(entries) >= maxPending) {
			last.n += left
			last.late = max(last.late, x.Late)
			return
		}
	}
	if len(entries) >= maxPending {
		entries = entries[1:]
	}
	m.put(of, append(entries, entry{x.At, left, x.Origin, x.Late}))
}

func (m *Merger) put(of subject, entries []entry) {
	if len(entries) == 0 {
		delete(m.pending, of)
		return
	}
	m.pending[of] = entries
}

// expire forgets reports whose counterpart does not come any more.
func (m *Merger) expire() {
	for of, entries := range m.pending {
		kept := entries[:0]
		for _, e := range entries {
			if m.now-e.at < keep {
				kept = append(kept, e)
			}
		}
		m.put(of, kept)
	}
}
