package contract_test

import (
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func unixMs(t testing.TB, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

// TestMonthClosesWhenTheLastContractIsCutOff has a contract that ends last and
// another one that waits the longest.
func TestMonthClosesWhenTheLastContractIsCutOff(t *testing.T) {
	october := contract.Month{Year: 2026, Month: time.October}
	both := []contract.Contract{
		{ID: "berlin", Zone: zone(t, "Europe/Berlin"), CutOff: 120 * time.Hour},
		{ID: "la", Zone: zone(t, "America/Los_Angeles")},
	}
	f := func(contracts []contract.Contract, end, closes string) {
		t.Helper()
		endMs, closesMs := unixMs(t, end), unixMs(t, closes)
		if got := october.EndMs(contracts); got != endMs {
			t.Errorf("ends at %v, want %s", time.UnixMilli(got).UTC(), end)
		}
		if got := october.ClosesMs(contracts); got != closesMs {
			t.Errorf("closes at %v, want %s", time.UnixMilli(got).UTC(), closes)
		}
		for ms, want := range map[int64]contract.PeriodState{
			endMs - 1: contract.Open, endMs: contract.Provisional, closesMs - 1: contract.Provisional, closesMs: contract.Closed,
		} {
			if got := october.StateAt(contracts, ms); got != want {
				t.Errorf("at %v it is %s, want %s", time.UnixMilli(ms).UTC(), got, want)
			}
		}
	}
	f(nil, "2026-11-01T00:00:00Z", "2026-11-04T00:00:00Z")
	f(both[:1], "2026-10-31T23:00:00Z", "2026-11-05T23:00:00Z")
	f(both[1:], "2026-11-01T07:00:00Z", "2026-11-04T07:00:00Z")
	f(both, "2026-11-01T07:00:00Z", "2026-11-05T23:00:00Z")
}

func TestMonthsFollowOneAnother(t *testing.T) {
	z := zone(t, "America/New_York")
	m := contract.MonthOf(unixMs(t, "2026-01-01T04:59:59Z"), z)
	if m.String() != "2025-12" {
		t.Errorf("month in New York = %s, want 2025-12", m)
	}
	for range 30 {
		next := m.Next()
		if !m.Before(next) || next.Before(m) || m.Before(m) {
			t.Errorf("%s is not before %s", m, next)
		}
		if m.In(z).ToMs != next.In(z).FromMs || contract.MonthOf(m.In(z).ToMs, z) != next || contract.MonthOf(m.In(z).ToMs-1, z) != m {
			t.Errorf("%s does not end where %s begins", m, next)
		}
		if got, err := contract.ParseMonth(m.String()); err != nil || got != m {
			t.Errorf("ParseMonth(%q) = %v, %v", m, got, err)
		}
		m = next
	}
	for _, s := range []string{"", "2026", "2026-13", "2026-1", "1969-12", "2100-01", "2026-10-01"} {
		if _, err := contract.ParseMonth(s); err == nil {
			t.Errorf("ParseMonth(%q): no error", s)
		}
	}
}
