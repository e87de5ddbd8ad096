package influx

import (
	"testing"

	"github.com/gpumeter/gpumeter/metric"
)

// BenchmarkEncode has a node of eight GPUs that all answer, every row included.
func BenchmarkEncode(b *testing.B) {
	s := node(every)
	s.Frame.Looks = nil
	for i := range 8 {
		l := look(i, every)
		l.Condition = metric.Good
		s.Frame.Looks = append(s.Frame.Looks, l)
	}
	for _, layout := range []Layout{LayoutGpumeter, LayoutTelegraf} {
		b.Run(string(layout), func(b *testing.B) {
			cfg := config(layout)
			lines, size := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				batches, err := encode(&s, cfg)
				if err != nil {
					b.Fatal(err)
				}
				lines, size = 0, 0
				for _, x := range batches {
					lines += x.lines
					size += len(x.body)
				}
			}
			b.SetBytes(int64(size))
			b.ReportMetric(float64(lines), "lines")
		})
	}
}
