package dcgm_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/prom/dcgm"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

// known are the rows of the driver's table, as the agent gives them.
func known() []*metric.Desc {
	var out []*metric.Desc
	for i := range nvml.Table {
		out = append(out, &nvml.Table[i].Desc)
	}
	return out
}

// busy is what a H100 at work says, in base units, by DCGM's old names.
var busy = map[string]float64{
	"DCGM_FI_DEV_SM_CLOCK":                    1980e6,
	"DCGM_FI_DEV_MEM_CLOCK":                   2619e6,
	"DCGM_FI_DEV_MEMORY_TEMP":                 61,
	"DCGM_FI_DEV_GPU_TEMP":                    54,
	"DCGM_FI_DEV_POWER_USAGE":                 612.345,
	"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION":    187654321.123,
	"DCGM_FI_DEV_PCIE_REPLAY_COUNTER":         3,
	"DCGM_FI_DEV_GPU_UTIL":                    0.57,
	"DCGM_FI_DEV_MEM_COPY_UTIL":               0.29,
	"DCGM_FI_DEV_ENC_UTIL":                    0,
	"DCGM_FI_DEV_DEC_UTIL":                    0.01,
	"DCGM_FI_DEV_FB_FREE":                     23_000_000_000,
	"DCGM_FI_DEV_FB_USED":                     61_999_999_999,
	"DCGM_FI_DEV_FB_TOTAL":                    85_520_809_984,
	"DCGM_FI_DEV_FB_RESERVED":                 520_809_985,
	"DCGM_FI_DEV_VGPU_LICENSE_STATUS":         0,
	"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": 1,
	"DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS":   2,
	"DCGM_FI_DEV_ROW_REMAP_FAILURE":           0,
	"DCGM_FI_PROF_GR_ENGINE_ACTIVE":           0.9951,
	"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE":         0.495,
	"DCGM_FI_PROF_DRAM_ACTIVE":                1.0 / 3,
	"DCGM_FI_PROF_PCIE_TX_BYTES":              1_234_567_890,
	"DCGM_FI_PROF_PCIE_RX_BYTES":              987_654_321,
	"DCGM_FI_DEV_POWER_VIOLATION":             12.5,
}

// readings are the table's rows that values has.
func readings(values map[string]float64) []metric.Reading {
	var out []metric.Reading
	for _, d := range known() {
		if v, ok := values[d.DCGMOld]; ok {
			out = append(out, metric.Reading{Desc: d, Value: v})
		}
	}
	return out
}

// nvlink are the counters of all NVLinks, with so many bytes in both directions
// together.
func nvlink(bytes float64) []metric.Reading {
	var out []metric.Reading
	for _, d := range known() {
		if d.Name == "gpu.nvlink.io" {
			out = append(out, metric.Reading{Desc: d, Value: bytes / 2})
		}
	}
	return out
}

const (
	first  = "GPU-00000000-1111-2222-3333-444444444444"
	second = "GPU-00000001-1111-2222-3333-444444444444"
)

// look is a GPU at work, seen so long after boot, with so many bytes over its
// NVLinks.
func look(uuid string, index int, at time.Duration, bytes float64) metric.Look {
	return metric.Look{
		GPU:       metric.GPU{UUID: uuid, Index: index, Name: "NVIDIA H100 80GB HBM3", PCI: "00000000:4E:00.0", Serial: "1650924000001", VBIOS: "96.00.89.00.01"},
		Condition: metric.Good, At: at, Readings: append(readings(busy), nvlink(bytes)...),
	}
}

// node is one GPU that a pod has.
func node() exporters.Snapshot {
	return exporters.Snapshot{
		Node: usage.Node{Name: "gpu-node-7"},
		Frame: metric.Frame{
			Wall:   now,
			Driver: metric.Driver{Up: true, Version: "580.82.07", NVML: "13.580.82.07"},
			Looks:  []metric.Look{look(first, 0, time.Hour, 1e12)},
		},
		Holders: map[string][]usage.Holder{
			first: {{Basis: usage.BasisKubelet, Kind: "pod", Group: "research", Name: "train-0", Part: "trainer"}},
		},
	}
}

// exporter shows whatever *s is.
func exporter(t testing.TB, s *exporters.Snapshot, o dcgm.Options) *dcgm.Exporter {
	t.Helper()
	o.Snapshot = func() exporters.Snapshot { return *s }
	o.Known, o.Now = known(), func() time.Time { return now }
	e, err := dcgm.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// page returns a page of s.
func page(t testing.TB, s exporters.Snapshot, o dcgm.Options) string {
	t.Helper()
	return string(exporter(t, &s, o).AppendText(nil))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", file, diff)
	}
}
