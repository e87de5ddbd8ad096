package nvml

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// TestLooksAddUpToTheAverages has looks that end some time before the samples
// are taken, as they do: what they say of SM activity must add up to what the
// averages said, none of it twice and none left out.
func TestLooksAddUpToTheAverages(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var h history
	type average struct {
		to    time.Duration
		value float64
	}
	var all []average
	now, at := 100*time.Second, 100*time.Second
	begin := now
	var got float64
	for range 3000 {
		from := now
		now += time.Duration(200+r.IntN(1500)) * time.Millisecond
		v := r.Float64()
		h.add(from, now, v)
		all = append(all, average{now, v})
		since := at
		if late := now - time.Duration(r.IntN(1000))*time.Millisecond; late > at {
			at = late
		}
		share := h.mean(since, at)
		if share.Known != (at > since) {
			t.Fatalf("share of %s to %s known: %v", since, at, share.Known)
		}
		got += share.Value * (at - since).Seconds()
	}
	var want float64
	last := begin
	for _, a := range all {
		if a.to > at {
			a.to = at
		}
		want += a.value * (a.to - last).Seconds()
		if last = a.to; last == at {
			break
		}
	}
	if math.Abs(got-want) > 1e-6*want {
		t.Errorf("looks add up to %vs, averages to %vs", got, want)
	}
}

func TestActivityOfWhatNobodyMeasuredIsUnknown(t *testing.T) {
	var h history
	f := func(since, at time.Duration) {
		t.Helper()
		if s := h.mean(since, at); s.Known {
			t.Errorf("%d to %d: %v is known", since, at, s.Value)
		}
	}
	f(0, 0)
	f(10, 20)
	h.add(10, 20, 0.5)
	h.add(30, 40, 0.5) // a sample in between could not be taken
	f(9, 15)
	f(15, 35)
	f(35, 41)
	f(12, 12)
	if s := h.mean(31, 40); s != metric.KnownShare(0.5) {
		t.Errorf("31 to 40 = %+v, want 0.5", s)
	}
}

func TestCycleCountersAreBelievedWhenTheyAgree(t *testing.T) {
	sees := func(util, elapsed, active float64) sight {
		var s sight
		s.note(uint32(nvml.GPM_METRIC_SM_UTIL), util)
		s.note(uint32(nvml.GPM_METRIC_SM_CYCLES_ELAPSED), elapsed)
		s.note(uint32(nvml.GPM_METRIC_SM_CYCLES_ACTIVE), active)
		return s
	}
	none := math.NaN()
	f := func(what string, before, s sight, want float64) {
		t.Helper()
		var c cycles
		c.share(&before)
		got := c.share(&s)
		if got.Known == math.IsNaN(want) || got.Known && math.Abs(got.Value-want) > 1e-12 {
			t.Errorf("%s: share = %+v, want %v", what, got, want)
		}
	}
	f("counters", sees(none, 1000, 100), sees(none, 2000, 350), 0.25)
	f("counters that agree", sees(none, 1000, 100), sees(24.5, 2000, 350), 0.25)
	f("counters that count something else", sees(none, 1000, 100), sees(80, 2000, 350), 0.80)
	f("the first sight of counters", sight{}, sees(40, 2000, 350), 0.40)
	f("counters that started again", sees(none, 5000, 900), sees(40, 2000, 350), 0.40)
	f("active cycles that fell", sees(none, 1000, 900), sees(40, 2000, 350), 0.40)
	f("more active than there were", sees(none, 1000, 100), sees(100, 1100, 900), 1)
	f("nothing", sees(none, none, none), sees(none, none, none), none)
	f("what is not a share", sees(none, none, none), sees(140737488355328, none, none), none)
	f("not a number", sees(1, none, none), sees(math.Inf(1), none, none), none)
}
