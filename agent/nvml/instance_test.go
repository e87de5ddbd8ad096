package nvml_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/metric"
)

const twoInstances = `start now
gpus 2 h100
gpu 0 mig on
gpu 0 instance 1 profile 4g.40gb compute 1c.4g.40gb 3c.4g.40gb
gpu 0 instance 1 util 75
gpu 0 instance 1 sm-active 50
gpu 0 instance 1 tensor 25
gpu 0 instance 1 process pid=100 memory=2GiB compute=0
gpu 0 instance 1 process pid=101 memory=3GiB compute=1
gpu 0 instance 9 profile 1g.10gb+me
gpu 0 instance 9 util 20
gpu 0 instance 9 sm-active 10
gpu 0 instance 9 process pid=100 memory=1GiB
gpu 1 util 40
`

// divided reports whether the first GPU of a good frame has so many instances
// and its utilisation is known.
func divided(instances int) func(metric.Frame) bool {
	return func(f metric.Frame) bool {
		return len(f.Looks) > 0 && f.Looks[0].Condition == metric.Good && f.Looks[0].MIG && len(f.Looks[0].Instances) == instances && f.Looks[0].Util.Known
	}
}

func TestReaderReadsInstances(t *testing.T) {
	t.Parallel()
	n := start(t, twoInstances)
	f := n.until("with two instances", func(f metric.Frame) bool { return good(2)(f) && divided(2)(f) && f.Looks[1].Util.Known })
	l := f.Looks[0]
	got := slices.Clone(l.Instances)
	for i := range got {
		got[i].Readings, got[i].Util, got[i].SMActive = nil, metric.Share{}, metric.Share{}
		for k := range got[i].Compute {
			if c := &got[i].Compute[k]; !strings.HasPrefix(c.UUID, "MIG-") {
				t.Errorf("compute instance %d of %d has UUID %q", c.ID, got[i].ID, c.UUID)
			} else {
				c.UUID = ""
			}
		}
	}
	want := []metric.Instance{
		{ID: 1, Profile: "4g.40gb", Slices: 4, Of: 7, Compute: []metric.ComputeInstance{
			{ID: 0, Slices: 1, Processes: []metric.Process{{PID: 100, MemoryBytes: 2 << 30}}, ProcessesKnown: true},
			{ID: 1, Slices: 3, Processes: []metric.Process{{PID: 101, MemoryBytes: 3 << 30}}, ProcessesKnown: true},
		}},
		{ID: 9, Profile: "1g.10gb+me", Slices: 1, Of: 7, Compute: []metric.ComputeInstance{
			{ID: 0, Slices: 1, Processes: []metric.Process{{PID: 100, MemoryBytes: 1 << 30}}, ProcessesKnown: true},
		}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("instances (-want +got):\n%s", d)
	}
	if want := []metric.Process{{PID: 100, MemoryBytes: 3 << 30}, {PID: 101, MemoryBytes: 3 << 30}}; !l.ProcessesKnown || !slices.Equal(l.Processes, want) {
		t.Errorf("processes of the GPU = %v (known %v), want those of all its instances: %v", l.Processes, l.ProcessesKnown, want)
	}
	if o := f.Looks[1]; o.MIG || o.Instances != nil || !about(o.Util, 0.40) {
		t.Errorf("the GPU beside it: MIG %v, %d instances, util %+v", o.MIG, len(o.Instances), o.Util)
	}
	checkReadings(t, l)
}

// checkReadings checks the readings of twoInstances, and what of them stands
// at the GPU.
func checkReadings(t *testing.T, l metric.Look) {
	t.Helper()
	got := instanceValues(l.Instances[0])
	for key, want := range map[string]float64{
		"gpu.instance.utilization": 0.75, "gpu.instance.sm.active": 0.50, "gpu.instance.tensor.active": 0.25,
		"gpu.instance.memory.used": 5 << 30, // once, however many compute instances share it
	} {
		if v, ok := got[key]; !ok || math.Abs(v-want) > 1e-3*want {
			t.Errorf("%s = %v (there %v), want %v", key, v, ok, want)
		}
	}
	if v := got["gpu.instance.memory.total"]; v < 35<<30 || v > 40<<30 {
		t.Errorf("gpu.instance.memory.total = %v, want half of the GPU's", v)
	}
	if !about(l.Util, (0.75*4+0.20)/7) || !about(l.SMActive, (0.50*4+0.10)/7) {
		t.Errorf("util %+v, SM activity %+v of the GPU", l.Util, l.SMActive)
	}
	energy := 0
	for _, r := range slices.Concat(l.Readings, l.Instances[0].Readings, l.Instances[1].Readings) {
		if strings.Contains(r.Desc.Name, "energy") {
			energy++
		}
		if r.Desc.Name == "gpu.utilization" {
			t.Errorf("gpu.utilization = %v: the driver does not say it of a divided GPU", r.Value)
		}
	}
	if energy != 1 {
		t.Errorf("energy is in %d readings, want it once, at the GPU", energy)
	}
}

func about(s metric.Share, want float64) bool { return s.Known && math.Abs(s.Value-want) < 1e-3 }

func instanceValues(in metric.Instance) map[string]float64 {
	out := map[string]float64{}
	for _, r := range in.Readings {
		out[r.Desc.Key()] = r.Value
	}
	return out
}

// TestSevenInstancesMakeTheGPU gives each of seven instances another load: the
// GPU's share must be their mean, in every frame.
func TestSevenInstancesMakeTheGPU(t *testing.T) {
	t.Parallel()
	scenario := "gpus 1 h100\ngpu 0 mig on\n"
	sum := 0.0
	for i := range 7 {
		load := 3 + 14*i
		sum += float64(load) / 100
		scenario += fmt.Sprintf("gpu 0 instance %d profile 1g.10gb\ngpu 0 instance %d util %d\n", 7+i, 7+i, load)
	}
	n := start(t, scenario)
	n.until("with seven instances", divided(7))
	seen := 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(interval / 3) {
		l := n.Frame().Looks[0]
		if l.At == l.Since {
			continue
		}
		seen++
		if !l.Util.Known || math.Abs(l.Util.Value-sum/7) > 1e-6 {
			t.Errorf("util = %+v, want the mean %v", l.Util, sum/7)
		}
		for i, in := range l.Instances {
			if want := float64(3+14*i) / 100; !in.Util.Known || math.Abs(in.Util.Value-want) > 1e-6 {
				t.Errorf("instance %d has util %+v, want %v", in.ID, in.Util, want)
			}
		}
	}
	if seen < 5 {
		t.Errorf("%d looks in a second", seen)
	}
}

// TestInstancesKeepTheIntegral reads two square waves that no look is in step
// with: what the looks add up to must be what the instances did.
func TestInstancesKeepTheIntegral(t *testing.T) {
	t.Parallel()
	n := start(t, `gpus 1 h100
gpu 0 mig on
gpu 0 instance 1 profile 3g.40gb
gpu 0 instance 1 util square period=1s on=0.4s
gpu 0 instance 2 profile 4g.40gb
gpu 0 instance 2 util square period=1s on=0.15s
`, func(c *nvml.Config) { c.Interval = 170 * time.Millisecond })
	n.until("with a known utilisation", divided(2))
	var c covered
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(interval) {
		c.add(n.Frame().Looks[0])
	}
	want := (3*squareWave(c.from, c.to, 400*time.Millisecond) + 4*squareWave(c.from, c.to, 150*time.Millisecond)) / 7
	if off := math.Abs(float64(c.busy-want)) / float64(want); off > 0.01 {
		t.Errorf("busy for %s of %s, want %s: %.2f %% off", c.busy, c.to-c.from, want, 100*off)
	}
	if c.to-c.from < 2*time.Second || c.gaps > time.Millisecond {
		t.Errorf("covered %s with gaps of %s, want 2s or more without", c.to-c.from, c.gaps)
	}
}

func TestInstancesComeAndGo(t *testing.T) {
	t.Parallel()
	const one = "gpus 1 h100\ngpu 0 util 30\ngpu 0 mig on\ngpu 0 instance 1 profile 3g.40gb\ngpu 0 instance 1 util 70\ngpu 0 instance 1 process pid=7\n"
	n := start(t, one)
	n.until("with one instance", divided(1))
	n.write(one + "gpu 0 instance 2 profile 2g.20gb\ngpu 0 instance 2 util 35\n")
	f := n.until("with two instances", divided(2))
	if want := (0.70*3 + 0.35*2) / 7; !about(f.Looks[0].Util, want) {
		t.Errorf("util with two = %+v, want %v", f.Looks[0].Util, want)
	}
	n.write("gpus 1 h100\ngpu 0 util 30\ngpu 0 mig on\ngpu 0 instance 2 profile 2g.20gb\ngpu 0 instance 2 util 35\n")
	f = n.until("with the second instance only", divided(1))
	if in := f.Looks[0].Instances[0]; in.ID != 2 || in.Profile != "2g.20gb" {
		t.Errorf("instance = %+v, want the second", in)
	}
	n.write("gpus 1 h100\ngpu 0 util 30\ngpu 0 mig on\n")
	f = n.until("without instance", divided(0))
	if l := f.Looks[0]; l.Util.Value != 0 || !l.SMActive.Known || !l.ProcessesKnown || len(l.Processes) != 0 {
		t.Errorf("a GPU without instance: util %+v, SM activity %+v, processes %v (known %v); want idle and free", l.Util, l.SMActive, l.Processes, l.ProcessesKnown)
	}
	n.write("gpus 1 h100\ngpu 0 util 30\n")
	f = n.until("that is whole again", func(f metric.Frame) bool { return good(1)(f) && !f.Looks[0].MIG && f.Looks[0].Util.Known })
	if !about(f.Looks[0].Util, 0.30) || f.Looks[0].Instances != nil {
		t.Errorf("util = %+v, instances %v of a whole GPU", f.Looks[0].Util, f.Looks[0].Instances)
	}
}

// TestSameNumberOfAnotherSizeIsAnother destroys an instance and makes one of
// another size that has its numbers, and so its UUID.
func TestSameNumberOfAnotherSizeIsAnother(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 1 h100\ngpu 0 mig on\ngpu 0 instance 1 profile 3g.40gb\ngpu 0 instance 1 util 50\n")
	n.until("with one instance", divided(1))
	n.write("gpus 1 h100\ngpu 0 mig on\ngpu 0 instance 1 profile 1g.10gb\ngpu 0 instance 1 util 50\n")
	f := n.until("with a small one", func(f metric.Frame) bool { return divided(1)(f) && f.Looks[0].Instances[0].Slices == 1 })
	if !about(f.Looks[0].Util, 0.50/7) {
		t.Errorf("util = %+v, want that of one slice", f.Looks[0].Util)
	}
}

// TestDeadHandlesAreNoticedWithoutEvents destroys an instance under a reader
// that hears of nothing.
func TestDeadHandlesAreNoticedWithoutEvents(t *testing.T) {
	t.Parallel()
	const silent = "fault nvmlDeviceRegisterEvents return NO_PERMISSION\n"
	n := start(t, "gpus 1 h100\ngpu 0 mig on\ngpu 0 instance 1 profile 3g.40gb\ngpu 0 instance 2 profile 1g.10gb\n"+silent)
	n.until("with two instances", divided(2))
	n.write("gpus 1 h100\ngpu 0 mig on\ngpu 0 instance 2 profile 1g.10gb\n" + silent)
	for end := time.Now().Add(8 * interval); ; time.Sleep(interval / 4) {
		f := n.Frame()
		if l := f.Looks[0]; l.Condition != metric.Good {
			t.Fatalf("the GPU of a dead instance is %s", conditions(f))
		}
		if divided(1)(f) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d instances after 8 intervals, want one", len(f.Looks[0].Instances))
		}
	}
}

