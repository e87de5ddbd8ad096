package contract_test

import (
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

func TestCreditIsOfTheLowestTierAndCapped(t *testing.T) {
	s := contract.SLA{Target: 999_000, Cap: contract.Whole, Tiers: []contract.CreditTier{{Below: 999_000, Credit: 100_000}, {Below: 990_000, Credit: 250_000}, {Below: 950_000, Credit: 1_000_000}}}
	f := func(uptime, want int64) {
		t.Helper()
		if got := s.Credit(uptime); got != want {
			t.Errorf("Credit(%d) = %d, want %d", uptime, got, want)
		}
	}
	f(1_000_000, 0)
	f(999_000, 0) // kept
	f(998_999, 100_000)
	f(990_000, 100_000)
	f(989_999, 250_000)
	f(949_999, 1_000_000)
	f(0, 1_000_000)
	s.Cap = 500_000
	f(0, 500_000)
	s.Tiers[0].Below, s.Target = 999_500, 999_000 // a tier above the target is no promise
	f(999_200, 0)
}

func TestDeadlineFollowsTheRuleOfEachCloud(t *testing.T) {
	f := func(r contract.ClaimRule, zone, end, want string) {
		t.Helper()
		z, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, end)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := r.Deadline(at, z)
		if ok != (want != "") || ok && got.Format(time.RFC3339) != want {
			t.Errorf("%+v after %s in %s: %s, %v; want %s", r, end, zone, got.Format(time.RFC3339), ok, want)
		}
	}
	f(contract.ClaimRule{}, "UTC", "2026-10-10T12:00:00Z", "")
	f(contract.ClaimRule{From: contract.ClaimFromIncident, Days: 10}, "UTC", "2026-10-10T12:00:00Z", "2026-10-20T12:00:00Z")
	f(contract.ClaimRule{From: contract.ClaimFromIncident, Days: 60}, "America/Los_Angeles", "2026-10-10T12:00:00Z", "2026-12-09T05:00:00-08:00")
	// By the end of the second billing cycle after that of the incident.
	f(contract.ClaimRule{From: contract.ClaimFromPeriod, Months: 2}, "UTC", "2026-10-10T12:00:00Z", "2027-01-01T00:00:00Z")
	f(contract.ClaimRule{From: contract.ClaimFromPeriod, Months: 2}, "UTC", "2026-12-31T23:59:59Z", "2027-03-01T00:00:00Z")
	f(contract.ClaimRule{From: contract.ClaimFromPeriod, Days: 14}, "UTC", "2026-10-10T12:00:00Z", "2026-11-15T00:00:00Z")
	// An incident that ends with a month is the month's; which month it is, the
	// zone says.
	f(contract.ClaimRule{From: contract.ClaimFromPeriod, Days: 14}, "UTC", "2026-11-01T00:00:00Z", "2026-11-15T00:00:00Z")
	f(contract.ClaimRule{From: contract.ClaimFromPeriod, Days: 14}, "America/New_York", "2026-11-01T02:00:00Z", "2026-11-15T00:00:00-05:00")
}
