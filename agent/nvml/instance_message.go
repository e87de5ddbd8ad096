package nvml

import (
	"encoding/binary"
	"fmt"

	"github.com/gpumeter/gpumeter/metric"
)

// layout says how the GPU in a slot is divided. It is sent when that changes,
// before the next look.
type layout struct {
	slot       int
	generation uint32 // told apart from the one before by it
	divided    bool
	instances  []placed // by id
}

// placed is a GPU instance without what changes.
type placed struct {
	id         int
	profile    string
	slices, of int
	compute    []placedCompute // by id
}

type placedCompute struct {
	id     int
	uuid   string
	slices int
}

// Limits of what a layout may say. The worker holds them too: a driver's
// nonsense must not end it.
const (
	maxInstanceID = 1<<16 - 1
	maxSlices     = 256
)

func (m *layout) append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint16(begin(b, kindLayout), uint16(m.slot))
	b = appendBool(binary.LittleEndian.AppendUint32(b, m.generation), m.divided)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(m.instances)))
	for _, in := range m.instances {
		b = appendText(binary.LittleEndian.AppendUint16(b, uint16(in.id)), in.profile)
		b = binary.LittleEndian.AppendUint16(b, uint16(in.slices))
		b = binary.LittleEndian.AppendUint16(b, uint16(in.of))
		b = binary.LittleEndian.AppendUint16(b, uint16(len(in.compute)))
		for _, c := range in.compute {
			b = appendText(binary.LittleEndian.AppendUint16(b, uint16(c.id)), c.uuid)
			b = binary.LittleEndian.AppendUint16(b, uint16(c.slices))
		}
	}
	return finish(b, start)
}

func (m *layout) decode(message []byte) error {
	d := newDecoder(message)
	m.slot, m.generation, m.divided = d.slot(), d.uint32(), d.bool()
	m.instances = nil
	last := -1
	for range d.list(maxInstances) {
		in := placed{id: d.nextID(&last), profile: d.text(), slices: d.list(maxSlices), of: d.list(maxSlices)}
		first := -1
		for range d.list(maxComputes) {
			c := placedCompute{d.nextID(&first), d.text(), d.list(maxSlices)}
			if c.uuid == "" {
				d.fail(fmt.Errorf("compute instance %d of %d without UUID", c.id, in.id))
			}
			in.compute = append(in.compute, c)
		}
		m.instances = append(m.instances, in)
	}
	if len(m.instances) > 0 && !m.divided {
		d.fail(fmt.Errorf("%d instances of a GPU that is not divided", len(m.instances)))
	}
	return d.done()
}

// nextID takes an id, which has to be larger than the last.
func (d *decoder) nextID(last *int) int {
	id := d.list(maxInstanceID)
	if id <= *last {
		d.fail(fmt.Errorf("instance %d after %d", id, *last))
	}
	*last = id
	return id
}

// portions is what one look saw of the instances of a GPU, in the order of the
// layout with the same generation. It is sent just before the look.
type portions struct {
	slot       int
	generation uint32
	instances  []portion
}

type portion struct {
	util, active metric.Share
	values       []float64 // by row of InstanceTable, NaN where there is none
	compute      []holders
}

// holders are the processes of one compute instance.
type holders struct {
	known     bool
	processes []metric.Process
}

// append allocates nothing once b is large enough.
func (m *portions) append(b []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint16(begin(b, kindPortions), uint16(m.slot))
	b = binary.LittleEndian.AppendUint32(b, m.generation)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(m.instances)))
	for i := range m.instances {
		in := &m.instances[i]
		b = appendValues(appendShare(appendShare(b, in.util), in.active), in.values)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(in.compute)))
		for _, c := range in.compute {
			b = appendProcesses(appendBool(b, c.known), c.processes)
		}
	}
	return finish(b, start)
}

// decode keeps the memory that m has.
func (m *portions) decode(message []byte) error {
	d := newDecoder(message)
	m.slot, m.generation = d.slot(), d.uint32()
	n := d.list(maxInstances)
	m.instances = resized(m.instances, n)
	for i := range m.instances {
		in := &m.instances[i]
		in.util, in.active = d.share(), d.share()
		in.values = resized(in.values, len(InstanceTable))
		d.values(in.values)
		in.compute = resized(in.compute, d.list(maxComputes))
		for k := range in.compute {
			c := &in.compute[k]
			c.known = d.bool()
			c.processes = d.processes(c.processes)
		}
	}
	return d.done()
}

// resized returns a list of n with the memory of an older one.
func resized[T any](list []T, n int) []T {
	for len(list) < n {
		var zero T
		list = append(list[:len(list):cap(list)], zero)
	}
	return list[:n]
}