// TestXidsComeWithoutMIGEvents has a driver that tells of MIG only to the
// privileged.
func TestXidsComeWithoutMIGEvents(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 1 h100\ngpu 0 at now+500ms xid 31 every=300ms count=20\nfault nvmlDeviceRegisterEvents return NO_PERMISSION times=1\n")
	n.until("with an Xid", func(f metric.Frame) bool { return len(f.Xids) > 0 && f.Xids[0].Code == 31 })
}

func TestActivityIsUnknownWithoutGPM(t *testing.T) {
	t.Parallel()
	const one = "gpu 0 mig on\ngpu 0 instance 1 profile 3g.%s\ngpu 0 instance 1 util 70\ngpu 0 instance 1 process pid=7 memory=1GiB\n"
	for what, scenario := range map[string]string{
		"model":      "gpus 1 a100\n" + fmt.Sprintf(one, "40gb"),
		"permission": "gpus 1 h100\n" + fmt.Sprintf(one, "40gb") + "fault nvmlGpmMigSampleGet return NO_PERMISSION\n",
		"metric":     "gpus 1 h100\n" + fmt.Sprintf(one, "40gb") + "fault nvmlGpmMetricsGet return UNKNOWN\n",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			n := start(t, scenario)
			seen := 0
			n.until("with five looks at an instance", func(f metric.Frame) bool {
				if len(f.Looks) == 0 || !f.Looks[0].MIG || len(f.Looks[0].Instances) == 0 || f.Looks[0].At == f.Looks[0].Since {
					return false
				}
				l := f.Looks[0]
				if l.Condition != metric.Good || l.Util.Known || l.SMActive.Known || l.Instances[0].Util.Known {
					t.Fatalf("condition %d, util %+v, SM activity %+v, instance's util %+v; want a good look and no activity", l.Condition, l.Util, l.SMActive, l.Instances[0].Util)
				}
				got := instanceValues(l.Instances[0])
				if _, ok := got["gpu.instance.utilization"]; ok || got["gpu.instance.memory.used"] != 1<<30 || !l.ProcessesKnown || len(l.Processes) != 1 {
					t.Fatalf("readings %v, processes %v (known %v)", got, l.Processes, l.ProcessesKnown)
				}
				seen++
				return seen == 5
			})
		})
	}
}

