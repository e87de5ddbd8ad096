package holder_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// metered is sumsOf for a finder in synthetic time, at one look a second.
func metered(t *testing.T, minutes int, f *holder.Finder, step func(sec int) metric.Look) map[usage.Holder]usage.Sums {
	t.Helper()
	return sumsOf(t, minutes, f, func(sec int) metric.Look {
		if sec > 0 {
			time.Sleep(time.Second)
		}
		return step(sec)
	})
}

// sumsOf gives a finder and a meter the looks of some minutes, one a second, and
// returns the sums of each holder. Each window must add up to its minute, and
// its busy time to the GPU's.
func sumsOf(t *testing.T, minutes int, f *holder.Finder, step func(sec int) metric.Look) map[usage.Holder]usage.Sums {
	t.Helper()
	m := meter.New(meter.Config{Holders: f.Holders, Parts: f.Part, Basis: usage.BasisProcess}, meter.State{})
	out := map[usage.Holder]usage.Sums{}
	var busyMs int64
	var util float64 // seconds
	t0 := time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC)
	for sec := range minutes*60 + 1 {
		l := step(sec)
		l.Since, l.At = time.Duration(max(sec-1, 0))*time.Second, time.Duration(sec)*time.Second
		if sec > 0 {
			util += l.Util.Value
		}
		for _, c := range m.Observe(metric.Frame{Boot: l.At, Wall: t0.Add(l.At), Driver: metric.Driver{Up: true, Load: 1}, Looks: []metric.Look{l}}) {
			var ms, busy int64
			for _, r := range c.Records {
				s := out[r.Holder]
				s.Add(r.Sums)
				out[r.Holder] = s
				ms += r.ObservedMs()
				busy += r.BusyMs
			}
			if ms != 60_000 {
				t.Errorf("holders of the window at %d add up to %d ms, want 60000", c.StartMs, ms)
			}
			busyMs += busy
			if diff := float64(busyMs) - 1000*util; diff < -0.501 || diff > 0.501 {
				t.Errorf("holders were busy for %d ms until the end of the window at %d, the GPU for %.1f ms", busyMs, c.StartMs, 1000*util)
			}
		}
	}
	return out
}

func TestPodsThatComeAndGoHaveTheSecondsTheyWereThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProc(t)
		p.add(10, "/kubepods/besteffort/pod"+podX+"/"+container)
		k := &source[[]kubelet.Use]{}
		f := find(t, holder.Config{Kubelet: k, Proc: p.dir})
		start(t, f)
		time.Sleep(time.Second / 2) // not together with the cadence
		got := metered(t, 2, f, func(sec int) metric.Look {
			var pids []int
			k.set(nil, nil)
			if sec%6 >= 1 && sec%6 <= 3 { // ten times a minute, for three seconds
				pids = []int{10}
				k.set([]kubelet.Use{use("x", gpuA)}, nil)
			}
			l := look(gpuA, 0, pids...)
			l.Util = metric.KnownShare(0.5 * float64(len(pids)))
			return l
		})
		nobody := usage.Holder{Basis: usage.BasisKubelet}
		if x := got[podHolder("x")]; x.BusyMs != 30_000 || x.IdleMs != 30_000 || got[nobody].UnallocatedMs != 60_000 || len(got) != 2 {
			t.Errorf("sums = %+v, want a minute for pod x, half of it busy, and a minute for nobody", got)
		}
	})
}

func TestPodsOnOneGPUCountItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &source[[]kubelet.Use]{value: []kubelet.Use{use("x", gpuA), use("y", gpuA), use("y", gpuA)}} // y has two shares
		f := find(t, holder.Config{Kubelet: k})
		start(t, f)
		got := metered(t, 2, f, func(int) metric.Look {
			l := look(gpuA, 0)
			l.Util = metric.KnownShare(0.25)
			return l
		})
		for _, name := range []string{"x", "y"} {
			if s := got[podHolder(name)]; s.BusyMs != 15_000 || s.IdleMs != 45_000 {
				t.Errorf("pod %s has %+v, want a minute, a quarter of it busy", name, s)
			}
		}
	})
}

func TestSevenPodsOnSevenInstancesHaveASeventhEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var uses []kubelet.Use
		for i := range 6 {
			uses = append(uses, use(fmt.Sprint("pod-", i), fmt.Sprint("MIG-", i)))
		}
		f := find(t, holder.Config{Kubelet: &source[[]kubelet.Use]{value: uses}})
		start(t, f)
		got := metered(t, 7, f, func(int) metric.Look {
			l := divided(0)
			util := 0.0
			for i := range l.Instances {
				l.Instances[i].Util = metric.KnownShare(float64(i) / 10)
				util += float64(i) / 70
			}
			l.Util = metric.KnownShare(util)
			return l
		})
		var busy int64
		for i := range 6 {
			s := got[podHolder(fmt.Sprint("pod-", i))]
			busy += s.BusyMs
			if want := int64(6_000 * i); s.ObservedMs() != 60_000 || s.BusyMs < want-4 || s.BusyMs > want+4 {
				t.Errorf("pod %d has %+v, want a minute, %d ms of it busy", i, s, want)
			}
		}
		// What ran in the instance that no pod has is busy all the same.
		if s := got[usage.Holder{Basis: usage.BasisKubelet}]; s.ObservedMs() != 60_000 || busy+s.BusyMs != 126_000 {
			t.Errorf("nobody has %+v, want a minute, and 126 s busy together with %d", s, busy)
		}
	})
}
