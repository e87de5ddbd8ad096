package dcgm

import (
	"fmt"
	"strings"

	"github.com/gpumeter/gpumeter/metric"
)

// Names are the generations of names to show.
type Names string

// DCGM renamed its fields twice. Old names are those of dcgm-exporter up to
// 4.8. New ones came with DCGM 4.6 for the same values: dcgm-exporter has them
// where its counter file asks for them. Base ones are those of DCGM 4.7, which
// dcgm-exporter has by default since 4.9: eleven of the default metrics are in
// base units there, and say so in their names.
//
// Old and new names go together. New and base ones do not: both generations
// have a DCGM_FI_DEV_GPU_UTIL_RATIO, 0–100 in one and 0–1 in the other.
const (
	OldNames  Names = "old"
	NewNames  Names = "new"
	BothNames Names = "both" // old and new
	BaseNames Names = "base"
)

// Check returns an error for a word that is none of them.
func (n Names) Check() error {
	if len(n.generations()) == 0 {
		return fmt.Errorf("dcgm names %q are not old, new, both or base", string(n))
	}
	return nil
}

// generation is one of the three.
type generation uint8

const (
	genOld generation = iota
	genNew
	genBase
	generations
)

func (n Names) generations() []generation {
	switch n {
	case OldNames:
		return []generation{genOld}
	case NewNames:
		return []generation{genNew}
	case BothNames:
		return []generation{genOld, genNew}
	case BaseNames:
		return []generation{genBase}
	}
	return nil
}

// Names of what stands in no table: the last error, and the rate over all
// NVLinks, which DCGM makes of two counters.
const (
	xidOld    = "DCGM_FI_DEV_XID_ERRORS"
	xidNew    = "DCGM_FI_DEV_XID_ERROR"
	nvlinkOld = "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL"
	nvlinkNew = "DCGM_FI_DEV_NVLINK_THROUGHPUT_TOTAL"
)

// inBaseUnits are the fields that DCGM 4.7 has anew in base units, by old name.
// All others have their new name there.
var inBaseUnits = map[string]string{
	"DCGM_FI_DEV_SM_CLOCK":                 "DCGM_FI_DEV_SM_CLOCK_HERTZ",
	"DCGM_FI_DEV_MEM_CLOCK":                "DCGM_FI_DEV_MEMORY_CLOCK_HERTZ",
	"DCGM_FI_DEV_VIDEO_CLOCK":              "DCGM_FI_DEV_VIDEO_CLOCK_HERTZ",
	"DCGM_FI_DEV_MAX_SM_CLOCK":             "DCGM_FI_DEV_SM_MAX_CLOCK_HERTZ",
	"DCGM_FI_DEV_MAX_MEM_CLOCK":            "DCGM_FI_DEV_MEMORY_MAX_CLOCK_HERTZ",
	"DCGM_FI_DEV_MAX_VIDEO_CLOCK":          "DCGM_FI_DEV_VIDEO_MAX_CLOCK_HERTZ",
	"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": "DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL",
	"DCGM_FI_DEV_FAN_SPEED":                "DCGM_FI_DEV_FAN_SPEED_RATIO",
	"DCGM_FI_DEV_GPU_UTIL":                 "DCGM_FI_DEV_GPU_UTIL_RATIO",
	"DCGM_FI_DEV_MEM_COPY_UTIL":            "DCGM_FI_DEV_MEMORY_UTIL_RATIO",
	"DCGM_FI_DEV_ENC_UTIL":                 "DCGM_FI_DEV_ENC_UTIL_RATIO",
	"DCGM_FI_DEV_DEC_UTIL":                 "DCGM_FI_DEV_DEC_UTIL_RATIO",
	"DCGM_FI_DEV_POWER_VIOLATION":          "DCGM_FI_DEV_GPU_POWER_THROTTLE_SECONDS_TOTAL",
	"DCGM_FI_DEV_THERMAL_VIOLATION":        "DCGM_FI_DEV_GPU_THERMAL_THROTTLE_SECONDS_TOTAL",
	"DCGM_FI_DEV_FB_TOTAL":                 "DCGM_FI_DEV_FB_CAPACITY_BYTES",
	"DCGM_FI_DEV_FB_FREE":                  "DCGM_FI_DEV_FB_FREE_BYTES",
	"DCGM_FI_DEV_FB_USED":                  "DCGM_FI_DEV_FB_USED_BYTES",
	"DCGM_FI_DEV_FB_RESERVED":              "DCGM_FI_DEV_FB_RESERVED_BYTES",
	"DCGM_FI_DEV_BAR1_TOTAL":               "DCGM_FI_DEV_BAR1_CAPACITY_BYTES",
	"DCGM_FI_DEV_BAR1_USED":                "DCGM_FI_DEV_BAR1_USED_BYTES",
	"DCGM_FI_DEV_BAR1_FREE":                "DCGM_FI_DEV_BAR1_FREE_BYTES",
	nvlinkOld:                              "DCGM_FI_DEV_NVLINK_THROUGHPUT_BYTES_PER_SECOND",
}

