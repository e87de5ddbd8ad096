package prom_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/prom"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

// look is a GPU that answers, with a value for every row of the table.
func look(i int) metric.Look {
	l := metric.Look{
		GPU: metric.GPU{
			UUID: fmt.Sprintf("GPU-%08d-0000-0000-0000-000000000000", i), Index: i, Name: "NVIDIA H100 80GB HBM3",
			Serial: fmt.Sprint(1650000000 + i), PCI: fmt.Sprintf("00000000:%02X:00.0", 0x10+i), VBIOS: "96.00.89.00.01", MemoryBytes: 80 << 30,
		},
		Condition: metric.Good,
	}
	for n := range nvml.Table {
		l.Readings = append(l.Readings, metric.Reading{Desc: &nvml.Table[n].Desc, Value: float64(n) + 0.5})
	}
	return l
}

// totals are all the integrals that the meter can have.
func totals() []metric.Reading {
	var out []metric.Reading
	for n, d := range meter.Descs() {
		out = append(out, metric.Reading{Desc: d, Value: float64(n+1) * 100})
	}
	return out
}

// node is a node of four GPUs: one held, one free, one lost, one that hangs. The
// last two have readings, as they would if they were forgotten there.
func node() exporters.Snapshot {
	s := exporters.Snapshot{
		Node: usage.Node{Name: "node-1", Agent: "1.2.3", Cloud: usage.Cloud{
			Provider: "example", Account: "acct-1", Region: "region-1", Zone: "zone-a", InstanceType: "gpu.8x", InstanceID: "i-1",
		}},
		Frame: metric.Frame{
			Wall:   now,
			Driver: metric.Driver{Up: true, Version: "580.82.07", NVML: "13.580.82.07"},
			Looks:  []metric.Look{look(0), look(1), look(2), look(3)},
		},
		Totals:  map[string][]metric.Reading{},
		Holders: map[string][]usage.Holder{},
	}
	l := s.Frame.Looks
	l[2].Condition, l[2].Reason = metric.Lost, metric.ReasonLost
	l[3].Condition, l[3].Reason = metric.Unobserved, metric.ReasonHang
	for i := range l {
		s.Totals[l[i].GPU.UUID] = totals()
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
	h := prom.Handler(registry(t, exporter(s)), slog.New(slog.NewTextHandler(&log, nil)))
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

func TestExposition(t *testing.T) {
	golden(t, "node.prom", scrape(t, node(), ""))
	golden(t, "node.openmetrics", scrape(t, node(), "application/openmetrics-text; version=1.0.0"))
}

// TestNodeWithoutDriver has a node on which nothing was ever seen, and one that
// knows its GPUs from before.
func TestNodeWithoutDriver(t *testing.T) {
	s := exporters.Snapshot{Node: usage.Node{Name: "node-2"}}
	s.Frame.Driver = metric.Driver{Reason: metric.ReasonNoDriver, Detail: "libnvidia-ml.so.1: not found"}
	s.Frame.Wall = now
	s.Frame.Looks = []metric.Look{{GPU: metric.GPU{UUID: "GPU-1"}, Reason: metric.ReasonNoDriver}}
	golden(t, "nodriver.prom", scrape(t, s, ""))
}

// values returns the series of one GPU by name and extra labels.
func values(t *testing.T, s exporters.Snapshot, uuid string) map[string]float64 {
	t.Helper()
	families, err := registry(t, exporter(s)).Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key, mine := f.GetName(), false
			for _, l := range m.GetLabel() {
				mine = mine || l.GetName() == "uuid" && l.GetValue() == uuid
				if l.GetName() == "reason" {
					key += " " + l.GetValue()
				}
			}
			if mine {
				out[key] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	return out
}

// TestSilentGPUServesNoOldReading holds what must be true of every GPU that is
// lost or not observed: it is there, it is down, it says why, and none of its
// readings is.
func TestSilentGPUServesNoOldReading(t *testing.T) {
	s := node()
	for i, why := range map[int]string{2: "gpu_lost gpu_lost", 3: "gpu_unobserved driver_hang"} {
		got := values(t, s, s.Frame.Looks[i].GPU.UUID)
		want := map[string]float64{"gpu_up": 0, "gpu_info": 1, why: 1}
		for n, d := range meter.Descs() {
			want[prom.Name(d)] = float64(n+1) * 100
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GPU %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestOldFrameServesNoReading has an agent whose loop stands still.
func TestOldFrameServesNoReading(t *testing.T) {
	s := node()
	uuid := s.Frame.Looks[0].GPU.UUID
	if got := values(t, s, uuid); got["gpu_up"] != 1 || got["gpu_utilization_ratio"] == 0 {
		t.Errorf("a fresh frame: %v, want readings", got)
	}
	s.Frame.Wall = now.Add(-exporters.DefaultMaxAge - time.Nanosecond)
	got := values(t, s, uuid)
	if _, served := got["gpu_utilization_ratio"]; served || got["gpu_up"] != 0 || got["gpu_unobserved not_sampled"] != 1 {
		t.Errorf("an old frame: %v, want it down and not sampled", got)
	}
}

func TestHoldersAreBounded(t *testing.T) {
	s := node()
	uuid := s.Frame.Looks[0].GPU.UUID
	for i := range 500 {
		s.Holders[uuid] = append(s.Holders[uuid], usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: fmt.Sprint("user-", i)})
	}
	reg := registry(t, exporter(s))
	n, err := testutil.GatherAndCount(reg, "gpu_holder_info")
	if err != nil || n > 32 {
		t.Errorf("%d holder series (%v), want at most 32", n, err)
	}
	if got := values(t, s, uuid)["gpu_holders"]; got != 502 {
		t.Errorf("gpu_holders = %v, want all 502", got)
	}
}

// TestWholeTableIsLawful lints every name of the table and of the integrals.
func TestWholeTableIsLawful(t *testing.T) {
	problems, err := testutil.GatherAndLint(registry(t, exporter(node())))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	help := map[string]string{}
	for i := range nvml.Table {
		d := &nvml.Table[i].Desc
		if before, ok := help[prom.Name(d)]; ok && before != d.Help {
			t.Errorf("%s has two help texts: %q and %q", prom.Name(d), before, d.Help)
		}
		help[prom.Name(d)] = d.Help
	}
}

// TestLabelsAreIdentity refuses labels that Prometheus itself attaches, or that
// change while a GPU runs.
func TestLabelsAreIdentity(t *testing.T) {
	families, err := registry(t, exporter(node())).Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				switch l.GetName() {
				case "job", "instance", "pod", "namespace", "container", "service", "endpoint":
					t.Errorf("%s has label %s, which a scrape attaches", f.GetName(), l.GetName())
				case "uuid", "gpu", "reason", "domain", "type", "direction":
				default:
					if !strings.HasSuffix(f.GetName(), "_info") {
						t.Errorf("%s has label %s, which is no identity", f.GetName(), l.GetName())
					}
				}
			}
		}
	}
}

// TestSeriesBudget holds the stated bound of 150 series per GPU, with every row
// of the table, every integral and the most holders.
func TestSeriesBudget(t *testing.T) {
	s := node()
	uuid := s.Frame.Looks[0].GPU.UUID
	for i := range 100 {
		s.Holders[uuid] = append(s.Holders[uuid], usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: fmt.Sprint("user-", i)})
	}
	families, err := registry(t, exporter(s)).Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "uuid" && l.GetValue() == uuid {
					n++
				}
			}
		}
	}
	if n < len(nvml.Table) || n > 150 {
		t.Errorf("%d series of one GPU with %d rows, want all and at most 150", n, len(nvml.Table))
	}
}

