package nvml

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// divided is what a worker said of the instances of one GPU.
type divided struct {
	layout layout
	// portions is of the looks since the last frame, joined; came is what came
	// with the look that is on its way.
	portions, came portions
	fresh          bool // came is of that look
}

func (r *Reader) takeLayout(c *child, message []byte) error {
	var m layout
	if err := m.decode(message); err != nil {
		return fmt.Errorf("layout: %w", err)
	}
	s := c.slot(m.slot)
	if s == nil {
		return fmt.Errorf("layout of slot %d of %d", m.slot, len(c.slots))
	}
	old := &s.mig.layout
	if c == r.current && s.known != nil && (m.divided != old.divided || len(m.instances) != len(old.instances)) {
		r.cfg.Log.Info("gpu instances changed", "gpu", s.known.UUID, "mig", m.divided, "instances", len(m.instances))
	}
	s.mig = divided{layout: m}
	return nil
}

func (r *Reader) takePortions(c *child, message []byte) error {
	m := &c.portions
	if err := m.decode(message); err != nil {
		return fmt.Errorf("portions: %w", err)
	}
	s := c.slot(m.slot)
	if s == nil || !m.fits(&s.mig.layout) {
		return fmt.Errorf("portions of slot %d of %d, generation %d: there is no such layout", m.slot, len(c.slots), m.generation)
	}
	// The two change places, so that both keep their memory.
	s.mig.came, c.portions, s.mig.fresh = c.portions, s.mig.came, true
	return nil
}

// fits reports whether portions are of the instances of a layout.
func (m *portions) fits(l *layout) bool {
	return l.divided && m.generation == l.generation && slices.EqualFunc(m.instances, l.instances, func(p portion, in placed) bool {
		return len(p.compute) == len(in.compute)
	})
}

// add takes over what came with a look. The shares become those of the time
// that the joined look speaks for: first of the looks before, second of this.
func (v *divided) add(first, second time.Duration) {
	if !v.fresh {
		v.portions.instances = v.portions.instances[:0] // nothing is known
		return
	}
	v.fresh = false
	for i := range v.came.instances {
		p := &v.came.instances[i]
		var before portion
		if i < len(v.portions.instances) {
			before = v.portions.instances[i]
		}
		p.util = overBoth(before.util, first, p.util, second)
		p.active = overBoth(before.active, first, p.active, second)
	}
	v.portions, v.came = v.came, v.portions
}

// overBoth is the share of two spans of some length, one of which may be none.
func overBoth(a metric.Share, first time.Duration, b metric.Share, second time.Duration) metric.Share {
	switch {
	case first <= 0:
		return b
	case second <= 0:
		return a
	}
	return mean(a, float64(first), b, float64(second))
}

// valueOverBoth is overBoth for the value of a row, NaN where there is none.
func valueOverBoth(a float64, first time.Duration, b float64, second time.Duration) float64 {
	share := overBoth(metric.Share{Known: !math.IsNaN(a), Value: a}, first, metric.Share{Known: !math.IsNaN(b), Value: b}, second)
	if !share.Known {
		return math.NaN()
	}
	return share.Value
}

// compose returns the instances for a frame; their values are absent where the
// last look did not bring them.
func (v *divided) compose() []metric.Instance {
	out := make([]metric.Instance, 0, len(v.layout.instances))
	for i := range v.layout.instances {
		l := &v.layout.instances[i]
		in := metric.Instance{ID: l.id, Profile: l.profile, Slices: l.slices, Of: l.of}
		var p portion
		if i < len(v.portions.instances) {
			p = v.portions.instances[i]
		}
		in.Util, in.SMActive, in.Readings = p.util, p.active, readings(InstanceTable, p.values)
		for k, c := range l.compute {
			to := metric.ComputeInstance{ID: c.id, UUID: c.uuid, Slices: c.slices}
			if k < len(p.compute) {
				to.Processes, to.ProcessesKnown = slices.Clone(p.compute[k].processes), p.compute[k].known
			}
			in.Compute = append(in.Compute, to)
		}
		out = append(out, in)
	}
	return out
}