// field is one value of DCGM under the names of the generations; an empty one
// is a generation that does not have it.
type field struct {
	names [generations]string
	unit  metric.Unit // of our value
	index int         // -1 until a counter selects it
}

func newField(oldName, newName string, unit metric.Unit) *field {
	f := &field{names: [generations]string{oldName, newName, newName}, unit: unit, index: -1}
	if base := inBaseUnits[oldName]; base != "" {
		f.names[genBase] = base
	}
	return f
}

// catalogue are all fields that can be shown, by each of their names.
func catalogue(known []*metric.Desc) map[string]*field {
	out := map[string]*field{}
	add := func(f *field) {
		for _, name := range f.names {
			if name != "" && out[name] == nil {
				out[name] = f
			}
		}
	}
	add(newField(xidOld, xidNew, metric.Count))
	add(newField(nvlinkOld, nvlinkNew, metric.BytesPerSecond))
	for _, d := range known {
		if d.DCGM == "" && d.DCGMOld == "" || out[d.DCGMOld] != nil || d.DCGMOld == "" && out[d.DCGM] != nil {
			continue
		}
		add(newField(d.DCGMOld, d.DCGM, d.Unit))
	}
	return out
}

// plan lays out the page: which families it has, and in which order.
func (e *Exporter) plan() {
	known := catalogue(e.o.Known)
	seen := map[string]bool{}
	for _, c := range e.o.Counters {
		if c.Type == labelType {
			e.planLabel(c)
			continue
		}
		f := known[c.Field]
		if f == nil {
			e.o.Log.Warn("counter is not known and left out", "field", c.Field, "at", c.At)
			continue
		}
		if f.index < 0 {
			f.index = e.count
			e.count++
			for _, name := range f.names[:genBase] {
				if name != "" {
					e.fields[name] = f.index
				}
			}
		}
		e.planFamilies(c, f, seen)
	}
}

// planFamilies adds a field under its names, each name once.
func (e *Exporter) planFamilies(c Counter, f *field, seen map[string]bool) {
	for _, g := range e.o.Names.generations() {
		name := f.names[g]
		if name == "" {
			e.o.Log.Warn("counter has no such name and is left out", "field", c.Field, "names", string(e.o.Names), "at", c.At)
			continue
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		kind, help := c.Type, c.Help
		if g == genBase && name != f.names[genOld] {
			help = withoutUnit(help)
		}
		if g == genBase && f.unit == metric.BytesPerSecond {
			kind = "gauge"
		}
		e.families = append(e.families, family{name: name, kind: kind, help: help, field: f.index, generation: g, number: numberOf(name, g, f.unit)})
	}
}

// withoutUnit takes "(in MHz)" out of a help text whose metric is in base
// units.
func withoutUnit(help string) string {
	before, rest, ok := strings.Cut(help, " (in ")
	if !ok {
		return help
	}
	_, after, _ := strings.Cut(rest, ")")
	return before + after
}
