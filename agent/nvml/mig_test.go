package nvml

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

const sevenBusy = `gpus 1 h100
gpu 0 mig on
gpu 0 instance 7 profile 1g.10gb
gpu 0 instance 8 profile 1g.10gb
gpu 0 instance 9 profile 1g.10gb
gpu 0 instance 1 profile 4g.40gb compute 1c.4g.40gb 3c.4g.40gb
gpu 0 instance 7 util square period=1s on=0.4s
gpu 0 instance 1 util 50
gpu 0 instance 1 process pid=100 memory=1GiB compute=1
gpu 0 instance 7 process pid=100 memory=1GiB
`

// TestLookAtInstancesAllocatesNothing includes the looks that read the layout
// again.
func TestLookAtInstancesAllocatesNothing(t *testing.T) {
	s := openSim(t, sevenBusy).slots[0]
	s.tick(BootClock())
	if m := &s.dev.mig; s.look.condition != metric.Good || len(m.instances) != 4 || len(s.look.processes) != 1 {
		t.Fatalf("look %+v with %d instances", s.look, len(m.instances))
	}
	generation := s.dev.mig.generation
	n := testing.AllocsPerRun(50, func() {
		s.dev.mig.checkAt = 0
		time.Sleep(gpmApart)
		s.tick(BootClock())
	})
	if n != 0 {
		t.Errorf("a look allocates %v times, want 0", n)
	}
	if !s.look.util.Known || s.dev.mig.generation != generation {
		t.Errorf("util %+v, %d changes of the layout", s.look.util, s.dev.mig.generation-generation)
	}
}

// TestChangeWithinALookMakesItUnknown has an event come while the instances are
// being read.
func TestChangeWithinALookMakesItUnknown(t *testing.T) {
	s := openSim(t, sevenBusy).slots[0]
	for range 2 {
		s.tick(BootClock())
		time.Sleep(gpmApart)
	}
	s.tick(BootClock())
	if !s.look.util.Known || !s.look.active.Known {
		t.Fatalf("util %+v, SM activity %+v", s.look.util, s.look.active)
	}
	s.dev.mig.changed.Store(true)
	s.dev.addUp()
	if s.dev.util.share.Known || s.dev.gpm.active.Known {
		t.Errorf("util %+v, SM activity %+v after an event", s.dev.util.share, s.dev.gpm.active)
	}
}

// TestLooksTooSoonForASampleSpeakForNoTime makes looks faster than the driver
// takes samples: the next that has one speaks for all of the time.
func TestLooksTooSoonForASampleSpeakForNoTime(t *testing.T) {
	s := openSim(t, sevenBusy).slots[0]
	s.tick(BootClock())
	time.Sleep(gpmApart)
	s.tick(BootClock())
	at := s.look.at
	if !s.look.util.Known {
		t.Fatalf("util = %+v, want it known", s.look.util)
	}
	s.tick(BootClock())
	if s.look.condition != metric.Good || s.look.since != at || s.look.at != at || s.look.util.Known {
		t.Errorf("look at (%s, %s], util %+v; want it to stand at %s", s.look.since, s.look.at, s.look.util, at)
	}
	time.Sleep(gpmApart)
	s.tick(BootClock())
	if s.look.since != at || !s.look.util.Known {
		t.Errorf("look since %s, util %+v; want it since %s", s.look.since, s.look.util, at)
	}
}

// TestSamplesAreGivenBack counts what arrange and close do with samples.
func TestSamplesAreGivenBack(t *testing.T) {
	d := openSim(t, sevenBusy).slots[0].dev
	if _, code := d.open(0); code != nvml.SUCCESS {
		t.Fatal(code)
	}
	d.clear()
	d.read(d.clock())
	if len(d.mig.instances) != 4 {
		t.Fatalf("%d instances, want 4", len(d.mig.instances))
	}
	gone, stays := d.mig.instances[1], d.mig.instances[0]
	sample := stays.pair.sample
	if gone.pair.sample[0] == nil || sample[0] == nil {
		t.Fatal("an instance has no samples")
	}
	d.arrange(slices.DeleteFunc(slices.Clone(d.mig.listed), func(c *compute) bool { return c.instance == gone.id }))
	if gone.pair.sample[0] != nil || stays.pair.sample[0] != nil || d.mig.instances[0].pair.sample != sample {
		t.Error("samples of an instance that went are kept, or those of one that stayed are not")
	}
	d.close()
	if len(d.mig.instances) != 0 || d.mig.on || d.gpm.pair.sample[0] != nil {
		t.Errorf("a closed GPU has %d instances and samples %v", len(d.mig.instances), d.gpm.pair.sample)
	}
}

