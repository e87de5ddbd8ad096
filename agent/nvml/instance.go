package nvml

import (
	"math"
	"slices"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// Limits of what is taken from the driver: the GPUs of today have at most
// seven instances.
const (
	maxInstances = 16
	maxComputes  = 8 // of one instance
)

// instance is one GPU instance.
type instance struct {
	id      int
	profile string
	slices  int
	compute []*compute // one at least

	pair   samplePair
	next   due // when a sample is taken, unless that is not supported
	cycles cycles
	// busy and active keep the averages that util and sm, the shares of the
	// look, are put together from.
	busy, active history
	util, sm     metric.Share
	values       []float64 // by row of InstanceTable
}

// compute is one compute instance: what the driver calls a MIG device. Its
// handle dies with it.
type compute struct {
	handle     unsafe.Pointer
	instance   int // the GPU instance
	id         int
	uuid, name string
	attributes nvml.DeviceAttributes
	slices     int
	procs      processes
}

// meet asks a MIG device who it is.
func (d *device) meet(handle unsafe.Pointer) (*compute, bool) {
	defer d.turnTo(d.turnTo(handle))
	gi, ok := d.number(fnGPUInstance)
	if !ok {
		return nil, false
	}
	ci, ok := d.number(fnComputeInstance)
	if !ok {
		return nil, false
	}
	uuid, code := d.name(fnUUID)
	if code != nvml.SUCCESS || uuid == "" {
		return nil, false
	}
	name, _ := d.name(fnName)
	return &compute{handle: handle, instance: int(gi), id: int(ci), uuid: uuid, name: name, attributes: d.attributes()}, true
}

// isStill reports whether a handle means a compute instance that is known. Its
// UUID alone does not tell: it is made of numbers that may have been given to
// an instance of another size.
func (d *device) isStill(c *compute, handle unsafe.Pointer) bool {
	defer d.turnTo(d.turnTo(handle))
	if gi, ok := d.number(fnGPUInstance); !ok || int(gi) != c.instance {
		return false
	}
	if ci, ok := d.number(fnComputeInstance); !ok || int(ci) != c.id {
		return false
	}
	same, code := d.same(c.uuid)
	return same && code == nvml.SUCCESS && d.attributes() == c.attributes
}

// attributes returns the size of a MIG device; zero where it does not say.
func (d *device) attributes() nvml.DeviceAttributes {
	a := shared[nvml.DeviceAttributes](d)
	d.begin()
	code := callOut(d.lib.fn[fnAttributes], d.handle, unsafe.Pointer(a))
	d.end()
	if code != nvml.SUCCESS {
		return nvml.DeviceAttributes{}
	}
	return *a
}

// arrange takes over a list of MIG devices, which may be none; false if they
// cannot be all there are, or not all be told apart. Instances that stay keep
// their samples.
func (d *device) arrange(list []*compute) bool {
	m := &d.mig
	was, ok := m.instances, true
	m.instances, m.listed = nil, list
	for _, c := range list {
		ok = m.place(c) && ok
	}
	slices.SortFunc(m.instances, func(a, b *instance) int { return a.id - b.id })
	for _, in := range m.instances {
		slices.SortFunc(in.compute, func(a, b *compute) int { return a.id - b.id })
		d.size(in)
		in.inherit(was)
	}
	for _, in := range was {
		in.pair.free(d)
	}
	if len(list) > 0 || len(was) > 0 {
		m.generation++
	}
	m.prepare()
	return ok
}

// place puts a compute instance into its GPU instance; false for one that
// cannot be: with a number that is none or that another one has, or beyond the
// limits.
func (m *division) place(c *compute) bool {
	if c.instance > maxInstanceID || c.id > maxInstanceID {
		return false
	}
	i := slices.IndexFunc(m.instances, func(in *instance) bool { return in.id == c.instance })
	if i < 0 {
		i = len(m.instances)
		in := &instance{id: c.instance, values: make([]float64, len(m.plan.rows))}
		for row := range in.values {
			in.values[row] = math.NaN()
		}
		m.instances = append(m.instances, in)
	}
	in := m.instances[i]
	if slices.ContainsFunc(in.compute, func(o *compute) bool { return o.id == c.id }) {
		return false
	}
	in.compute = append(in.compute, c)
	return i < maxInstances && len(in.compute) <= maxComputes
}

// size finds out how large an instance is and what it is called.
func (d *device) size(in *instance) {
	for _, c := range in.compute {
		p := parseProfile(c.name)
		if p.name == "" && readMemory(d, 0, &d.out) == nvml.SUCCESS {
			p.name = profileName(c.attributes, uint64(d.out[0]))
		}
		if n := int(c.attributes.GpuInstanceSliceCount); n > 0 && n <= maxSlices {
			p.slices = n
		}
		if n := int(c.attributes.ComputeInstanceSliceCount); n > 0 && n <= maxSlices {
			p.computeSlices = n
		}
		in.profile, in.slices, c.slices = p.name, p.slices, p.computeSlices
	}
}

// inherit takes the samples of the instance that this one was before, as far
// as can be known: one that is made anew with the same numbers cannot be told
// apart.
func (in *instance) inherit(was []*instance) {
	for _, old := range was {
		if in.id != old.id || in.profile != old.profile || !slices.EqualFunc(in.compute, old.compute, alike) {
			continue
		}
		in.pair, in.next, in.cycles, in.busy, in.active = old.pair, old.next, old.cycles, old.busy, old.active
		old.pair = samplePair{}
	}
}

func alike(a, b *compute) bool {
	return a.id == b.id && a.uuid == b.uuid && a.attributes == b.attributes
}
