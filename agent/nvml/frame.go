package nvml

import (
	"math"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// Frame composes the newest look at the node: every GPU that it has or had,
// each with what it said since the frame before or with the reason why it said
// nothing, and the Xids since. It never waits for the driver. It has one
// caller at a time, who owns the frame.
func (r *Reader) Frame() metric.Frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	f := metric.Frame{Boot: now, Wall: r.cfg.Now(), Driver: r.driver, Xids: r.xids}
	r.xids = nil
	f.Driver.Reason, f.Driver.Detail = r.trouble(now)
	f.Driver.Up = f.Driver.Reason == ""
	if f.Driver.Up {
		f.Driver.GPUs = len(r.current.slots)
	}
	r.assign()
	f.Looks = make([]metric.Look, 0, len(r.known))
	for _, k := range r.known {
		f.Looks = append(f.Looks, r.look(k, f.Driver.Reason, now))
	}
	if f.Driver.Up {
		f.Nameless = r.nameless(now)
	}
	return f
}

// nameless lists the slots that are taken for no known GPU.
func (r *Reader) nameless(now time.Duration) []metric.Nameless {
	var out []metric.Nameless
	for i := range r.current.slots {
		s := &r.current.slots[i]
		if s.known != nil || slices.ContainsFunc(r.known, func(k *known) bool { return k.slot == s }) {
			continue
		}
		n := metric.Nameless{Index: i, Reason: metric.ReasonNeverSeen}
		switch {
		case r.hangs(s, now):
			n.Reason = metric.ReasonHang
		case s.looks > 0:
			n.Reason = s.look.reason
		}
		out = append(out, n)
	}
	return out
}

// trouble says why nothing is known of any GPU; empty if something is.
func (r *Reader) trouble(now time.Duration) (reason, detail string) {
	c := r.current
	switch {
	case r.paused:
		return metric.ReasonPaused, "gpumeter-agent was told to let go of the driver"
	case c == nil:
		return r.reason, r.detail
	case now-c.heard > max(r.cfg.Deadline, 3*r.cfg.Interval):
		return metric.ReasonHang, "the worker does not answer"
	case c.helloAt == 0:
		return r.reason, r.detail
	}
	return "", ""
}

// assign finds the current worker's slot of every GPU. A slot whose GPU does
// not say who it is gets the GPU that was last seen at its index, or the only
// one that is missing.
func (r *Reader) assign() {
	for _, k := range r.known {
		k.slot = nil
	}
	if r.current == nil {
		return
	}
	var nameless []int
	for i := range r.current.slots {
		if s := &r.current.slots[i]; s.known != nil {
			s.known.slot = s
		} else {
			nameless = append(nameless, i)
		}
	}
	for _, i := range nameless {
		if k := r.missingAt(i, len(nameless)); k != nil {
			k.slot = &r.current.slots[i]
		}
	}
}

func (r *Reader) missingAt(index, nameless int) *known {
	var only *known
	missing := 0
	for _, k := range r.known {
		if k.slot != nil {
			continue
		}
		if k.Index == index {
			return k
		}
		only = k
		missing++
	}
	if missing == 1 && nameless == 1 {
		return only
	}
	return nil
}

// look composes what is known of one GPU; trouble is that of the whole node.
func (r *Reader) look(k *known, trouble string, now time.Duration) metric.Look {
	s := k.slot
	switch {
	case trouble != "":
		return r.blind(k, trouble, now)
	case s == nil && r.allNamed():
		return r.blind(k, metric.ReasonGone, now)
	case s == nil:
		return r.blind(k, r.reason, now)
	case r.hangs(s, now):
		return r.blind(k, metric.ReasonHang, now)
	case s.looks == 0:
		return r.blind(k, r.reason, now)
	case now-s.look.ended > maxHold*r.cfg.Interval:
		return r.blind(k, metric.ReasonNotSampled, now)
	}
	s.given = true
	m := &s.look
	l := metric.Look{
		GPU: k.GPU, Condition: m.condition, Reason: m.reason,
		Since: m.since, At: m.at, Util: m.util, SMActive: m.active,
		Processes: slices.Clone(m.processes), ProcessesKnown: m.processesKnown,
		Readings: readings(Table, m.values),
	}
	if m.condition == metric.Good && s.mig.layout.divided {
		l.MIG, l.Instances = true, s.mig.compose()
	}
	return l
}

// blind is a look that says nothing but why.
func (r *Reader) blind(k *known, reason string, now time.Duration) metric.Look {
	return metric.Look{GPU: k.GPU, Condition: metric.Unobserved, Reason: reason, Since: now, At: now}
}

// allNamed reports whether every GPU of the driver is identified, or failed to
// say who it is and is taken for one that is missing.
func (r *Reader) allNamed() bool {
	taken := 0
	for i := range r.current.slots {
		if s := &r.current.slots[i]; s.known == nil && s.looks == 0 {
			return false
		}
	}
	for _, k := range r.known {
		if k.slot != nil {
			taken++
		}
	}
	return taken == len(r.current.slots)
}

// hangs reports whether a driver call for a GPU is past its deadline.
func (r *Reader) hangs(s *childSlot, now time.Duration) bool {
	deadline := r.cfg.Deadline
	if s.call.cold {
		deadline = r.cfg.ColdDeadline
	}
	return s.call.since != 0 && s.call.since > s.look.ended && now-s.call.since > deadline
}

// readings returns the values that are there.
func readings(rows []Row, values []float64) []metric.Reading {
	n := 0
	for _, v := range values {
		if !math.IsNaN(v) {
			n++
		}
	}
	out := make([]metric.Reading, 0, n)
	for row, v := range values {
		if !math.IsNaN(v) {
			out = append(out, metric.Reading{Desc: &rows[row].Desc, Value: v})
		}
	}
	return out
}
