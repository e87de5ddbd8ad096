package focus

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// bought is a contract with a ramp, a pool with floors and a plan.
func bought(t *testing.T) []contract.Contract {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := func(y, m int) int64 { return time.Date(y, time.Month(m), 1, 0, 0, 0, 0, zone).UnixMilli() }
	c := contract.Contract{
		ID: "cw", Provider: "coreweave", Currency: "USD", Zone: zone,
		Tranches: []contract.Tranche{{
			ID: "h100", Model: "H100", Accepts: []contract.Substitute{{Model: "H200", Factor: 1_000_000}}, EndMs: at(2028, 4),
			Steps: []contract.Step{{FromMs: at(2026, 4), GPUs: 256}, {FromMs: at(2026, 7), GPUs: 512}},
			Rates: []contract.Rate{{FromMs: at(2026, 4), ToMs: at(2028, 4), PerGPUHour: 2_350_000}},
			Scope: contract.Scope{Regions: []string{"us-east-04"}, Rules: contract.Applicability{Inclusions: []contract.Rule{{Dimension: "x_Node", Operator: contract.StartsWith, Values: []string{"a"}}}}},
		}, {
			ID: "free", Model: "B200", EndMs: at(2026, 5), Steps: []contract.Step{{FromMs: at(2026, 4), GPUs: 8}},
			Scope: contract.Scope{Rules: contract.Applicability{IncludeAny: true, Inclusions: []contract.Rule{{Dimension: "x_Rack", Operator: contract.Exists, Values: []string{contract.Wildcard}}, {Dimension: "x_Node", Operator: contract.Exists, Values: []string{contract.Wildcard}}}}},
		}},
		Commitments: []contract.Commitment{{
			ID: "spend", Model: contract.Discontinuous, Basis: contract.BilledCost, Shortfall: contract.TrueUp, FromMs: at(2026, 4), EndMs: at(2029, 4),
			Total:    38_000_000_000_000_000,
			Floors:   []contract.Floor{{FromMs: at(2026, 4), ToMs: at(2027, 4), Amount: 10_000_000_000_000_000}, {FromMs: at(2027, 4), ToMs: at(2028, 4), Amount: 13_000_000_000_000_000}},
			Eligible: contract.Applicability{Eligibility: contract.Eligibility{Known: true, Cost: 250_000, Usage: 1_000_000}, Exclusions: []contract.Rule{{Dimension: "ChargeCategory", Operator: contract.In, Values: []string{"Tax"}}}},
		}, {
			ID: "plan", CloudID: "arn:plan", Title: "Plan", Model: contract.Continuous, Basis: contract.EffectiveCost, Shortfall: contract.Forfeit,
			FromMs: at(2026, 11), EndMs: at(2026, 12), PerInterval: 1_000_000, Interval: contract.Hourly,
		}},
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return []contract.Contract{c}
}

var exportedAt = ExportOptions{Now: time.Date(2026, 5, 20, 0, 0, 0, 0, time.UTC), Updated: time.Date(2026, 3, 2, 1, 2, 3, 0, time.UTC)}

func export(t *testing.T, contracts []contract.Contract) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := WriteCommitments(&b, contracts, exportedAt); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestExportIsGolden(t *testing.T) {
	const golden = "testdata/commitments.csv"
	got := export(t, bought(t))
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the export differs from %s: run the test with -update and read the diff", golden)
	}
}

