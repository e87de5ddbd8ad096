package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/claim"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// lostGPU makes a data folder with an hour of a GPU that was lost for 20
// minutes, two days ago, and its contract file.
func lostGPU(t *testing.T) (data, contracts, month string) {
	t.Helper()
	dir := t.TempDir()
	data, contracts = filepath.Join(dir, "data"), filepath.Join(dir, "contracts.yaml")
	st, err := duckdb.Open(t.Context(), data, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now().UTC().Add(-48 * time.Hour).Truncate(24 * time.Hour)
	b := usage.Batch{Agent: strings.Repeat("a", 32), Epoch: strings.Repeat("0", 32), Seq: 1, Evidence: usage.EvidenceAgent, IntervalMs: 1000,
		Node: usage.Node{Name: "n1", Cloud: usage.Cloud{Provider: "aws"}}, GPUs: []usage.GPU{{UUID: "GPU-1", Model: "H100"}}}
	for k := range int64(60) {
		at := start.UnixMilli() + k*60_000
		r := usage.Record{GPU: "GPU-1", StartMs: at, EndMs: at + 60_000, Holder: usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: "ada"}}
		if 20 <= k && k < 40 {
			r.UnhealthyMs, r.Reason = 60_000, "gpu_lost"
		} else {
			r.BusyMs = 60_000
		}
		b.Records = append(b.Records, r)
	}
	sealed, err := usage.Seal(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Append(t.Context(), []usage.Sealed{sealed}); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`contracts:
  - id: c
    provider: aws
    currency: USD
    billing_timezone: UTC
    tranches:
      - id: t
        model: H100
        end: %d-01-01
        ramp: [{from: %s, gpus: 1}]
        rates: [{from: %[2]s, per_gpu_hour: "3.00"}]
`, start.Year()+2, start.Format(time.DateOnly))
	if err := os.WriteFile(contracts, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return data, contracts, start.Format("2006-01")
}

func TestClaimListExportVerify(t *testing.T) {
	data, contracts, month := lostGPU(t)
	from := []string{"--data", data, "--contracts", contracts, "--month", month}
	list, err := gpumeter(t, append([]string{"claim", "list", "-o", "csv"}, from...)...)
	if err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`(?m)^(inc-[0-9a-f]{12}),.*,gpu_lost,.*,1200000,1200000,USD,1\.000000,`).FindStringSubmatch(list)
	if id == nil {
		t.Fatalf("no lost GPU in:\n%s", list)
	}
	dir := t.TempDir()
	folder, archive := filepath.Join(dir, "bundle"), filepath.Join(dir, "bundle.tar.gz")
	for _, out := range []string{folder, archive} {
		if _, err := gpumeter(t, append([]string{"claim", "export", id[1], "--out", out}, from...)...); err != nil {
			t.Fatal(err)
		}
		said, err := gpumeter(t, "claim", "verify", out)
		if err != nil || !strings.Contains(said, "ok: "+id[1]+", uncovered, 0.33 GPU-hours claimed\n9 files, 60 records in 1 batches") {
			t.Errorf("verify %s: %q, %v", out, said, err)
		}
		if _, err := gpumeter(t, append([]string{"claim", "export", id[1], "--out", out}, from...)...); err == nil {
			t.Errorf("%s was written over", out)
		}
	}
	records := filepath.Join(folder, "records.csv")
	text, err := os.ReadFile(records)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("ada")) {
		t.Error("the bundle says who held the GPU")
	}
	if err := os.WriteFile(records, bytes.Replace(text, []byte("60000"), []byte("60001"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := gpumeter(t, "claim", "verify", folder); err == nil || !strings.Contains(err.Error(), "records.csv was changed") {
		t.Errorf("verify of a changed bundle: %v", err)
	}
}

func TestClaimRefusesWrongUse(t *testing.T) {
	data, contracts, _ := lostGPU(t)
	f := func(code int, want string, args ...string) {
		t.Helper()
		_, err := gpumeter(t, args...)
		if err == nil || exitCode(err) != code || !strings.Contains(err.Error(), want) {
			t.Errorf("gpumeter %v: %v, exit code %d, want %q and %d", args, err, exitCode(err), want, code)
		}
	}
	f(2, "is not text, json, csv or markdown", "claim", "list", "-o", "xml")
	f(2, "wants one argument", "claim", "export", "--out", "x")
	f(2, "required flag", "claim", "export", "inc-0")
	f(2, "--data needs --contracts", "claim", "list", "--data", data)
	f(2, "is not of the form 2026-10", "claim", "list", "--data", data, "--contracts", contracts, "--period", "10/2026")
	f(1, "unknown incident", "claim", "export", "inc-0", "--out", t.TempDir(), "--data", data, "--contracts", contracts)
	f(1, "no such file", "claim", "verify", filepath.Join(t.TempDir(), "none"))
	f(2, "not of the form https", "claim", "list", "--url", "nowhere")
}

func TestClaimListSpeaksOfTheBillingZone(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 10, 5, 9, 0, 0, 0, zone)
	d := contract.Docket{Schema: contract.DocketSchema, AsOf: at, Period: "2026-10", Incidents: []contract.Incident{{
		ID: "inc-0", Contract: "c", Tranche: "t", Kind: contract.GPULost, Zone: zone.String(), From: at, To: at.Add(26*time.Hour + 30*time.Minute),
		Class: contract.Claimable, Currency: "USD", Claim: &contract.Claim{From: at, To: at, Deadline: &at}}}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = claim.JSON(w, d) }))
	t.Cleanup(srv.Close)
	out, err := gpumeter(t, "claim", "list", "--url", srv.URL)
	if err != nil || !strings.Contains(out, "2026-10-05 09:00 EDT  26h30m") || !strings.Contains(out, "2026-10-05 09:00 EDT\n") {
		t.Errorf("claim list: %v\n%s", err, out)
	}
}