// TestOldDriverReadsInstances reads through a library of branch 470, which has
// MIG and no GPM.
func TestOldDriverReadsInstances(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 1 a100\ngpu 0 mig on\ngpu 0 instance 1 profile 3g.40gb\ngpu 0 instance 1 process pid=7 memory=1GiB\n", func(c *nvml.Config) {
		c.Library = nvml.SimDir(t) + "/470/libnvidia-ml.so.1"
	})
	f := n.until("with an instance", func(f metric.Frame) bool {
		return good(1)(f) && f.Looks[0].MIG && len(f.Looks[0].Instances) == 1 && f.Looks[0].At > f.Looks[0].Since
	})
	l := f.Looks[0]
	if in := l.Instances[0]; in.Profile != "3g.40gb" || in.Slices != 3 || in.Of != 7 || instanceValues(in)["gpu.instance.memory.total"] == 0 {
		t.Errorf("instance = %+v", in)
	}
	if l.Util.Known || !l.ProcessesKnown || len(l.Processes) != 1 {
		t.Errorf("util %+v, processes %v (known %v)", l.Util, l.Processes, l.ProcessesKnown)
	}
}

// TestLayoutThatCannotBeReadIsUnknown has a driver that does not list its
// instances: the GPU may be busy, and may be held.
func TestLayoutThatCannotBeReadIsUnknown(t *testing.T) {
	t.Parallel()
	const layout = "gpus 1 h100\ngpu 0 mig on\ngpu 0 instance 1 profile 3g.40gb\ngpu 0 instance 1 util 50\n"
	n := start(t, layout+"fault nvmlDeviceGetMigDeviceHandleByIndex return UNKNOWN\n")
	f := n.until("of a divided GPU", func(f metric.Frame) bool { return good(1)(f) && f.Looks[0].MIG && f.Looks[0].At > f.Looks[0].Since })
	if l := f.Looks[0]; l.Util.Known || l.SMActive.Known || l.ProcessesKnown || len(l.Instances) != 0 {
		t.Errorf("util %+v, SM activity %+v, processes known %v", l.Util, l.SMActive, l.ProcessesKnown)
	}
	n.write(layout)
	n.until("with the instance", divided(1))
}

