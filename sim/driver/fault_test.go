package driver

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

func TestFaultsReturnTheirCode(t *testing.T) {
	lib, _ := load(t, `
gpus 4 h100
fault nvmlDeviceGetPowerUsage gpu 1 return NOT_SUPPORTED
fault nvmlDeviceGetTemp* gpu 2 return 999 after=1 times=2
fault nvmlDeviceGetFieldValues gpu 0 return NO_DATA field=82
gpu 3 lost code=UNKNOWN
`)
	_, ret := gpu(t, lib, 1).GetPowerUsage()
	equal(t, "power of GPU 1", ret, nvml.ERROR_NOT_SUPPORTED)
	ok[uint32](t)(gpu(t, lib, 0).GetPowerUsage())
	for i, want := range []nvml.Return{nvml.SUCCESS, nvml.ERROR_UNKNOWN, nvml.ERROR_UNKNOWN, nvml.SUCCESS} {
		if _, ret := gpu(t, lib, 2).GetTemperature(nvml.TEMPERATURE_GPU); ret != want {
			t.Errorf("temperature, call %d: %v, want %v", i, ret, want)
		}
	}
	v := fields(t, gpu(t, lib, 0), nvml.FI_DEV_MEMORY_TEMP, nvml.FI_DEV_POWER_INSTANT)
	equal(t, "field 82", nvml.Return(v[0].NvmlReturn), nvml.ERROR_NO_DATA)
	equal(t, "field 186", nvml.Return(v[1].NvmlReturn), nvml.SUCCESS)
	_, ret = lib.DeviceGetHandleByIndex(3)
	equal(t, "handle of a lost GPU", ret, nvml.ERROR_UNKNOWN)
	equal(t, "count", ok[int](t)(lib.DeviceGetCount()), 4)
}

// A wedged GPU: the others go on, at full speed.
func TestBlockedCallHoldsNobodyElse(t *testing.T) {
	lib, _ := load(t, `
gpus 8 h100
fault nvmlDeviceGetPowerUsage gpu 3 block
fault nvmlDeviceGetClockInfo gpu 4 delay 300ms
`)
	var handles []nvml.Device
	for i := range 8 {
		handles = append(handles, gpu(t, lib, i))
	}
	returned := make(chan nvml.Return, 1)
	go func() {
		_, ret := handles[3].GetPowerUsage() // its thread never comes back
		returned <- ret
	}()
	time.Sleep(50 * time.Millisecond)
	var others sync.WaitGroup
	start := time.Now()
	for i, d := range handles {
		if i == 3 {
			continue
		}
		others.Go(func() {
			for range 1000 {
				if _, ret := d.GetPowerUsage(); ret != nvml.SUCCESS {
					t.Errorf("power of GPU %d: %v", i, ret)
					return
				}
			}
		})
	}
	others.Wait()
	if took := time.Since(start); took > time.Second {
		t.Errorf("7000 calls beside a blocked one took %v", took)
	}
	ok[uint32](t)(handles[3].GetTemperature(nvml.TEMPERATURE_GPU))
	start = time.Now()
	ok[uint32](t)(handles[4].GetClockInfo(nvml.CLOCK_SM))
	if took := time.Since(start); took < 300*time.Millisecond {
		t.Errorf("a delayed call took %v, want 300 ms or more", took)
	}
	select {
	case ret := <-returned:
		t.Errorf("the blocked call returned %v", ret)
	default:
	}
}

func TestProbabilityComesFromTheSeed(t *testing.T) {
	pattern := func(seed string) (p string) {
		lib, _ := load(t, "seed "+seed+"\ngpus 1 h100\nfault nvmlDeviceGetPowerUsage return UNKNOWN probability=0.3\n")
		defer lib.Shutdown()
		d := gpu(t, lib, 0)
		for range 200 {
			if _, ret := d.GetPowerUsage(); ret == nvml.SUCCESS {
				p += "."
			} else {
				p += "x"
			}
		}
		return p
	}
	a, b, c := pattern("1"), pattern("1"), pattern("2")
	equal(t, "pattern of the same seed", b, a)
	if a == c {
		t.Error("two seeds fail alike")
	}
	if n := strings.Count(a, "x"); n < 35 || n > 85 {
		t.Errorf("%d of 200 calls failed, want about 60", n)
	}
}

func TestInitFailsAndRecovers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scenario")
	write(t, path, "gpus 1 h100\nfault init return DRIVER_NOT_LOADED times=2\n")
	t.Setenv("GPUMETER_SIM_SCENARIO", path)
	lib := nvml.New(nvml.WithLibraryPath(newest()))
	for i, want := range []nvml.Return{nvml.ERROR_DRIVER_NOT_LOADED, nvml.ERROR_DRIVER_NOT_LOADED, nvml.SUCCESS} {
		if ret := lib.Init(); ret != want {
			t.Fatalf("init %d: %v, want %v", i, ret, want)
		}
	}
	lib.Shutdown()
}

func childPower() {
	lib := nvml.New(nvml.WithLibraryPath(newest()))
	lib.Init()
	d, _ := lib.DeviceGetHandleByIndex(0)
	d.GetPowerUsage()
}

func TestCrashIsARealOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scenario")
	write(t, path, "gpus 1 h100\nfault nvmlDeviceGetPowerUsage crash\n")
	_, stderr, err := child(t, "crash", path)
	if err == nil || !strings.Contains(stderr, "SIGSEGV") {
		t.Errorf("err = %v, stderr = %.200s", err, stderr)
	}
}
