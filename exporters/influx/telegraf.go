package influx

import (
	"strconv"
	"strings"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
)

// The measurements of telegraf's nvidia_smi plugin. nvidia_smi_process is not
// written: it wants the names of processes, which nobody asks for here.
const (
	smi    = "nvidia_smi"
	smiMIG = "nvidia_smi_mig"
)

// form is how telegraf writes a value.
type form uint8

const (
	whole   form = iota // an integer
	decimal             // a float
	yes                 // the strings "Yes" and "No"
	enabled             // the strings "Enabled" and "Disabled"
)

// telegrafRow is a field of telegraf's and the metric that it is of, by its
// key. Of two rows with one field the later counts, where both have a value.
type telegrafRow struct {
	field, key string
	form       form
	scale      float64 // from our unit to telegraf's
}

const (
	percent = 100
	mib     = 1.0 / (1 << 20)
	mhz     = 1e-6
	micro   = 1e6
	one     = 1
)

// telegrafRows are the fields of nvidia_smi (telegraf's parser of schema v13).
// Without a counterpart are cuda_version, display_*, pcie_rx_util and
// pcie_tx_util (reading those stops the driver for 20 ms), retired_pages_blacklist,
// and the temperatures that can be set as a target.
var telegrafRows = []telegrafRow{
	{"current_ecc", "gpu.ecc.mode", enabled, one},
	{"fan_speed", "gpu.fan.speed", whole, percent},
	{"memory_total", "gpu.memory.total", whole, mib},
	{"memory_used", "gpu.memory.used", whole, mib},
	{"memory_free", "gpu.memory.free", whole, mib},
	{"memory_reserved", "gpu.memory.reserved", whole, mib},
	{"ecc_errors_volatile_dram_correctable", "gpu.ecc.place.errors{place=dram,type=volatile_corrected}", whole, one},
	{"ecc_errors_volatile_dram_uncorrectable", "gpu.ecc.place.errors{place=dram,type=volatile_uncorrected}", whole, one},
	{"ecc_errors_volatile_sram_correctable", "gpu.ecc.place.errors{place=sram,type=volatile_corrected}", whole, one},
	{"ecc_errors_volatile_sram_uncorrectable", "gpu.ecc.place.errors{place=sram,type=volatile_uncorrected}", whole, one},
	{"ecc_errors_volatile_sram_uncorrectable_parity", "gpu.ecc.sram.errors{type=volatile_uncorrected_parity}", whole, one},
	{"ecc_errors_volatile_sram_uncorrectable_secded", "gpu.ecc.sram.errors{type=volatile_uncorrected_secded}", whole, one},
	{"ecc_errors_aggregate_dram_correctable", "gpu.ecc.place.errors{place=dram,type=aggregate_corrected}", whole, one},
	{"ecc_errors_aggregate_dram_uncorrectable", "gpu.ecc.place.errors{place=dram,type=aggregate_uncorrected}", whole, one},
	{"ecc_errors_aggregate_sram_correctable", "gpu.ecc.place.errors{place=sram,type=aggregate_corrected}", whole, one},
	{"ecc_errors_aggregate_sram_uncorrectable", "gpu.ecc.place.errors{place=sram,type=aggregate_uncorrected}", whole, one},
	{"ecc_errors_aggregate_sram_uncorrectable_parity", "gpu.ecc.sram.errors{type=aggregate_uncorrected_parity}", whole, one},
	{"ecc_errors_aggregate_sram_uncorrectable_secded", "gpu.ecc.sram.errors{type=aggregate_uncorrected_secded}", whole, one},
	{"ecc_errors_aggregate_sram_threshold_exceeded", "gpu.ecc.sram.threshold_exceeded", yes, one},
	{"ecc_errors_aggregate_sram_uncorrectable_l2", "gpu.ecc.sram.unit.errors{unit=l2}", whole, one},
	{"ecc_errors_aggregate_sram_uncorrectable_sm", "gpu.ecc.sram.unit.errors{unit=sm}", whole, one},
	{"ecc_errors_aggregate_sram_uncorrectable_pcie", "gpu.ecc.sram.unit.errors{unit=pcie}", whole, one},
	{"ecc_errors_aggregate_sram_uncorrectable_microcontroller", "gpu.ecc.sram.unit.errors{unit=mcu}", whole, one},
	{"ecc_errors_aggregate_sram_uncorrectable_other", "gpu.ecc.sram.unit.errors{unit=other}", whole, one},
	{"ecc_errors_channel_repair_pending", "gpu.repair.pending{unit=channel}", yes, one},
	{"ecc_errors_tpc_repair_pending", "gpu.repair.pending{unit=tpc}", yes, one},
	{"ecc_errors_unrepairable_memory", "gpu.memory.unrepairable", yes, one},
	{"retired_pages_multiple_single_bit", "gpu.page_retirement.pages{cause=single_bit}", whole, one},
	{"retired_pages_double_bit", "gpu.page_retirement.pages{cause=double_bit}", whole, one},
	{"retired_pages_pending", "gpu.page_retirement.pending", yes, one},
	{"remapped_rows_correctable", "gpu.row_remap.correctable", whole, one},
	{"remapped_rows_uncorrectable", "gpu.row_remap.uncorrectable", whole, one},
	{"remapped_rows_pending", "gpu.row_remap.pending", yes, one},
	{"remapped_rows_failure", "gpu.row_remap.failure", yes, one},
	{"temperature_gpu", "gpu.temperature", whole, one},
	{"temperature_gpu_tlimit", "gpu.temperature.margin", whole, one},
	{"temperature_memory", "gpu.memory.temperature", whole, one},
	{"temperature_max_threshold", "gpu.temperature.limit{threshold=shutdown}", whole, one},
	{"temperature_slow_threshold", "gpu.temperature.limit{threshold=slowdown}", whole, one},
	{"temperature_max_gpu_threshold", "gpu.temperature.limit{threshold=gpu_max}", whole, one},
	{"temperature_max_mem_threshold", "gpu.temperature.limit{threshold=memory_max}", whole, one},
	{"temperature_max_tlimit_threshold", "gpu.temperature.margin.limit{threshold=shutdown}", whole, one},
	{"temperature_slow_tlimit_threshold", "gpu.temperature.margin.limit{threshold=slowdown}", whole, one},
	{"temperature_max_gpu_tlimit_threshold", "gpu.temperature.margin.limit{threshold=gpu_max}", whole, one},
	{"temperature_max_mem_tlimit_threshold", "gpu.temperature.margin.limit{threshold=memory_max}", whole, one},
	{"utilization_gpu", "gpu.utilization", whole, percent},
	{"utilization_memory", "gpu.memory.utilization", whole, percent},
	{"utilization_encoder", "gpu.encoder.utilization", whole, percent},
	{"utilization_decoder", "gpu.decoder.utilization", whole, percent},
	{"utilization_jpeg", "gpu.jpeg.utilization", whole, percent},
	{"utilization_ofa", "gpu.ofa.utilization", whole, percent},
	{"pcie_link_gen_current", "gpu.pcie.generation", whole, one},
	{"pcie_link_width_current", "gpu.pcie.width", whole, one},
	{"encoder_stats_session_count", "gpu.encoder.sessions", whole, one},
	{"encoder_stats_average_fps", "gpu.encoder.frames", whole, one},
	{"encoder_stats_average_latency", "gpu.encoder.latency", whole, micro},
	{"fbc_stats_session_count", "gpu.capture.sessions", whole, one},
	{"fbc_stats_average_fps", "gpu.capture.frames", whole, one},
	{"fbc_stats_average_latency", "gpu.capture.latency", whole, micro},
	{"clocks_current_graphics", "gpu.clock{domain=graphics}", whole, mhz},
	{"clocks_current_sm", "gpu.clock{domain=sm}", whole, mhz},
	{"clocks_current_memory", "gpu.clock{domain=memory}", whole, mhz},
	{"clocks_current_video", "gpu.clock{domain=video}", whole, mhz},
	{"clocks_event_reasons_counters_sw_power_cap", "gpu.throttle{reason=power}", whole, micro},
	{"clocks_event_reasons_counters_sw_therm_slowdown", "gpu.throttle{reason=sw_thermal}", whole, micro},
	{"clocks_event_reasons_counters_hw_therm_slowdown", "gpu.throttle{reason=hw_thermal}", whole, micro},
	{"clocks_event_reasons_counters_hw_power_brake", "gpu.throttle{reason=hw_power_brake}", whole, micro},
	{"clocks_event_reasons_counters_sync_boost", "gpu.throttle{reason=sync_boost}", whole, micro},
	{"power_draw", "gpu.power.usage", decimal, one},
	{"power_draw", "gpu.power.instant", decimal, one},
	{"power_draw_average", "gpu.power.average", decimal, one},
	{"power_limit", "gpu.power.limit.enforced", decimal, one},
	{"power_limit_requested", "gpu.power.limit.requested", decimal, one},
	{"power_limit_default", "gpu.power.limit.default", decimal, one},
	{"power_limit_min", "gpu.power.limit.min", decimal, one},
	{"power_limit_max", "gpu.power.limit.max", decimal, one},
	{"module_power_draw", "gpu.module.power.average", decimal, one},
	{"module_power_draw", "gpu.module.power.instant", decimal, one},
}