// TestPauseLetsGoOfInstances: a handle that is held can keep an instance from
// being destroyed.
func TestPauseLetsGoOfInstances(t *testing.T) {
	t.Parallel()
	n := start(t, twoInstances)
	n.until("with two instances", divided(2))
	if err := n.Pause(t.Context()); err != nil {
		t.Fatalf("Pause = %v", err)
	}
	if pids := n.workers(); len(pids) != 0 {
		t.Errorf("workers = %v after Pause, want none", pids)
	}
	if l := n.Frame().Looks[0]; l.MIG || l.Instances != nil || l.Reason != metric.ReasonPaused {
		t.Errorf("paused: MIG %v, %d instances, reason %q", l.MIG, len(l.Instances), l.Reason)
	}
	n.Resume()
	n.until("with two instances", divided(2))
}

// TestInstancesSurviveTheWorker kills the worker, whose successor has to tell
// of the layout anew.
func TestInstancesSurviveTheWorker(t *testing.T) {
	t.Parallel()
	n := start(t, twoInstances)
	old := n.until("with two instances", divided(2)).Looks[0]
	n.kill(syscall.SIGKILL)
	f := n.until("of another worker", func(f metric.Frame) bool { return divided(2)(f) && f.Looks[0].Since >= old.At+interval })
	if d := cmp.Diff(old.Instances[0].Compute, f.Looks[0].Instances[0].Compute); d != "" {
		t.Errorf("compute instances (-before +after):\n%s", d)
	}
}

func TestInstanceTableHasTheNamesOfTheGPU(t *testing.T) {
	seen := map[string]bool{}
	for i := range nvml.InstanceTable {
		r := &nvml.InstanceTable[i]
		if seen[r.Key()] {
			t.Errorf("%s is in the table twice", r.Key())
		}
		seen[r.Key()] = true
		if !strings.HasPrefix(r.Name, "gpu.instance.") || !strings.HasSuffix(r.Help, ".") || r.Group != "" || r.DCGM == "" || r.DCGMOld == "" {
			t.Errorf("row %d is malformed: %+v", i, r.Desc)
		}
		for k := range nvml.Table {
			if g := &nvml.Table[k]; g.Name == r.Name || g.Help == r.Help {
				t.Errorf("%s says what %s says", r.Name, g.Name)
			}
		}
	}
}
