package otlp

import (
	"testing"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
)

// eight is a node of eight GPUs that all answer, every row included.
func eight() exporters.Snapshot {
	s := node()
	s.Frame.Looks = nil
	for i := range 8 {
		l := look(i)
		l.Condition = metric.Good
		s.Frame.Looks = append(s.Frame.Looks, l)
	}
	return s
}

func BenchmarkProduce(b *testing.B) {
	s := eight()
	p := &producer{cfg: config(&s)}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n = 0
		for _, m := range produce(b, p) {
			n += len(dataPoints(m))
		}
	}
	b.ReportMetric(float64(n), "points")
}
