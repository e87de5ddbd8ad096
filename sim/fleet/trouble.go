package fleet

import (
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// condition is how a GPU is at one moment.
type condition uint8

const (
	good condition = iota
	lost           // Xid 79: unhealthy until its board is replaced
	hung           // a driver call does not return: unobserved
)

// xidFellOff is "GPU has fallen off the bus".
const xidFellOff = 79

var reasons = [...]string{good: "", lost: metric.ReasonLost, hung: metric.ReasonHang}

// span is half-open, in minutes from day 0.
type span struct{ from, to int64 }

// fault is a span of trouble with one GPU.
type fault struct {
	span
	condition condition
}

// again is after how many minutes the same trouble comes back, so that the
// story goes on for as long as somebody watches.
const again = int64(28 * day / time.Minute)

// trouble is one row of what goes wrong. Node and slot are taken modulo what
// the pool has; with slot -1 the whole node is silent: its agent is down. With
// node -1 all nodes of the pool are: nothing of a region gets through.
type trouble struct {
	pool       string
	node, slot int
	from       time.Duration // from day 0
	lasts      time.Duration
	condition  condition
}

// troubles is spread so that any part of a month has some. No two of one slot
// overlap.
var troubles = []trouble{
	{"aws/h100-training", 3, 5, 4*day + 13*time.Hour + 22*time.Minute, 51 * time.Hour, lost},
	{"azure/h100-training", 1, 0, 11*day + 2*time.Hour + 41*time.Minute, 98 * time.Hour, lost},
	{"coreweave/gb200-training", 7, 2, 15*day + 19*time.Hour + 7*time.Minute, 22 * time.Hour, lost},
	{"oracle/h100-serving", 2, 6, 20*day + 6*time.Hour + 55*time.Minute, 73 * time.Hour, lost},
	{"aws/h100-training", 6, 1, 24*day + 17*time.Hour + 3*time.Minute, 44 * time.Hour, lost},
	{"google/h200-training", 2, 3, 27*day + 5*time.Hour + 36*time.Minute, 40 * time.Hour, lost},
	{"coreweave/h100-research", 1, 4, 9*day + 8*time.Hour + 12*time.Minute, 3*time.Hour + 40*time.Minute, hung},
	{"azure/h100-training", 0, 7, 22*day + 15*time.Hour + 30*time.Minute, 5*time.Hour + 25*time.Minute, hung},
	{"oracle/h100-serving", 3, -1, 7*day + 23*time.Hour + 10*time.Minute, 9*time.Hour + 35*time.Minute, hung},
	{"coreweave/gb200-training", 4, -1, 18*day + 12*time.Hour + 2*time.Minute, 16 * time.Hour, hung},
	{"coreweave/h100-research", -1, -1, 16*day + 3*time.Hour + 15*time.Minute, 4*time.Hour + 20*time.Minute, hung},
	{"aws/a100-research", 2, -1, 25*day + 20*time.Hour + 45*time.Minute, 11*time.Hour + 15*time.Minute, hung},
}

// strike lays the troubles upon the nodes of one pool.
func (f *Fleet) strike(nodes []*node) {
	p := nodes[0].pool
	if p.blind > 0 {
		nodes[p.blind-1].blind = true
	}
	for _, t := range troubles {
		if t.pool != p.name {
			continue
		}
		from := int64(t.from / time.Minute)
		s := span{from, from + int64(t.lasts/time.Minute)}
		if t.node < 0 {
			for _, n := range nodes {
				n.quiet = append(n.quiet, s)
			}
			continue
		}
		n := nodes[t.node%len(nodes)]
		if t.slot < 0 {
			n.quiet = append(n.quiet, s)
			continue
		}
		place := &n.slots[t.slot%p.per]
		place.faults = append(place.faults, fault{s, t.condition})
	}
}

// hit says whether a recurring span holds a minute, and how often it has
// ended before. minute counts from day 0.
func (s span) hit(minute int64) (in bool, ended int) {
	since := minute - s.from
	if since < 0 {
		return false, 0
	}
	if since%again < s.to-s.from {
		return true, int(since / again)
	}
	return false, int(since/again) + 1
}

// at returns how the GPU in a slot is, and which of the GPUs that the slot has
// had it is: a lost GPU is replaced.
func (s *slot) at(minute int64) (c condition, gen int) {
	for _, x := range s.faults {
		in, ended := x.hit(minute)
		if in {
			c = x.condition
		}
		if x.condition == lost {
			gen += ended
		}
	}
	return c, gen
}

// silent says whether the node's agent is down.
func (n *node) silent(minute int64) bool {
	for _, s := range n.quiet {
		if in, _ := s.hit(minute); in {
			return true
		}
	}
	return false
}
