package nvml

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// maxXids bounds the errors that are kept for a frame nobody asks for.
const maxXids = 1000

// receive takes a message of a worker, or learns that there will be no more.
func (r *Reader) receive(c *child, k kind, message []byte, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c != r.current && c != r.next {
		r.poke() // it was told to end; perhaps it just did
		return
	}
	c.heard = r.clock()
	if err == nil {
		err = r.take(c, k, message)
	}
	if err != nil && !errors.Is(err, io.EOF) && c.broken == nil {
		c.broken = err
	}
	if err != nil || c.down != nil || k == kindHello {
		r.poke()
	}
}

// take acts on one message.
func (r *Reader) take(c *child, k kind, message []byte) error {
	if c.broken != nil {
		return nil
	}
	switch k {
	case kindHello:
		return r.takeHello(c, message)
	case kindGPU:
		return r.takeGPU(c, message)
	case kindLook:
		return r.takeLook(c, message)
	case kindLayout:
		return r.takeLayout(c, message)
	case kindPortions:
		return r.takePortions(c, message)
	case kindXid:
		return r.takeXid(c, message)
	case kindBeat:
		if err := c.beat.decode(message); err != nil {
			return fmt.Errorf("beat: %w", err)
		}
		for i := range min(len(c.slots), len(c.beat.calls)) {
			c.slots[i].call = c.beat.calls[i]
		}
		return nil
	case kindStale, kindDown:
		var n note
		if err := n.decode(message); err != nil {
			return fmt.Errorf("note: %w", err)
		}
		if k == kindDown {
			c.down = &n
		} else {
			c.stale = n.detail
		}
		return nil
	}
	return fmt.Errorf("message of kind %d", k)
}

func (r *Reader) takeHello(c *child, message []byte) error {
	var h hello
	if err := h.decode(message); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	if h.table != tableSum(Table, InstanceTable) {
		return errors.New("the worker has another table of metrics: it is not the same program")
	}
	if c.helloAt != 0 {
		return errors.New("second hello")
	}
	c.helloAt = r.clock()
	c.driver, c.nvml = h.driver, h.nvml
	c.slots = make([]childSlot, h.count)
	for i := range c.slots {
		c.slots[i].look.values = make([]float64, len(Table))
	}
	c.decoded.values = make([]float64, len(Table))
	if c == r.current {
		r.up()
	}
	return nil
}

// up notes that the current worker has the driver open.
func (r *Reader) up() {
	c, d := r.current, &r.driver
	if d.Load == 0 || r.unloaded || d.Version != c.driver {
		d.Load++
	}
	r.unloaded = false
	d.Version, d.NVML = c.driver, c.nvml
	r.cfg.Log.Info("driver is readable", "version", d.Version, "gpus", len(c.slots))
}

// slot returns a slot of the worker, nil where it cannot have it.
func (c *child) slot(i int) *childSlot {
	if i >= len(c.slots) {
		return nil
	}
	return &c.slots[i]
}

func (r *Reader) takeGPU(c *child, message []byte) error {
	var m identity
	if err := m.decode(message); err != nil {
		return fmt.Errorf("gpu: %w", err)
	}
	s := c.slot(m.slot)
	if s == nil {
		return fmt.Errorf("gpu in slot %d of %d", m.slot, len(c.slots))
	}
	if s.known == nil || s.known.UUID != m.gpu.UUID {
		s.looks, s.given = 0, true
		r.cfg.Log.Info("gpu identified", "gpu", m.gpu.UUID, "index", m.gpu.Index, "name", m.gpu.Name)
	}
	s.known = r.know(m.gpu)
	return nil
}

func (r *Reader) takeLook(c *child, message []byte) error {
	m := &c.decoded
	if err := m.decode(message); err != nil {
		return fmt.Errorf("look: %w", err)
	}
	s := c.slot(m.slot)
	if s == nil || m.condition == metric.Good && s.known == nil {
		return fmt.Errorf("look at slot %d of %d, which is not known", m.slot, len(c.slots))
	}
	s.looks++
	s.add(m, c == r.current)
	if c == r.current && s.known != nil && m.condition == metric.Good {
		r.takeEnergy(s.known, m)
	}
	return nil
}

