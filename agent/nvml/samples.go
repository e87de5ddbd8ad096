package nvml

import (
	"encoding/binary"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

const (
	// maxSamples bounds the buffer that is kept for a GPU; drivers hold 120.
	maxSamples = 512
	// samplePeriod is the longest time that one sample is of (nvml.h: 1/6 s
	// to 1 s), and half as much again: a longer silence is a hole.
	samplePeriod = 1500 * time.Millisecond
	// stepAt is the difference between wall and boot clock that is a step.
	stepAt = 100 * time.Millisecond
)

// utilization integrates how busy a GPU was. The driver keeps a buffer of
// samples, each of them the share of its period in which a kernel was
// resident: their mean over the time between two samples is exact, whatever
// the interval of the looks. So a look speaks for the time between the newest
// sample of the look before and its own. Where there is no buffer it falls
// back on the rates that it polls.
type utilization struct {
	hold    time.Duration // the longest time that a look speaks for
	buf     []nvml.Sample
	call    *sampleCall
	last    uint64        // stamp of the newest sample seen
	next    due           // when the buffer is asked, unless it is unsupported
	offset  time.Duration // boot clock minus wall clock
	started bool

	// buffered is what the buffer returned in this look, polled what the last
	// poll of the rates did; sum and polls add them up since the look before.
	buffered, polled nvml.Return
	sum              float64
	polls            int

	// since, at and share are the result, on the boot clock.
	since, at time.Duration
	share     metric.Share
}

// poll adds one reading of the rates, in percent.
func (u *utilization) poll(code nvml.Return, percentage float64) {
	u.polled = code
	if code == nvml.SUCCESS && percentage <= maxPercent {
		u.sum += percentage * percent
		u.polls++
	}
}

// readBuffers reads the driver's sample buffers. Calls that give the same at
// a lower resolution are then only needed for what was not in them.
func (d *device) readBuffers(o *outcome) {
	u := &d.util
	if d.mig.on {
		d.skipBuffers()
		return
	}
	offset := d.clock() - wallClock()
	if step := offset - u.offset; step > stepAt || step < -stepAt {
		d.forgetStamps() // of before the step, they mean nothing now
	}
	u.offset = offset
	u.buffered = d.readSamples()
	o.note(u.buffered)
	for i := range d.engines {
		if o.over() {
			return
		}
		o.note(d.readEngine(i))
	}
}

// skipBuffers leaves the buffers of a divided GPU alone. Some drivers have
// none, others, 535 for one, fill them with numbers that are no percentages.
func (d *device) skipBuffers() {
	d.util.buffered = nvml.ERROR_NOT_SUPPORTED
	for i := range d.engines {
		d.fresh[d.plan.engines[i].row] = false // its call is asked instead
	}
}

func (d *device) forgetStamps() {
	d.util.last = 0
	for i := range d.engines {
		d.engines[i].last = 0
	}
}

// readUtilization finds what the look speaks for, and how busy the GPU was
// then. It comes after the buffers and, where those say nothing, the rates.
func (d *device) readUtilization(o *outcome) {
	u := &d.util
	if d.mig.on {
		u.polled, u.polls, u.sum = nvml.ERROR_NOT_SUPPORTED, 0, 0 // see readInstances
	}
	if u.buffered != nvml.SUCCESS {
		o.busy = u.usePolls(d.now, u.buffered)
	}
	for _, row := range d.plan.sampled {
		switch {
		case u.share.Known:
			d.values[row] = u.share.Value
		case u.polls > 0:
			d.values[row] = u.sum / float64(u.polls)
		case u.since != u.at:
			d.values[row] = math.NaN()
		}
	}
	u.sum, u.polls = 0, 0
}

// readSamples sets the result from the driver's samples, and returns SUCCESS
// if it did.
func (d *device) readSamples() nvml.Return {
	u := &d.util
	if !u.next.now(d.now) {
		return nvml.ERROR_NOT_SUPPORTED
	}
	n, code := d.getSamples(nvml.GPU_UTILIZATION_SAMPLES, u.last)
	if code == nvml.SUCCESS && !u.useSamples(n, d.now) {
		code = nvml.ERROR_NOT_FOUND
	}
	if code == nvml.ERROR_NOT_FOUND && u.started && d.now-u.at < samplePeriod {
		// No sample has ended since: the look speaks for no time yet.
		u.stand()
		return nvml.SUCCESS
	}
	if unsupported(code) {
		u.next.after(code, d.now, 0)
	}
	return code
}

// getSamples reads what came after the sample last seen.
func (d *device) getSamples(kind nvml.SamplingType, last uint64) (int, nvml.Return) {
	u := &d.util
	u.call.kind, u.call.last = kind, last
	if u.buf == nil {
		u.call.count = 0
		d.begin()
		code := callSamples(d.lib.fn[fnSamples], d.handle, u.call, nil)
		d.end()
		if code != nvml.SUCCESS && code != nvml.ERROR_NOT_FOUND {
			return 0, code
		}
		u.buf = make([]nvml.Sample, min(max(u.call.count, 128), maxSamples))
	}
	u.call.count = uint32(len(u.buf))
	d.begin()
	code := callSamples(d.lib.fn[fnSamples], d.handle, u.call, &u.buf[0])
	d.end()
	return min(int(u.call.count), len(u.buf)), code
}

// useSamples sets the result from the first n samples. It refuses samples
// whose stamps are not of the time just past.
func (u *utilization) useSamples(n int, now time.Duration) bool {
	newest, at := u.newest(n, now)
	if newest <= u.last || at < now-2*samplePeriod {
		return false
	}
	u.last = newest
	if !u.started || at <= u.at {
		u.begin(at)
		return true
	}
	from := max(u.at, at-u.hold)
	share, since := meanOf(u.buf[:n], nvml.ValueType(u.call.typ), u.stamp(from), newest)
	u.since, u.at, u.share = max(from, u.boot(since)), at, share
	return true
}

// newest returns the stamp of the newest of the first n samples that is not of
// the future, and its time; a stamp of 0 if there is none.
func (u *utilization) newest(n int, now time.Duration) (stamp uint64, at time.Duration) {
	limit := u.stamp(now + samplePeriod/10)
	for _, s := range u.buf[:n] {
		if s.TimeStamp <= limit {
			stamp = max(stamp, s.TimeStamp)
		}
	}
	return stamp, u.boot(stamp)
}

// begin starts anew at a time: a look that speaks for nothing yet.
func (u *utilization) begin(at time.Duration) {
	u.started, u.at = true, max(at, u.at)
	u.stand()
}

// stand makes a look that adds nothing to the one before.
func (u *utilization) stand() { u.since, u.share = u.at, metric.Share{} }

// usePolls sets the result from the polled rates. code is why there are no
// samples. It returns what stands for the utilisation of this look: SUCCESS
// where it is known or cannot be known.
func (u *utilization) usePolls(now time.Duration, code nvml.Return) nvml.Return {
	blind := unsupported(u.polled) && (unsupported(code) || code == nvml.ERROR_NOT_FOUND)
	switch {
	case !u.started && (u.polls > 0 || blind):
		u.begin(now)
		return nvml.SUCCESS
	case u.polls == 0 && !blind:
		u.stand()
		if rank(u.polled) > rank(code) {
			return u.polled
		}
		return code
	}
	u.since, u.at, u.share = max(u.at, now-u.hold), max(now, u.at), metric.Share{}
	if u.polls > 0 {
		u.share = metric.KnownShare(u.sum / float64(u.polls))
	}
	return nvml.SUCCESS
}

// stamp and boot turn boot time into the driver's stamps and back: µs since
// the epoch.
func (u *utilization) stamp(t time.Duration) uint64 {
	return uint64((t - u.offset) / time.Microsecond)
}

func (u *utilization) boot(stamp uint64) time.Duration {
	return time.Duration(stamp)*time.Microsecond + u.offset
}

// meanOf is the mean of the samples in (from, to], each weighted with the time
// since the one before. It begins anew after a hole, and says from when it
// speaks. All times are stamps.
func meanOf(samples []nvml.Sample, typ nvml.ValueType, from, to uint64) (metric.Share, uint64) {
	var sum, weight float64
	last := from
	for i := range samples {
		s := &samples[i]
		if s.TimeStamp <= last || s.TimeStamp > to {
			continue
		}
		gap := s.TimeStamp - last
		last = s.TimeStamp
		if gap > uint64(samplePeriod/time.Microsecond) {
			sum, weight, from = 0, 0, last
			continue
		}
		sum += float64(gap) * min(samplePercent(s, typ), maxPercent) * percent
		weight += float64(gap)
	}
	if weight == 0 {
		return metric.Share{}, from
	}
	return metric.KnownShare(sum / weight), from
}

func samplePercent(s *nvml.Sample, typ nvml.ValueType) float64 {
	if v := typedNumber(typ, &s.SampleValue); v >= 0 {
		return v
	}
	return float64(binary.NativeEndian.Uint32(s.SampleValue[:])) // nvml.h says so, whatever the type
}

// wallClock returns the time since the epoch.
func wallClock() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
