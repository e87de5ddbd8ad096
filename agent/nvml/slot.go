package nvml

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

const (
	// parts is into how many parts of an interval the looks are spread.
	parts = 4
	// longestPoll is the longest time between two polls of a GPU whose driver
	// keeps no samples.
	longestPoll = time.Second
	// strikes is how many times in a row a known GPU must fail with an
	// unknown error before it counts as lost. Once is a missed look.
	strikes = 3
	// A GPU that cannot be opened is tried again after a number of intervals
	// that doubles from firstRetry to lastRetry.
	firstRetry = 5
	lastRetry  = 60
	// identifyAfter is how many intervals pass until a handle is asked again who
	// it is.
	identifyAfter = 10
)

// slot is one of the driver's GPUs, by index, in a goroutine of its own: a
// call that does not return stops this GPU and no other.
type slot struct {
	w     *worker
	index int
	dev   *device
	gpu   metric.GPU
	cold  atomic.Bool // no look has ended yet

	fails   int           // of opening, in a row
	retryAt time.Duration // when opening is tried again
	retry   time.Duration // after what time, the time after
	checkAt time.Duration // when it is checked that the GPU is still the same
	againAt time.Duration // when it is asked again for all of its identity
	look    look
	out     []byte
}

func newSlot(w *worker, index int) *slot {
	s := &slot{w: w, index: index, dev: newDevice(w.lib, w.plan, maxHold*w.cfg.Interval, w.clock)}
	s.cold.Store(true)
	s.look.slot, s.dev.index = index, index
	s.out = make([]byte, 0, 2048)
	return s
}

// maxHold is how many intervals a look may speak for, as the meter has it.
const maxHold = 3

// run looks at the GPU until ctx ends. All GPUs tick in step with the boot
// clock, at one of a few parts of the interval, so that neither the driver nor
// the CPU has to serve them all at once, nor to wake up for each alone.
func (s *slot) run(ctx context.Context) {
	polls := int((s.w.cfg.Interval + longestPoll - 1) / longestPoll)
	step := s.w.cfg.Interval / time.Duration(polls)
	shift := step * time.Duration(s.index%parts) / parts
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer s.dev.close()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if n%polls == 0 {
			s.tick(s.w.clock())
		} else {
			s.poll(s.w.clock())
		}
		now := s.w.clock()
		timer.Reset((now-shift)/step*step + step + shift - now)
	}
}

// poll reads the utilisation between two looks, where the driver keeps none.
func (s *slot) poll(now time.Duration) {
	if s.dev.handle == nil || s.dev.util.next.now(now) {
		return
	}
	code := readRates(s.dev, 0, &s.dev.out)
	s.dev.util.poll(code, s.dev.out[0])
}

// tick makes one look and sends it.
func (s *slot) tick(now time.Duration) {
	if s.dev.handle == nil && now >= s.retryAt {
		s.open(now)
	}
	if s.dev.handle != nil {
		s.read(now)
	}
	s.cold.Store(false)
	s.look.ended = s.w.clock()
	if s.look.condition != metric.Good {
		s.look.since, s.look.at, s.look.util, s.look.active = s.look.ended, s.look.ended, metric.Share{}, metric.Share{}
		s.look.processesKnown, s.look.processes, s.look.values = false, nil, nil
	}
	s.out = s.dev.mig.append(s.out[:0], s.index, s.look.condition == metric.Good)
	s.out = s.look.append(s.out)
	s.w.send(s.out)
}

// open gets the GPU at the slot's index and tells the parent who it is.
func (s *slot) open(now time.Duration) {
	g, code := s.dev.open(s.index)
	if code != nvml.SUCCESS {
		s.cannotOpen(now, code)
		return
	}
	s.dev.clear()
	s.fails, s.retry, s.checkAt, s.againAt = 0, 0, now+identifyAfter*s.w.cfg.Interval, now+turn(s.index, rare)
	s.gpu = g
	s.w.send((&identity{s.index, g}).append(nil))
	s.w.own(s.dev.handle, s.index)
	_ = s.w.events.register(s.dev) // without events, kernel messages and readings are left
}

