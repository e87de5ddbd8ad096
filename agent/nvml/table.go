package nvml

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/gpumeter/gpumeter/metric"
)

// Row is one metric of a GPU and where the driver has it. A row with a Group
// is read only when that group is asked for.
type Row struct {
	metric.Desc
	Source Source
}

// Source says where a row's value comes from: a GPM metric (GPM), a field
// value (Field), the driver's buffer of utilisation samples (Samples), or a
// driver call of its own (Call), which also stands in where there is no buffer.
type Source struct {
	Call  *Call
	Arg   uint32 // argument of Call: a clock, a sensor
	Part  int    // which of Call's values
	Field uint32 // NVML_FI_… id, 0 for none
	// Scope says what Field is asked of: a link, allLinks, or with power the
	// module instead of the GPU.
	Scope uint32
	GPM   uint32 // NVML_GPM_METRIC_… id, 0 for none
	// Span says that the GPM metric is shown as the average over the span of
	// its look, and not over that of the samples: it is added up over time.
	Span    bool
	Samples nvml.SamplingType
	// Or is the field that stands in where the GPU does not have Field. It is
	// asked in the same look if its batch comes later (see batchOf), and else
	// in the next.
	Or *Source
	// Decode takes the driver's word apart, before all else; nil is no need.
	Decode func(float64) float64
	// Scale turns the driver's unit into the base unit.
	Scale float64
	// Every is how often the value is asked for; 0 is at every look. In
	// between, the value of the last time stands.
	Every time.Duration
	// Min and Max are the smallest and largest values that can be true, in the
	// driver's unit; beyond them the driver is mistaken, and the value is
	// absent. Max 0 is no limit.
	Min, Max float64
}

// String says where the value comes from, for documentation.
func (s Source) String() string {
	switch {
	case s.GPM != 0:
		return fmt.Sprintf("nvmlGpmMetricsGet(%d)", s.GPM)
	case s.Field != 0 && s.Or != nil:
		return s.field() + " or " + s.Or.field()
	case s.Field != 0:
		return s.field()
	case s.Samples != 0:
		return fmt.Sprintf("nvmlDeviceGetSamples(%d) or %s", s.Samples, s.Call.Name)
	}
	return s.Call.Name
}

func (s Source) field() string {
	switch s.Scope {
	case 0:
		return fmt.Sprintf("nvmlDeviceGetFieldValues(%d)", s.Field)
	case allLinks:
		return fmt.Sprintf("nvmlDeviceGetFieldValues(%d, all links)", s.Field)
	}
	return fmt.Sprintf("nvmlDeviceGetFieldValues(%d, scope %d)", s.Field, s.Scope)
}

// Scopes of fields.
const (
	moduleScope = 1         // Grace and its GPUs
	allLinks    = 1<<32 - 1 // UINT_MAX
)

// How often values are read that change with the hardware's health (slow) or
// with its configuration (rare). The driver's buffers hold the samples of 16 s
// or more, so reading those of the video units now and then loses none.
const (
	video = 5 * time.Second
	slow  = 10 * time.Second
	rare  = time.Minute
)

// Scales from the driver's units.
const (
	percent = 0.01
	milli   = 1e-3 // mW, mJ
	micro   = 1e-6 // µs
	mega    = 1e6  // MHz, MB/s
	nano    = 1e-9 // ns
	kibi    = 1 << 10
	mebi    = 1 << 20
	one     = 1
)

// Limits of what can be true.
const (
	maxPercent = 100
	maxFan     = 200       // percent of the speed that is quiet enough
	maxCelsius = 200       // above it, memory sensors are known to lie
	maxWatts   = 20_000    // of one GPU or superchip module
	maxMHz     = 10_000    //
	maxPstate  = 15        // 32 is NVML_PSTATE_UNKNOWN
	maxLanes   = 32        //
	maxRemaps  = 1_000_000 // rows; far more than any board has
)

const counter = metric.Counter

// Table is every metric of a GPU, in the order in which readings come: what is
// read by default before the groups, by subject as they follow here, and within
// a subject as its file has them. Nobody changes it. A reading travels between processes as its row's number in the
// whole table, whatever groups are read.
var Table = slices.Concat(
	utilizationRows, gpmRows, videoRows,
	memoryRows, powerRows, temperatureRows, clockRows,
	eccRows, repairRows,
	pcieRows, nvlinkRows, fabricRows, stateRows,
	grouped("gpm", gpmDetailRows()...), videoDetailRows, memoryDetailRows, powerDetailRows, clockDetailRows,
	grouped("ecc", eccPlaceRows()...), repairDetailRows, pcieDetailRows,
	grouped("nvlink", nvlinkDetailRows()...), grouped("c2c", c2cDetailRows()...), fabricDetailRows, stateDetailRows,
)

// grouped puts rows into a group.
func grouped(group string, rows ...Row) []Row {
	for i := range rows {
		rows[i].Group = group
	}
	return rows
}

// AllGroups stands for every group.
const AllGroups = "all"

// Groups returns the words by which rows are asked for that are not read by
// default, sorted.
func Groups() []string {
	var out []string
	for i := range Table {
		if g := Table[i].Group; g != "" && !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	slices.Sort(out)
	return out
}

// CheckGroups returns an error that names the known groups, unless every word
// is one of them or AllGroups.
func CheckGroups(words []string) error {
	known := append(Groups(), AllGroups)
	for _, w := range words {
		if !slices.Contains(known, w) {
			return fmt.Errorf("metric group %q: not one of %s", w, strings.Join(known, ", "))
		}
	}
	return nil
}

// label is the one label of a row.
func label(name, value string) []metric.Label { return []metric.Label{{Name: name, Value: value}} }
