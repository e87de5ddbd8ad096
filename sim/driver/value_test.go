package driver

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// scoped reads one field of a link or scope.
func scoped(t *testing.T, d nvml.Device, id, scope uint32) uint64 {
	t.Helper()
	values := []nvml.FieldValue{{FieldId: id, ScopeId: scope}}
	if ret := d.GetFieldValues(values); ret != nvml.SUCCESS || values[0].NvmlReturn != uint32(nvml.SUCCESS) {
		t.Fatalf("field %d scope %d: %v, %v", id, scope, ret, nvml.Return(values[0].NvmlReturn))
	}
	return number(values[0].Value)
}

func TestSramErrorsByUnitNeedPrivilege(t *testing.T) {
	text := "gpus 1 h100\ngpu 0 sram-uncorrected 3\ngpu 0 sram-corrected 7\ngpu 0 sram-unit sm\ngpu 0 sram-threshold on\n"
	lib, path := load(t, text)
	d := gpu(t, lib, 0)
	_, ret := d.GetSramEccErrorStatus()
	equal(t, "without privilege", ret, nvml.ERROR_NO_PERMISSION)
	write(t, path, "root on\n"+text)
	eventually(t, "privilege", func() bool { _, ret := d.GetSramEccErrorStatus(); return ret == nvml.SUCCESS })
	s, _ := d.GetSramEccErrorStatus()
	equal(t, "status", fmt.Sprint(s.AggregateUncSecDed, s.AggregateUncParity, s.AggregateCor, s.AggregateUncBucketSm, s.AggregateUncBucketL2, s.BThresholdExceeded),
		"3 0 7 3 0 1")
}

func TestModulePowerIsOfGraceOnly(t *testing.T) {
	lib, _ := load(t, "gpus 2 gb200\ngpu 1 model h100\ngpu * power 500W\n")
	d := gpu(t, lib, 0)
	equal(t, "GPU", scoped(t, d, nvml.FI_DEV_POWER_INSTANT, 0), 500000)
	equal(t, "module", scoped(t, d, nvml.FI_DEV_POWER_INSTANT, 1), 650000)
	equal(t, "limit of the module", scoped(t, d, nvml.FI_DEV_POWER_CURRENT_LIMIT, 1), 1350000)
	values := []nvml.FieldValue{{FieldId: nvml.FI_DEV_POWER_INSTANT, ScopeId: 1}}
	gpu(t, lib, 1).GetFieldValues(values)
	equal(t, "module of an H100", nvml.Return(values[0].NvmlReturn), nvml.ERROR_NOT_SUPPORTED)
}

// TestAveragePowerIsThatOfTheCurve asks at many odd moments: the average of what
// does not change is the same to the milliwatt.
func TestAveragePowerIsThatOfTheCurve(t *testing.T) {
	lib, _ := load(t, "start now\ngpus 1 h100\ngpu 0 power 300W\n")
	d := gpu(t, lib, 0)
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
		if mW := number(fields(t, d, nvml.FI_DEV_POWER_AVERAGE)[0].Value); mW != 300_000 {
			t.Fatalf("%d mW on average, want 300000", mW)
		}
	}
}

func TestLinkErrorsAreTheFaultyLinks(t *testing.T) {
	lib, _ := load(t, `
gpus 2 h100
gpu 1 model b200
gpu * nvlink-faulty 7
gpu 0 nvlink-crc 12
gpu 0 nvlink-replay 5
gpu 1 nvlink-recovery 3
gpu 1 nvlink-recovery-failed 1
gpu 1 nvlink-symbol-ber 1.2e-8
`)
	old, five := gpu(t, lib, 0), gpu(t, lib, 1)
	equal(t, "CRC of link 7", scoped(t, old, nvml.FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L7, 0), 12)
	equal(t, "CRC of link 6", scoped(t, old, nvml.FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_L6, 0), 0)
	equal(t, "CRC of all", scoped(t, old, nvml.FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL, 0), 12)
	equal(t, "replays of link 7", ok[uint64](t)(old.GetNvLinkErrorCounter(7, nvml.NVLINK_ERROR_DL_REPLAY)), 5)
	equal(t, "recoveries of link 7", scoped(t, five, nvml.FI_DEV_NVLINK_COUNT_LINK_RECOVERY_EVENTS, 7), 4)
	equal(t, "recoveries of link 8", scoped(t, five, nvml.FI_DEV_NVLINK_COUNT_LINK_RECOVERY_EVENTS, 8), 0)
	equal(t, "recoveries of all", scoped(t, five, nvml.FI_DEV_NVLINK_COUNT_LINK_RECOVERY_EVENTS, math.MaxUint32), 4)
	for _, row := range []struct {
		link uint32
		want float64
	}{{7, 1.2e-8}, {3, 15e-255}} {
		packed := scoped(t, five, nvml.FI_DEV_NVLINK_COUNT_SYMBOL_BER, row.link)
		got := float64(packed>>8&0xf) * math.Pow(10, -float64(packed&0xff))
		if math.Abs(got-row.want) > 1e-9*row.want {
			t.Errorf("BER of link %d = %g, want %g", row.link, got, row.want)
		}
	}
	values := []nvml.FieldValue{{FieldId: nvml.FI_DEV_NVLINK_COUNT_XMIT_BYTES, ScopeId: 18}}
	five.GetFieldValues(values)
	equal(t, "link 18", nvml.Return(values[0].NvmlReturn), nvml.ERROR_INVALID_ARGUMENT)
}

