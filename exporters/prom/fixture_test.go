package prom_test

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/prom"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

// fewDescs stand for a table in the goldens, which must not change with the
// driver's.
var fewDescs = []*metric.Desc{
	{Name: "gpu.utilization", Unit: metric.Ratio, Help: "Share of the time since the look before in which at least one kernel was resident."},
	{Name: "gpu.memory.used", Unit: metric.Bytes, Help: "Memory in use."},
	{Name: "gpu.clock", Unit: metric.Hertz, Help: "Clock frequency.", Labels: []metric.Label{{Name: "domain", Value: "sm"}}},
	{Name: "gpu.clock", Unit: metric.Hertz, Help: "Clock frequency.", Labels: []metric.Label{{Name: "domain", Value: "memory"}}},
	{Name: "gpu.energy.driver", Unit: metric.Joules, Kind: metric.Counter, Help: "Energy as the driver counts it."},
	{Name: "gpu.throttle", Unit: metric.Seconds, Kind: metric.Counter, Help: "Time for which the clocks were held down.", Labels: []metric.Label{{Name: "reason", Value: "power"}}},
	{Name: "gpu.pcie.replay", Kind: metric.Counter, Help: "PCIe packets sent again."},
}

// tableDescs are the rows of the driver's table that are read by default.
func tableDescs() []*metric.Desc {
	var out []*metric.Desc
	for i := range nvml.Table {
		if d := &nvml.Table[i].Desc; d.Group == "" {
			out = append(out, d)
		}
	}
	return out
}

// look is a GPU that answers, with a value for every one of descs.
func look(i int, descs []*metric.Desc) metric.Look {
	l := metric.Look{
		GPU: metric.GPU{
			UUID: fmt.Sprintf("GPU-%08d-0000-0000-0000-000000000000", i), Index: i, Name: "NVIDIA H100 80GB HBM3",
			Serial: fmt.Sprint(1650000000 + i), PCI: fmt.Sprintf("00000000:%02X:00.0", 0x10+i), VBIOS: "96.00.89.00.01", MemoryBytes: 80 << 30,
		},
		Condition: metric.Good,
	}
	for n, d := range descs {
		l.Readings = append(l.Readings, metric.Reading{Desc: d, Value: float64(n) + 0.5})
	}
	return l
}

// fewTotals stand for the meter's integrals.
var fewTotals = []*metric.Desc{
	{Name: "gpu.observed", Unit: metric.Seconds, Kind: metric.Counter, Help: "Time for which the GPU was observed."},
	{Name: "gpu.busy", Unit: metric.Seconds, Kind: metric.Counter, Help: "Time in which at least one kernel was resident."},
}

func totals(descs []*metric.Desc) []metric.Reading {
	var out []metric.Reading
	for n, d := range descs {
		out = append(out, metric.Reading{Desc: d, Value: float64(n+1) * 100})
	}
	return out
}

// node is a node of four GPUs: one held, one free, one lost, one that hangs. The
// last two have readings, as they would if they were forgotten there.
func node(descs []*metric.Desc) exporters.Snapshot {
	s := exporters.Snapshot{
		Node: usage.Node{Name: "node-1", Agent: "1.2.3", Cloud: usage.Cloud{
			Provider: "example", Account: "acct-1", Region: "region-1", Zone: "zone-a", InstanceType: "gpu.8x", InstanceID: "i-1",
		}},
		Frame: metric.Frame{
			Wall:   now,
			Driver: metric.Driver{Up: true, Version: "580.82.07", NVML: "13.580.82.07", GPUs: 4},
			Looks:  []metric.Look{look(0, descs), look(1, descs), look(2, descs), look(3, descs)},
		},
		Totals:  map[string][]metric.Reading{},
		Holders: map[string][]usage.Holder{},
	}
	l := s.Frame.Looks
	l[2].Condition, l[2].Reason = metric.Lost, metric.ReasonLost
	l[3].Condition, l[3].Reason = metric.Unobserved, metric.ReasonHang
	for i := range l {
		s.Totals[l[i].GPU.UUID] = totals(fewTotals)
	}
	s.Holders[l[0].GPU.UUID] = []usage.Holder{
		{Basis: usage.BasisProcess, Kind: "user", Name: "alice"},
		{Basis: usage.BasisProcess, Kind: "user", Name: "bob \"\\\n\xff"},
		{Basis: usage.BasisProcess, Kind: "user", Name: "alice"},
		{Basis: usage.BasisProcess, Kind: "user", Name: "bob \"\\\n\xfe"},
	}
	s.Holders[l[1].GPU.UUID] = nil
	return s
}

func exporter(s exporters.Snapshot) *prom.Exporter {
	return prom.New(prom.Options{Snapshot: func() exporters.Snapshot { return s }, Now: func() time.Time { return now }})
}

func registry(t testing.TB, cs ...prometheus.Collector) *prometheus.Registry {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	for _, c := range cs {
		if err := reg.Register(c); err != nil {
			t.Fatal(err)
		}
	}
	return reg
}

// scrape returns the page that a server gets which accepts the given form.
func scrape(t testing.TB, s exporters.Snapshot, accept string) string {
	t.Helper()
	var log bytes.Buffer
	h := prom.Handler(registry(t), slog.New(slog.NewTextHandler(&log, nil)), exporter(s))
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 || log.Len() > 0 {
		t.Fatalf("status %d, log %s", w.Code, log.String())
	}
	// The handler's own counter differs from run to run.
	var out strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if !strings.Contains(line, "promhttp_") {
			out.WriteString(line)
		}
	}
	return out.String()
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
