package dcgm_test

import (
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/exporters/prom/dcgm"
)

// BenchmarkPage writes the default metrics of eight GPUs under both names.
func BenchmarkPage(b *testing.B) {
	s := node()
	s.Frame.Looks = nil
	for i := range 8 {
		s.Frame.Looks = append(s.Frame.Looks, look(first[:4]+string(rune('a'+i))+first[5:], i, time.Hour, 1e12))
	}
	e := exporter(b, &s, dcgm.Options{Names: dcgm.BothNames})
	var page []byte
	b.ReportAllocs()
	for b.Loop() {
		page = e.AppendText(page[:0])
	}
	b.ReportMetric(float64(len(page)), "bytes/scrape")
}
