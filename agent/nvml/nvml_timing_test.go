package nvml

import (
	"testing"

	"github.com/gpumeter/gpumeter/metric"
)

// BenchmarkLook is one look at one GPU through the simulated driver, as it goes
// on the wire.
func BenchmarkLook(b *testing.B) {
	s := openSim(b, eightBusy).slots[0]
	s.tick(BootClock())
	b.ReportAllocs()
	for b.Loop() {
		s.tick(BootClock())
	}
	b.SetBytes(int64(len(s.out)))
}

// BenchmarkReceive is what the parent does with one look.
func BenchmarkReceive(b *testing.B) {
	s := openSim(b, eightBusy).slots[0]
	s.tick(BootClock())
	r, c := NewReader(Config{}), &child{}
	r.current = c
	r.receive(c, kindHello, (&hello{table: tableSum(Table), count: 1}).append(nil)[4:], nil)
	r.receive(c, kindGPU, (&identity{gpu: metric.GPU{UUID: "GPU-1"}}).append(nil)[4:], nil)
	b.ReportAllocs()
	for b.Loop() {
		r.receive(c, kindLook, s.out[4:], nil)
	}
	if c.broken != nil {
		b.Fatal(c.broken)
	}
}
