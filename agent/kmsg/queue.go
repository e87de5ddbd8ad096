package kmsg

import (
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

const (
	// maxEach is how many reports are kept one by one until somebody takes
	// them. Beyond, those of a GPU and code within a second are counted at the
	// last of them.
	maxEach = 1024
	// maxQueue is how many entries there are at all; beyond, all of a GPU and
	// code are counted at their last entry.
	maxQueue = 2048
	// echoWithin is how far a line with a code and one without are apart at
	// most when they tell of the same GPU falling off the bus.
	echoWithin = 5 * time.Second
	// maxEchoes bounds the bus ids that are remembered for it.
	maxEchoes = 256
)

// queue keeps reports until they are taken, in bounded memory and without
// losing count. The zero queue is empty.
type queue struct {
	xids []metric.Xid
	last map[source]int // the last entry of each
	echo map[string]*fall
}

// source is whose reports are alike.
type source struct {
	pci      string
	code     int
	severity metric.Severity
}

// push adds a report; false if there is no room for one more source.
func (q *queue) push(x metric.Xid) bool {
	if q.last == nil {
		q.last = map[source]int{}
	}
	of := source{x.PCI, x.Code, x.Severity}
	i, seen := q.last[of]
	full := len(q.xids) >= maxQueue
	switch {
	case seen && (full || len(q.xids) >= maxEach && x.At-q.xids[i].At < time.Second):
		q.xids[i].More++
		return true
	case full:
		return false
	}
	q.last[of] = len(q.xids)
	q.xids = append(q.xids, x)
	return true
}

// take empties the queue.
func (q *queue) take() []metric.Xid {
	xids := q.xids
	q.xids = nil
	clear(q.last)
	return xids
}

// fall counts the lines about one GPU that fell off the bus which have no
// counterpart yet: those with the code less those without.
type fall struct {
	balance int
	at      time.Duration // of the last line
}

// fresh reports whether a report tells something new. The driver says that a
// GPU fell off the bus in a line with the code, in one without, or in both.
func (q *queue) fresh(r record) bool {
	if r.report.Code != fellOff || r.report.PCI == "" {
		return true
	}
	if q.echo == nil || len(q.echo) >= maxEchoes {
		q.echo = map[string]*fall{}
	}
	f := q.echo[r.report.PCI]
	if f == nil || r.stamp-f.at > echoWithin {
		f = &fall{}
		q.echo[r.report.PCI] = f
	}
	f.at = r.stamp
	one := 1
	if r.report.Bare {
		one = -1
	}
	f.balance += one
	// New, unless it takes away from what the other kind was ahead.
	return f.balance*one > 0
}
