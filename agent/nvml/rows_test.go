package nvml_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/metric"
)

// answers is what one simulated GPU must say: values by row, the rate of the
// rows that grow, and the rows whose value depends on when they were read. All
// other rows must be absent.
type answers struct {
	values, growth map[string]float64
	present        []string
}

// links adds a row of each NVLink: value on the faulty one, others on the rest.
func (a *answers) links(n, faulty int, name, other string, value, others float64) {
	for link := range n {
		key := fmt.Sprintf("%s{link=%d%s}", name, link, other)
		a.values[key] = others
		if link == faulty {
			a.values[key] = value
		}
	}
}

// busyH100 is a H100 with a value of its own for every row that it has.
const busyH100 = `start now
root on
confidential on
gpus 1 h100
gpu 0 util 50
gpu 0 memory-util 21
gpu 0 encoder 12
gpu 0 decoder 13
gpu 0 jpeg 14
gpu 0 ofa 15
gpu 0 memory 10GiB
gpu 0 bar1 4MiB
gpu 0 sm-active 41
gpu 0 sm-occupancy 22
gpu 0 tensor 31
gpu 0 tensor-dfma 1
gpu 0 tensor-hmma 29
gpu 0 tensor-dmma 2
gpu 0 tensor-imma 3
gpu 0 dram 33
gpu 0 fp64 4
gpu 0 fp32 5
gpu 0 fp16 6
gpu 0 integer 7
gpu 0 encoder-sessions 3
gpu 0 encoder-fps 60
gpu 0 encoder-latency 2500
gpu 0 power 300W
gpu 0 power-limit 650
gpu 0 temperature 61
gpu 0 memory-temperature 71
gpu 0 sm-clock 1500MHz
gpu 0 memory-clock 2000MHz
gpu 0 video-clock 1200MHz
gpu 0 throttle-power 10
gpu 0 throttle-thermal 20
gpu 0 throttle-sync-boost 30
gpu 0 throttle-board-limit 40
gpu 0 throttle-low-utilization 50
gpu 0 throttle-reliability 60
gpu 0 throttle-hw-thermal 70
gpu 0 throttle-power-brake 80
gpu 0 throttle-app-clocks 15
gpu 0 throttle-base-clocks 25
gpu 0 ecc-corrected 7
gpu 0 ecc-uncorrected 3
gpu 0 sram-corrected 2
gpu 0 sram-uncorrected 1
gpu 0 sram-unit sm
gpu 0 sram-parity on
gpu 0 sram-threshold on
gpu 0 remapped-corrected 5
gpu 0 remapped-uncorrected 6
gpu 0 remap-pending on
gpu 0 remap-failed on
gpu 0 channel-repair on
gpu 0 pcie-generation 4
gpu 0 pcie-width 8
gpu 0 pcie-replay 9
gpu 0 pcie-rollover 10
gpu 0 pcie-l0-recovery 11
gpu 0 pcie-correctable 12
gpu 0 pcie-naks-received 13
gpu 0 pcie-receiver-errors 14
gpu 0 pcie-bad-tlp 15
gpu 0 pcie-naks-sent 16
gpu 0 pcie-bad-dllp 17
gpu 0 pcie-non-fatal 18
gpu 0 pcie-fatal 19
gpu 0 pcie-unsupported 20
gpu 0 pcie-lcrc 21
gpu 0 pcie-lane-errors 22
gpu 0 pcie-tx 1MiB/s
gpu 0 pcie-rx 2MiB/s
gpu 0 nvlink-tx 3MiB/s
gpu 0 nvlink-rx 4MiB/s
gpu 0 nvlink-down 2
gpu 0 nvlink-faulty 3
gpu 0 nvlink-crc 23
gpu 0 nvlink-crc-data 24
gpu 0 nvlink-replay 25
gpu 0 nvlink-recovery 26
gpu 0 nvlink-ecc 27
gpu 0 fabric-health 0x1159
gpu 0 fabric-summary limited
gpu 0 recovery-action drain-reset
gpu 0 persistence off
gpu 0 compute-mode exclusive-process
`

