package nvml

import (
	"strconv"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// nvlinkRows are all NVLinks of a GPU together. NVLink up to 4 and NVLink 5
// count different things: a GPU has the errors of one or the other.
var nvlinkRows = []Row{
	{metric.Desc{Name: "gpu.nvlink.links", Help: "NVLinks that the GPU has."}, Source{Call: callNVLinks, Scale: one, Every: rare}},
	{metric.Desc{Name: "gpu.nvlink.links.up", Help: "NVLinks that are up."}, Source{Call: callNVLinks, Part: 1, Scale: one, Every: rare}},
	{metric.Desc{Name: "gpu.nvlink.speed", Unit: metric.BytesPerSecond, Help: "Speed of one NVLink, as far as all that are up have the same."},
		Source{Field: nvml.FI_DEV_NVLINK_SPEED_MBPS_COMMON, Scale: mega, Every: rare}},
	nvlinkIO("transmit", nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_TX, nvml.FI_DEV_NVLINK_COUNT_XMIT_BYTES),
	nvlinkIO("receive", nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_RX, nvml.FI_DEV_NVLINK_COUNT_RCV_BYTES),

	nvlinkErrors("crc_flit", "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_TOTAL", "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", nvml.FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL, 0),
	nvlinkErrors("crc_data", "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_TOTAL", "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL", nvml.FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL, 0),
	nvlinkErrors("replay", "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_TOTAL", "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL", nvml.FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL, 0),
	nvlinkErrors("recovery", "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_TOTAL", "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", nvml.FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL, 0),
	nvlinkErrors("ecc", "DCGM_FI_DEV_NVLINK_ECC_ERROR_TOTAL", "DCGM_FI_DEV_NVLINK_ECC_DATA_ERROR_COUNT_TOTAL", nvml.FI_DEV_NVLINK_ECC_DATA_ERROR_COUNT_TOTAL, 0),
	nvlinkErrors("receive", "", "", nvml.FI_DEV_NVLINK_COUNT_RCV_ERRORS, allLinks),
	nvlinkErrors("effective", "", "", nvml.FI_DEV_NVLINK_COUNT_EFFECTIVE_ERRORS, allLinks),
	nvlinkErrors("symbol", "", "", nvml.FI_DEV_NVLINK_COUNT_SYMBOL_ERRORS, allLinks),
	nvlinkErrors("recovery_succeeded", "", "", nvml.FI_DEV_NVLINK_COUNT_LINK_RECOVERY_SUCCESSFUL_EVENTS, allLinks),
	nvlinkErrors("recovery_failed", "", "", nvml.FI_DEV_NVLINK_COUNT_LINK_RECOVERY_FAILED_EVENTS, allLinks),

	{metric.Desc{Name: "gpu.c2c.links", Help: "Links between the GPU and the CPU of its module.", DCGM: "DCGM_FI_DEV_C2C_LINK_QUANTITY", DCGMOld: "DCGM_FI_DEV_C2C_LINK_COUNT"},
		Source{Field: nvml.FI_DEV_C2C_LINK_COUNT, Scale: one, Every: rare}},
}

func nvlinkIO(direction string, field, field5 uint32) Row {
	return Row{metric.Desc{Name: "gpu.nvlink.io", Unit: metric.Bytes, Kind: counter, Help: "Bytes over all NVLinks.", Labels: label("direction", direction)},
		Source{Field: field, Scope: allLinks, Scale: kibi, Or: &Source{Field: field5, Scope: allLinks, Scale: one}}}
}

func nvlinkErrors(word, dcgm, old string, field, scope uint32) Row {
	return Row{metric.Desc{Name: "gpu.nvlink.errors", Kind: counter, Help: "Errors on all NVLinks, by kind.", Labels: label("type", word), DCGM: dcgm, DCGMOld: old},
		Source{Field: field, Scope: scope, Scale: one, Every: slow}}
}

const (
	maxLinks    = 18 // that a GPU has, up to NVLink 5
	maxC2CLinks = 14
	fecBins     = 16
)

// linkCounters are what is counted of each NVLink.
var linkCounters = []struct {
	name, help string
	labels     []metric.Label
	field      uint32
}{
	// Up to NVLink 4.
	{"gpu.nvlink.link.errors", linkErrors, label("type", "crc"), nvml.FI_DEV_NVLINK_ERROR_DL_CRC},
	{"gpu.nvlink.link.errors", linkErrors, label("type", "replay"), nvml.FI_DEV_NVLINK_ERROR_DL_REPLAY},
	{"gpu.nvlink.link.errors", linkErrors, label("type", "recovery"), nvml.FI_DEV_NVLINK_ERROR_DL_RECOVERY},
	// NVLink 5.
	{"gpu.nvlink.link.errors", linkErrors, label("type", "malformed"), nvml.FI_DEV_NVLINK_COUNT_MALFORMED_PACKET_ERRORS},
	{"gpu.nvlink.link.errors", linkErrors, label("type", "overrun"), nvml.FI_DEV_NVLINK_COUNT_BUFFER_OVERRUN_ERRORS},
	{"gpu.nvlink.link.errors", linkErrors, label("type", "receive"), nvml.FI_DEV_NVLINK_COUNT_RCV_ERRORS},
	{"gpu.nvlink.link.errors", linkErrors, label("type", "remote"), nvml.FI_DEV_NVLINK_COUNT_RCV_REMOTE_ERRORS},
	{"gpu.nvlink.link.errors", linkErrors, label("type", "general"), nvml.FI_DEV_NVLINK_COUNT_RCV_GENERAL_ERRORS},
	{"gpu.nvlink.link.errors", linkErrors, label("type", "integrity"), nvml.FI_DEV_NVLINK_COUNT_LOCAL_LINK_INTEGRITY_ERRORS},
	{"gpu.nvlink.link.errors", linkErrors, label("type", "discard"), nvml.FI_DEV_NVLINK_COUNT_XMIT_DISCARDS},
	{"gpu.nvlink.link.errors", linkErrors, label("type", "effective"), nvml.FI_DEV_NVLINK_COUNT_EFFECTIVE_ERRORS},
	{"gpu.nvlink.link.errors", linkErrors, label("type", "symbol"), nvml.FI_DEV_NVLINK_COUNT_SYMBOL_ERRORS},
	{"gpu.nvlink.link.recoveries", "Times that an NVLink had to recover.", label("result", "succeeded"), nvml.FI_DEV_NVLINK_COUNT_LINK_RECOVERY_SUCCESSFUL_EVENTS},
	{"gpu.nvlink.link.recoveries", "Times that an NVLink had to recover.", label("result", "failed"), nvml.FI_DEV_NVLINK_COUNT_LINK_RECOVERY_FAILED_EVENTS},
	{"gpu.nvlink.link.recoveries", "Times that an NVLink had to recover.", label("result", "any"), nvml.FI_DEV_NVLINK_COUNT_LINK_RECOVERY_EVENTS},
	{"gpu.nvlink.link.packets", "Packets over one NVLink.", label("direction", "transmit"), nvml.FI_DEV_NVLINK_COUNT_XMIT_PACKETS},
	{"gpu.nvlink.link.packets", "Packets over one NVLink.", label("direction", "receive"), nvml.FI_DEV_NVLINK_COUNT_RCV_PACKETS},
}

const linkErrors = "Errors on one NVLink, by kind."

// nvlinkDetailRows are the single NVLinks.
func nvlinkDetailRows() []Row {
	var rows []Row
	for n := range uint32(maxLinks) {
		link := metric.Label{Name: "link", Value: strconv.Itoa(int(n))}
		d := metric.Desc{Name: "gpu.nvlink.link.up", Help: "1 if an NVLink is up.", Labels: []metric.Label{link}}
		rows = append(rows, Row{d, Source{Call: callNVLink, Arg: n, Scale: one, Every: slow, Max: 1}})
		for _, io := range []struct {
			word          string
			field, field5 uint32
		}{
			{"transmit", nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_TX, nvml.FI_DEV_NVLINK_COUNT_XMIT_BYTES},
			{"receive", nvml.FI_DEV_NVLINK_THROUGHPUT_DATA_RX, nvml.FI_DEV_NVLINK_COUNT_RCV_BYTES},
		} {
			d := metric.Desc{Name: "gpu.nvlink.link.io", Unit: metric.Bytes, Kind: counter, Help: "Bytes over one NVLink.",
				Labels: []metric.Label{link, {Name: "direction", Value: io.word}}}
			rows = append(rows, Row{d, Source{Field: io.field, Scope: n, Scale: kibi, Every: slow, Or: &Source{Field: io.field5, Scope: n, Scale: one, Every: slow}}})
		}
		for _, c := range linkCounters {
			rows = append(rows, linkCounter(c.name, c.help, link, c.labels[0], c.field))
		}
		rows = append(rows, linkErrorRate("effective", link, nvml.FI_DEV_NVLINK_COUNT_EFFECTIVE_BER), linkErrorRate("symbol", link, nvml.FI_DEV_NVLINK_COUNT_SYMBOL_BER))
		for bin := range uint32(fecBins) {
			rows = append(rows, linkCounter("gpu.nvlink.link.fec", "Blocks on one NVLink by how many symbols in them had to be corrected.", link,
				metric.Label{Name: "corrected", Value: strconv.Itoa(int(bin))}, nvml.FI_DEV_NVLINK_COUNT_FEC_HISTORY_0+bin))
		}
	}
	return rows
}

func linkCounter(name, help string, link, other metric.Label, field uint32) Row {
	scope, _ := strconv.ParseUint(link.Value, 10, 32) // our own digits
	return Row{metric.Desc{Name: name, Kind: counter, Help: help, Labels: []metric.Label{link, other}},
		Source{Field: field, Scope: uint32(scope), Scale: one, Every: slow}}
}

func linkErrorRate(word string, link metric.Label, field uint32) Row {
	r := linkCounter("gpu.nvlink.link.bit_error_rate", "Share of the bits over one NVLink that were wrong.", link, metric.Label{Name: "type", Value: word}, field)
	r.Kind, r.Unit, r.Source.Decode, r.Source.Max = metric.Gauge, metric.Ratio, errorRate, 1
	return r
}

// c2cDetailRows are the single links between a GPU and its CPU.
func c2cDetailRows() []Row {
	rows := []Row{
		c2cRate("transmit", "DCGM_FI_PROF_C2C_TX_ALL_BYTES", nvml.GPM_METRIC_C2C_TOTAL_TX_PER_SEC),
		c2cRate("receive", "DCGM_FI_PROF_C2C_RX_ALL_BYTES", nvml.GPM_METRIC_C2C_TOTAL_RX_PER_SEC),
	}
	for n := range uint32(maxC2CLinks) {
		link := metric.Label{Name: "link", Value: strconv.Itoa(int(n))}
		field := func(d metric.Desc, field uint32, scale float64) {
			rows = append(rows, Row{d, Source{Field: field, Scope: n, Scale: scale, Every: slow}})
		}
		field(metric.Desc{Name: "gpu.c2c.link.up", Help: "1 if a link between GPU and CPU is up.", Labels: []metric.Label{link}}, nvml.FI_DEV_C2C_LINK_GET_STATUS, one)
		field(metric.Desc{Name: "gpu.c2c.link.speed", Unit: metric.BytesPerSecond, Help: "Highest speed of a link between GPU and CPU.", Labels: []metric.Label{link}}, nvml.FI_DEV_C2C_LINK_GET_MAX_BW, mega)
		for word, id := range c2cErrors {
			field(metric.Desc{Name: "gpu.c2c.link.errors", Kind: counter, Help: "Errors on a link between GPU and CPU, by kind.",
				Labels: []metric.Label{link, {Name: "type", Value: c2cErrorWords[word]}}}, id, one)
		}
	}
	return rows
}

var (
	c2cErrors     = [...]uint32{nvml.FI_DEV_C2C_LINK_ERROR_INTR, nvml.FI_DEV_C2C_LINK_ERROR_REPLAY, nvml.FI_DEV_C2C_LINK_ERROR_REPLAY_B2B}
	c2cErrorWords = [...]string{"crc", "replay", "replay_back_to_back"}
)

func c2cRate(direction, dcgm string, id nvml.GpmMetricId) Row {
	return rate("gpu.c2c.rate", "Bytes per second over all links between GPU and CPU.", direction, dcgm, id)
}
