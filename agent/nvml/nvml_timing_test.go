package nvml

import (
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// BenchmarkLook is one look at one GPU through the simulated driver, as it goes
// on the wire: what is read by default, and everything.
func BenchmarkLook(b *testing.B) {
	for name, groups := range map[string][]string{"default": nil, "all": {AllGroups}} {
		b.Run(name, func(b *testing.B) {
			s := openBranch(b, "580", eightBusy, groups...).slots[0]
			for range 2 { // the second sets up what GPM needs
				s.tick(BootClock())
				time.Sleep(110 * time.Millisecond)
			}
			b.ReportAllocs()
			for b.Loop() {
				s.dev.gpm.pair.at[s.dev.gpm.pair.newest] -= time.Second // GPM too, at every look
				s.tick(BootClock())
			}
			b.SetBytes(int64(len(s.out)))
		})
	}
}

// BenchmarkReceive is what the parent does with one look.
func BenchmarkReceive(b *testing.B) {
	s := openSim(b, eightBusy).slots[0]
	s.tick(BootClock())
	r, c := NewReader(Config{}), &child{}
	r.current = c
	r.receive(c, kindHello, (&hello{table: tableSum(Table, InstanceTable), count: 1}).append(nil)[4:], nil)
	r.receive(c, kindGPU, (&identity{gpu: metric.GPU{UUID: "GPU-1"}}).append(nil)[4:], nil)
	b.ReportAllocs()
	for b.Loop() {
		r.receive(c, kindLook, s.out[4:], nil)
	}
	if c.broken != nil {
		b.Fatal(c.broken)
	}
}

// BenchmarkLookAtInstances is one look at a GPU with four instances.
func BenchmarkLookAtInstances(b *testing.B) {
	s := openSim(b, sevenBusy).slots[0]
	s.tick(BootClock())
	b.ReportAllocs()
	for b.Loop() {
		s.dev.mig.instances[0].pair.at = [2]time.Duration{} // samples are due
		s.tick(BootClock())
	}
	b.SetBytes(int64(len(s.out)))
}
