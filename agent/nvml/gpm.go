package nvml

import (
	"math"
	"time"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// GPM is what the driver of Hopper and later has of performance counters: two
// samples of all of them, and averages over the time between the two. One
// sample is taken at every look and the one before is kept, so nothing of the
// time is left out.

const (
	// gpmApart is the shortest time between two samples: 100 ms (nvml.h), less
	// what a timer may be off.
	gpmApart = 95 * time.Millisecond
	// whole stands for the number of a GPU instance where the GPU is meant.
	whole = -1
)

// gpmRequest is nvmlGpmMetricsGet_t. Pointers into the driver's memory are
// numbers here, so that cgo has nothing to look for in it.
type gpmRequest struct {
	version, count   uint32
	sample1, sample2 uintptr
	metrics          [nvml.GPM_METRIC_MAX]gpmMetric
}

// gpmMetric is nvmlGpmMetric_t.
type gpmMetric struct {
	id, code uint32
	value    float64
	words    [3]uintptr // names and unit, for people
}

// samplePair is the newest two samples of a GPU, or of an instance of one, in
// memory of the driver. The zero samplePair has none.
type samplePair struct {
	sample [2]unsafe.Pointer
	at     [2]time.Duration // boot clock of each, 0 for none
	newest int
}

// take takes a sample in the place of the older one. A sample that cannot be
// taken leaves the newest as it is: the next pair then spans the time of both.
func (p *samplePair) take(d *device, instance int) nvml.Return {
	if code := p.alloc(d); code != nvml.SUCCESS {
		return code
	}
	older := 1 - p.newest
	p.at[older] = 0
	before := d.clock()
	d.begin()
	var code nvml.Return
	if instance == whole {
		code = callOut(d.lib.fn[fnGPMSample], d.handle, p.sample[older])
	} else {
		code = callArg(d.lib.fn[fnGPMInstanceSample], d.handle, uint32(instance), p.sample[older])
	}
	d.end()
	if code == nvml.SUCCESS {
		p.at[older], p.newest = (before+d.clock())/2, older
	}
	return code
}

func (p *samplePair) alloc(d *device) nvml.Return {
	for i := range p.sample {
		if p.sample[i] != nil {
			continue
		}
		d.begin()
		code := callOne(d.lib.fn[fnGPMAlloc], unsafe.Pointer(&d.scratch.sample))
		d.end()
		if code != nvml.SUCCESS {
			return code
		}
		p.sample[i] = d.scratch.sample
	}
	return nvml.SUCCESS
}

// span returns what the pair speaks for; false while there are not two samples.
func (p *samplePair) span() (from, to time.Duration, ok bool) {
	from, to = p.at[1-p.newest], p.at[p.newest]
	return from, to, from > 0 && to > from
}

// metrics fills in the first n metrics of a request, over the span of the pair.
func (p *samplePair) metrics(d *device, r *gpmRequest, n int) nvml.Return {
	r.version, r.count = nvml.GPM_METRICS_GET_VERSION, uint32(n)
	r.sample1, r.sample2 = uintptr(p.sample[1-p.newest]), uintptr(p.sample[p.newest])
	d.begin()
	defer d.end()
	return callOne(d.lib.fn[fnGPMMetrics], unsafe.Pointer(r))
}

// free gives the samples back to the driver.
func (p *samplePair) free(d *device) {
	for _, s := range p.sample {
		if s == nil {
			continue
		}
		d.begin()
		_ = callOne(d.lib.fn[fnGPMFree], s) // it has nothing to fail for
		d.end()
	}
	*p = samplePair{}
}

// number returns what the driver wrote for a metric; NaN where that is nothing,
// or not a number.
func (m *gpmMetric) number() (float64, nvml.Return) {
	code := nvml.Return(m.code)
	if code != nvml.SUCCESS {
		return math.NaN(), code
	}
	return m.value, code
}

// overshoot is how far above 100 a share may come out, by rounding or because
// the driver does not read all of its counters at the same moment: a GPU that
// is busy all the time must not count as one that says nothing.
const overshoot = 1

// atMostAll returns a percentage that came out a little above 100 as 100.
func atMostAll(v float64) float64 {
	if v > maxPercent && v <= maxPercent+overshoot {
		return maxPercent
	}
	return v
}

// gpmValue is baseValue for GPM metrics.
func gpmValue(s *Source, v float64) float64 {
	if s.Max == maxPercent {
		v = atMostAll(v)
	}
	return baseValue(s, v)
}

// gpm is what a device needs to read its GPM metrics.
type gpm struct {
	pair    samplePair
	next    due // when a sample is taken, unless GPM is not supported
	asked   bool
	request *gpmRequest
	of      []int // place in the plan, by place in the request
	due     []due // by place in the plan
	cycles  cycles
	past    history
	spanned []spanned
	// active is the share of SM cycles that were active over the span of the
	// look.
	active metric.Share
}

// spanned is a row whose value is the average over the span of the look.
type spanned struct {
	row    int
	newest float64 // of the newest pair of samples, NaN where there is none
	past   history
}

// readGPM fills the GPM rows, and finds how active the SMs were in the span of
// the look, which must be known already.
func (d *device) readGPM(o *outcome) {
	g := &d.gpm
	if len(d.plan.gpm) > 0 && g.next.now(d.now) && d.now-g.pair.at[g.pair.newest] >= gpmApart {
		code := d.sampleGPM()
		o.note(code)
		g.next.after(code, d.now, 0)
	}
	g.active = g.past.mean(d.util.since, d.util.at)
	d.meanSpans()
}

// meanSpans sets the rows that are of the span of the look. In a look that
// speaks for no time, which nobody adds up, they are what the samples say.
func (d *device) meanSpans() {
	for i := range d.gpm.spanned {
		s := &d.gpm.spanned[i]
		switch m := s.past.mean(d.util.since, d.util.at); {
		case m.Known:
			d.values[s.row] = m.Value
		case d.util.since == d.util.at:
			d.values[s.row] = s.newest
		default:
			d.values[s.row] = math.NaN()
		}
	}
}

// sampleGPM takes a sample, and the metrics since the sample before.
func (d *device) sampleGPM() nvml.Return {
	g := &d.gpm
	for _, p := range d.plan.gpm {
		if p.row >= 0 {
			d.putRow(p.row, math.NaN(), 0, 0)
		}
	}
	code := d.supportsGPM()
	if code == nvml.SUCCESS {
		code = g.pair.take(d, whole)
	}
	from, to, ok := g.pair.span()
	if code != nvml.SUCCESS || !ok {
		return code
	}
	d.wantGPM()
	if code = g.pair.metrics(d, g.request, len(g.of)); code != nvml.SUCCESS {
		g.cycles = cycles{} // what they counted in this span is not known
		return code
	}
	d.putGPM(from, to)
	return code
}

// supportsGPM asks once whether the GPU has GPM at all.
func (d *device) supportsGPM() nvml.Return {
	g := &d.gpm
	if g.asked {
		return nvml.SUCCESS
	}
	s := shared[nvml.GpmSupport](d)
	s.Version = nvml.GPM_SUPPORT_VERSION
	d.begin()
	code := callOut(d.lib.fn[fnGPMSupport], d.handle, unsafe.Pointer(s))
	d.end()
	if code == nvml.SUCCESS && s.IsSupportedDevice == 0 {
		code = nvml.ERROR_NOT_SUPPORTED
	}
	if code == nvml.SUCCESS {
		g.asked = true
		if g.request == nil {
			g.request = &gpmRequest{}
		}
	}
	return code
}

// wantGPM writes the metrics that are due into the request.
func (d *device) wantGPM() {
	g := &d.gpm
	g.of = g.of[:0]
	for i := range d.plan.gpm {
		if g.due[i].now(d.now) {
			g.request.metrics[len(g.of)] = gpmMetric{id: d.plan.gpm[i].id}
			g.of = append(g.of, i)
		}
	}
}

// putGPM takes over the metrics of a span.
func (d *device) putGPM(from, to time.Duration) {
	g := &d.gpm
	var seen sight
	for n, i := range g.of {
		v, code := g.request.metrics[n].number()
		g.due[i].after(code, d.now, 0)
		p := &d.plan.gpm[i]
		seen.note(p.id, v)
		if p.row >= 0 {
			d.putRow(p.row, v, from, to)
		}
	}
	if share := g.cycles.share(&seen); share.Known {
		g.past.add(from, to, share.Value)
	}
}

// putRow takes over a metric that has a row; NaN is none.
func (d *device) putRow(row int, v float64, from, to time.Duration) {
	v = gpmValue(&d.plan.rows[row].Source, v)
	for i := range d.gpm.spanned {
		if s := &d.gpm.spanned[i]; s.row == row {
			if s.newest = v; !math.IsNaN(v) {
				s.past.add(from, to, v)
			}
			return
		}
	}
	d.values[row] = v
}
