// Package owner says whose records of a GPU count, where several batches
// recorded it at one time: the rule of store.Store, without any tables.
//
// A claim that owns against another may itself lose to a third; both that lose
// are left out.
package owner

import (
	"cmp"

	"github.com/gpumeter/gpumeter/usage"
)

// Stream is one source of records. Where several claim a GPU's time, evidence
// agent owns before prometheus, then the lowest agent, then the lowest epoch.
type Stream struct {
	Agent, Epoch string
	Evidence     usage.Evidence
}

// Compare is negative if s owns what both claim.
func (s Stream) Compare(o Stream) int {
	if s.Evidence != o.Evidence {
		if s.Evidence == usage.EvidenceAgent {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(s.Agent, o.Agent), cmp.Compare(s.Epoch, o.Epoch))
}

// Claim is a window of a GPU as one batch tells it. Holders of one window
// share one claim.
type Claim struct {
	GPU string
	Stream
	Seq  uint64
	Unit int64 // under which the store has the records; it decides nothing
	// Fixed claims own before all others: what they were made of is gone, and
	// owned before these came.
	Fixed bool
	Span
}

// compare is negative if c owns what both claim, 0 if one batch claims both.
func (c *Claim) compare(o *Claim) int {
	if c.Fixed != o.Fixed {
		if c.Fixed {
			return -1
		}
		return 1
	}
	return cmp.Or(c.Stream.Compare(o.Stream), cmp.Compare(c.Seq, o.Seq))
}

// Sweep goes through claims by GPU and start, and finds those that overlap one
// which owns. The zero Sweep is ready.
type Sweep struct {
	open []rival
	lost []Claim
}

// rival is a claim that the next one may overlap.
type rival struct {
	Claim
	loses bool
}

// Add takes the next claim. The claims of one GPU come together, in order of
// their starts; the same claim may come several times.
func (s *Sweep) Add(c Claim) {
	s.retire(func(o *Claim) bool { return o.GPU != c.GPU || o.ToMs <= c.FromMs })
	x := rival{Claim: c}
	for i := range s.open {
		o := &s.open[i]
		if o.Claim == c {
			return
		}
		n := o.compare(&c)
		x.loses = x.loses || n < 0
		o.loses = o.loses || n > 0
	}
	s.open = append(s.open, x)
}

// Lost ends the sweep and returns the claims that do not count.
func (s *Sweep) Lost() []Claim {
	s.retire(func(*Claim) bool { return true })
	return s.lost
}

// retire lets go of the claims of which done is true.
func (s *Sweep) retire(done func(*Claim) bool) {
	open := s.open[:0]
	for _, o := range s.open {
		if !done(&o.Claim) {
			open = append(open, o)
		} else if o.loses {
			s.lost = append(s.lost, o.Claim)
		}
	}
	s.open = open
}
