package nvml

import (
	"math"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// cycleIDs are the GPM metrics that SM activity is known from, read whatever
// the rows that are asked for.
var cycleIDs = [...]uint32{
	uint32(nvml.GPM_METRIC_SM_UTIL),
	uint32(nvml.GPM_METRIC_SM_CYCLES_ELAPSED),
	uint32(nvml.GPM_METRIC_SM_CYCLES_ACTIVE),
}

// sight is what one pair of samples said of SM activity. What it did not say
// is not known.
type sight struct {
	util, elapsed, active                float64 // util is a share
	utilKnown, elapsedKnown, activeKnown bool
}

// note takes over a metric, if it is one of cycleIDs and can be true.
func (s *sight) note(id uint32, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return
	}
	switch nvml.GpmMetricId(id) {
	case nvml.GPM_METRIC_SM_UTIL:
		v = atMostAll(v)
		s.util, s.utilKnown = v*percent, v <= maxPercent
	case nvml.GPM_METRIC_SM_CYCLES_ELAPSED:
		s.elapsed, s.elapsedKnown = v, true
	case nvml.GPM_METRIC_SM_CYCLES_ACTIVE:
		s.active, s.activeKnown = v, true
	}
}

// cycles are the driver's counters of SM cycles since boot, where it has them:
// their difference is exact. The zero cycles has seen none.
type cycles struct {
	elapsed, active float64
	known           bool
}

// believed is how far the counters may be from the driver's own average: the
// header does not say what they count, so a difference that says something
// else is not taken for a share.
const believed = 0.02

// share returns how active the SMs were since the sight before.
func (c *cycles) share(s *sight) metric.Share {
	before := *c
	*c = cycles{s.elapsed, s.active, s.elapsedKnown && s.activeKnown}
	average := metric.Share{Known: s.utilKnown, Value: s.util}
	if !before.known || !c.known || c.elapsed <= before.elapsed || c.active < before.active {
		return average // no counters, or they started again
	}
	exact := (c.active - before.active) / (c.elapsed - before.elapsed)
	if exact > 1 || average.Known && math.Abs(exact-average.Value) > believed {
		return average
	}
	return metric.KnownShare(exact)
}

// history keeps the last few averages, each with the span that it is of. A
// look speaks for the time between two of the driver's utilisation samples,
// which is not the time between two GPM samples: what is said of the look is
// put together from the averages that it overlaps. So the looks add up to all
// that the averages said.
type history struct {
	spans [8]average // the newest last
}

type average struct {
	from, to time.Duration // boot clock; to is 0 for none
	value    float64
}

func (h *history) add(from, to time.Duration, value float64) {
	copy(h.spans[:], h.spans[1:])
	h.spans[len(h.spans)-1] = average{from, to, value}
}

// mean returns the mean over (since, at]; unknown where the averages leave a
// part of it out.
func (h *history) mean(since, at time.Duration) metric.Share {
	var sum float64
	var covered time.Duration
	for i := range h.spans {
		a := &h.spans[i]
		if n := min(a.to, at) - max(a.from, since); n > 0 {
			sum += float64(n) * a.value
			covered += n
		}
	}
	if at <= since || covered < at-since {
		return metric.Share{}
	}
	return metric.KnownShare(min(sum/float64(covered), 1))
}
