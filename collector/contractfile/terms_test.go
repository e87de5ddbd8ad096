package contractfile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/contract"
)

// TestMonthsOf730HoursBeginInTheBillingZone reads a tranche from the middle of a
// month to the middle of another, with a price that changes in between.
func TestMonthsOf730HoursBeginInTheBillingZone(t *testing.T) {
	got, err := contractfile.Parse("c.yaml", strings.NewReader(`
contracts:
  - id: c
    provider: azure
    currency: USD
    billing_timezone: America/New_York
    tranches:
      - id: t
        model: H100
        hours_per_month: 730
        start: 2026-10-15
        end: 2026-12-15
        gpus: 8
        rates: [{per_gpu_hour: "3", to: 2026-11-20}, {per_gpu_hour: "2"}]
`))
	if err != nil {
		t.Fatal(err)
	}
	const hour = 3_600_000
	rate := func(from, to string, price contract.Money, hours int64) contract.Rate {
		return contract.Rate{FromMs: ms(t, from), ToMs: ms(t, to), PerGPUHour: price * 1_000_000, MonthMs: hours * hour}
	}
	want := []contract.Rate{
		rate("2026-10-15T04:00:00Z", "2026-11-01T04:00:00Z", 3, 31*24), rate("2026-11-01T04:00:00Z", "2026-11-20T05:00:00Z", 3, 30*24+1), // clocks go back
		rate("2026-11-20T05:00:00Z", "2026-12-01T05:00:00Z", 2, 30*24+1), rate("2026-12-01T05:00:00Z", "2026-12-15T05:00:00Z", 2, 31*24),
	}
	if d := cmp.Diff(want, got[0].Tranches[0].Rates); d != "" {
		t.Errorf("rates (-want +got):\n%s", d)
	}
}

// TestParseReadsEveryTerm reads a contract in which everything is said.
func TestParseReadsEveryTerm(t *testing.T) {
	got, err := contractfile.Load("testdata/terms.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := contract.Contract{
		ID: "all", Title: "Everything", Provider: "oracle", Currency: "EUR", CutOff: 5 * 24 * time.Hour, Source: "testdata/terms.yaml:3",
		Tranches: []contract.Tranche{{
			ID: "racks", Model: "GB200", SLA: "node", Priority: -1, Prepaid: true,
			Accepts:  []contract.Substitute{{Model: "GB300", Factor: 1_250_000}, {Model: "B200", Factor: contract.Whole}},
			Delivery: contract.Delivery{Unit: contract.DeliverRack, GPUsPerUnit: 72, GraceMs: 14 * 86_400_000},
			Scope: contract.Scope{
				Accounts: []string{"a"}, Regions: []string{"r"}, Reservations: []string{"cr"}, Pins: []string{"n"},
				Rules: contract.Applicability{
					IncludeAny: true, ExcludeAll: true,
					Inclusions: []contract.Rule{
						{Dimension: "RegionId", Operator: contract.StartsWith, Values: []string{"us-", "eu-"}},
						{Dimension: "x_Cluster", Operator: contract.Exists, Values: []string{"*"}},
					},
					Exclusions: []contract.Rule{{Dimension: "x_NodePool", Operator: contract.In, Values: []string{"12"}}},
				},
			},
			Steps: []contract.Step{{FromMs: ms(t, "2026-10-01T00:00:00Z"), GPUs: 144}},
			EndMs: ms(t, "2027-10-01T00:00:00Z"),
			Rates: []contract.Rate{
				{FromMs: ms(t, "2026-10-01T00:00:00Z"), ToMs: ms(t, "2027-01-01T00:00:00Z"), PerGPUHour: 5_400_000, ListPerGPUHour: 9_000_000, HasList: true},
				{FromMs: ms(t, "2027-01-01T00:00:00Z"), ToMs: ms(t, "2027-10-01T00:00:00Z"), PerGPUHour: 5_000_000, OveragePerGPUHour: 0, HasOverage: true},
			},
		}},
		SLAs: []contract.SLA{{
			ID: "node", Title: "Node uptime", Target: 999_500, Scope: contract.SLAPerNode, Period: contract.SLAByQuarter,
			Tiers: []contract.CreditTier{{Below: 999_500, Credit: 100_000}, {Below: 950_000, Credit: 1_000_000}},
			Cap:   500_000, Excludes: []contract.SLAExclusion{contract.ExcludeMaintenance, contract.ExcludeCustomer}, CountsDegraded: true,
			Claim: contract.ClaimRule{From: contract.ClaimFromIncident, Days: 10, Subject: "Credit", Evidence: []string{"server logs"}},
		}},
		Notices: []contract.Notice{{
			ID: "window", Title: "Fabric upgrade", Kind: contract.ExcludeMaintenance, FromMs: ms(t, "2026-11-07T02:00:00Z"), ToMs: ms(t, "2026-11-07T06:00:00Z"),
			Scope: contract.Scope{Regions: []string{"r"}, Pins: []string{"n"}},
		}},
		Commitments: []contract.Commitment{
			{
				ID: "pool", Title: "Credits", CloudID: "123", Model: contract.Discontinuous, Basis: contract.BilledCost, Shortfall: contract.Forfeit,
				FromMs: ms(t, "2026-10-01T00:00:00Z"), EndMs: ms(t, "2028-10-01T00:00:00Z"), Total: 300_000_000, CarryExcess: true, OtherPerDay: 1_500_000,
				Floors: []contract.Floor{
					{FromMs: ms(t, "2026-10-01T00:00:00Z"), ToMs: ms(t, "2027-10-01T00:00:00Z"), Amount: 100_000_000},
					{FromMs: ms(t, "2027-10-01T00:00:00Z"), ToMs: ms(t, "2028-10-01T00:00:00Z"), Amount: 150_000_000},
				},
				Eligible: contract.Applicability{
					Global: true, Eligibility: contract.Eligibility{Known: true, Cost: 750_000, Usage: 0},
					Exclusions: []contract.Rule{{Dimension: "ServiceCategory", Operator: contract.In, Values: []string{"Other"}}},
				},
				Source: "testdata/terms.yaml:60",
			},
			{
				ID: "plan", Model: contract.Continuous, Basis: contract.ContractedCost, Shortfall: contract.TrueUp, Interval: contract.Hourly, PerInterval: 12_345_678,
				FromMs: ms(t, "2026-10-01T00:00:00Z"), EndMs: ms(t, "2027-10-01T00:00:00Z"), Source: "testdata/terms.yaml:78",
			},
		},
	}
	want.Zone = got[0].Zone
	if d := cmp.Diff(want, got[0], cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })); d != "" {
		t.Errorf("contract (-want +got):\n%s", d)
	}
}

func TestParseAcceptsASpendCommitmentAlone(t *testing.T) {
	got, err := contractfile.Parse("c", strings.NewReader(`
contracts:
  - id: edp
    provider: aws
    currency: USD
    billing_timezone: UTC
    commitments: [{id: floor, start: 2026-01-01, end: 2027-01-01, total: 1000000}]`))
	if err != nil || len(got) != 1 || got[0].Commitments[0].Total != 1_000_000_000_000 || len(got[0].Tranches) != 0 {
		t.Errorf("Parse = %+v, %v", got, err)
	}
}
