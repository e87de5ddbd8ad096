package nvml

import (
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// doubtAfter is how many intervals pass at least until a layout is read again
// because a call failed.
const doubtAfter = 3

// division is how a GPU is divided into MIG instances. Instances that have no
// compute instance are not in it: only privileged users see them, and nothing
// can run there.
type division struct {
	plan *plan
	on   bool
	// complete says that instances holds all there are; altered, that some of
	// them may not have been there for all of the time since the look before.
	complete, altered bool
	waits             bool // it is too early for another sample
	of                int  // compute slices of the GPU
	instances         []*instance
	listed            []*compute // in the driver's order

	next      due           // when the mode is asked
	every     time.Duration // between two readings of the layout
	checkedAt time.Duration // when the layout was last read
	checkAt   time.Duration // when it is to be read again
	doubt     bool          // a call failed as one with a dead handle does
	// changed is set when the driver reports a change.
	changed atomic.Bool

	// generation counts the changes of what the parent is to know; told is
	// what it knows.
	generation, told uint32
	message          portions
}

// divide finds out whether the GPU is divided and, every few looks and when
// there is reason to, how. What its calls return says nothing about the GPU.
func (d *device) divide(*outcome) {
	m := &d.mig
	m.altered = false
	if !m.next.now(d.now) {
		return
	}
	on, code := d.isDivided()
	m.next.after(code, d.now, 0)
	if code != nvml.SUCCESS && !unsupported(code) {
		on = m.on // this time it does not say
	}
	if on != m.on {
		d.undivide()
		m.on, m.altered, m.checkAt = on, true, d.now
		m.generation++
		d.askAgain()
	}
	if !on {
		return
	}
	if m.doubt {
		m.checkAt = min(m.checkAt, m.checkedAt+m.every*doubtAfter/identifyAfter)
	}
	if m.changed.Swap(false) || d.now+early >= m.checkAt {
		d.readLayout()
	}
}

func (d *device) isDivided() (bool, nvml.Return) {
	d.begin()
	code := callTwo(d.lib.fn[fnMIGMode], d.handle, unsafe.Pointer(&d.scratch.number), unsafe.Pointer(&d.scratch.number2))
	d.end()
	return code == nvml.SUCCESS && d.scratch.number == nvml.DEVICE_MIG_ENABLE, code
}

// undivide forgets all instances.
func (d *device) undivide() {
	m := &d.mig
	if m.on {
		m.generation++
	}
	d.arrange(nil)
	m.on, m.complete, m.of, m.doubt = false, false, 0, false
}

// readLayout finds out what instances there are. Where the driver does not
// say, there are none that anything is known of, and it is asked again.
func (d *device) readLayout() {
	m := &d.mig
	m.checkedAt, m.checkAt = d.now, d.now+m.every
	n, ok := d.mostMIG()
	if same := ok && m.complete && d.sameLayout(n); !same {
		var list []*compute
		if ok {
			list, ok = d.listMIG(n)
		}
		m.altered = true
		m.complete = ok && d.arrange(list)
		if !m.complete {
			d.arrange(nil)
			m.checkAt = d.now
		}
	}
	if m.of == 0 {
		m.of = d.slices(n)
	}
	if m.doubt {
		m.doubt = false
		for _, c := range m.listed {
			c.procs.next = [len(processLists)]due{} // a dead handle supports nothing
		}
	}
}

// mostMIG returns how many MIG devices the GPU can have; false where it says
// that it is not divided, just after it said that it is.
func (d *device) mostMIG() (int, bool) {
	n, ok := d.number(fnMIGCount)
	return min(int(n), maxInstances*maxComputes), ok && n > 0
}

// migHandle returns the MIG device at an index; NOT_FOUND is a free place.
func (d *device) migHandle(i int) (unsafe.Pointer, nvml.Return) {
	d.begin()
	code := callArg(d.lib.fn[fnMIGHandle], d.handle, uint32(i), unsafe.Pointer(&d.scratch.handle))
	d.end()
	if code != nvml.SUCCESS {
		return nil, code
	}
	return d.scratch.handle, code
}

// sameLayout reports whether the driver lists the MIG devices that are known,
// and takes their handles, which may be other ones.
func (d *device) sameLayout(n int) bool {
	known := d.mig.listed
	for i := range n {
		handle, code := d.migHandle(i)
		if code == nvml.ERROR_NOT_FOUND {
			continue
		}
		if code != nvml.SUCCESS || len(known) == 0 || !d.isStill(known[0], handle) {
			return false
		}
		known[0].handle = handle
		known = known[1:]
	}
	return len(known) == 0
}

// listMIG returns all MIG devices; false if one does not say who it is. Perhaps
// it just died.
func (d *device) listMIG(n int) ([]*compute, bool) {
	var list []*compute
	for i := range n {
		handle, code := d.migHandle(i)
		if code == nvml.ERROR_NOT_FOUND {
			continue
		}
		if code != nvml.SUCCESS {
			return nil, false
		}
		c, ok := d.meet(handle)
		if !ok {
			return nil, false
		}
		list = append(list, c)
	}
	return list, true
}

// slices returns how many compute slices the GPU has: those of its largest
// profile or, where it does not say, as many as it can have MIG devices.
func (d *device) slices(devices int) int {
	most := 0
	for profile := range uint32(maxProfiles) {
		p := shared[nvml.GpuInstanceProfileInfo](d)
		d.begin()
		code := callArg(d.lib.fn[fnProfile], d.handle, profile, unsafe.Pointer(p))
		d.end()
		if code == nvml.SUCCESS {
			if n := int(p.SliceCount); n <= maxSlices {
				most = max(most, n)
			}
		} else if code != nvml.ERROR_NOT_SUPPORTED {
			break // there are no more profiles, or no permission
		}
	}
	if most == 0 {
		return devices
	}
	return most
}

// maxProfiles bounds the numbers of profiles; nvml.h has 18.
const maxProfiles = 64
