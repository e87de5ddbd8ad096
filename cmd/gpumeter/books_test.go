package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// march is a month long closed by any clock: an hour of two GPUs, of which the
// second half comes later. It returns what comes later.
func march(t *testing.T) (data, contracts string, late []usage.Sealed) {
	t.Helper()
	dir := t.TempDir()
	data, contracts = filepath.Join(dir, "data"), filepath.Join(dir, "contracts.yaml")
	const start = 1_772_604_000_000 // 2026-03-04 06:00 UTC
	var batches []usage.Sealed
	prev := ""
	for k := range int64(6) {
		b := usage.Batch{Agent: strings.Repeat("a", 32), Epoch: strings.Repeat("0", 32), Seq: uint64(k + 1), Prev: prev, Evidence: usage.EvidenceAgent, IntervalMs: 1000,
			Node: usage.Node{Name: "n1", Cloud: usage.Cloud{Provider: "aws"}}, GPUs: []usage.GPU{{UUID: "GPU-1", Model: "H100"}, {UUID: "GPU-2", Model: "H100"}}}
		for _, g := range b.GPUs {
			b.Records = append(b.Records, usage.Record{GPU: g.UUID, StartMs: start + k*600_000, EndMs: start + (k+1)*600_000, Sums: usage.Sums{BusyMs: 600_000}})
		}
		s, err := usage.Seal(b)
		if err != nil {
			t.Fatal(err)
		}
		prev = s.Hash.String()
		batches = append(batches, s)
	}
	appendTo(t, data, []usage.Sealed{batches[0], batches[1], batches[5]})
	err := os.WriteFile(contracts, []byte(`contracts:
  - id: c
    provider: aws
    currency: USD
    billing_timezone: UTC
    tranches:
      - id: t
        model: H100
        end: 2027-01-01
        ramp: [{from: 2026-03-01, gpus: 2}]
        rates: [{from: 2026-03-01, per_gpu_hour: "3.00"}]
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return data, contracts, batches[2:5]
}

func appendTo(t *testing.T, data string, batches []usage.Sealed) {
	t.Helper()
	st, err := duckdb.Open(t.Context(), data, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Append(t.Context(), batches); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBooksFromCloseToVerify(t *testing.T) {
	data, contracts, late := march(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := gpumeter(t, args...)
		if err != nil {
			t.Fatalf("gpumeter %v: %v", args, err)
		}
		return out
	}
	folder := []string{"--data", data, "--contracts", contracts}
	with := func(args ...string) []string { return append(args, folder...) }

	if out := run(with("periods")...); !strings.Contains(out, "2026-03  provisional  2026-04-04 00:00Z") {
		t.Errorf("periods before the closing:\n%s", out)
	}
	if out := run(with("close")...); !strings.HasPrefix(out, "2026-03  revision 0  closing") {
		t.Errorf("close: %s", out)
	}
	if out := run(with("close")...); out != "nothing is due and nothing has changed\n" {
		t.Errorf("close again: %s", out)
	}
	report := func(revision string) string {
		t.Helper()
		return run(with("report", "--month", "2026-03", "--revision", revision, "-o", "json")...)
	}
	closed := report("closed")
	appendTo(t, data, late)
	if out := run(with("close")...); !strings.HasPrefix(out, "2026-03  revision 1  correction") {
		t.Errorf("close after late records: %s", out)
	}
	if report("0") != closed {
		t.Error("the closed report is no longer the same bytes")
	}
	if out := run(with("report", "--period", "2026-03")...); !strings.Contains(out, "closed, with corrections: revision 1") {
		t.Errorf("report: %s", out)
	}
	// Two GPUs were busy for half an hour of which nobody knew: 3 USD.
	out := run(with("diff", "--period", "2026-03")...)
	for _, want := range []string{"2026-03, revision 1 against 0", "unobserved      -1.00  -3.000000 USD", "busy      +1.00  +3.000000 USD"} {
		if !strings.Contains(out, want) {
			t.Errorf("diff has no %q:\n%s", want, out)
		}
	}
	if out := run(with("diff", "2026-03", "--from", "1", "--to", "latest", "-o", "csv")...); strings.Count(out, "\n") != 1 {
		t.Errorf("diff of a revision with itself:\n%s", out)
	}
	if out := run(with("explain", "c", "busy", "--period", "2026-Q1")...); !strings.Contains(out, "2026-Q1") {
		t.Errorf("explain of a quarter:\n%s", out)
	}
	var list []collector.Standing
	if err := json.Unmarshal([]byte(run(with("periods", "-o", "json")...)), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].State != contract.Closed || len(list[0].Revisions) != 2 || list[0].Revisions[0].Report != contract.Hash([]byte(closed)) {
		t.Fatalf("periods = %+v", list)
	}
	head := list[0].Revisions[1].SHA256
	for _, form := range []string{"text", "markdown"} {
		if out := run(with("report", "--period", "2026-03", "-o", form)...); !strings.Contains(out, head) {
			t.Errorf("the report as %s does not name the ledger's head %s:\n%s", form, head, out)
		}
	}
	if out := run("verify", "--data", data, "--head", head); !strings.Contains(out, ": 6 batches with 12 records") ||
		!strings.Contains(out, "ledger: 2 entries, 6 parts, made of 3 runs of batches") || !strings.HasSuffix(out, "head "+head+"\nnothing was changed\n") {
		t.Errorf("verify: %s", out)
	}
	f := func(statement string, want string) {
		t.Helper()
		db, err := sql.Open("duckdb", filepath.Join(data, "gpumeter.duckdb"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		db.Close()
		out, err := gpumeter(t, "verify", "--data", data)
		if !errors.Is(err, errChanged) || exitCode(err) != 1 || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s\nwant %q", statement, err, out, want)
		}
	}
	f("UPDATE records SET busy_ms = busy_ms - 1 WHERE seq = 4", fmt.Sprintf("agent %s, epoch %s, seq 4: what is kept of it", strings.Repeat("a", 32), strings.Repeat("0", 32)))
	f("UPDATE documents SET body = body || 'x'::BLOB WHERE name LIKE 'ledger/part/"+list[0].Revisions[0].Report+"'", "document ledger/part/"+list[0].Revisions[0].Report)
	if _, err := gpumeter(t, with("report", "--month", "2026-03", "--revision", "0")...); err == nil || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("a changed closing is shown: %v", err)
	}
}

func TestBooksRefuseWrongUse(t *testing.T) {
	data, contracts, _ := march(t)
	f := func(code int, want string, args ...string) {
		t.Helper()
		_, err := gpumeter(t, args...)
		if err == nil || exitCode(err) != code || !strings.Contains(err.Error(), want) {
			t.Errorf("gpumeter %v: %v, want status %d and %q", args, err, code, want)
		}
	}
	folder := []string{"--data", data, "--contracts", contracts}
	with := func(args ...string) []string { return append(args, folder...) }
	f(2, "month \"x\"", with("close", "--period", "x")...)
	f(2, "wants a --period", with("close", "--restate")...)
	f(1, "no data for 2026-02", with("close", "--month", "2026-02")...)
	f(1, "it is too early to close", with("close", "--month", "2099-01")...)
	f(1, "the month is not closed", with("diff", "2026-03")...)
	f(2, "month \"2026-13\" is not of the form 2026-10", with("diff", "2026-13")...)
	f(2, "revision \"x\"", with("diff", "2026-03", "--to", "x")...)
	f(2, "wants one argument", with("diff")...)
	f(2, `"2026-03" is not an argument`, with("diff", "2026-03", "--period", "2026-03")...)
	f(2, "--period and --month are given together", with("close", "--month", "2026-03", "--period", "2026-03")...)
	f(2, "period is given together with month", with("report", "--month", "2026-03", "--period", "2026-03")...)
	f(2, "is none of 2026-10, 2026-10-03, 2026-Q4", with("explain", "c", "idle", "--period", "march")...)
	f(2, "revision is given without month", with("report", "--revision", "1")...)
	f(2, "revision and by are given together", with("report", "--month", "2026-03", "--revision", "closed", "--by", "node")...)
	f(1, "no such file", "close", "--data", filepath.Join(data, "none"), "--contracts", contracts)
	f(1, "no such file", "verify", "--data", filepath.Join(data, "none"))
	f(2, "--contracts goes with --data", "periods", "--contracts", contracts)
	if _, err := os.Stat(filepath.Join(data, "none")); err == nil {
		t.Error("a data folder was made by closing it")
	}
}