// add takes a look over into the slot. join keeps what the looks before spoke
// for, unless a frame has it: frames and looks do not tick together.
func (s *childSlot) add(m *look, join bool) {
	old := &s.look
	since, at, util, active := m.since, m.at, m.util, m.active
	first, second := time.Duration(0), time.Duration(1) // the new look stands alone
	if join && s.looks > 1 && !s.given && old.condition == metric.Good && m.condition == metric.Good {
		since, at, util, active = joined(old, m)
		if since != m.since || at != m.at {
			first, second = old.at-old.since, at-old.at
		}
	}
	s.mig.add(first, second)
	for _, row := range spanRows {
		if row < min(len(old.values), len(m.values)) {
			m.values[row] = valueOverBoth(old.values[row], first, m.values[row], second)
		}
	}
	values, processes := old.values[:0], old.processes[:0]
	values = append(values, m.values...)
	processes = append(processes, m.processes...)
	*old = *m
	old.since, old.at, old.util, old.active, old.values, old.processes = since, at, util, active, values, processes
	s.given = false
}

// joined returns what two looks together speak for. The second has the last
// word where a gap or an unknown part makes them no whole.
func joined(a, b *look) (since, at time.Duration, util, active metric.Share) {
	switch {
	case b.since == b.at && b.at <= a.at:
		return a.since, a.at, a.util, a.active // b speaks for no time
	case b.since > a.at || b.at <= a.at || a.since == a.at || a.util.Known != b.util.Known:
		return b.since, b.at, b.util, b.active
	}
	first, second := float64(a.at-a.since), float64(b.at-a.at)
	return a.since, b.at, mean(a.util, first, b.util, second), mean(a.active, first, b.active, second)
}

// mean is the weighted mean of two shares, unknown if one of them is.
func mean(a metric.Share, first float64, b metric.Share, second float64) metric.Share {
	if !a.Known || !b.Known {
		return metric.Share{}
	}
	return metric.KnownShare(min((a.Value*first+b.Value*second)/(first+second), 1))
}

func (r *Reader) takeXid(c *child, message []byte) error {
	var m xid
	if err := m.decode(message); err != nil {
		return fmt.Errorf("xid: %w", err)
	}
	// During a replacement both workers hear of it.
	if s := c.slot(m.slot); s != nil && s.known != nil && c == r.current {
		r.keepXid(metric.Xid{UUID: s.known.UUID, Code: int(min(m.code, math.MaxInt32)), At: m.at, Late: m.late})
	}
	return nil
}

// keepXid keeps an error for the next frame. Where there are too many to keep
// each, it is counted at the last of the same.
func (r *Reader) keepXid(x metric.Xid) {
	if len(r.xids) < maxXids {
		r.xids = append(r.xids, x)
		return
	}
	for i := range slices.Backward(r.xids) {
		if o := &r.xids[i]; o.UUID == x.UUID && o.Code == x.Code {
			o.More++
			return
		}
	}
}

// energyRow is the row of the energy counter.
var energyRow = slices.IndexFunc(Table, func(r Row) bool { return r.Name == "gpu.energy.driver" })

// together is within what time the energy counters of all GPUs must fall for
// the driver to have been loaded anew. One that falls alone is a GPU's reset.
const together = 10 * time.Second

// takeEnergy watches for counters that start again from zero.
func (r *Reader) takeEnergy(k *known, m *look) {
	v := m.values[energyRow]
	if math.IsNaN(v) {
		return
	}
	fell := v < k.energy
	k.energy = v
	if !fell {
		return
	}
	k.fellAt = m.ended
	for i := range r.current.slots {
		o := r.current.slots[i].known
		if o != nil && o.energy > 0 && (o.fellAt == 0 || m.ended-o.fellAt > together) {
			return
		}
	}
	for _, o := range r.known {
		o.fellAt = 0
	}
	r.driver.Load++
	r.cfg.Log.Info("driver was loaded anew", "loads", r.driver.Load)
}
