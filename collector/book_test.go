package collector_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
)

const oneContract = `contracts:
  - id: %ID%
    provider: aws
    currency: USD
    billing_timezone: UTC
    tranches: [{id: t, model: H100, start: 2026-10-01, end: 2027-10-01, gpus: 1, per_gpu_hour: "2.50"}]
`

// contractFile writes a file that holds a contract, with a modification time
// of its own.
func contractFile(t testing.TB, name, text string, minute int) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 10, 1, 0, minute, 0, 0, time.UTC)
	if err := os.Chtimes(name, at, at); err != nil {
		t.Fatal(err)
	}
}

func ids(b *collector.Book) string {
	var out []string
	for _, c := range b.Contracts() {
		out = append(out, c.ID)
	}
	return strings.Join(out, ",")
}

func TestBookFollowsItsFileAndKeepsTheLastGood(t *testing.T) {
	name := filepath.Join(t.TempDir(), "contracts.yaml")
	contractFile(t, name, strings.ReplaceAll(oneContract, "%ID%", "first"), 0)
	b, err := collector.OpenBook(name, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h := start(t, collector.Config{Book: b})
	f := func(step, want string, ok int) {
		t.Helper()
		if got := ids(b); got != want {
			t.Errorf("%s: contracts %q, want %q", step, got, want)
		}
		if s := metric(t, h, "gpumeter_collector_contract_file_ok"); s != string(rune('0'+ok)) {
			t.Errorf("%s: contract_file_ok = %s, want %d", step, s, ok)
		}
	}
	f("at the start", "first", 1)
	contractFile(t, name, strings.ReplaceAll(oneContract, "%ID%", "second"), 1)
	f("after a change", "second", 1)
	contractFile(t, name, "contracts: nonsense", 2)
	f("after a mistake", "second", 0)
	if s := metric(t, h, "gpumeter_collector_contract_file_errors_total"); s != "1" {
		t.Errorf("errors = %s: a bad file is read once", s)
	}
	if err := b.Reload(); err == nil || !strings.Contains(err.Error(), "contracts.yaml:1: ") {
		t.Errorf("Reload = %v", err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	f("without its file", "second", 0)
	contractFile(t, name, strings.ReplaceAll(oneContract, "%ID%", "third"), 3)
	f("after it was put right", "third", 1)
}

func TestOpenBookRefusesABadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "contracts.yaml")
	if _, err := collector.OpenBook(name, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a missing file is no error")
	}
	contractFile(t, name, "contracts: nonsense", 0)
	if _, err := collector.OpenBook(name, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a bad file is no error")
	}
}

// metric returns the value of a series on /metrics.
func metric(t testing.TB, h http.Handler, series string) string {
	t.Helper()
	for line := range strings.Lines(do(h, "GET", "/metrics", nil).Body.String()) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Errorf("/metrics lacks %s", series)
	return ""
}

func TestMetricsCountWhatCame(t *testing.T) {
	h := start(t, collector.Config{Version: "1.2.3"})
	bad := batch(agentA, 2)
	bad.Records[0].BusyMs = 61_000
	other := batch(agentA, 1)
	other.IntervalMs = 1
	answer(t, post(h, lines(t, batch(agentA, 1), bad)))
	answer(t, post(h, lines(t, batch(agentA, 1), other)))
	problem(t, post(h, []byte("x\n")), 400)
	for series, want := range map[string]string{
		`gpumeter_collector_batches_total{status="committed"}`: "1",
		`gpumeter_collector_batches_total{status="duplicate"}`: "1",
		`gpumeter_collector_batches_total{status="conflict"}`:  "1",
		`gpumeter_collector_records_total`:                     "1",
		`gpumeter_collector_quarantined_batches_total`:         "1",
		`gpumeter_collector_refused_posts_total{code="400"}`:   "1",
		`gpumeter_collector_commit_seconds_count`:              "2",
		`gpumeter_collector_queued_posts{lane="live"}`:         "0",
		`gpumeter_collector_queued_posts{lane="backlog"}`:      "0",
		`gpumeter_collector_held_bytes`:                        "0",
	} {
		if got := metric(t, h, series); got != want {
			t.Errorf("%s = %s, want %s", series, got, want)
		}
	}
}