// TestOneBadGPUHidesNoOther has a driver that lists a GPU twice, text that is
// not UTF-8, and values that are no numbers.
func TestOneBadGPUHidesNoOther(t *testing.T) {
	s := node()
	s.Frame.Looks[1].GPU.Serial = "\xff"
	s.Frame.Looks[1].Readings[0].Value = math.NaN()
	s.Frame.Looks = append(s.Frame.Looks, s.Frame.Looks[0])
	if got := values(t, s, s.Frame.Looks[0].GPU.UUID); got["gpu_up"] != 1 {
		t.Errorf("the sound GPU: %v, want it up", got)
	}
	if got := values(t, s, s.Frame.Looks[1].GPU.UUID); got["gpu_info"] != 1 {
		t.Errorf("the GPU with bad text: %v, want its info", got)
	}
}

func TestScrapesMayOverlap(t *testing.T) {
	s := node()
	reg := registry(t, exporter(s))
	h := prom.Handler(reg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
				if w.Code != 200 || !strings.Contains(w.Body.String(), "gpu_up{") {
					t.Errorf("status %d", w.Code)
				}
			}
		})
	}
	wg.Wait()
}

func TestName(t *testing.T) {
	f := func(d metric.Desc, want string) {
		t.Helper()
		if got := prom.Name(&d); got != want {
			t.Errorf("Name(%s) = %q, want %q", d.Name, got, want)
		}
	}
	f(metric.Desc{Name: "gpu.memory.used", Unit: metric.Bytes}, "gpu_memory_used_bytes")
	f(metric.Desc{Name: "gpu.energy", Unit: metric.Joules, Kind: metric.Counter}, "gpu_energy_joules_total")
	f(metric.Desc{Name: "gpu.utilization", Unit: metric.Ratio}, "gpu_utilization_ratio")
	f(metric.Desc{Name: "gpu.pcie.replay", Kind: metric.Counter}, "gpu_pcie_replay_total")
}
