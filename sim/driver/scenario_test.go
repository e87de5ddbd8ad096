package driver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

func TestBadLinesAreNamed(t *testing.T) {
	lines := []struct{ line, want string }{
		{"gpu 8 util 5%", "GPU 8: the scenario has GPUs 0-7"},
		{"gpu 0 utl 5%", `unknown property "utl"`},
		{"gpu 0 util", "a value or a curve is missing"},
		{"gpu 0 util 101%", `"101%" is more than 100 %`},
		{"gpu 0 util square period=1s", "on= must be more than 0 and at most the period"},
		{"gpu 0 util square period=1s on=1s up=3", `unknown word "up=3"`},
		{"gpu 0 util steps 2s=1% 1s=2%", "steps must come in order of time"},
		{"gpu 0 power 30MHz", `"30MHz" has the wrong unit "MHz"`},
		{"gpu 0 model k80", `unknown model "k80" (there are h100, h200, b200, gb200, a100, a10g, l40s, v100, t4)`},
		{"gpu 0-1 uuid GPU-x", "this line takes one GPU only"},
		{"gpu 0 at 5 xid 79", `"5" is not a time such as 250ms, 12s or 1h30m`},
		{"gpu 0 process name=x", "pid= is missing"},
		{"gpu 0 recovery-action maybe", `recovery-action: unknown value "maybe"`},
		{"gpus 8 h100", `"gpus" is given twice`},
		{"start now", `"start" must come before "gpus"`},
		{"fault nvmlNothing return UNKNOWN", `unknown function "nvmlNothing"`},
		{"fault * return NONSENSE", `"NONSENSE" is not an NVML return code`},
		{"fault * gpu 0", "a fault takes return CODE, delay TIME, block or crash"},
		{"driver reload 3s", `driver takes "version V", "cuda V" or "reload at TIME"`},
		{"leek 3", `unknown statement "leek"`},
		{"root maybe", "root takes on or off"},
		{"confidential on multi=some", "multi=some: there are none, ppcie and nvle"},
		{"gpu 0 instance 1 util 5%", "GPU 0 has no instance 1 before this line"},
		{"gpu 0 instance 1 profile 3g.20gb", `h100 has no instances "3g.20gb"`},
		{"gpu 0 instance 1 profile 2g.20gb compute 3c.2g.20gb", `"3c.2g.20gb" does not fit into 2g.20gb any more`},
		{"gpu 0 instance 1 profile 7g.80gb from=1s", ""},
		{"gpu 0 instance 1 profile 1g.10gb from=5s", "instance 1 is there already"},
		{"gpu 0 instance 2 profile 1g.10gb from=5s", `there is no room for another "1g.10gb"`},
		{"gpu 0 instance 1 process pid=5 compute=1", "instance 1 has no compute instance 1"},
	}
	text, want := "gpus 8 h100 # a node\n", ""
	path := filepath.Join(t.TempDir(), "scenario")
	for i, l := range lines {
		text += l.line + "\n"
		if l.want != "" {
			want += fmt.Sprintf("%s:%d: %s\n", path, i+2, l.want)
		}
	}
	write(t, path, text)
	stdout, stderr, _ := child(t, "init", path)
	equal(t, "messages", stderr, want)
	equal(t, "stdout", stdout, "init Invalid Argument\n")
}

func TestMissingAndEmptyScenariosAreErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scenario")
	_, stderr, _ := child(t, "init", path)
	equal(t, "missing file", stderr, path+": No such file or directory\n")
	write(t, path, "# nothing yet\n")
	_, stderr, _ = child(t, "init", path)
	equal(t, "empty file", stderr, path+": no \"gpus\" statement\n")
}