func h100Answers() *answers {
	const memory = 85520809984
	a := &answers{values: map[string]float64{
		"gpu.utilization": 0.50, "gpu.memory.utilization": 0.21, "gpu.encoder.utilization": 0.12, "gpu.decoder.utilization": 0.13,
		"gpu.jpeg.utilization": 0.14, "gpu.ofa.utilization": 0.15,
		"gpu.graphics.active": 0.50, "gpu.sm.active": 0.41, "gpu.sm.occupancy": 0.22, "gpu.tensor.active": 0.31, "gpu.memory.active": 0.33,
		"gpu.pipe.active{pipe=fp64}": 0.04, "gpu.pipe.active{pipe=fp32}": 0.05, "gpu.pipe.active{pipe=fp16}": 0.06, "gpu.pipe.active{pipe=integer}": 0.07,
		"gpu.tensor.pipe.active{pipe=dfma}": 0.01, "gpu.tensor.pipe.active{pipe=hmma}": 0.29, "gpu.tensor.pipe.active{pipe=dmma}": 0.02, "gpu.tensor.pipe.active{pipe=imma}": 0.03,
		"gpu.pcie.rate{direction=transmit}": 1 << 20, "gpu.pcie.rate{direction=receive}": 2 << 20,
		"gpu.nvlink.rate{direction=transmit}": 3 << 20, "gpu.nvlink.rate{direction=receive}": 4 << 20,
		"gpu.encoder.sessions": 3, "gpu.encoder.frames": 60, "gpu.encoder.latency": 2500e-6,

		"gpu.memory.total": memory, "gpu.memory.used": 10 << 30, "gpu.memory.free": memory - 577765376 - 10<<30, "gpu.memory.reserved": 577765376,
		"gpu.bar1.total": 131072 << 20, "gpu.bar1.used": 4 << 20, "gpu.bar1.free": 131068 << 20,
		"gpu.power.usage": 300, "gpu.power.average": 300, "gpu.power.instant": 300,
		"gpu.power.limit.enforced": 650, "gpu.power.limit.requested": 650, "gpu.power.limit.default": 700, "gpu.power.limit.min": 200, "gpu.power.limit.max": 700,
		"gpu.temperature": 61, "gpu.memory.temperature": 71, "gpu.temperature.margin": 87 - 61,
		"gpu.clock{domain=sm}": 1500e6, "gpu.clock{domain=memory}": 2000e6, "gpu.clock{domain=graphics}": 1500e6, "gpu.clock{domain=video}": 1200e6,
		"gpu.clock.max{domain=sm}": 1980e6, "gpu.clock.max{domain=memory}": 2619e6, "gpu.clock.max{domain=graphics}": 1980e6, "gpu.clock.max{domain=video}": 1545e6,
		"gpu.performance.state":             0,
		"gpu.throttle.active{reason=idle}":  0,
		"gpu.throttle.active{reason=power}": 1, "gpu.throttle.active{reason=sync_boost}": 1, "gpu.throttle.active{reason=sw_thermal}": 1,
		"gpu.throttle.active{reason=hw_slowdown}": 1, "gpu.throttle.active{reason=hw_thermal}": 1, "gpu.throttle.active{reason=hw_power_brake}": 1,
		"gpu.throttle.active{reason=board_limit}": 0, "gpu.throttle.active{reason=reliability}": 0, // the simulated driver has no bit for them
		"gpu.throttle.active{reason=app_clocks}": 0, "gpu.throttle.active{reason=display}": 0,
		"gpu.throttle.mask": 0xfc,

		"gpu.ecc.mode": 1, "gpu.ecc.mode.pending": 1, "gpu.ecc.sram.threshold_exceeded": 1,
		"gpu.ecc.errors{type=volatile_corrected}": 9, "gpu.ecc.errors{type=volatile_uncorrected}": 4,
		"gpu.ecc.errors{type=aggregate_corrected}": 9, "gpu.ecc.errors{type=aggregate_uncorrected}": 4,
		"gpu.ecc.place.errors{place=dram,type=volatile_corrected}": 7, "gpu.ecc.place.errors{place=dram,type=volatile_uncorrected}": 3,
		"gpu.ecc.place.errors{place=dram,type=aggregate_corrected}": 7, "gpu.ecc.place.errors{place=dram,type=aggregate_uncorrected}": 3,
		"gpu.ecc.place.errors{place=sram,type=volatile_corrected}": 2, "gpu.ecc.place.errors{place=sram,type=volatile_uncorrected}": 1,
		"gpu.ecc.place.errors{place=sram,type=aggregate_corrected}": 2, "gpu.ecc.place.errors{place=sram,type=aggregate_uncorrected}": 1,
		"gpu.ecc.sram.errors{type=aggregate_uncorrected_parity}": 1, "gpu.ecc.sram.errors{type=aggregate_uncorrected_secded}": 0,
		"gpu.ecc.sram.errors{type=volatile_uncorrected_parity}": 1, "gpu.ecc.sram.errors{type=volatile_uncorrected_secded}": 0,
		"gpu.ecc.sram.errors{type=aggregate_corrected}": 2, "gpu.ecc.sram.errors{type=volatile_corrected}": 2,
		"gpu.ecc.sram.unit.errors{unit=l2}": 0, "gpu.ecc.sram.unit.errors{unit=sm}": 1, "gpu.ecc.sram.unit.errors{unit=pcie}": 0,
		"gpu.ecc.sram.unit.errors{unit=mcu}": 0, "gpu.ecc.sram.unit.errors{unit=other}": 0,
		"gpu.row_remap.correctable": 5, "gpu.row_remap.uncorrectable": 6, "gpu.row_remap.pending": 1, "gpu.row_remap.failure": 1,
		"gpu.repair.pending{unit=channel}": 1, "gpu.repair.pending{unit=tpc}": 0, "gpu.memory.unrepairable": 0, "gpu.recovery.action": 4,

		"gpu.pcie.generation": 4, "gpu.pcie.width": 8, "gpu.pcie.generation.max": 5, "gpu.pcie.width.max": 16, "gpu.pcie.replay": 9,
		"gpu.nvlink.links": 18, "gpu.nvlink.links.up": 16, "gpu.nvlink.speed": 26562e6,
		"gpu.nvlink.errors{type=crc_flit}": 23, "gpu.nvlink.errors{type=crc_data}": 24, "gpu.nvlink.errors{type=replay}": 25,
		"gpu.nvlink.errors{type=recovery}": 26, "gpu.nvlink.errors{type=ecc}": 27,
		"gpu.fabric.state": 3, "gpu.fabric.status": 0, "gpu.fabric.health.summary": 3, "gpu.fabric.health.mask": 0x1159, "gpu.fabric.configuration": 0,
		"gpu.fabric.trouble{type=degraded_bandwidth}": 1, "gpu.fabric.trouble{type=route_recovery}": 0,
		"gpu.fabric.trouble{type=route_unhealthy}": 1, "gpu.fabric.trouble{type=access_timeout_recovery}": 1,
		"gpu.persistence.mode": 0, "gpu.compute.mode": 3, "gpu.mig.mode": 0, "gpu.mig.mode.pending": 0, "gpu.virtualization.mode": 0,
		"gpu.vgpu.licensed": 0, "gpu.confidential.mode": 1,
	}, growth: map[string]float64{
		"gpu.energy.driver":          300,
		"gpu.throttle{reason=power}": 0.1, "gpu.throttle{reason=thermal}": 0.2, "gpu.throttle{reason=sync_boost}": 0.3,
		"gpu.throttle{reason=board_limit}": 0.4, "gpu.throttle{reason=low_utilization}": 0.5, "gpu.throttle{reason=reliability}": 0.6,
		"gpu.throttle{reason=sw_thermal}": 0.2, "gpu.throttle{reason=hw_thermal}": 0.7, "gpu.throttle{reason=hw_power_brake}": 0.8,
		"gpu.throttle{reason=app_clocks}": 0.15, "gpu.throttle{reason=base_clocks}": 0.25,
		"gpu.pcie.io{direction=transmit}": 1 << 20, "gpu.pcie.io{direction=receive}": 2 << 20,
		"gpu.nvlink.io{direction=transmit}": 3 << 20, "gpu.nvlink.io{direction=receive}": 4 << 20,
	}, present: []string{"gpu.row_remap.banks{spare=", "gpu.nvlink.link.io{", "gpu.memory.protected."}}
	for word, c := range map[string]float64{"shutdown": 95, "slowdown": 89, "memory_max": 95, "gpu_max": 87} {
		a.values["gpu.temperature.limit{threshold="+word+"}"] = c
		a.values["gpu.temperature.margin.limit{threshold="+word+"}"] = 87 - c
	}
	a.values["gpu.temperature.margin.limit{threshold=memory_max}"] = 0 // memory has no margin to the GPU's limit
	for n, word := range []string{"replay_rollover", "recovery", "correctable", "nak_received", "receiver", "bad_tlp", "nak_sent", "bad_dllp", "nonfatal", "fatal", "unsupported_request", "lcrc", "lane"} {
		a.values["gpu.pcie.errors{type="+word+"}"] = float64(10 + n)
	}
	for engine, n := range map[string]int{"nvdec": 7, "nvjpg": 7, "nvofa": 1} {
		for i := range n {
			a.values[fmt.Sprintf("gpu.engine.active{engine=%s%d}", engine, i)] = map[string]float64{"nvdec": 0.13, "nvjpg": 0.14, "nvofa": 0.15}[engine]
		}
	}
	a.links(18, 3, "gpu.nvlink.link.errors", ",type=crc", 23, 0)
	a.links(18, 3, "gpu.nvlink.link.errors", ",type=replay", 25, 0)
	a.links(18, 3, "gpu.nvlink.link.errors", ",type=recovery", 26, 0)
	a.links(18, -1, "gpu.nvlink.link.up", "", 0, 1)
	a.values["gpu.nvlink.link.up{link=16}"], a.values["gpu.nvlink.link.up{link=17}"] = 0, 0
	return a
}