// TestBundleOfAClosedMonthNamesItsEntry exports an incident before and after
// its month is closed.
func TestBundleOfAClosedMonthNamesItsEntry(t *testing.T) {
	data, contracts, _ := march(t)
	from := []string{"--data", data, "--contracts", contracts}
	run := func(args ...string) string {
		t.Helper()
		out, err := gpumeter(t, args...)
		if err != nil {
			t.Fatalf("gpumeter %v: %v", args, err)
		}
		return out
	}
	with := func(args ...string) []string { return append(args, from...) }
	id := regexp.MustCompile(`(?m)^inc-[0-9a-f]{12}`).FindString(run(with("claim", "list", "--period", "2026-03", "-o", "csv")...))
	dir := t.TempDir()
	open, closed := filepath.Join(dir, "open"), filepath.Join(dir, "closed")
	run(with("claim", "export", id, "--period", "2026-03", "--out", open)...)
	var made []closedMonth
	if err := json.Unmarshal([]byte(run(with("close", "-o", "json")...)), &made); err != nil || len(made) != 1 || made[0].Month != "2026-03" || made[0].Batches == "" {
		t.Fatalf("closed %+v, %v", made, err)
	}
	run(with("claim", "export", id, "--period", "2026-03", "--out", closed)...)
	head := made[0].SHA256
	if out := run("claim", "verify", closed, "--head", head); !strings.HasSuffix(out, "2026-03 is closed: ledger entry 1, "+head+"\n") {
		t.Errorf("verify says %q", out)
	}
	var checked checkedBundle
	if err := json.Unmarshal([]byte(run("claim", "verify", closed, "-o", "json")), &checked); err != nil || checked.ID != id || checked.Closed == nil || checked.Closed.SHA256 != head {
		t.Errorf("checked %+v, %v", checked, err)
	}
	for bundle, want := range map[string]string{open: "its month was not closed", closed: "but " + head} {
		if _, err := gpumeter(t, "claim", "verify", bundle, "--head", strings.Repeat("0", 64)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("verify %s with another head: %v, want %q", bundle, err, want)
		}
	}
}