// telegrafMIGRows are the fields of nvidia_smi_mig.
var telegrafMIGRows = []telegrafRow{
	{"memory_fb_total", "gpu.instance.memory.total", whole, mib},
	{"memory_fb_used", "gpu.instance.memory.used", whole, mib},
	{"memory_fb_free", "gpu.instance.memory.free", whole, mib},
	{"memory_fb_reserved", "gpu.instance.memory.reserved", whole, mib},
}

// computeModes are nvidia-smi's words for the driver's numbers.
var computeModes = map[float64]string{0: "Default", 1: "Exclusive_Thread", 2: "Prohibited", 3: "Exclusive_Process"}

// telegraf puts a snapshot into lines as telegraf would. Beyond telegraf, which
// says nothing of a GPU that does not answer, every GPU has the fields up and
// state_reason.
func telegraf(ls *lines, s *exporters.Snapshot, now time.Time, maxAge time.Duration) {
	stale := now.Sub(s.Frame.Wall) > maxAge
	seen := map[string]bool{}
	for i := range s.Frame.Looks {
		l := &s.Frame.Looks[i]
		if seen[l.GPU.UUID] {
			continue
		}
		seen[l.GPU.UUID] = true
		telegrafGPU(ls, s, l, stale)
	}
}

func telegrafGPU(ls *lines, s *exporters.Snapshot, l *metric.Look, stale bool) {
	up, reason, readings := int64(1), "", byKey(l.Readings)
	if stale || l.Condition != metric.Good {
		up, reason, readings = 0, l.Reason, nil
	}
	if stale {
		reason = metric.ReasonNotSampled
	}
	tags := telegrafTags(s, &l.GPU, readings)
	line := ls.at(smi, append(tags, tag{"index", strconv.Itoa(l.GPU.Index)})...)
	line.set("up", lineprotocol.IntValue(up))
	line.text(fieldReason, reason)
	for _, x := range []tag{{"driver_version", s.Frame.Driver.Version}, {"serial", l.GPU.Serial}, {"vbios_version", l.GPU.VBIOS}} {
		if x.value != "" {
			line.text(x.key, x.value)
		}
	}
	line.rows(telegrafRows, readings)
	if up == 0 {
		return
	}
	for n, c := range computeInstances(l) {
		more := []tag{{"index", strconv.Itoa(n)}, {"gpu_index", strconv.Itoa(c.in.ID)}, {"compute_index", strconv.Itoa(c.id)}}
		ls.at(smiMIG, append(more, tags...)...).rows(telegrafMIGRows, byKey(c.in.Readings))
	}
}