func TestReaderReadsEveryRow(t *testing.T) {
	t.Parallel()
	checkRows(t, busyH100, h100Answers())
}

// checkRows reads everything of the one GPU of a scenario, twice in a second.
func checkRows(t *testing.T, scenario string, a *answers, change ...func(*nvml.Config)) {
	t.Helper()
	n := start(t, scenario, append(change, func(c *nvml.Config) { c.Interval, c.Groups = 2*interval, []string{nvml.AllGroups} })...)
	first := n.until("with known activity", func(f metric.Frame) bool { return good(1)(f) && f.Looks[0].Util.Known })
	time.Sleep(time.Second)
	// On a busy machine a look may speak for time that no GPM samples span.
	_, spanned := a.values["gpu.tensor.active"]
	last := n.until("with a good look", func(f metric.Frame) bool { return good(1)(f) && (f.Looks[0].SMActive.Known || !spanned) }).Looks[0]
	want, got := map[string]float64{}, values(last)
	for k, v := range a.values {
		want[k] = v
	}
	before, span := values(first.Looks[0]), (last.At - first.Looks[0].At).Seconds()
	for k, rate := range a.growth {
		// Looks end up to a sample after what they speak for.
		if grown := got[k] - before[k]; math.Abs(grown-rate*span) > 0.5*rate*span {
			t.Errorf("%s grew by %v in %.2fs, want %v a second", k, grown, span, rate)
		}
		delete(got, k)
	}
	for k := range got {
		if slices.ContainsFunc(a.present, func(prefix string) bool { return strings.HasPrefix(k, prefix) }) {
			delete(got, k)
		}
	}
	if d := cmp.Diff(want, got, cmp.Comparer(near)); d != "" {
		t.Errorf("readings (-want +got):\n%s", d)
	}
}
