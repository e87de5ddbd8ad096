package contract

import (
	"testing"
	"time"
)

// TestMonthsOf730HoursCostTheSame holds that a GPU costs 730 hours in each month,
// however long it is and whatever its clocks do, and that parts of a month add up
// to it.
func TestMonthsOf730HoursCostTheSame(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	on := func(month, day int) int64 {
		return time.Date(2027, time.Month(month), day, 0, 0, 0, 0, zone).UnixMilli()
	}
	const price = 2_345_679
	rates := ByMonth([]Rate{{FromMs: on(1, 1), ToMs: on(13, 1), PerGPUHour: price, OveragePerGPUHour: 2 * price, HasOverage: true}}, zone)
	if len(rates) != 12 {
		t.Fatalf("%d rates", len(rates))
	}
	tranche := Tranche{ID: "t", Model: "H100", Steps: []Step{{FromMs: on(1, 1), GPUs: 7}}, EndMs: on(13, 1), Rates: rates}
	for i := range rates {
		r := &rates[i]
		ms := r.ToMs - r.FromMs
		if got, err := total(7*ms, r.committed()); err != nil || got != 7*730*price {
			t.Errorf("%s: %s, want %s", time.UnixMilli(r.FromMs).In(zone), got, Money(7*730*price))
		}
		if got, err := total(ms, r.over()); err != nil || got != 730*2*price {
			t.Errorf("overage of %s: %s", time.UnixMilli(r.FromMs).In(zone), got)
		}
		half, err := apportion(7*730*price, []int64{ms, 6 * ms}, r.committed())
		if err != nil || half[0]+half[1] != 7*730*price || half[0] != 730*price {
			t.Errorf("parts %v, %v", half, err)
		}
	}
	v, err := tranche.Value()
	if err != nil || v.Amount != 12*7*730*price || v.UnpricedMs != 0 {
		t.Errorf("value %+v, %v", v, err)
	}
	if agreed := tranche.AsAgreed(); len(agreed) != 1 || agreed[0].FromMs != on(1, 1) || agreed[0].ToMs != on(13, 1) {
		t.Errorf("as agreed: %+v", agreed)
	}
	c := Contract{ID: "c", Provider: "azure", Currency: "USD", Zone: zone, Tranches: []Tranche{tranche}}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.Tranches[0].Rates[3].MonthMs = 5
	if err := c.Validate(); err == nil {
		t.Error("a month of 5 ms passes")
	}
}
