package nvml_test

import (
	"math"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/metric"
)

// covered adds up what the looks at one GPU speak for, as a meter would.
type covered struct {
	from, to time.Duration
	busy     time.Duration
	gaps     time.Duration
}

func (c *covered) add(l metric.Look) {
	if !l.Util.Known || l.At <= c.to {
		return
	}
	since := max(l.Since, c.to)
	if c.to == 0 {
		c.from = since
	} else {
		c.gaps += since - c.to
	}
	c.busy += time.Duration(l.Util.Value * float64(l.At-since))
	c.to = l.At
}

// squareWave is the time in (from, to] at which a wave is high that is high
// for on at the beginning of every second of the boot clock.
func squareWave(from, to, on time.Duration) time.Duration {
	up := func(t time.Duration) time.Duration { return t/time.Second*on + min(t%time.Second, on) }
	return up(to) - up(from)
}

func TestReaderMetersSquareWave(t *testing.T) {
	for _, every := range []time.Duration{200 * time.Millisecond, 450 * time.Millisecond, time.Second} {
		t.Run(every.String(), func(t *testing.T) {
			t.Parallel()
			n := start(t, "gpus 2 h100\ngpu * util square period=1s on=0.4s\n", func(c *nvml.Config) { c.Interval = every })
			n.until("with a good look", good(2))
			var c covered
			for end := time.Now().Add(6 * time.Second); time.Now().Before(end); time.Sleep(130 * time.Millisecond) {
				c.add(n.Frame().Looks[1])
			}
			want := squareWave(c.from, c.to, 400*time.Millisecond)
			if off := math.Abs(float64(c.busy-want)) / float64(want); off > 0.01 {
				t.Errorf("busy for %s of %s, want %s: %.2f %% off", c.busy, c.to-c.from, want, 100*off)
			}
			if c.to-c.from < 4*time.Second || c.gaps > time.Millisecond {
				t.Errorf("covered %s with gaps of %s, want 4s or more without", c.to-c.from, c.gaps)
			}
		})
	}
}

// TestReaderPollsWithoutSamples is for drivers that keep no samples, and for
// intervals longer than a second, in which it must poll several times.
func TestReaderPollsWithoutSamples(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 1 h100\ngpu 0 util steps 0s=20 1s=60 repeat=2s\nfault nvmlDeviceGetSamples return NOT_SUPPORTED\n",
		func(c *nvml.Config) { c.Interval = 2 * time.Second })
	f := n.until("with a known utilisation", func(f metric.Frame) bool { return len(f.Looks) == 1 && f.Looks[0].Util.Known })
	l := f.Looks[0]
	if math.Abs(l.Util.Value-0.4) > 1e-9 {
		t.Errorf("utilisation = %v, want 0.4: the mean of a poll in each second", l.Util.Value)
	}
	if l.At-l.Since < time.Second || l.At-l.Since > 3*time.Second {
		t.Errorf("the look speaks for %s, want about 2s", l.At-l.Since)
	}
}

// TestReaderKnowsThatItCannotKnow is for MIG: the GPU is fine, its utilisation
// is not to be had.
func TestReaderKnowsThatItCannotKnow(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 1 h100\nfault nvmlDeviceGetSamples return NOT_SUPPORTED\nfault nvmlDeviceGetUtilizationRates return NOT_SUPPORTED\n")
	f := n.until("that speaks for some time", func(f metric.Frame) bool { return good(1)(f) && f.Looks[0].At > f.Looks[0].Since })
	if f.Looks[0].Util.Known {
		t.Errorf("utilisation = %v, want it unknown", f.Looks[0].Util.Value)
	}
	if v, ok := values(f.Looks[0])["gpu.utilization"]; ok {
		t.Errorf("gpu.utilization = %v, want it absent", v)
	}
}
