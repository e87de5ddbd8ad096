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
	index  int           // of the GPU; see turn

	// calling is the boot time at which the call in flight began, 0 for none.
	calling atomic.Int64

	// values holds the newest value of every row, NaN where there is none.
	values   []float64
	callDue  []due
	fieldDue []due
	engines  []engine
	fresh    []bool            // by row: an engine's samples gave it in this look
	out      [maxParts]float64 // of one call
	batch    []nvml.FieldValue
	batchOf  []int
	wrap     []wrapping
	scratch  *scratch
	seen     outcome // of the look that is going on
	util     utilization
	gpm      gpm
	procs    processes
	procBuf  []nvml.ProcessInfo // of one list
	mig      division
}

// newDevice makes a device whose looks speak for at most hold.
func newDevice(lib *library, p *plan, hold time.Duration, clock func() time.Duration) *device {
	d := &device{
		lib: lib, plan: p, clock: clock, scratch: &scratch{},
		values:   make([]float64, len(p.rows)),
		callDue:  make([]due, len(p.calls)),
		fieldDue: make([]due, len(p.fields)),
		engines:  make([]engine, len(p.engines)),
		fresh:    make([]bool, len(p.rows)),
		batch:    make([]nvml.FieldValue, 0, len(p.fields)),
		batchOf:  make([]int, 0, len(p.fields)),
		wrap:     make([]wrapping, len(p.fields)),
	}
	d.util.hold = hold
	d.gpm.of, d.gpm.due = make([]int, 0, len(p.gpm)), make([]due, len(p.gpm))
	for _, g := range p.gpm {
		if g.row >= 0 && p.rows[g.row].Source.Span {
			d.gpm.spanned = append(d.gpm.spanned, spanned{row: g.row, newest: math.NaN()})
		}
	}
	d.mig.plan, d.mig.every = instancePlan, hold/maxHold*identifyAfter
	d.clear()
	return d
}

// begin and end stand around every driver call, so that the parent can see
// one that does not return.
func (d *device) begin() { d.calling.Store(int64(d.clock())) }
func (d *device) end()   { d.calling.Store(0) }

// close lets go of the GPU: its handle means nothing any more.
func (d *device) close() {
	d.gpm.pair.free(d)
	d.undivide()
	d.handle = nil
}

// clear forgets all values, for a GPU that may have become another.
func (d *device) clear() {
	for i := range d.values {
		d.values[i] = math.NaN()
	}
	clear(d.wrap)
	clear(d.engines)
	clear(d.fresh)
	for i := range d.gpm.spanned {
		d.gpm.spanned[i].newest, d.gpm.spanned[i].past = math.NaN(), history{}
	}
	d.gpm = gpm{request: d.gpm.request, of: d.gpm.of, due: d.gpm.due, spanned: d.gpm.spanned}
	d.scratch.samples = sampleCall{}
	d.util = utilization{buf: d.util.buf, hold: d.util.hold, call: &d.scratch.samples}
	d.undivide()
	d.mig.next = due{}
	d.askAgain()
}

// askAgain forgets what the GPU does not support: that changes with MIG.
func (d *device) askAgain() {
	clear(d.callDue)
	clear(d.fieldDue)
	clear(d.gpm.due)
	for i := range d.engines {
		d.engines[i].next = due{}
	}
	d.util.next, d.gpm.next, d.procs.next = due{}, due{}, [len(processLists)]due{}
}

// turnTo makes the calls that follow ask another handle, and returns the one
// that they asked before.
func (d *device) turnTo(handle unsafe.Pointer) unsafe.Pointer {
	before := d.handle
	d.handle = handle
	return before
}

// outcome is what the calls of one look returned, together.
type outcome struct {
	answered bool // at least one call succeeded
	// worst is the code that says most about the GPU: SUCCESS, or the one of
	// the highest rank.
	worst nvml.Return
	// busy is what the utilisation calls returned.
	busy nvml.Return
	// dying says that a call failed as it does with a handle that is dead.
	dying bool
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
	o.dying = o.dying || dying(code)
	if rank(code) > rank(o.worst) {
		o.worst = code
	}
}

// dying reports whether a code may come from a handle that is dead: every
// failure but those that say why.
func dying(code nvml.Return) bool {
	switch code {
	case nvml.SUCCESS:
		return false
	case nvml.ERROR_INVALID_ARGUMENT:
		return true
	}
	return !unsupported(code)
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
	o := &d.seen
	d.now, *o = now, outcome{}
	for _, part := range readParts {
		if part(d, o); o.over() {
			break
		}
	}
	return *o
}

// readParts is what a look consists of, in its order: buffers before the calls
// that they may make needless, and the span of the look before what is said
// of it.
var readParts = [...]func(*device, *outcome){
	(*device).divide, (*device).readBuffers, (*device).readCalls, (*device).readUtilization,
	(*device).readFields, (*device).readGPM, (*device).readInstances, (*device).readProcesses,
}

func (d *device) readCalls(o *outcome) {
	d.util.polled = nvml.ERROR_NOT_SUPPORTED // unless it is polled now
	for i := range d.plan.calls {
		c := &d.plan.calls[i]
		if !d.callDue[i].now(d.now) || d.needless(c) {
			continue
		}
		code := c.read(d, c.arg, &d.out)
		o.note(code)
		t := &d.callDue[i]
		t.after(code, d.now, d.cadence(t, c.every))
		if c.Call == callRates {
			d.util.poll(code, d.out[0])
		}
		d.putCall(c, code)
		if o.over() {
			return
		}
	}
}

// putCall takes over what a call gave for its rows.
func (d *device) putCall(c *callPlan, code nvml.Return) {
	for _, row := range c.rows {
		s := &d.plan.rows[row].Source
		switch {
		case d.fresh[row]:
		case code == nvml.SUCCESS:
			d.values[row] = baseValue(s, d.out[s.Part])
		default:
			d.values[row] = math.NaN()
		}
	}
}

// needless reports whether all that a call could say was in the buffers.
func (d *device) needless(c *callPlan) bool {
	for _, row := range c.rows {
		s := d.plan.rows[row].Source.Samples
		if !d.fresh[row] && (s != nvml.GPU_UTILIZATION_SAMPLES || d.util.buffered != nvml.SUCCESS) {
			return false
		}
	}
	return true
}