func TestNvlinkTrafficIsItsIntegral(t *testing.T) {
	lib, _ := load(t, "gpus 1 b200\ngpu 0 nvlink-tx square period=100ms on=30ms high=10GB/s low=0B/s\n")
	d := gpu(t, lib, 0)
	const all = math.MaxUint32
	read := func() (us int64, sum, one uint64) {
		values := []nvml.FieldValue{{FieldId: nvml.FI_DEV_NVLINK_COUNT_XMIT_BYTES, ScopeId: all}, {FieldId: nvml.FI_DEV_NVLINK_COUNT_XMIT_BYTES, ScopeId: 2}}
		d.GetFieldValues(values)
		return values[0].Timestamp, number(values[0].Value), number(values[1].Value)
	}
	start, sum0, one0 := read()
	time.Sleep(500 * time.Millisecond)
	end, sum1, one1 := read()
	want := 3e9 * float64(end-start) / 1e6
	if got := float64(sum1 - sum0); math.Abs(got-want) > 0.08*want {
		t.Errorf("%.0f bytes in %d µs, want %.0f", got, end-start, want)
	}
	if got := float64(one1-one0) * 18; math.Abs(got-float64(sum1-sum0)) > 100 {
		t.Errorf("18 links moved %.0f bytes, together %d", got, sum1-sum0)
	}
}

func TestRackSaysWhereItsGpusAre(t *testing.T) {
	lib, _ := load(t, "gpus 8 gb200\n")
	a, b := ok[nvml.PlatformInfo](t)(gpu(t, lib, 0).GetPlatformInfo()), ok[nvml.PlatformInfo](t)(gpu(t, lib, 5).GetPlatformInfo())
	equal(t, "chassis", a.ChassisSerialNumber, b.ChassisSerialNumber)
	equal(t, "places", fmt.Sprint(a.TrayIndex, a.ModuleId, b.TrayIndex, b.ModuleId), "0 1 1 2")
	info, ret := gpu(t, lib, 5).GetGpuFabricInfoV().V3()
	equal(t, "fabric", fmt.Sprint(ret, info.State, info.HealthSummary), fmt.Sprint(nvml.SUCCESS, nvml.GPU_FABRIC_STATE_COMPLETED, nvml.GPU_FABRIC_HEALTH_SUMMARY_HEALTHY))
	if info.ClusterUuid == [16]uint8{} {
		t.Error("the rack's cluster has no UUID")
	}
}

// The share of active cycles between two samples is exactly the curve's, on the
// branches that count cycles.
func TestCyclesSinceBootGiveTheShare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scenario")
	write(t, path, "start now\ngpus 1 h100\ngpu 0 sm-active 37.5%\ngpu 0 tensor-hmma 12.5%\ngpu 0 pcie-tx 1GB/s\n")
	t.Setenv("DRIVER_TEST_BRANCH", "610")
	stdout, stderr, err := child(t, "cycles", path)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	var sm, hmma, rate float64
	if _, err := fmt.Sscan(stdout, &sm, &hmma, &rate); err != nil {
		t.Fatalf("%q: %v", stdout, err)
	}
	for _, row := range []struct{ got, want float64 }{{sm, 37.5}, {hmma, 12.5}, {rate, 1e9}} {
		if math.Abs(row.got-row.want) > 1e-3*row.want {
			t.Errorf("share or rate = %v, want %v", row.got, row.want)
		}
	}
}

// childCycles prints what the differences of counters between two moments say.
func childCycles() {
	lib := nvml.New(nvml.WithLibraryPath(filepath.Join(built, os.Getenv("DRIVER_TEST_BRANCH"), "libnvidia-ml.so.1")))
	lib.Init()
	d, _ := lib.DeviceGetHandleByIndex(0)
	var samples [3]nvml.GpmSample
	for i := range samples {
		samples[i], _ = lib.GpmSampleAlloc()
		samples[i].Get(d)
		time.Sleep(200 * time.Millisecond)
	}
	ids := []nvml.GpmMetricId{nvml.GPM_METRIC_SM_CYCLES_ELAPSED, nvml.GPM_METRIC_SM_CYCLES_ACTIVE, nvml.GPM_METRIC_HMMA_CYCLES_ACTIVE, nvml.GPM_METRIC_PCIE_TX}
	read := func(a, b nvml.GpmSample) (v [4]float64) {
		get := nvml.GpmMetricsGetType{NumMetrics: uint32(len(ids)), Sample1: a, Sample2: b}
		for i, id := range ids {
			get.Metrics[i].MetricId = uint32(id)
		}
		lib.GpmMetricsGet(&get)
		for i := range ids {
			v[i] = get.Metrics[i].Value
		}
		return v
	}
	a, b := read(samples[0], samples[1]), read(samples[1], samples[2])
	elapsed := b[0] - a[0]
	seconds := elapsed / (1980e6 * 132) // the H100's SMs at their highest clock
	fmt.Println(100*(b[1]-a[1])/elapsed, 100*(b[2]-a[2])/elapsed, (b[3]-a[3])/seconds)
}
