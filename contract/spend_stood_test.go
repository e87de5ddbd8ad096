package contract

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestScheduleHasThePricesOfWhatStands has 50 GPUs as bought, 20 of a model at
// double the price and 30 seats that nobody holds.
func TestScheduleHasThePricesOfWhatStands(t *testing.T) {
	c := withCapacity(876_000)
	c.Tranches[0].Accepts = []Substitute{{Model: "A100", Factor: Whole / 2}, {Model: "H200", Factor: 2 * Whole}}
	in := &SpendInput{Contracts: []Contract{c}, Metered: [][]MeteredDay{meteredDays(60, 50)}, AtMs: at(5, 31)}
	in.Stood = [][]Stood{{{Bought: 50, Accepted: []int{0, 20}}}}
	r, err := Spend(in)
	if err != nil {
		t.Fatal(err)
	}
	// 305 days are left: 80 GPUs at 1 and 20 at 2 draw 878,400, above the 804,000
	// that are left; all as bought would draw 732,000.
	s := r.Commitments[0]
	wantMoney(t, "scheduled", &s.Scheduled.AtEnd, 72_000+878_400)
	if !strings.Contains(s.Scheduled.AtEnd.Basis, "the 20 GPUs of accepted models at their own") {
		t.Errorf("basis %q", s.Scheduled.AtEnd.Basis)
	}
	if s.Status == SpendInfeasible || s.Infeasible == nil {
		t.Errorf("status %s, infeasible %+v", s.Status, s.Infeasible)
	}
	// When the tranche shrinks to 60, accepted models leave first.
	c.Tranches[0].Steps = append(c.Tranches[0].Steps, Step{at(6, 1), 60})
	if r, err = Spend(in); err != nil {
		t.Fatal(err)
	}
	wantMoney(t, "shrunk", &r.Commitments[0].Scheduled.AtEnd, 72_000+24*(80+40)+304*24*(50+20))
}

// TestValueAgreesWithSeatBySeat prices random tranches hour by hour and seat by
// seat.
func TestValueAgreesWithSeatBySeat(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range 300 {
		tr := Tranche{Model: "A", Accepts: []Substitute{{"B", r.Int64N(3) * Whole}, {"C", r.Int64N(3) * Whole}}, EndMs: hourOf(r.Int64N(300))}
		for h := int64(0); h < 200; h += 1 + r.Int64N(90) {
			tr.Steps = append(tr.Steps, Step{hourOf(h), r.IntN(9)})
			if r.IntN(2) == 0 {
				tr.Rates = append(tr.Rates, Rate{FromMs: hourOf(h), ToMs: hourOf(h + 1), PerGPUHour: Money(r.Int64N(50))})
			}
		}
		stood := Stood{Bought: r.IntN(5), Accepted: []int{r.IntN(3), r.IntN(3)}}
		s := timeSpan{hourOf(r.Int64N(100)), hourOf(100 + r.Int64N(200))}
		var want Money
		for ms := s.fromMs; ms < s.toMs; ms += hourMs {
			for seat := range tr.GPUsAt(ms) {
				factor := int64(1)
				switch n := seat - stood.Bought; {
				case n < 0:
				case n < stood.Accepted[0]:
					factor = tr.Accepts[0].Factor / Whole
				case n < stood.Accepted[0]+stood.Accepted[1]:
					factor = tr.Accepts[1].Factor / Whole
				}
				for _, rate := range tr.Rates {
					if rate.FromMs <= ms && ms < rate.ToMs {
						want += rate.PerGPUHour * Money(factor)
					}
				}
			}
		}
		got, err := tr.valueOf(s, &stood)
		if err != nil || got != want {
			t.Fatalf("%+v with %+v, %+v: %d, %v; want %d", tr, stood, s, got, err, want)
		}
	}
}

func TestStoodAtCountsSeatsByModel(t *testing.T) {
	hour := func(h int64) int64 { return hourOf(h) }
	c := Contract{ID: "c", Provider: "aws", Currency: "USD", Zone: time.UTC, Tranches: []Tranche{{
		ID: "t", Model: "H100", Accepts: []Substitute{{"A100", Whole}, {"H200", Whole}}, Steps: []Step{{hour(0), 3}}, EndMs: hour(99)}}}
	stands := func(unit int64, gpu, model string, from, to int64) Presence {
		return Presence{Unit: unit, GPU: gpu, Model: model, Node: "n", Provider: "aws", StartMs: hour(from), EndMs: hour(to), Goodbye: to < 50}
	}
	presences := []Presence{stands(1, "a", "H100", 0, 10), stands(2, "b", "H200", 0, 50), stands(3, "c", "H100", 5, 50),
		stands(4, "d", "H200", 6, 50), stands(5, "e", "V100", 0, 50)}
	f := func(h int64, want Stood) {
		t.Helper()
		got := StoodAt([]Contract{c}, Place([]Contract{c}, presences, hour(h)), presences, hour(h))
		if diff := cmp.Diff(got, [][]Stood{{want}}); diff != "" {
			t.Errorf("at hour %d (-got +want):\n%s", h, diff)
		}
	}
	f(0, Stood{})
	f(1, Stood{Bought: 1, Accepted: []int{0, 1}})
	f(10, Stood{Bought: 2, Accepted: []int{0, 1}}) // a stood until then
	f(11, Stood{Bought: 1, Accepted: []int{0, 2}}) // d has its seat
}
