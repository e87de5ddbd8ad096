package prom_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gpumeter/gpumeter/exporters/prom"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// BenchmarkScrape serves /metrics of a node with eight GPUs and every metric.
// The number to hold is a median of 3 ms.
func BenchmarkScrape(b *testing.B) {
	s := node()
	s.Frame.Looks = nil
	for i := range 8 {
		l := look(i)
		s.Frame.Looks = append(s.Frame.Looks, l)
		s.Totals[l.GPU.UUID] = totals()
		s.Holders[l.GPU.UUID] = []usage.Holder{{Basis: usage.BasisProcess, Kind: "user", Name: "alice"}}
	}
	for _, l := range s.Frame.Looks {
		if l.Condition != metric.Good {
			b.Fatal("a GPU is not good")
		}
	}
	h := prom.Handler(registry(b, exporter(s)), slog.New(slog.NewTextHandler(io.Discard, nil)))
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		b.SetBytes(int64(w.Body.Len()))
	}
}
