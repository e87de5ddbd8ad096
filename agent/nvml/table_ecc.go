package nvml

import (
	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// eccRows count memory errors of the whole GPU.
var eccRows = []Row{
	{metric.Desc{Name: "gpu.ecc.mode", Help: "1 if memory errors are detected and corrected.", DCGM: "DCGM_FI_DEV_ECC_MODE", DCGMOld: "DCGM_FI_DEV_ECC_CURRENT"},
		Source{Field: nvml.FI_DEV_ECC_CURRENT, Scale: one, Every: rare, Max: 1}},
	ecc("volatile_corrected", "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", nvml.FI_DEV_ECC_SBE_VOL_TOTAL),
	ecc("volatile_uncorrected", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", nvml.FI_DEV_ECC_DBE_VOL_TOTAL),
	ecc("aggregate_corrected", "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL", nvml.FI_DEV_ECC_SBE_AGG_TOTAL),
	ecc("aggregate_uncorrected", "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL", nvml.FI_DEV_ECC_DBE_AGG_TOTAL),
	{metric.Desc{Name: "gpu.ecc.sram.threshold_exceeded", Help: "1 if there were so many SRAM errors that the board should be replaced. Only root is told.",
		DCGM: "DCGM_FI_DEV_SRAM_EXCEEDED", DCGMOld: "DCGM_FI_DEV_THRESHOLD_SRM"},
		Source{Call: callSRAM, Part: 11, Scale: one, Every: slow}},
}

// ecc is a total. OpenTelemetry has one counter of errors that only grows, so
// it gets the aggregate ones.
func ecc(kind, dcgm string, field uint32) Row {
	d := metric.Desc{Name: "gpu.ecc.errors", Kind: counter,
		Help:   "Memory errors: volatile ones since the driver was loaded or the GPU reset, aggregate ones in the GPU's life.",
		Labels: label("type", kind), DCGM: dcgm, DCGMOld: dcgm}
	switch kind {
	case "aggregate_corrected":
		d.OTel = metric.Alias{Name: "hw.errors", Attributes: label("error.type", "corrected")}
	case "aggregate_uncorrected":
		d.OTel = metric.Alias{Name: "hw.errors", Attributes: label("error.type", "uncorrected")}
	}
	return Row{d, Source{Field: field, Scale: one, Every: slow}}
}

// eccKinds are the four counters of a place, with their DCGM words.
var eccKinds = [4]struct {
	word, dcgm string
	typ        nvml.MemoryErrorType
	kind       nvml.EccCounterType
}{
	{"volatile_corrected", "SBE_VOL", nvml.MEMORY_ERROR_TYPE_CORRECTED, nvml.VOLATILE_ECC},
	{"volatile_uncorrected", "DBE_VOL", nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.VOLATILE_ECC},
	{"aggregate_corrected", "SBE_AGG", nvml.MEMORY_ERROR_TYPE_CORRECTED, nvml.AGGREGATE_ECC},
	{"aggregate_uncorrected", "DBE_AGG", nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.AGGREGATE_ECC},
}

// eccPlaces are the places of memory errors; fields are those of eccKinds, 0
// where the place has no field and a call is asked.
var eccPlaces = []struct {
	word, dcgm string
	place      nvml.MemoryLocation
	fields     [4]uint32
}{
	{"l1", "L1", nvml.MEMORY_LOCATION_L1_CACHE, [4]uint32{nvml.FI_DEV_ECC_SBE_VOL_L1, nvml.FI_DEV_ECC_DBE_VOL_L1, nvml.FI_DEV_ECC_SBE_AGG_L1, nvml.FI_DEV_ECC_DBE_AGG_L1}},
	{"l2", "L2", nvml.MEMORY_LOCATION_L2_CACHE, [4]uint32{nvml.FI_DEV_ECC_SBE_VOL_L2, nvml.FI_DEV_ECC_DBE_VOL_L2, nvml.FI_DEV_ECC_SBE_AGG_L2, nvml.FI_DEV_ECC_DBE_AGG_L2}},
	{"dram", "DEV", nvml.MEMORY_LOCATION_DRAM, [4]uint32{nvml.FI_DEV_ECC_SBE_VOL_DEV, nvml.FI_DEV_ECC_DBE_VOL_DEV, nvml.FI_DEV_ECC_SBE_AGG_DEV, nvml.FI_DEV_ECC_DBE_AGG_DEV}},
	{"register", "REG", nvml.MEMORY_LOCATION_REGISTER_FILE, [4]uint32{nvml.FI_DEV_ECC_SBE_VOL_REG, nvml.FI_DEV_ECC_DBE_VOL_REG, nvml.FI_DEV_ECC_SBE_AGG_REG, nvml.FI_DEV_ECC_DBE_AGG_REG}},
	{"texture", "TEX", nvml.MEMORY_LOCATION_TEXTURE_MEMORY, [4]uint32{nvml.FI_DEV_ECC_SBE_VOL_TEX, nvml.FI_DEV_ECC_DBE_VOL_TEX, nvml.FI_DEV_ECC_SBE_AGG_TEX, nvml.FI_DEV_ECC_DBE_AGG_TEX}},
	{"shared", "SHM", nvml.MEMORY_LOCATION_TEXTURE_SHM, [4]uint32{}},
	{"cbu", "CBU", nvml.MEMORY_LOCATION_CBU, [4]uint32{0, nvml.FI_DEV_ECC_DBE_VOL_CBU, 0, nvml.FI_DEV_ECC_DBE_AGG_CBU}},
	{"sram", "SRM", nvml.MEMORY_LOCATION_SRAM, [4]uint32{}},
}

// eccPlaceRows count memory errors by place, and SRAM errors as finely as root
// is told.
func eccPlaceRows() []Row {
	var rows []Row
	for _, p := range eccPlaces {
		for i, k := range eccKinds {
			dcgm := "DCGM_FI_DEV_ECC_" + k.dcgm + "_" + p.dcgm
			s := Source{Field: p.fields[i], Scale: one, Every: slow}
			if s.Field == 0 {
				s.Call, s.Arg = callErrorCounter, errorArg(k.typ, k.kind, p.place)
			}
			rows = append(rows, Row{metric.Desc{Name: "gpu.ecc.place.errors", Kind: counter,
				Help:   "Memory errors by place: volatile ones since the driver was loaded or the GPU reset, aggregate ones in the GPU's life.",
				Labels: []metric.Label{{Name: "place", Value: p.word}, {Name: "type", Value: k.word}}, DCGM: dcgm, DCGMOld: dcgm}, s})
		}
	}
	for part, word := range []string{
		"aggregate_uncorrected_parity", "aggregate_uncorrected_secded", "aggregate_corrected",
		"volatile_uncorrected_parity", "volatile_uncorrected_secded", "volatile_corrected",
	} {
		rows = append(rows, sram("gpu.ecc.sram.errors", "Errors in SRAM by how they were detected. Only root is told.", "type", word, part))
	}
	for n, word := range []string{"l2", "sm", "pcie", "mcu", "other"} {
		rows = append(rows, sram("gpu.ecc.sram.unit.errors", "Uncorrected errors in SRAM in the GPU's life, by unit. Only root is told.", "unit", word, 6+n))
	}
	return rows
}

func sram(name, help, labelName, word string, part int) Row {
	return Row{metric.Desc{Name: name, Kind: counter, Help: help, Labels: label(labelName, word)},
		Source{Call: callSRAM, Part: part, Scale: one, Every: slow}}
}
