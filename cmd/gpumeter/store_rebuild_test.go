package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/usage"
)

// appendAt appends a batch as of some days from now, and closes the days before.
func appendAt(t *testing.T, data string, days int, batches []usage.Sealed) {
	t.Helper()
	now := func() time.Time { return time.Now().AddDate(0, 0, days) }
	st, err := duckdb.Open(t.Context(), data, duckdb.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Append(t.Context(), batches); err != nil {
		t.Fatal(err)
	}
	if n, err := st.CloseDays(t.Context(), now()); n != 1 || err != nil {
		t.Fatalf("%d days closed, %v", n, err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestStoreIsRebuiltFromItsDays loses the database of a store with a closed and
// corrected month, and makes it anew.
func TestStoreIsRebuiltFromItsDays(t *testing.T) {
	data, contracts, late := march(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := gpumeter(t, args...)
		if err != nil {
			t.Fatalf("gpumeter %v: %v", args, err)
		}
		return out
	}
	run("close", "--data", data, "--contracts", contracts)
	appendAt(t, data, 1, late[:1])
	run("close", "--data", data, "--contracts", contracts)
	appendAt(t, data, 2, late[1:2])
	appendAt(t, data, 3, late[2:])
	said := func() (out string) {
		for _, args := range [][]string{
			{"report", "--month", "2026-03", "-o", "json"}, {"report", "--month", "2026-03", "--revision", "closed", "-o", "json"},
			{"report", "--from", "2026-03-01", "--to", "2026-04-01", "--by", "node", "-o", "csv"}, {"periods"},
		} {
			out += run(append(args, "--data", data, "--contracts", contracts)...)
		}
		return out
	}
	run("store", "rebuild", "--data", data) // of a store that is whole, but for what came after its last day
	before, verified := said(), run("verify", "--data", data)
	if !strings.Contains(verified, "closed days: 3,") || !strings.Contains(verified, "nothing was changed") {
		t.Errorf("verify: %q", verified)
	}
	database := filepath.Join(data, "gpumeter.duckdb")
	if err := os.Truncate(database, 5000); err != nil {
		t.Fatal(err)
	}
	if _, err := gpumeter(t, "verify", "--data", data); err == nil {
		t.Fatal("verify of a damaged store: no error")
	}
	out := run("store", "rebuild", "--data", data)
	if !strings.Contains(out, " of 3 days up to ") || !strings.Contains(out, ": 5 batches, 10 records\nwhat was in "+data+" is in ") {
		t.Errorf("rebuild: %q", out)
	}
	if after := said(); after != before {
		t.Errorf("reports after the rebuild:\n%s\nbefore:\n%s", after, before)
	}
	if again := run("verify", "--data", data); cutAsOf(again) != cutAsOf(verified) {
		t.Errorf("verify after the rebuild: %q, before: %q", again, verified)
	}
	appendTo(t, data, late) // what agents send again
	run("verify", "--data", data)

	files, err := filepath.Glob(filepath.Join(data, "days", "*", "records.parquet"))
	if err != nil || len(files) != 3 {
		t.Fatalf("files %q, %v", files, err)
	}
	body, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	body[len(body)/2] ^= 1
	if err := os.WriteFile(files[1], body, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = gpumeter(t, "verify", "--data", data)
	if err == nil || !strings.Contains(out, "/records.parquet: it was changed: its SHA-256 is ") {
		t.Errorf("verify of a changed day: %q, %v", out, err)
	}
	if _, err := gpumeter(t, "store", "rebuild", "--data", data); err == nil || !strings.Contains(err.Error(), "records.parquet: it was changed") {
		t.Errorf("rebuild of a changed day: %v", err)
	}
	if _, err := gpumeter(t, "store", "rebuild", "--data", t.TempDir()); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("rebuild of nothing: %v", err)
	}
}

// cutAsOf takes the moment out of what verify says.
func cutAsOf(s string) string {
	_, s, _ = strings.Cut(s, ": ")
	return s
}

func TestCollectorRefusesToKeepMinutesTooShort(t *testing.T) {
	for value, want := range map[string]string{"2d": "less than 3d", "soon": "neither 0 nor a span", "-1h": "neither 0 nor a span"} {
		_, err := gpumeter(t, "collector", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--keep-minutes", value)
		if err == nil || exitCode(err) != 2 || !strings.Contains(err.Error(), want) {
			t.Errorf("--keep-minutes %s: %v, want %q", value, err, want)
		}
	}
}