func TestScenarioChangesWhileItRuns(t *testing.T) {
	lib, path := load(t, "gpus 2 h100\ngpu 0 power 100W\n")
	d := gpu(t, lib, 0)
	before := ok[uint64](t)(d.GetTotalEnergyConsumption())
	write(t, path, "gpus 2 h100\ngpu 0 power 600W\ngpu 0 lost from=now+1s\n")
	eventually(t, "new power", func() bool {
		return number(fields(t, d, nvml.FI_DEV_POWER_INSTANT)[0].Value) == 600000
	})
	after := ok[uint64](t)(d.GetTotalEnergyConsumption())
	if after < before || after-before > 600000 {
		t.Errorf("energy went from %d to %d mJ over a change of the scenario", before, after)
	}
	write(t, path, "gpus 2 h100\ngpu 0 power 5 apples\n")
	time.Sleep(120 * time.Millisecond)
	equal(t, "power after a bad version", number(fields(t, d, nvml.FI_DEV_POWER_INSTANT)[0].Value), 600000)
	eventually(t, "loss", func() bool {
		_, ret := d.GetPowerUsage()
		return ret == nvml.ERROR_GPU_IS_LOST
	})
	ok[uint32](t)(gpu(t, lib, 1).GetPowerUsage())
}

func TestSeedDecides(t *testing.T) {
	text := "gpus 2 h100\ngpu * util walk period=700ms min=5% max=95%\n"
	path := filepath.Join(t.TempDir(), "scenario")
	write(t, path, "seed 5\n"+text)
	a, _, _ := child(t, "samples", path)
	b, _, _ := child(t, "samples", path)
	write(t, path, "seed 6\n"+text)
	c, _, _ := child(t, "samples", path)
	if same := overlap(a, b); same < 100 {
		t.Errorf("one seed, two processes: %d samples are the same", same)
	}
	if same := overlap(a, c); same > 40 {
		t.Errorf("two seeds: %d samples are the same", same)
	}
}

// overlap counts the lines that two outputs share; a later process has newer
// samples, too.
func overlap(a, b string) int {
	seen := map[string]bool{}
	for line := range strings.Lines(a) {
		seen[line] = true
	}
	n := 0
	for line := range strings.Lines(b) {
		if seen[line] {
			n++
		}
	}
	return n
}

func TestProcessesAreListed(t *testing.T) {
	lib, _ := load(t, `
start now
gpus 2 h100
gpu 0 process pid=self name=/usr/bin/python memory=20GiB
gpu 0 process pid=1234 name=render memory=1GiB type=graphics
gpu 0 process pid=4321 name=late memory=5GiB from=1h
gpu 1 util 60%
gpu 1 process pid=7 memory=2GiB
gpu 1 process pid=8 memory=2GiB
`)
	d := gpu(t, lib, 0)
	compute := ok[[]nvml.ProcessInfo](t)(d.GetComputeRunningProcesses())
	if len(compute) != 1 || compute[0].Pid != uint32(os.Getpid()) || compute[0].UsedGpuMemory != 20<<30 || compute[0].GpuInstanceId != 0xFFFFFFFF {
		t.Errorf("compute processes = %+v", compute)
	}
	graphics := ok[[]nvml.ProcessInfo](t)(d.GetGraphicsRunningProcesses())
	if len(graphics) != 1 || graphics[0].Pid != 1234 {
		t.Errorf("graphics processes = %+v", graphics)
	}
	equal(t, "memory used", ok[nvml.Memory_v2](t)(d.GetMemoryInfo_v2()).Used, 21<<30)
	equal(t, "name", ok[string](t)(lib.SystemGetProcessName(1234)), "render")
	if _, ret := d.GetProcessUtilization(0); ret != nvml.ERROR_NOT_FOUND {
		t.Errorf("process utilisation of an idle GPU: %v", ret)
	}
	shares := ok[[]nvml.ProcessUtilizationSample](t)(gpu(t, lib, 1).GetProcessUtilization(0))
	if len(shares) != 2 || shares[0].SmUtil != 30 || shares[1].Pid != 8 {
		t.Errorf("process utilisation = %+v", shares)
	}
}

