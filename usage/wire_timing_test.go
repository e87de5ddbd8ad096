package usage_test

import (
	"fmt"
	"testing"

	"github.com/gpumeter/gpumeter/usage"
)

// node returns a batch of eight GPUs, as a node sends each minute.
func node() usage.Batch {
	b := sample()
	b.GPUs, b.Records = nil, nil
	for g := range 8 {
		uuid := fmt.Sprintf("GPU-%08d-0000-0000-0000-000000000000", g)
		b.GPUs = append(b.GPUs, usage.GPU{UUID: uuid, Model: "H100", Name: "NVIDIA H100 80GB HBM3", Index: g, PCI: "00000000:9B:00.0", MemoryBytes: 85899345920})
		r := sample().Records[0]
		r.GPU = uuid
		b.Records = append(b.Records, r)
	}
	return b
}

func BenchmarkSeal(b *testing.B) {
	n := node()
	s, err := usage.Seal(n)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(s.Body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := usage.Seal(n); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(s.Body))/8, "B/record")
}

func BenchmarkOpenAndCheck(b *testing.B) {
	s, err := usage.Seal(node())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(s.Body)))
	b.ReportAllocs()
	for b.Loop() {
		o, err := usage.Open(s.Body)
		if err != nil {
			b.Fatal(err)
		}
		if err := o.Batch.Check(); err != nil {
			b.Fatal(err)
		}
	}
}
