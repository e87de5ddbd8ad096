package fleet_test

import (
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/sim/fleet"
)

// BenchmarkHistoryDay seals one day of hour records of the whole fleet.
func BenchmarkHistoryDay(b *testing.B) {
	f := newFleet(b, fleet.Config{Seed: 1})
	from := start.Add(20 * 24 * hour)
	b.ReportAllocs()
	records := 0
	for b.Loop() {
		for s, err := range f.History(from, from.Add(24*hour)) {
			if err != nil {
				b.Fatal(err)
			}
			records += len(s.Batch.Records)
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkMinute seals one minute of the whole fleet.
func BenchmarkMinute(b *testing.B) {
	m := newFleet(b, fleet.Config{Seed: 1}).Minutes(start.Add(20 * 24 * time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Next(); err != nil {
			b.Fatal(err)
		}
	}
}
