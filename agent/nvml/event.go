package nvml

import (
	"context"
	"time"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// eventData is nvmlEventData_t.
type eventData struct {
	device                       unsafe.Pointer
	typ                          uint64
	data                         uint64 // the Xid
	gpuInstance, computeInstance uint32
}

const (
	// wantedEvents are the events that are registered where they are supported.
	wantedEvents = nvml.EventTypeXidCriticalError | nvml.EventMigConfigChange
	// waitEvents is how long one wait for events lasts. It bounds how long the
	// worker needs to end, and has to be shorter than farewell.
	waitEvents = 800 * time.Millisecond
	// Waiting that fails at once, as it does while a GPU is lost, is repeated
	// after a time that doubles.
	firstStorm = time.Second
	lastStorm  = time.Minute
)

// events is the driver's queue of errors, one for all GPUs. The zero events
// has none.
type events struct {
	lib   *library
	set   unsafe.Pointer
	clock func() time.Duration
}

// newEvents returns the queue; a driver without one gives an empty one.
func newEvents(lib *library, clock func() time.Duration) *events {
	e := &events{lib: lib, clock: clock}
	var set unsafe.Pointer
	if callOne(lib.fn[fnEventSet], unsafe.Pointer(&set)) == nvml.SUCCESS {
		e.set = set
	}
	return e
}

// register asks for a GPU's errors. A GPU that has no events is left out.
func (e *events) register(d *device) nvml.Return {
	if e.set == nil {
		return nvml.ERROR_NOT_SUPPORTED
	}
	d.begin()
	code := callOut(e.lib.fn[fnEventTypes], d.handle, unsafe.Pointer(&d.scratch.types))
	d.end()
	types := d.scratch.types & wantedEvents
	if code != nvml.SUCCESS || types == 0 {
		return nvml.ERROR_NOT_SUPPORTED
	}
	code = e.add(d, types)
	if code != nvml.SUCCESS && types != nvml.EventTypeXidCriticalError {
		code = e.add(d, types&nvml.EventTypeXidCriticalError) // changes of MIG need privileges
	}
	return code
}

func (e *events) add(d *device, types uint64) nvml.Return {
	d.begin()
	defer d.end()
	return callRegister(e.lib.fn[fnRegister], d.handle, types, e.set)
}

// backlog knows since when errors may wait in the driver's queue: they have no
// time of their own.
type backlog struct {
	empty time.Duration // boot time at which the queue was last known to be so
}

// blocked is for how long a wait has to last to have found the queue empty.
const blocked = 5 * time.Millisecond

// after takes note of a wait that lasted from one boot time to another. It
// returns for how long what the wait returned may have been in the queue.
func (b *backlog) after(code nvml.Return, from, to time.Duration) (late time.Duration) {
	if code == nvml.ERROR_TIMEOUT || code == nvml.SUCCESS && to-from >= blocked {
		b.empty = to
	}
	return to - b.empty
}

// run hands every Xid to deliver, and every GPU that was divided anew to
// redivided, until ctx ends. It waits for errors once the first GPU is
// registered; waiting with none returns an error at once.
func (e *events) run(ctx context.Context, deliver func(handle unsafe.Pointer, code uint64, late time.Duration), redivided func(handle unsafe.Pointer)) {
	if e.set == nil {
		return
	}
	data := &eventData{}
	storm := firstStorm
	queue := backlog{e.clock()}
	for ctx.Err() == nil {
		from := e.clock()
		code := callWait(e.lib.fn[fnWait], e.set, data, uint32(waitEvents/time.Millisecond))
		late := queue.after(code, from, e.clock())
		switch code {
		case nvml.SUCCESS:
			storm = firstStorm
			if data.typ&nvml.EventTypeXidCriticalError != 0 {
				deliver(data.device, data.data, late)
			}
			if data.typ&nvml.EventMigConfigChange != 0 {
				redivided(data.device)
			}
		case nvml.ERROR_TIMEOUT:
			storm = firstStorm
		default:
			if code == missing || code == nvml.ERROR_UNINITIALIZED {
				return
			}
			pause(ctx, storm)
			storm = min(2*storm, lastStorm)
		}
	}
}

// pause waits for a time or for ctx, whatever ends first.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
