package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/gpumeter/gpumeter/contract"
)

// runCommand runs a command line and returns what it printed.
func runCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := newRoot()
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	out, err := runCommand(t, args...)
	if err != nil {
		t.Fatalf("gpumeter %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// agreements are the spend agreement A1 of the FOCUS specification and the
// commitment of its usage scenarios, told apart by their billing account.
const agreements = `
contracts:
  - id: acme
    provider: acme co
    currency: USD
    billing_timezone: UTC
    commitments:
      - id: a1
        start: 2025-04-01
        end: 2026-04-01
        total: "1200"
        eligible:
          Inclusions: [{Dimension: BillingAccountId, Operator: In, Values: [a1]}]
          Exclusions: [{Dimension: ChargeDescription, Operator: Contains, Values: [unused fee]}]
      - id: plan
        cloud_id: my-commitment-discount-id
        model: continuous
        basis: effective
        shortfall: forfeit
        start: 2025-04-01
        end: 2025-04-02
        per_interval: "1"
        interval: hourly
        eligible:
          Inclusions: [{Dimension: BillingAccountId, Operator: In, Values: [plan]}]
`

const focusHeader = "BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ChargeFrequency,ChargeDescription,ServiceProviderName,ListCost,ContractedCost,BilledCost,EffectiveCost,CommitmentDiscountId,CommitmentDiscountStatus\n"

// agreementA1 uses 48, 120 and 60 in three months; 972 are billed as unused at
// the end. The months between have bills of nothing.
func agreementA1() string {
	var b strings.Builder
	b.WriteString(focusHeader)
	for i := range 12 {
		from := time.Date(2025, time.Month(4+i), 1, 0, 0, 0, 0, time.UTC)
		period := from.Format(time.RFC3339) + "," + from.AddDate(0, 1, 0).Format(time.RFC3339)
		cost := []string{"60,48,48,48", "150,120,120,120", "75,60,60,60"}
		amounts := "0,0,0,0"
		if i < len(cost) {
			amounts = cost[i]
		}
		b.WriteString("a1,USD," + period + "," + period + ",Usage,Usage-Based,Monthly usage charge,Acme Co," + amounts + ",NULL,NULL\n")
	}
	b.WriteString("a1,USD,2026-03-01T00:00:00Z,2026-04-01T00:00:00Z,2025-04-01T00:00:00Z,2026-04-01T00:00:00Z,Usage,One-Time,End of contract unused fee,Acme Co,972,972,972,972,,\n")
	// Four hours of a plan: used, unused, three quarters, and half a dollar over.
	for _, x := range []string{
		"00,0,1,my-commitment-discount-id,Used", "01,0,1,my-commitment-discount-id,Unused",
		"02,0,0.75,my-commitment-discount-id,Used", "02,0,0.25,my-commitment-discount-id,Unused",
		"03,0,1,my-commitment-discount-id,Used", "03,0.5,0.5,,",
	} {
		hour, rest, _ := strings.Cut(x, ",")
		b.WriteString("plan,USD,2025-04-01T00:00:00Z,2025-05-01T00:00:00Z,2025-04-01T" + hour + ":00:00Z,2025-04-01T" + hour + ":59:59Z,Usage,Usage-Based,Hours,Acme Co,,," + rest + "\n")
	}
	return b.String()
}

// TestFocusScenariosFromFileToReport takes the scenarios of the specification
// from CSV and from Parquet through the commands.
func TestFocusScenariosFromFileToReport(t *testing.T) {
	dir := t.TempDir()
	contracts, export := filepath.Join(dir, "contracts.yaml"), filepath.Join(dir, "export.csv")
	for path, text := range map[string]string{contracts: agreements, export: agreementA1()} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	columnar := filepath.Join(dir, "export.parquet")
	toParquet(t, export, columnar)
	var reports []string
	for _, file := range []string{export, columnar} {
		data := filepath.Join(dir, filepath.Base(file)+".data")
		if out := mustRun(t, "focus", "import", "--data", data, "--complete", file); !strings.Contains(out, "imported 000001.json.gz: 19 rows, 16 charges") {
			t.Errorf("import says %q", out)
		}
		if out := mustRun(t, "focus", "import", "--data", data, "--complete", file); !strings.Contains(out, "nothing changed") {
			t.Errorf("importing again says %q", out)
		}
		for _, format := range []string{"csv", "json"} {
			if out := mustRun(t, "focus", "list", "--data", data, "-o", format); !strings.Contains(out, "bills_in_force") {
				t.Errorf("focus list -o %s:\n%s", format, out)
			}
		}
		if out := mustRun(t, "focus", "list", "--data", data); strings.Count(out, "\n") != 2 {
			t.Errorf("list says %q", out)
		}
		reports = append(reports, mustRun(t, "spend", "--data", data, "--contracts", contracts, "--at", "2026-04-01", "-o", "json"))
	}
	if reports[0] != reports[1] {
		t.Errorf("CSV and Parquet differ:\n%s\n%s", reports[0], reports[1])
	}
	var r contract.SpendReport
	if err := json.Unmarshal([]byte(reports[0]), &r); err != nil {
		t.Fatal(err)
	}
	a1, plan := r.Commitments[0], r.Commitments[1]
	if a1.Drawn.Amount != 228_000_000 || a1.Shortfall.Amount != 972_000_000 || a1.Status != contract.SpendEnded || len(a1.Gaps) != 0 {
		t.Errorf("a1 = %+v", a1)
	}
	if u := plan.Use; u == nil || u.Used.Amount != 2_750_000 || u.Unused.Amount != 1_250_000 || u.Overage.Amount != 500_000 {
		t.Errorf("plan = %+v", plan.Use)
	}
}

func toParquet(t *testing.T, from, to string) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "COPY (SELECT * FROM read_csv('"+from+"', nullstr=['NULL', ''])) TO '"+to+"' (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
}

func TestFocusCommandsSayWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	contracts := filepath.Join(dir, "contracts.yaml")
	if err := os.WriteFile(contracts, []byte(agreements), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(code int, want string, args ...string) {
		t.Helper()
		_, err := runCommand(t, args...)
		if err == nil || !strings.Contains(err.Error(), want) || exitCode(err) != code {
			t.Errorf("gpumeter %s: %v, want %q and exit code %d", strings.Join(args, " "), err, want, code)
		}
	}
	f(2, "wants at least one argument: FILE", "focus", "import", "--data", dir)
	f(2, `required flag(s) "data"`, "focus", "import", "x.csv")
	f(1, "no such file", "focus", "import", "--data", dir, filepath.Join(dir, "x.csv"))
	f(2, "say what to export", "focus", "export", "--contracts", contracts)
	f(2, "--data needs --contracts", "spend", "--data", dir)
	f(2, "--contracts goes with --data", "spend", "--contracts", contracts)
	f(2, "is not text, json, csv or markdown", "spend", "-o", "xml")
	f(1, "holds no store", "spend", "--data", dir, "--contracts", contracts)
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
		t.Errorf("there is %v, and only the contract file was", names)
	}
	if out := mustRun(t, "focus", "export", "--commitments", "--contracts", contracts); strings.Count(out, "\n") != 3 || !strings.Contains(out, "acme/a1") {
		t.Errorf("export says %q", out)
	}
}

