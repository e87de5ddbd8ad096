package meter_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// divide makes a look one at a GPU with so many instances, each of which
// repeats the GPU's energy, as some readers of the driver have it.
func divide(l metric.Look, r *rand.Rand) metric.Look {
	l.MIG = true
	for id := range r.IntN(8) {
		l.Instances = append(l.Instances, metric.Instance{
			ID: id, Slices: 1, Of: 7, Util: metric.KnownShare(r.Float64()), SMActive: metric.KnownShare(r.Float64()),
			Readings: l.Readings,
			Compute:  []metric.ComputeInstance{{UUID: "MIG-a", Processes: []metric.Process{{PID: 7}}, ProcessesKnown: true}},
		})
	}
	return l
}

// TestInstancesAddNeitherTimeNorEnergy meters one GPU twice, whole and divided
// into instances that come and go: its records must be the same, and never more
// than the time there was.
func TestInstancesAddNeitherTimeNorEnergy(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	energy := &metric.Desc{Name: meter.EnergyMetric}
	for range 20 {
		holders := held([]string{"ada", "bob", "eve"}[:r.IntN(4)]...)
		whole, divided := meter.New(meter.Config{Holders: holders}, meter.State{}), meter.New(meter.Config{Holders: holders}, meter.State{})
		var want, got []meter.Closed
		joules := 0.0
		for sec := range 181 {
			l := second("a", sec, r.Float64())
			if r.IntN(5) == 0 {
				l.Util = metric.Share{} // an instance did not say
			}
			if r.IntN(2) == 0 {
				l.SMActive = metric.KnownShare(l.Util.Value / 2)
			}
			joules += 300 * r.Float64()
			l.Readings = []metric.Reading{{Desc: energy, Value: joules}}
			want = append(want, run(whole, sec, sec, func(int) []metric.Look { return []metric.Look{l} })...)
			got = append(got, run(divided, sec, sec, func(int) []metric.Look { return []metric.Look{divide(l, r)} })...)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("closed (-whole +divided):\n%s", d)
		}
		checkDivided(t, got, joules)
	}
}

// checkDivided checks that each window holds a minute, and all of them the
// energy but for what came before the first look.
func checkDivided(t *testing.T, cs []meter.Closed, joules float64) {
	t.Helper()
	if len(cs) != 3 {
		t.Fatalf("%d windows, want 3", len(cs))
	}
	var all usage.Sums
	for _, c := range cs {
		var s usage.Sums
		for _, rec := range c.Records {
			s.Add(rec.Sums)
		}
		if s.ObservedMs() != 60_000 || s.EnergyKnownMs > 60_000 || s.SMKnownMs > 60_000 {
			t.Errorf("window holds %+v of 60,000 ms", s)
		}
		all.Add(s)
	}
	if mJ := 1000 * joules; float64(all.EnergyMJ) > mJ || math.Abs(float64(all.EnergyMJ)-mJ) > 300_000 {
		t.Errorf("energy = %d mJ, want %.0f without the first second's", all.EnergyMJ, mJ)
	}
}