// TestWholeIsTheMeanBySlices compares with a count of slice-percents.
func TestWholeIsTheMeanBySlices(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var list []*instance
		left, sum := 7, 0
		for left > 0 && r.IntN(6) > 0 {
			n, percents := 1+r.IntN(left), r.IntN(101)
			left -= n
			sum += n * percents
			list = append(list, &instance{slices: n, util: metric.KnownShare(float64(percents) / 100)})
		}
		util := func(in *instance) metric.Share { return in.util }
		got := wholeOf(7, list, util)
		if want := float64(sum) / 700; !got.Known || math.Abs(got.Value-want) > 1e-12 || got.Value > 1 {
			t.Fatalf("share = %+v, want %v", got, want)
		}
		if len(list) == 0 {
			continue
		}
		list[r.IntN(len(list))].util.Known = false
		if got := wholeOf(7, list, util); got.Known {
			t.Fatalf("share = %+v with an instance that is not known", got)
		}
	}
}

func TestWholeDistrustsSlices(t *testing.T) {
	busy := func(*instance) metric.Share { return metric.KnownShare(1) }
	for what, list := range map[string][]*instance{
		"more than there are": {{slices: 4}, {slices: 4}},
		"none":                {{slices: 3}, {slices: 0}},
	} {
		if got := wholeOf(7, list, busy); got.Known {
			t.Errorf("%s: share = %+v, want it unknown", what, got)
		}
	}
}

func TestParseProfile(t *testing.T) {
	f := func(name string, want profile) {
		t.Helper()
		if got := parseProfile(name); got != want {
			t.Errorf("parseProfile(%q) = %+v, want %+v", name, got, want)
		}
	}
	f("NVIDIA A100-SXM4-40GB MIG 1g.5gb", profile{"1g.5gb", 1, 1})
	f("NVIDIA H100 80GB HBM3 MIG 1c.3g.40gb", profile{"3g.40gb", 3, 1})
	f("NVIDIA H100 80GB HBM3 MIG 2c.4g.40gb+me", profile{"4g.40gb+me", 4, 2})
	f("MIG 1g.24gb+gfx", profile{"1g.24gb+gfx", 1, 1})
	f("MIG 7g.180gb Device  0", profile{"7g.180gb", 7, 7})
	for _, name := range []string{"", "NVIDIA H100 80GB HBM3", "MIG ", "MIG g.5gb", "MIG 0g.5gb", "MIG 1c.", "MIG 1x.5gb", "MIG 999g.5gb"} {
		f(name, profile{})
	}
}

// TestProfileNameOfSize has sizes as drivers report them.
func TestProfileNameOfSize(t *testing.T) {
	f := func(slices uint32, mib, gpu uint64, want string) {
		t.Helper()
		a := nvml.DeviceAttributes{GpuInstanceSliceCount: slices, MemorySizeMB: mib}
		if got := profileName(a, gpu); got != want {
			t.Errorf("profileName(%d slices, %d MiB of %d) = %q, want %q", slices, mib, gpu, got, want)
		}
	}
	const a100, h100, a30 = 40536 << 20, 81559 << 20, 24258 << 20
	f(1, 4864, a100, "1g.5gb")
	f(1, 9856, a100, "1g.10gb")
	f(3, 19968, a100, "3g.20gb")
	f(7, 40192, a100, "7g.40gb")
	f(1, 9984, h100, "1g.10gb")
	f(4, 40448, h100, "4g.40gb")
	f(1, 5952, a30, "1g.6gb")
	f(0, 4864, a100, "")
	f(1, 4864, 0, "")
}

func TestSumProcessesAddsUpOverInstances(t *testing.T) {
	got := sumProcesses([]metric.Process{{PID: 9, MemoryBytes: 1}, {PID: 3, MemoryBytes: 2}, {PID: 9, MemoryBytes: 4}})
	if want := []metric.Process{{PID: 3, MemoryBytes: 2}, {PID: 9, MemoryBytes: 5}}; !slices.Equal(got, want) {
		t.Errorf("processes = %v, want %v", got, want)
	}
	if got := sumProcesses(nil); len(got) != 0 {
		t.Errorf("processes = %v of none", got)
	}
}

