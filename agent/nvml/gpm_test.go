package nvml

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// waves is a GPU whose activity has a period that no look fits.
const waves = "gpus 1 h100\ngpu 0 util 50\ngpu 0 sm-active square period=170ms on=51ms\ngpu 0 tensor square period=170ms on=34ms\n"

// TestGPMLeavesNoTimeOut compares what the looks add up to with the wave: a
// sample at every look and averages between them see every bit of it.
func TestGPMLeavesNoTimeOut(t *testing.T) {
	for _, branch := range []string{"580", "610"} { // 610 has cycle counters
		t.Run(branch, func(t *testing.T) {
			w := openBranch(t, branch, waves, AllGroups)
			s := w.slots[0]
			tensor := slices.IndexFunc(Table, func(r Row) bool { return r.Name == "gpu.tensor.active" })
			var active, tensorSum float64
			var covered, tensorCovered time.Duration
			s.tick(BootClock())
			for range 12 {
				time.Sleep(110 * time.Millisecond)
				s.tick(BootClock())
				l := &s.look
				if l.active.Known {
					active += l.active.Value * (l.at - l.since).Seconds()
					covered += l.at - l.since
				}
				// The integrals multiply the one with the other.
				if v := l.values[tensor]; !math.IsNaN(v) {
					tensorSum += v * (l.at - l.since).Seconds()
					tensorCovered += l.at - l.since
				}
			}
			if covered < 800*time.Millisecond {
				t.Fatalf("looks speak for %s of SM activity, want more", covered)
			}
			if got := active / covered.Seconds(); math.Abs(got-0.3) > 0.05 {
				t.Errorf("SM activity = %v, want 0.3", got)
			}
			if got := tensorSum / tensorCovered.Seconds(); tensorCovered != covered || math.Abs(got-0.2) > 0.04 {
				t.Errorf("tensor activity = %v over %s, want 0.2 over %s", got, tensorCovered, covered)
			}
		})
	}
}

// TestIntegralOfARowIsThatOfItsLooks makes looks whose spans are not those of
// the GPM samples, as the driver's utilisation samples make them: of no time,
// and then of the time of two.
func TestIntegralOfARowIsThatOfItsLooks(t *testing.T) {
	s := openSim(t, "gpus 1 h100\ngpu 0 util 50\n").slots[0]
	s.tick(BootClock())
	d := s.dev
	row := d.gpm.spanned[0].row
	const sec = time.Second
	began := d.now + 10*sec
	var got float64
	for i, x := range []struct {
		since, at time.Duration // of the look
		value     float64       // of the second that the samples span
	}{{0, 0, 0.1}, {0, 1, 0.2}, {1, 1, 0.9}, {1, 3, 0.5}, {3, 4, 0.7}} {
		to := began + time.Duration(i)*sec
		d.gpm.spanned[0].past.add(to-sec, to, x.value)
		d.util.since, d.util.at = began+x.since*sec-sec, began+x.at*sec-sec
		d.meanSpans()
		if v := d.values[row]; x.at > x.since {
			got += v * (d.util.at - d.util.since).Seconds()
		}
	}
	if want := 0.1 + 0.2 + 0.9 + 0.5; math.Abs(got-want) > 1e-9 {
		t.Errorf("the looks add up to %v s, want %v", got, want)
	}
}

func TestGPMIsNotAskedOfGPUsWithoutIt(t *testing.T) {
	s := openSim(t, "gpus 1 t4\ngpu 0 util 50\n").slots[0]
	s.tick(BootClock())
	g := &s.dev.gpm
	if s.look.condition != metric.Good || !g.next.absent || g.pair.sample[0] != nil || g.active.Known {
		t.Errorf("condition %d, GPM absent: %v, sample %v, active %+v", s.look.condition, g.next.absent, g.pair.sample[0], g.active)
	}
	s.tick(BootClock() + time.Second)
	if g.request != nil {
		t.Error("metrics were asked for")
	}
}

// TestGPMSampleThatFailsCostsNoTime lets one sample fail: the next average
// spans the time of both.
func TestGPMSampleThatFailsCostsNoTime(t *testing.T) {
	s := openSim(t, "gpus 1 h100\ngpu 0 util 50\nfault nvmlGpmSampleGet return UNKNOWN after=2 times=1\n").slots[0]
	for range 5 {
		s.tick(BootClock())
		time.Sleep(110 * time.Millisecond)
	}
	from, to, ok := s.dev.gpm.pair.span()
	spans := s.dev.gpm.past.spans
	if !ok || to <= from {
		t.Fatalf("pair spans %s to %s", from, to)
	}
	var had int
	for i := 1; i < len(spans); i++ {
		if spans[i-1].to == 0 {
			continue
		}
		if had++; spans[i].from != spans[i-1].to {
			t.Errorf("an average begins at %s, the one before ended at %s", spans[i].from, spans[i-1].to)
		}
	}
	if had != 2 {
		t.Errorf("%d averages after the first, want 2 of 3: one is of two looks", had)
	}
}

func TestGPMSamplesAreFreed(t *testing.T) {
	s := openSim(t, "gpus 1 h100\n").slots[0]
	s.tick(BootClock())
	if s.dev.gpm.pair.sample[0] == nil {
		t.Fatal("no sample")
	}
	s.dev.close()
	if s.dev.gpm.pair != (samplePair{}) || s.dev.handle != nil {
		t.Errorf("after close: %+v", s.dev.gpm.pair)
	}
	s.tick(BootClock())
	if s.look.condition != metric.Good || s.dev.gpm.pair.sample[0] == nil {
		t.Error("a GPU opened again has no samples")
	}
}

func TestGPMNumbersThatAreNoneAreAbsent(t *testing.T) {
	s := share(nvml.GPM_METRIC_SM_UTIL)
	for _, v := range []float64{math.NaN(), math.Inf(1), -1, 100.5, 140737488355328} {
		if got := baseValue(&s, v); !math.IsNaN(got) {
			t.Errorf("%v is read as %v, want it absent", v, got)
		}
	}
}
