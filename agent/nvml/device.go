package nvml

import (
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// device is one GPU of an open library, with the memory that reading it needs.
// One goroutine uses it; only calling may be read by others.
type device struct {
	lib    *library
	plan   *plan
	handle unsafe.Pointer
	clock  func() time.Duration
	now    time.Duration // of the look that is going on

	// calling is the boot time at which the call in flight began, 0 for none.
	calling atomic.Int64

	// values holds the newest value of every row, NaN where there is none.
	values   []float64
	callDue  []due
	fieldDue []due
	out      [maxParts]float64 // of one call
	batch    []nvml.FieldValue
	batchOf  []int
	wrap     []wrapping
	scratch  *scratch
	util     utilization
	procs    processes
}

// newDevice makes a device whose looks speak for at most hold.
func newDevice(lib *library, p *plan, hold time.Duration, clock func() time.Duration) *device {
	d := &device{
		lib: lib, plan: p, clock: clock, scratch: &scratch{},
		values:   make([]float64, len(p.rows)),
		callDue:  make([]due, len(p.calls)),
		fieldDue: make([]due, len(p.fields)),
		batch:    make([]nvml.FieldValue, 0, len(p.fields)),
		batchOf:  make([]int, 0, len(p.fields)),
		wrap:     make([]wrapping, len(p.fields)),
	}
	d.util.hold = hold
	d.clear()
	return d
}

// begin and end stand around every driver call, so that the parent can see
// one that does not return.
func (d *device) begin() { d.calling.Store(int64(d.clock())) }
func (d *device) end()   { d.calling.Store(0) }

// clear forgets all values, for a GPU that may have become another.
func (d *device) clear() {
	for i := range d.values {
		d.values[i] = math.NaN()
	}
	clear(d.callDue)
	clear(d.fieldDue)
	clear(d.wrap)
	d.scratch.samples = sampleCall{}
	d.util = utilization{buf: d.util.buf, hold: d.util.hold, call: &d.scratch.samples}
	d.procs.next = [len(processLists)]due{}
}

// outcome is what the calls of one look returned, together.
type outcome struct {
	answered bool // at least one call succeeded
	// worst is the code that says most about the GPU: SUCCESS, or the one of
	// the highest rank.
	worst nvml.Return
	// busy is what the utilisation calls returned.
	busy nvml.Return
}

// rank orders codes by what they say about the whole GPU.
func rank(code nvml.Return) int {
	switch {
	case code == nvml.SUCCESS, code == nvml.ERROR_NOT_FOUND:
		return rankFine
	case code == nvml.ERROR_GPU_IS_LOST:
		return rankLost
	case code == nvml.ERROR_RESET_REQUIRED:
		return rankReset
	case driverGone(code):
		return rankDriver
	case code == nvml.ERROR_NO_PERMISSION:
		return rankForbidden
	case unsupported(code):
		return rankUnsupported
	}
	return rankFailed
}

const (
	rankFine = iota
	rankUnsupported
	rankForbidden
	rankFailed // this time; perhaps not the next
	rankDriver // from here on, no further call can help
	rankReset
	rankLost
)

func (o *outcome) note(code nvml.Return) {
	if code == nvml.SUCCESS {
		o.answered = true
	}
	if rank(code) > rank(o.worst) {
		o.worst = code
	}
}

// over reports that the GPU or the driver is gone: further calls are useless.
func (o *outcome) over() bool { return rank(o.worst) >= rankDriver }

// verdict turns an outcome into a condition and its reason. Some values may be
// missing from a good look; how busy the GPU was may not, unless nobody can say.
func (o *outcome) verdict() (metric.Condition, string) {
	switch {
	case rank(o.worst) >= rankReset:
		return metric.Lost, reasonFor(o.worst)
	case o.over():
		return metric.Unobserved, reasonFor(o.worst)
	case rank(o.busy) >= rankFailed:
		return metric.Unobserved, reasonFor(o.busy)
	case !o.answered:
		return metric.Unobserved, reasonFor(o.worst)
	}
	return metric.Good, ""
}

// read looks at the GPU: all values that are due, the utilisation since the
// read before, and the processes.
func (d *device) read(now time.Duration) outcome {
	var o outcome
	d.now = now
	d.readCalls(&o)
	if !o.over() {
		d.readUtilization(&o)
	}
	if !o.over() {
		d.readFields(&o)
	}
	if !o.over() {
		d.readProcesses(&o)
	}
	return o
}

func (d *device) readCalls(o *outcome) {
	out := &d.out
	for i := range d.plan.calls {
		c := &d.plan.calls[i]
		if !d.callDue[i].now(d.now) {
			if c.Call == callRates {
				d.util.polled = nvml.ERROR_NOT_SUPPORTED
			}
			continue
		}
		code := c.read(d, c.arg, out)
		o.note(code)
		d.callDue[i].after(code, d.now, c.every)
		for _, row := range c.rows {
			s := &d.plan.rows[row].Source
			d.values[row] = math.NaN()
			if code == nvml.SUCCESS {
				d.values[row] = baseValue(s, out[s.Part])
			}
		}
		if c.Call == callRates {
			d.util.poll(code, out[0])
		}
		if o.over() {
			return
		}
	}
}

// name asks for a string of the GPU; empty if it has none. The code is that
// of the call.
func (d *device) name(f function) (string, nvml.Return) {
	d.begin()
	code := callName(d.lib.fn[f], d.handle, d.scratch.text[:])
	d.end()
	if code != nvml.SUCCESS {
		return "", code
	}
	return cString(d.scratch.text[:]), code
}

// same reports whether the handle still means the GPU with this UUID.
func (d *device) same(uuid string) (bool, nvml.Return) {
	d.begin()
	code := callName(d.lib.fn[fnUUID], d.handle, d.scratch.text[:])
	d.end()
	if code != nvml.SUCCESS {
		return true, code
	}
	n := len(uuid)
	return n < len(d.scratch.text) && string(d.scratch.text[:n]) == uuid && d.scratch.text[n] == 0, code
}

// open gets the GPU at an index and says who it is. Getting it may take
// seconds: it wakes a GPU that no other process uses.
func (d *device) open(index int) (metric.GPU, nvml.Return) {
	d.handle = nil
	d.begin()
	code := callIndex(d.lib.fn[fnHandle], index, unsafe.Pointer(&d.scratch.handle))
	d.end()
	if code != nvml.SUCCESS {
		return metric.GPU{}, code
	}
	d.handle = d.scratch.handle
	uuid, code := d.name(fnUUID)
	if code != nvml.SUCCESS || uuid == "" {
		d.handle = nil
		return metric.GPU{}, code
	}
	g := metric.GPU{UUID: uuid, Index: index, PCI: d.bus()}
	g.Name, _ = d.name(fnName)
	g.Serial, _ = d.name(fnSerial)
	g.VBIOS, _ = d.name(fnVBIOS)
	if readMemory(d, 0, &d.out) == nvml.SUCCESS {
		g.MemoryBytes = uint64(d.out[0])
	}
	return g, nvml.SUCCESS
}

// bus returns the PCI bus id, empty if the driver does not say.
func (d *device) bus() string {
	info := &d.scratch.pci
	d.begin()
	code := callOut(d.lib.fn[fnPCI], d.handle, unsafe.Pointer(info))
	d.end()
	if code != nvml.SUCCESS {
		return ""
	}
	id := make([]byte, 0, len(info.BusId))
	for _, c := range info.BusId {
		if c == 0 {
			break
		}
		id = append(id, byte(c))
	}
	return string(id)
}