// computeInstance is what telegraf calls a MIG device.
type computeInstance struct {
	in *metric.Instance
	id int
}

// computeInstances lists those of a GPU in the driver's order, which is what
// telegraf numbers.
func computeInstances(l *metric.Look) []computeInstance {
	var out []computeInstance
	for i := range l.Instances {
		for _, c := range l.Instances[i].Compute {
			out = append(out, computeInstance{&l.Instances[i], c.ID})
		}
	}
	return out
}

// telegrafTags returns the tags that telegraf gives to a GPU. The performance
// state is one of them there, so that each change of it begins a new series.
func telegrafTags(s *exporters.Snapshot, g *metric.GPU, readings map[string]float64) []tag {
	tags := append(make([]tag, 0, 16), tag{"host", s.Node.Name}, tag{"name", g.Name}, tag{"arch", architecture(g.Architecture)}, tag{"uuid", g.UUID})
	if v, ok := readings["gpu.performance.state"]; ok {
		tags = append(tags, tag{"pstate", "P" + strconv.Itoa(int(v))})
	}
	if v, ok := readings["gpu.compute.mode"]; ok {
		tags = append(tags, tag{"compute_mode", computeModes[v]})
	}
	return tags
}

// architecture returns nvidia-smi's word for ours: "Hopper", "Ada Lovelace".
func architecture(ours string) string {
	if ours == "" {
		return ""
	}
	if ours == "ada" {
		return "Ada Lovelace"
	}
	return strings.ToUpper(ours[:1]) + ours[1:]
}

func byKey(rs []metric.Reading) map[string]float64 {
	out := make(map[string]float64, len(rs))
	for i := range rs {
		out[rs[i].Desc.Key()] = rs[i].Value
	}
	return out
}

// rows puts what there are readings for into the line.
func (l *line) rows(rows []telegrafRow, readings map[string]float64) {
	for i := range rows {
		r := &rows[i]
		v, ok := readings[r.key]
		if !ok {
			continue
		}
		switch r.form {
		case whole:
			if n, ok := integer(v * r.scale); ok {
				l.set(r.field, n)
			}
		case decimal:
			if f, ok := lineprotocol.FloatValue(v * r.scale); ok {
				l.set(r.field, f)
			}
		case yes:
			l.text(r.field, word(v, "Yes", "No"))
		case enabled:
			l.text(r.field, word(v, "Enabled", "Disabled"))
		}
	}
}

func word(v float64, set, unset string) string {
	if v != 0 {
		return set
	}
	return unset
}
