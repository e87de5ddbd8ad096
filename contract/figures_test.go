package contract_test

import (
	"math"
	"testing"

	"github.com/gpumeter/gpumeter/contract"
)

func TestFiguresReadAsPeopleWriteThem(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(contract.Grouped(0), "0")
	f(contract.Grouped(999), "999")
	f(contract.Grouped(86_400), "86,400")
	f(contract.Grouped(-1_234_567), "-1,234,567")
	f(contract.Hours(86_400_000), "24.00")
	f(contract.Hours(17_856*3_600_000), "17,856.00")
	f(contract.Hours(4_800_000), "1.33")
	f(contract.Hours(17_999), "0.00")
	f(contract.Hours(18_000), "0.01")
	f(contract.Money(44_640_000_000).Figure(), "44,640.00")
	f(contract.Money(37_083_334).Figure(), "37.08")
	f(contract.Money(-5_000).Figure(), "-0.01")
	f(contract.Money(-1).Figure(), "0.00")
	f(contract.Share(53_400, 86_400), "61.81 %")
	f(contract.Share(0, 86_400), "0.00 %")
	f(contract.Share(1, 86_400_000), "<0.01 %")
	f(contract.Share(86_399_999, 86_400_000), ">99.99 %")
	f(contract.Share(86_400, 86_400), "100.00 %")
	f(contract.Share(4_000_000_000_000_000_000, 8_000_000_000_000_000_000), "50.00 %")
	f(contract.Share(1, 0), "n/a")
}

func TestPerHourDividesWholeSums(t *testing.T) {
	if m, ok := contract.Money(60_000_000).PerHour(53_400_000); !ok || m != 4_044_943 {
		t.Errorf("60 over 53,400 GPU-s = %s, %v", m, ok)
	}
	if _, ok := contract.Money(60_000_000).PerHour(0); ok {
		t.Error("a price of no hours is known")
	}
}

func TestWaterfallEndsAtBusy(t *testing.T) {
	l := contract.Line{
		ContractedMs: 86_400_000,
		Buckets:      contract.Time{7_200_000, 4_800_000, 1_800_000, 7_200_000, 12_000_000, 0, 53_400_000},
		Cost: contract.Cost{
			Contracted: 60_000_000,
			Buckets:    contract.Amounts{5_000_000, 3_333_333, 1_250_000, 5_000_000, 8_333_333, 0, 37_083_334},
		},
	}
	rows := l.Waterfall()
	last := rows[len(rows)-1]
	if last.Name != "busy" || last.Ms != l.Buckets[contract.Busy] || last.Cost != l.Cost.Buckets[contract.Busy] {
		t.Errorf("last row = %+v", last)
	}
	off := 0
	for _, r := range rows {
		if r.Off {
			off++
			if r.Bucket.Actor() == "" {
				t.Errorf("nobody can act on %s", r.Name)
			}
		}
	}
	if off != int(contract.Buckets)-1 {
		t.Errorf("%d buckets taken off, want all but busy", off)
	}
}

func TestHourPricesAreOfWhatIsKnown(t *testing.T) {
	const hour = 3_600_000
	l := contract.Line{
		ContractedMs: 100 * hour, Buckets: contract.Time{contract.Undelivered: 10 * hour, contract.Idle: 40 * hour, contract.Busy: 50 * hour},
		SMActiveMs: 20 * hour, SMKnownMs: 90 * hour, Cost: contract.Cost{Contracted: 200_000_000},
	}
	f := func(what string, want contract.HourPrices, wantOK bool) {
		t.Helper()
		if got, ok := l.HourPrices(); got != want || ok != wantOK {
			t.Errorf("%s: got %v, %v, want %v, %v", what, got, ok, want, wantOK)
		}
	}
	f("all known", contract.HourPrices{Paid: 2_000_000, Busy: 4_000_000, Effective: 10_000_000}, true)
	l.SMKnownMs = 88 * hour
	f("SM activity of less", contract.HourPrices{Paid: 2_000_000, Busy: 4_000_000, Effective: -1}, true)
	l.Buckets[contract.Busy] = 0
	f("nothing busy", contract.HourPrices{Paid: 2_000_000, Busy: -1, Effective: -1}, true)
	l.Cost.UnpricedMs = hour
	f("part without a rate", contract.HourPrices{}, false)
}

func TestExactIsTheWholeAmount(t *testing.T) {
	for m, want := range map[contract.Money]string{
		0: "0.00", 1: "0.000001", 3_000_000: "3.00", 74_054_400_003: "74,054.400003", -1_234_567_890_000: "-1,234,567.89",
		-1: "-0.000001", math.MaxInt64: "9,223,372,036,854.775807", math.MinInt64: "-9,223,372,036,854.775808",
	} {
		if got := m.Exact(); got != want {
			t.Errorf("exact %d = %q, want %q", int64(m), got, want)
		}
	}
}