func TestCountersAndStates(t *testing.T) {
	lib, _ := load(t, `
start now
driver version 575.57.08
driver reload at 600ms
gpus 2 h100
gpu 0 ecc-uncorrected 3
gpu 0 sram-corrected 2
gpu 0 remapped-uncorrected 1
gpu 0 remap-pending on
gpu 0 recovery-action reset from=200ms
gpu 0 throttle-power 25%
gpu 0 throttle-hw-thermal steps 0s=0% 300ms=100%
gpu 0 power-limit 500W
gpu 0 nvlink-down 2
gpu 0 energy-offset 1e6
`)
	d := gpu(t, lib, 0)
	equal(t, "driver", ok[string](t)(lib.SystemGetDriverVersion()), "575.57.08")
	ecc := func(kind nvml.EccCounterType) uint64 {
		return ok[uint64](t)(d.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_UNCORRECTED, kind))
	}
	equal(t, "volatile ECC", ecc(nvml.VOLATILE_ECC), 3)
	equal(t, "limit", ok[uint32](t)(d.GetEnforcedPowerLimit()), 500000)
	equal(t, "link 15", ok[nvml.EnableState](t)(d.GetNvLinkState(15)), nvml.FEATURE_ENABLED)
	equal(t, "link 16", ok[nvml.EnableState](t)(d.GetNvLinkState(16)), nvml.FEATURE_DISABLED)
	corrected, uncorrected, pending, failed, _ := d.GetRemappedRows()
	equal(t, "remapped rows", fmt.Sprint(corrected, uncorrected, pending, failed), "0 1 true false")
	if e := ok[uint64](t)(d.GetTotalEnergyConsumption()); e < 1e9 {
		t.Errorf("energy = %d mJ, want the offset of 1 MJ", e)
	}
	eventually(t, "recovery action", func() bool {
		return number(fields(t, d, nvml.FI_DEV_GET_GPU_RECOVERY_ACTION)[0].Value) == uint64(nvml.GPU_RECOVERY_ACTION_GPU_RESET)
	})
	eventually(t, "driver reload", func() bool { return ecc(nvml.VOLATILE_ECC) == 0 })
	equal(t, "aggregate ECC", ecc(nvml.AGGREGATE_ECC), 3)
	v := fields(t, d, nvml.FI_DEV_PERF_POLICY_POWER, nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN, 300)
	if power, thermal := number(v[0].Value), number(v[1].Value); power == 0 || thermal < 3*power || thermal > 5*power {
		t.Errorf("throttled %d ns for power, %d ns for heat since the reload, want a quarter", power, thermal)
	}
	equal(t, "unknown field", nvml.Return(v[2].NvmlReturn), nvml.ERROR_NOT_SUPPORTED)
	equal(t, "reasons", ok[uint64](t)(d.GetCurrentClocksEventReasons()), 0x1|0x4|0x8|0x40)
}

func TestXidsAreDeliveredOnce(t *testing.T) {
	lib, path := load(t, `
start now
gpus 4 h100
gpu 3 at 0s xid 13
gpu 3 at 300ms xid 79
gpu 1-2 at 300ms xid 48
gpu 0 at 300ms xid 45 every=1ms count=5
`)
	set := ok[nvml.EventSet](t)(lib.EventSetCreate())
	defer set.Free()
	time.Sleep(10 * time.Millisecond)
	for i := range 4 {
		if ret := gpu(t, lib, i).RegisterEvents(nvml.EventTypeXidCriticalError, set); ret != nvml.SUCCESS {
			t.Fatalf("register GPU %d: %v", i, ret)
		}
	}
	got := map[string]int{}
	for {
		e, ret := set.Wait(700)
		if ret == nvml.ERROR_TIMEOUT {
			break
		}
		if ret != nvml.SUCCESS {
			t.Fatalf("wait: %v", ret)
		}
		got[fmt.Sprint(ok[int](t)(e.Device.GetIndex()), " ", e.EventData)]++
	}
	equal(t, "events", fmt.Sprint(got), "map[0 45:5 1 48:1 2 48:1 3 79:1]")
	write(t, path, "gpus 4 h100\ngpu 2 at now+100ms xid 119\n")
	e, ret := set.Wait(2000)
	equal(t, "event of a new version", fmt.Sprint(ret, e.EventData), fmt.Sprint(nvml.SUCCESS, 119))
}