// cannotOpen says what a GPU is that has no handle.
func (s *slot) cannotOpen(now time.Duration, code nvml.Return) {
	if driverGone(code) {
		s.w.down(code)
	}
	s.fails++
	s.look.condition, s.look.reason = metric.Unobserved, reasonFor(code)
	switch {
	case rank(code) >= rankReset:
		s.look.condition = metric.Lost
	case s.fails < strikes:
		return // again at the next tick
	case code == nvml.ERROR_UNKNOWN:
		// So a GPU that fell off the bus presents itself to a new process.
		s.look.condition, s.look.reason = metric.Lost, metric.ReasonLost
	}
	s.later(now)
}

// later plans the next try to open the GPU.
func (s *slot) later(now time.Duration) {
	unit := s.w.cfg.Interval
	s.retry = min(max(2*s.retry, firstRetry*unit), lastRetry*unit)
	s.retryAt = now + s.retry
}

// read looks at an open GPU.
func (s *slot) read(now time.Duration) {
	o := s.dev.read(now)
	if !o.over() && now >= s.checkAt {
		s.check(now, &o)
	}
	l := &s.look
	l.condition, l.reason = o.verdict()
	switch {
	case rank(o.worst) >= rankReset:
		s.dev.close()
		s.later(now)
	case rank(o.worst) == rankDriver:
		s.w.down(o.worst)
	case !o.answered && o.worst == nvml.ERROR_INVALID_ARGUMENT:
		s.dev.close() // stale: the GPU was reset or taken out under us
	case l.condition == metric.Good:
		u := &s.dev.util
		l.since, l.at, l.util, l.active = u.since, u.at, u.share, s.dev.gpm.active
		l.processesKnown, l.processes, l.values = s.dev.procs.known, s.dev.procs.list, s.dev.values
	}
}

// check asks the handle who it is. Another GPU in its place begins anew.
func (s *slot) check(now time.Duration, o *outcome) {
	s.checkAt = now + identifyAfter*s.w.cfg.Interval
	same, code := s.dev.same(s.gpu.UUID)
	o.note(code)
	if !same {
		s.dev.close()
		o.answered, o.worst = false, nvml.ERROR_INVALID_ARGUMENT
		return
	}
	if now >= s.againAt {
		s.identify(now)
	}
}

// identify tells the parent what changed about a GPU that is still the same: it
// joins its NVLink domain some time after the driver is loaded.
func (s *slot) identify(now time.Duration) {
	s.againAt = now + rare
	g, code := s.dev.identify(s.index)
	if code == nvml.SUCCESS && g != s.gpu && g.UUID == s.gpu.UUID {
		s.gpu = g
		s.w.send((&identity{s.index, g}).append(nil))
	}
}

// own remembers which slot a handle belongs to, for events.
func (w *worker) own(handle unsafe.Pointer, index int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handles[handle] = index
}

// deliver sends an Xid to the parent. late is for how long the driver may have
// kept it.
func (w *worker) deliver(handle unsafe.Pointer, code uint64, late time.Duration) {
	w.mu.Lock()
	index, ok := w.handles[handle]
	w.mu.Unlock()
	if ok {
		w.send((&xid{index, code, w.clock(), late}).append(nil))
	}
}

// redivided has the instances of a GPU read anew.
func (w *worker) redivided(handle unsafe.Pointer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if index, ok := w.handles[handle]; ok {
		w.slots[index].dev.mig.changed.Store(true)
	}
}

// down tells the parent that the driver went away under the worker, and ends
// the worker.
func (w *worker) down(code nvml.Return) {
	w.fail(&driverError{"read", code})
}

// fail sends the reason why the driver cannot be used, and ends the worker.
func (w *worker) fail(err error) {
	n := note{kind: kindDown, reason: metric.ReasonNoDriver, detail: err.Error()}
	var e *driverError
	if errors.As(err, &e) {
		n.reason = reasonFor(e.code)
	}
	w.failed.Do(func() {
		w.send(n.append(nil))
		w.end(fmt.Errorf("worker: %w", err))
	})
}
