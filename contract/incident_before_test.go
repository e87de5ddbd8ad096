package contract_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// TestNothingIsClaimedBeforeAnybodyLooked is a fresh installation: what was
// bought began four weeks before the first record. The minutes are those from
// the first record on.
func TestNothingIsClaimedBeforeAnybodyLooked(t *testing.T) {
	f := func(name string, edit func(w *contract.Watch, at func(int64) int64), sinceMin int64, want ...string) {
		t.Helper()
		w := silentNode()
		start := w.Presences[0].StartMs
		at := func(k int64) int64 { return start + k*minuteMs }
		tranche := &w.Contracts[0].Tranches[0]
		tranche.Steps[0].FromMs = at(-29 * 1440) // the first of February
		tranche.Rates[0].FromMs = tranche.Steps[0].FromMs
		w.Lives = nil
		edit(&w, at)
		var got []string
		for _, m := range []time.Month{time.February, time.March} {
			d := docket(t, w, contract.Month{Year: 2026, Month: m})
			if d.MeteredSince == nil || d.MeteredSince.UnixMilli() != at(sinceMin) {
				t.Errorf("%s: metered since %v in %s, want minute %d", name, d.MeteredSince, m, sinceMin)
			}
			for _, x := range d.Incidents {
				if x.Bucket != contract.Undelivered.String() {
					continue
				}
				got = append(got, fmt.Sprintf("%s %s %d–%d, %s GPU-h, worth %s, %s owed, by %s", x.Kind, x.Class,
					(x.From.UnixMilli()-start)/minuteMs, (x.To.UnixMilli()-start)/minuteMs, contract.Hours(x.GPUMs), x.Amount.Figure(), x.Owed.Figure(), x.ClaimBy()))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	february := "before_metering unknown -41760–-1440, 1,344.00 GPU-h, worth 4,032.00, 0.00 owed, by –"
	f("no collector's life", func(*contract.Watch, func(int64) int64) {}, 0,
		february, "before_metering unknown -1440–0, 48.00 GPU-h, worth 144.00, 0.00 owed, by –")
	f("a collector with the first record", func(w *contract.Watch, at func(int64) int64) {
		w.Lives = []contract.Life{{FromMs: at(0), ToMs: at(600)}}
	}, 0, february, "before_metering unknown -1440–0, 48.00 GPU-h, worth 144.00, 0.00 owed, by –")
	f("a collector later than records that were brought in", func(w *contract.Watch, at func(int64) int64) {
		w.Lives = []contract.Life{{FromMs: at(300), ToMs: at(600)}}
	}, 0, february, "before_metering unknown -1440–0, 48.00 GPU-h, worth 144.00, 0.00 owed, by –")
	f("a collector that waited for GPUs", func(w *contract.Watch, at func(int64) int64) {
		w.Lives = []contract.Life{{FromMs: at(-60), ToMs: at(600)}}
	}, -60, february, "before_metering unknown -1440–-60, 46.00 GPU-h, worth 138.00, 0.00 owed, by –",
		"late_delivery claimable -60–0, 2.00 GPU-h, worth 6.00, 6.00 owed, by not stated")
	f("another GPU seen before", func(w *contract.Watch, at func(int64) int64) {
		w.Presences = append(w.Presences, contract.Presence{Unit: 3, GPU: "GPU-3", Model: "A100", Node: "n3", StartMs: at(-120), EndMs: at(-60), Goodbye: true})
	}, -120, february, "before_metering unknown -1440–-120, 44.00 GPU-h, worth 132.00, 0.00 owed, by –",
		"late_delivery claimable -120–0, 4.00 GPU-h, worth 12.00, 12.00 owed, by not stated")
	f("nobody ever", func(w *contract.Watch, _ func(int64) int64) { w.Presences, w.Stretches = nil, nil }, 600,
		february, "before_metering unknown -1440–600, 68.00 GPU-h, worth 204.00, 0.00 owed, by –")
}

// TestUnmeteredIsSaidInOneSentence adds up all currencies, and nothing else.
func TestUnmeteredIsSaidInOneSentence(t *testing.T) {
	since := time.Date(2026, 11, 28, 14, 3, 0, 0, time.UTC)
	d := contract.Docket{MeteredSince: &since, Incidents: []contract.Incident{
		{Kind: contract.BeforeMetering, GPUMs: 3_600_000, Currency: "USD", Amount: 2_000_000},
		{Kind: contract.LateDelivery, GPUMs: 3_600_000, Currency: "USD", Amount: 50_000_000},
		{Kind: contract.BeforeMetering, GPUMs: 7_200_000, Currency: "EUR", Amount: 3_000_000},
		{Kind: contract.BeforeMetering, GPUMs: 3_600_000, Currency: "USD", Amount: 1_500_000},
	}}
	want := "Nothing was metered before 2026-11-28 14:03 UTC: 4.00 GPU-hours contracted until then, worth 3.50 USD and 3.00 EUR, cannot be claimed."
	if got := d.Unmetered(); got != want {
		t.Errorf("unmetered = %q, want %q", got, want)
	}
	d.Incidents = d.Incidents[1:2]
	if got := d.Unmetered(); got != "" {
		t.Errorf("unmetered = %q, and there is none", got)
	}
}
