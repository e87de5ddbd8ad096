package prom_test

import (
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/prom"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

func TestExposition(t *testing.T) {
	golden(t, "node.prom", scrape(t, node(fewDescs), ""))
	golden(t, "node.openmetrics", scrape(t, node(fewDescs), "application/openmetrics-text; version=1.0.0"))
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
	s := node(fewDescs)
	for i, why := range map[int]string{2: "gpu_lost gpu_lost", 3: "gpu_unobserved driver_hang"} {
		got := values(t, s, s.Frame.Looks[i].GPU.UUID)
		want := map[string]float64{"gpu_up": 0, "gpu_info": 1, why: 1}
		for n, d := range fewTotals {
			want[prom.Name(d)] = float64(n+1) * 100
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("GPU %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestOldFrameServesNoReading has an agent whose loop stands still.
func TestOldFrameServesNoReading(t *testing.T) {
	s := node(fewDescs)
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
	s := node(fewDescs)
	uuid := s.Frame.Looks[0].GPU.UUID
	for i := range 500 {
		s.Holders[uuid] = append(s.Holders[uuid], usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: fmt.Sprint("user-", i)})
	}
	reg := registry(t, exporter(s))
	n, err := testutil.GatherAndCount(reg, "gpu_holder_info")
	if err != nil || n > 8 {
		t.Errorf("%d holder series (%v), want at most 8", n, err)
	}
	if got := values(t, s, uuid)["gpu_holders"]; got != 502 {
		t.Errorf("gpu_holders = %v, want all 502", got)
	}
}

// TestOneBadGPUHidesNoOther has a driver that lists a GPU twice, text that is
// not UTF-8, and values that are no numbers.
func TestOneBadGPUHidesNoOther(t *testing.T) {
	s := node(fewDescs)
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
	s := node(fewDescs)
	h := prom.Handler(registry(t), slog.New(slog.DiscardHandler), exporter(s))
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