// TestFocusImportSaysWhatIsPartial imports half a month after it was over.
func TestFocusImportSaysWhatIsPartial(t *testing.T) {
	dir := t.TempDir()
	export := filepath.Join(dir, "export.csv")
	row := "a1,USD,2026-03-01T00:00:00Z,2026-04-01T00:00:00Z,2026-03-14T00:00:00Z,2026-03-15T00:00:00Z,Usage,Usage-Based,Hours,Acme Co,2,2,2,2,,\n"
	if err := os.WriteFile(export, []byte(focusHeader+row), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := mustRun(t, "focus", "import", "--data", filepath.Join(dir, "text"), export); !strings.Contains(out, "a1: its charges go to 2026-03-15 00:00Z only") {
		t.Errorf("import says %q", out)
	}
	var r imported
	if err := json.Unmarshal([]byte(mustRun(t, "focus", "import", "--data", filepath.Join(dir, "json"), "-o", "json", export)), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Bills) != 1 || !r.Bills[0].Partial || r.Bills[0].Billed != 2_000_000 || r.Known || r.Charges != 1 {
		t.Errorf("imported %+v", r)
	}
	if out := mustRun(t, "focus", "import", "--data", filepath.Join(dir, "csv"), "--complete", "-o", "csv", export); !strings.HasSuffix(out, ",2026-04-01T00:00:00Z,2.000000\n") {
		t.Errorf("as CSV: %q", out)
	}
}