// TestTooManyInstancesAreNotAll has a driver that lists more than there can be.
func TestTooManyInstancesAreNotAll(t *testing.T) {
	d := newDevice(&library{}, newPlan(Table), time.Second, BootClock)
	var list []*compute
	for gi := range maxInstances {
		list = append(list, &compute{instance: gi, uuid: "MIG"})
	}
	if !d.arrange(list) {
		t.Errorf("%d instances are refused", len(list))
	}
	if d.arrange(append(list, &compute{instance: maxInstances, uuid: "MIG"})) {
		t.Errorf("%d instances are accepted", len(list)+1)
	}
}

// TestLayoutThatCannotBeToldIsNotAll has a driver that gives one number twice,
// or numbers that are none. The worker must not say what its parent refuses: it
// would be ended for it, and nothing be known of any GPU.
func TestLayoutThatCannotBeToldIsNotAll(t *testing.T) {
	size := func(gi, ci uint32) nvml.DeviceAttributes {
		return nvml.DeviceAttributes{GpuInstanceSliceCount: gi, ComputeInstanceSliceCount: ci}
	}
	const garbage = math.MaxUint32
	for _, x := range []struct {
		what string
		c    compute
		want bool
	}{
		{"another one", compute{instance: 0, id: 7, attributes: size(2, 2)}, true},
		{"the same numbers twice", compute{instance: 1, id: 0, attributes: size(1, 1)}, false},
		{"an instance without a number", compute{instance: garbage, attributes: size(1, 1)}, false},
		{"a compute instance without a number", compute{instance: 2, id: garbage, attributes: size(1, 1)}, false},
		{"an instance of no size", compute{instance: 2, attributes: size(garbage, 1)}, true},
		{"a compute instance of no size", compute{instance: 2, attributes: size(1, garbage)}, true},
	} {
		d := newDevice(&library{}, newPlan(Table), time.Second, BootClock)
		d.mig.on, d.mig.of = true, 7
		x.c.uuid = "MIG-b"
		got := d.arrange([]*compute{{instance: 1, id: 0, uuid: "MIG-a", attributes: size(1, 1)}, &x.c})
		if got != x.want {
			t.Errorf("%s: accepted %v, want %v", x.what, got, x.want)
		}
		if !got {
			d.arrange(nil) // as readLayout does
		}
		if err := new(layout).decode(d.mig.layout(0).append(nil)[4:]); err != nil {
			t.Errorf("%s: the parent refuses: %v", x.what, err)
		}
	}
}

// TestDyingHandlesAreDoubtful lists what a dead handle may return, and what
// says why it does not answer.
func TestDyingHandlesAreDoubtful(t *testing.T) {
	for _, code := range []nvml.Return{nvml.ERROR_INVALID_ARGUMENT, nvml.ERROR_NOT_FOUND, nvml.ERROR_UNKNOWN, nvml.ERROR_UNINITIALIZED, nvml.ERROR_GPU_IS_LOST} {
		if !dying(code) {
			t.Errorf("code %d is taken for an answer", code)
		}
	}
	for _, code := range []nvml.Return{nvml.SUCCESS, nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_NO_PERMISSION, missing} {
		if dying(code) {
			t.Errorf("code %d is taken for a dead handle", code)
		}
	}
}

