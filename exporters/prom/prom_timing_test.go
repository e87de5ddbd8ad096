package prom_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/prom"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// budget is how many series a GPU may have by default.
const budget = 150

// fullNode is a node of eight GPUs that use up the budget: where the table has
// fewer rows, others are made up.
func fullNode() exporters.Snapshot {
	descs := tableDescs()
	for n := 0; len(descs) < budget-len(meter.Descs())-4; n++ { // and info, up, holders, holder
		descs = append(descs, &metric.Desc{Name: "gpu.made.up", Kind: metric.Counter, Help: "Made up.", Labels: []metric.Label{{Name: "n", Value: fmt.Sprint(n)}}})
	}
	s := node(nil)
	s.Frame.Looks = nil
	for i := range 8 {
		l := look(i, descs)
		s.Frame.Looks = append(s.Frame.Looks, l)
		s.Totals[l.GPU.UUID] = totals(meter.Descs())
		s.Holders[l.GPU.UUID] = []usage.Holder{{Basis: usage.BasisProcess, Kind: "user", Name: "alice"}}
	}
	return s
}

// BenchmarkScrape serves /metrics of a node with eight GPUs whose series use up
// the budget. The number to hold is a median (p50-ns/op) of 3 ms, the goal 2.
func BenchmarkScrape(b *testing.B) {
	s := fullNode()
	h := prom.Handler(registry(b), slog.New(slog.DiscardHandler), exporter(s))
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) { benchmarkPage(b, h, encoding) })
	}
}

func benchmarkPage(b *testing.B, h http.Handler, encoding string) {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept-Encoding", encoding)
	var took []time.Duration
	var w *httptest.ResponseRecorder
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		w = httptest.NewRecorder()
		h.ServeHTTP(w, r)
		took = append(took, time.Since(start))
	}
	if w.Code != http.StatusOK {
		b.Fatalf("status %d", w.Code)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns/op")
	b.ReportMetric(float64(w.Body.Len()), "bytes/scrape")
	if encoding == "identity" {
		b.ReportMetric(float64(strings.Count(w.Body.String(), "uuid="))/8, "series/gpu")
	}
}
