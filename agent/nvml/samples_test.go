package nvml

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

func sample(at uint64, percentage uint32) nvml.Sample {
	s := nvml.Sample{TimeStamp: at}
	binary.NativeEndian.PutUint32(s.SampleValue[:], percentage)
	return s
}

const (
	ms    = 1000                   // µs
	epoch = 1e18 * time.Nanosecond // since 1970, roughly
)

func TestMeanWeighsByTime(t *testing.T) {
	f := func(what string, from, to uint64, want, since float64, samples ...nvml.Sample) {
		t.Helper()
		share, start := meanOf(samples, nvml.VALUE_TYPE_UNSIGNED_INT, from, to)
		got := -1.0
		if share.Known {
			got = share.Value
		}
		if math.Abs(got-want) > 1e-12 || float64(start) != since {
			t.Errorf("%s: mean = %v since %d, want %v since %v", what, got, start, want, since)
		}
	}
	f("nothing", 0, 100*ms, -1, 0)
	f("one", 0, 100*ms, 0.4, 0, sample(100*ms, 40))
	f("two of unlike length", 0, 400*ms, 0.25, 0, sample(100*ms, 100), sample(400*ms, 0))
	f("old ones are left out", 200*ms, 400*ms, 0, 200*ms, sample(100*ms, 100), sample(200*ms, 100), sample(400*ms, 0))
	f("late ones are left out", 0, 100*ms, 1, 0, sample(100*ms, 100), sample(400*ms, 0))
	f("out of order ones are left out", 0, 400*ms, 0.5, 0, sample(200*ms, 100), sample(100*ms, 100), sample(400*ms, 0))
	f("above 100 is 100", 0, 100*ms, 1, 0, sample(100*ms, 250))
	f("a hole begins anew", 0, 9000*ms, 1, 8900*ms, sample(100*ms, 0), sample(8900*ms, 0), sample(9000*ms, 100))
}

// TestLooksAddUpToTheSamples feeds random samples in random portions, and
// compares with the sum over the samples themselves.
func TestLooksAddUpToTheSamples(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	u := &utilization{hold: time.Hour, call: &sampleCall{typ: uint32(nvml.VALUE_TYPE_UNSIGNED_INT)}, offset: -epoch}
	now := 100 * time.Second
	var got, want float64
	u.buf = append(u.buf, sample(u.stamp(now), 50))
	if !u.useSamples(1, now) || u.share.Known || u.since != u.at {
		t.Fatalf("first look speaks for %s to %s", u.since, u.at)
	}
	first := u.at
	for range 2000 {
		u.buf = u.buf[:0]
		for range 1 + r.IntN(9) {
			gap := time.Duration(1+r.IntN(900_000)) * time.Microsecond
			now += gap
			p := uint32(r.IntN(101))
			u.buf = append(u.buf, sample(u.stamp(now), p))
			want += gap.Seconds() * float64(p) / 100
		}
		before := u.at
		if !u.useSamples(len(u.buf), now) || u.since != before {
			t.Fatalf("look speaks from %s, the one before ended at %s", u.since, before)
		}
		got += (u.at - u.since).Seconds() * u.share.Value
	}
	if math.Abs(got-want) > 1e-6*want || u.at != now || first >= u.at {
		t.Errorf("looks add up to %vs busy until %s, the samples to %vs until %s", got, u.at, want, now)
	}
}

// TestWallClockStepIsNoUtilization has samples in the buffer that were stamped
// before the wall clock was set back, and so lie in the future.
func TestWallClockStepIsNoUtilization(t *testing.T) {
	u := &utilization{hold: 3 * time.Second, call: &sampleCall{typ: uint32(nvml.VALUE_TYPE_UNSIGNED_INT)}, offset: -epoch}
	now := 100 * time.Second
	u.buf = []nvml.Sample{sample(u.stamp(now), 100)}
	u.useSamples(1, now)
	before := u.at
	u.offset, u.last = time.Hour-epoch, 0 // what readBuffers does
	ahead := u.buf[0]
	u.buf = []nvml.Sample{ahead}
	if u.useSamples(1, now+time.Second) {
		t.Errorf("a sample of the future is used: %s to %s", u.since, u.at)
	}
	u.buf = []nvml.Sample{ahead, sample(u.stamp(now+time.Second), 20)}
	if !u.useSamples(2, now+time.Second) || u.since != before || math.Abs(u.share.Value-0.2) > 1e-9 {
		t.Errorf("after the step: %s to %s, share %+v; want 0.2 since %s", u.since, u.at, u.share, before)
	}
}

func TestPollsStandWhereNoSamplesAre(t *testing.T) {
	u := &utilization{hold: 3 * time.Second, call: &sampleCall{}}
	look := func(now time.Duration, why nvml.Return, polls ...float64) nvml.Return {
		u.sum, u.polls, u.polled = 0, 0, nvml.ERROR_UNKNOWN
		for _, p := range polls {
			u.poll(nvml.SUCCESS, p)
		}
		return u.usePolls(now, why)
	}
	if code := look(10*time.Second, nvml.ERROR_NOT_SUPPORTED, 30); code != nvml.SUCCESS || u.since != u.at || u.share.Known {
		t.Errorf("first look = %v, speaks for %s to %s", code, u.since, u.at)
	}
	if code := look(11*time.Second, nvml.ERROR_NOT_SUPPORTED, 30, 50); code != nvml.SUCCESS || u.share != metric.KnownShare(0.4) {
		t.Errorf("second look = %v %+v, want 0.4", code, u.share)
	}
	if code := look(12*time.Second, nvml.ERROR_NOT_SUPPORTED); code != nvml.ERROR_UNKNOWN || u.at != 11*time.Second {
		t.Errorf("failed look = %v, and moves the end to %s", code, u.at)
	}
	if look(20*time.Second, nvml.ERROR_NOT_SUPPORTED, 10); u.since != 17*time.Second {
		t.Errorf("look after a long silence speaks since %s, want 17s: three intervals", u.since)
	}
}
