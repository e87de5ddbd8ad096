package spool

import (
	"fmt"
	"slices"

	"github.com/gpumeter/gpumeter/usage"
)

// stream is an agent's epoch: the scope of sequence numbers.
type stream struct{ agent, epoch string }

// String returns the key under which a collector answers for a stream.
func (st stream) String() string { return st.agent + "/" + st.epoch }

// entry is what memory knows of one stored batch.
type entry struct {
	pos     uint64 // key in the file: order of storing
	stream  *stream
	seq     uint64
	size    int64
	records int64
	mark    mark
}

func (e *entry) waiting() bool { return e.mark.AtMs == 0 }

// mark says since when a batch need not be sent. The zero mark is that of a
// batch that waits to be sent.
type mark struct {
	AtMs  int64 `json:"at_ms"`
	Aside bool  `json:"aside,omitempty"` // refused by the collector, not acknowledged
}

// index is all stored batches, in the order of storing.
type index struct {
	entries []entry
	streams map[stream]*stream
	bytes   int64
}

func (x *index) next() uint64 {
	if len(x.entries) == 0 {
		return 1
	}
	return x.entries[len(x.entries)-1].pos + 1
}

// intern returns the one pointer to a stream, so that an index of a hundred
// thousand batches holds its ids once.
func (x *index) intern(st stream) *stream {
	if p := x.streams[st]; p != nil {
		return p
	}
	if x.streams == nil {
		x.streams = map[stream]*stream{}
	}
	x.streams[st] = &st
	return &st
}

func (x *index) add(e entry) {
	x.entries = append(x.entries, e)
	x.bytes += e.size
}

// drop removes the entries at the given positions, which are sorted.
func (x *index) drop(pos []uint64) {
	if len(pos) == 0 {
		return
	}
	x.entries = slices.DeleteFunc(x.entries, func(e entry) bool {
		_, gone := slices.BinarySearch(pos, e.pos)
		if gone {
			x.bytes -= e.size
		}
		return gone
	})
}

// find returns the entry of a batch; nil if it is not stored.
func (x *index) find(id usage.ID) *entry {
	for i := range x.entries {
		e := &x.entries[i]
		if e.seq == id.Seq && e.stream.agent == id.Agent && e.stream.epoch == id.Epoch {
			return e
		}
	}
	return nil
}

// room chooses what goes to keep the stored bytes within limit after need more
// are added: what was acknowledged before expiredMs goes anyway, then the
// oldest acknowledged, then the oldest that still wait. It returns positions,
// sorted, and what is lost with them.
func (x *index) room(need, limit, expiredMs int64) (pos []uint64, lost []loss) {
	left := x.bytes + need - limit
	take := func(want func(*entry) bool, always bool) {
		for i := range x.entries {
			e := &x.entries[i]
			if !always && left <= 0 {
				return
			}
			if !want(e) {
				continue
			}
			pos = append(pos, e.pos)
			left -= e.size
			if e.waiting() || e.mark.Aside {
				lost = addLoss(lost, e)
			}
		}
	}
	expired := func(e *entry) bool { return !e.waiting() && !e.mark.Aside && e.mark.AtMs <= expiredMs }
	take(expired, true)
	take(func(e *entry) bool { return !e.waiting() && !expired(e) }, false)
	take((*entry).waiting, false)
	slices.Sort(pos)
	return pos, lost
}

// loss is a run of batches of one stream that is given up.
type loss struct {
	stream  *stream
	lo, hi  uint64
	records int64
}

func addLoss(ls []loss, e *entry) []loss {
	if n := len(ls) - 1; n >= 0 && ls[n].stream == e.stream && ls[n].hi+1 == e.seq {
		ls[n].hi = e.seq
		ls[n].records += e.records
		return ls
	}
	return append(ls, loss{e.stream, e.seq, e.seq, e.records})
}

// event tells a loss.
func (l loss) event(nowMs int64) usage.Event {
	return usage.Event{
		AtMs: nowMs, Kind: usage.EventDropped, Value: l.records,
		Detail: fmt.Sprintf("spool full: seq %d to %d of %s", l.lo, l.hi, l.stream),
	}
}