// TestJoinedInstancesKeepTheIntegral joins looks in random portions, as
// TestJoinedLooksKeepTheIntegral does: at every frame the shares of the
// instances must make that of the GPU, and be of the same span.
func TestJoinedInstancesKeepTheIntegral(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	s := &childSlot{given: true}
	s.mig.layout = layout{divided: true, instances: []placed{{id: 1, slices: 3, of: 7}, {id: 2, slices: 4, of: 7}}}
	var now time.Duration
	var want, got [2]float64
	frame := func() {
		for i, in := range s.mig.compose() {
			got[i] += in.Util.Value * (s.look.at - s.look.since).Seconds()
		}
		s.given = true
	}
	for range 5000 {
		m := &look{condition: metric.Good, since: now}
		if r.IntN(5) > 0 {
			now += time.Duration(1+r.IntN(1000)) * time.Millisecond
		}
		m.at, m.ended = now, now
		s.mig.came = portions{instances: make([]portion, 2)}
		for i := range s.mig.came.instances {
			util := metric.KnownShare(r.Float64())
			s.mig.came.instances[i].util = util
			want[i] += util.Value * (m.at - m.since).Seconds()
		}
		in := s.mig.came.instances
		m.util = metric.KnownShare((3*in[0].util.Value + 4*in[1].util.Value) / 7)
		s.mig.fresh = true
		s.looks++
		s.add(m, true)
		if sum := (3*s.mig.portions.instances[0].util.Value + 4*s.mig.portions.instances[1].util.Value) / 7; s.look.at > s.look.since && math.Abs(sum-s.look.util.Value) > 1e-9 {
			t.Fatalf("instances make %v, the GPU is %v", sum, s.look.util.Value)
		}
		if r.IntN(3) == 0 {
			frame()
		}
	}
	if !s.given {
		frame()
	}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-9*want[i] {
			t.Errorf("instance %d is busy for %vs, want %vs", i, got[i], want[i])
		}
	}
}

// TestOldPortionsAreNotShown makes a look without portions after one with.
func TestOldPortionsAreNotShown(t *testing.T) {
	s := &childSlot{given: true}
	s.mig.layout = layout{divided: true, instances: []placed{{id: 1, compute: []placedCompute{{uuid: "MIG"}}}}}
	s.mig.came, s.mig.fresh = portions{instances: []portion{{util: metric.KnownShare(1), compute: []holders{{known: true}}}}}, true
	s.add(&look{condition: metric.Good, at: 1}, true)
	if in := s.mig.compose()[0]; !in.Util.Known || !in.Compute[0].ProcessesKnown {
		t.Fatalf("instance = %+v", in)
	}
	s.add(&look{condition: metric.Good, since: 1, at: 2}, true)
	if in := s.mig.compose()[0]; in.Util.Known || in.Compute[0].ProcessesKnown {
		t.Errorf("instance = %+v, want nothing known of it", in)
	}
}

func TestPortionsOfNoLayoutEndTheWorker(t *testing.T) {
	r := NewReader(Config{})
	c := &child{}
	r.current = c
	send := func(m codable) error {
		c.broken = nil
		b := m.append(nil)[4:]
		r.receive(c, kind(b[0]), b, nil)
		return c.broken
	}
	two := &portions{generation: 3, instances: make([]portion, 2)}
	if err := send(&hello{table: tableSum(Table, InstanceTable), count: 1}); err != nil {
		t.Fatal(err)
	}
	if err := send(two); err == nil {
		t.Error("portions without layout are accepted")
	}
	if err := send(&layout{generation: 3, divided: true, instances: []placed{{id: 1}, {id: 2}}}); err != nil {
		t.Fatal(err)
	}
	if err := send(two); err != nil {
		t.Errorf("portions of the layout: %v", err)
	}
	for what, m := range map[string]codable{
		"of another generation": &portions{generation: 2, instances: make([]portion, 2)},
		"of fewer instances":    &portions{generation: 3, instances: make([]portion, 1)},
		"of more of one":        &portions{generation: 3, instances: []portion{{compute: make([]holders, 1)}, {}}},
		"of another slot":       &portions{slot: 1, generation: 3, instances: make([]portion, 2)},
	} {
		if err := send(m); err == nil {
			t.Errorf("portions %s are accepted", what)
		}
	}
	if err := send(&layout{slot: 1}); err == nil {
		t.Error("a layout of no slot is accepted")
	}
}

func TestLayoutRefusesNonsense(t *testing.T) {
	for what, m := range map[string]*layout{
		"one instance twice":          {divided: true, instances: []placed{{id: 1}, {id: 1}}},
		"a whole GPU with instances":  {instances: []placed{{id: 1}}},
		"a compute instance unnamed":  {divided: true, instances: []placed{{id: 1, compute: []placedCompute{{id: 0}}}}},
		"more instances than allowed": {divided: true, instances: make([]placed, maxInstances+1)},
	} {
		if err := new(layout).decode(m.append(nil)[4:]); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