// The rules of FOCUS 1.4 for the dataset, as far as a row can break them.
func TestExportKeepsTheRulesOfFocus(t *testing.T) {
	table, err := csv.NewReader(bytes.NewReader(export(t, bought(t)))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	header := table[0]
	if len(table) != 1+3+3+1 {
		t.Fatalf("%d rows, want three of capacity, three of the pool and one of the plan", len(table)-1)
	}
	nullable := map[string]bool{
		"ContractCommitmentDiscountPercentage": true, "ContractCommitmentQuantity": true, "ContractCommitmentUnit": true,
		"ContractCommitmentCost": true, "PricingCurrencyContractCommitmentCost": true,
	}
	seen := map[string]bool{}
	for _, cells := range table[1:] {
		row := map[string]string{}
		for i, name := range header {
			row[name] = cells[i]
			if cells[i] == "" && !nullable[name] && !strings.HasPrefix(name, "x_") {
				t.Errorf("%s: %s is null", row["ContractCommitmentId"], name)
			}
			if i >= 30 && !strings.HasPrefix(name, "x_") {
				t.Errorf("column %d is %s, without x_", i, name)
			}
		}
		id := row["ContractCommitmentId"]
		spend := row["ContractCommitmentCategory"] == "Spend"
		switch {
		case seen[id]:
			t.Errorf("%s is there twice", id)
		case spend == (row["ContractCommitmentQuantity"] != ""), (row["ContractCommitmentQuantity"] == "") != (row["ContractCommitmentUnit"] == ""):
			t.Errorf("%s: quantity %q, unit %q", id, row["ContractCommitmentQuantity"], row["ContractCommitmentUnit"])
		case spend && row["ContractCommitmentCost"] == "":
			t.Errorf("%s: no cost", id)
		case row["ContractCommitmentFulfillmentInterval"] == "Full Period" && row["ContractCommitmentModel"] != "Discontinuous":
			t.Errorf("%s: a full period is not Discontinuous", id)
		case row["ContractCommitmentPaymentModel"] == "All Upfront" && row["ContractCommitmentPaymentInterval"] != "One-Time":
			t.Errorf("%s: all upfront is not one-time", id)
		case row["ContractCommitmentBenefitCategory"] == "Discount":
			t.Errorf("%s: a discount without its percentage", id)
		}
		seen[id] = true
		var scope struct{ IsGlobalScope, IsComplexScope bool }
		if err := json.Unmarshal([]byte(row["ContractCommitmentApplicability"]), &scope); err != nil || scope.IsGlobalScope && scope.IsComplexScope {
			t.Errorf("%s: scope %s: %v", id, row["ContractCommitmentApplicability"], err)
		}
	}
}

// What is exported is imported again, and adds up to what is committed.
func TestExportIsImportedAgain(t *testing.T) {
	contracts := bought(t)
	path := filepath.Join(t.TempDir(), "commitments.csv")
	if err := os.WriteFile(path, export(t, contracts), 0o600); err != nil {
		t.Fatal(err)
	}
	f := NewFolder(t.TempDir())
	if r := mustImport(t, f, Options{}, path); len(r.Delivery.Stated) != 7 || len(r.Delivery.Bills) != 0 {
		t.Fatalf("%d commitments, %d bills", len(r.Delivery.Stated), len(r.Delivery.Bills))
	}
	sums := map[string]contract.Money{}
	for _, s := range mustLoad(t, f).Stated {
		if s.Provider != "coreweave" || s.Contract != "cw" || s.Source == "" {
			t.Errorf("commitment %+v", s)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(s.ID, "cw/"), "/")
		sums[id] += s.Cost
	}
	price, known, err := contracts[0].Tranches[0].Price(0, 1<<42)
	if err != nil || !known {
		t.Fatal(known, err)
	}
	if sums["spend"] != contracts[0].Commitments[0].Total || sums["h100"] != price || sums["arn:plan"] != 721_000_000 {
		t.Errorf("sums = %v", sums) // November 2026 has 721 hours in New York
	}
}

// Rows as the drafts of the specification have them: dates without a time, and
// columns that are named otherwise.
func TestImportReadsContractCommitments(t *testing.T) {
	text := "BillingCurrency,ContractCommitmentCategory,ContractCommitmentCost,ContractCommitmentId,ContractCommitmentModel,ContractCommitmentLifecycleStatus,ContractCommitmentPeriodEnd,ContractCommitmentPeriodStart,ContractCommitmentDiscount%,ContractId,InvoiceIssuerName,ServiceProviderName\n" +
		"EUR,Spend,925000.00,CMT-SPEND-001,Discontinuous,Active,2028-12-01,2025-12-01,0.15,AGR,Acme Co,Acme Co\n" +
		"USD,Usage,null,CMT-AI-888,Continuous,Pending,2026-05-01,2026-02-01,null,AGR,Acme Co,Acme Co\n"
	f := NewFolder(t.TempDir())
	mustImport(t, f, Options{}, file(t, "c.csv", text))
	got := mustLoad(t, f).Stated
	if len(got) != 2 || got[1].Cost != 925_000_000_000 || got[1].Status != "Active" || got[0].HasCost || got[0].FromMs != time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC).UnixMilli() {
		t.Errorf("stated = %+v", got)
	}
	for want, change := range map[string][2]string{
		"row 1, column ContractCommitmentCost: is null, which": {"925000.00", "NULL"},
		"row 1, column ContractCommitmentCategory: \"Money\"":  {"Spend", "Money"},
		"row 2, column ContractCommitmentPeriodEnd":            {"2026-05-01", "2026-02-01"},
		"row 2, column ContractId: is null":                    {"null,AGR", "null,"},
		"no column ContractCommitmentPeriodStart":              {"ContractCommitmentPeriodStart", "Start"},
	} {
		_, err := f.Import([]string{file(t, "bad.csv", strings.Replace(text, change[0], change[1], 1))}, Options{Now: importedAt})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Import = %v, want %q", err, want)
		}
	}
}

func TestDurationIsInTheLargestUnit(t *testing.T) {
	f := func(want string, from, to time.Time) {
		t.Helper()
		r := exportRow{c: &contract.Contract{Zone: time.UTC}, fromMs: from.UnixMilli(), toMs: to.UnixMilli()}
		if got := r.duration(); got != want {
			t.Errorf("duration = %q, want %q", got, want)
		}
	}
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	f("3 Years", day(2026, 4, 1), day(2029, 4, 1))
	f("1 Month", day(2026, 4, 1), day(2026, 5, 1))
	f("14 Days", day(2026, 4, 1), day(2026, 4, 15))
	f("36 Hours", day(2026, 4, 1), day(2026, 4, 2).Add(12*time.Hour))
}
