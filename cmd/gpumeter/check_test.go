package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
)

// answering is a collector that answers every report with one, or with an
// error in words.
func answering(t *testing.T, rep contract.Report, status int) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if status != http.StatusOK {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"error": "no data for 2026-10: the store holds no records yet"}`))
			return
		}
		_ = report.JSON(w, rep)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestCheckExitCodes(t *testing.T) {
	line := contract.Line{ContractedMs: 100, Buckets: contract.Time{contract.Undelivered: 6, contract.Unobserved: 2, contract.Busy: 92}}
	rep := contract.Report{Schema: contract.Schema, Period: "2026-10", Contracts: []contract.Statement{{Contract: "cw", Total: line}}}
	url := answering(t, rep, http.StatusOK)
	f := func(url string, code int, said string, args ...string) {
		t.Helper()
		out, err := gpumeter(t, append([]string{"check", "--url", url}, args...)...)
		got := 0
		if err != nil {
			got = exitCode(err)
		}
		if got != code {
			t.Errorf("%v: exit code %d, want %d: %v", args, got, code, err)
		}
		if err != nil {
			out += err.Error()
		}
		if !strings.Contains(out, said) {
			t.Errorf("%v: %q does not say %q", args, out, said)
		}
	}
	f(url, 0, "ok    cw", "--fail-if", "delivered < 0.94")
	f(url, 3, "FAIL  cw", "--fail-if", "delivered < 0.94", "--fail-if", "delivered < 95%")
	f(url, 3, `"result": "failed",`, "--fail-if", "delivered < 95%", "-o", "json")
	f(url, 0, "2026-10,cw,passed,delivered < 94%,delivered,94,100\n", "--fail-if", "delivered < 94%", "-o", "csv")
	f(url, 2, `output "xml" is not text, json or csv`, "--fail-if", "delivered < 94%", "-o", "xml")
	f(url, 2, `"used" is not contracted`, "--fail-if", "used > 0")
	f(url, 2, "fail-if", "--since", "1d")
	f(url, 1, "ask the collector", "--fail-if", "idle > 1%", "--url", "http://127.0.0.1:1")
	f(answering(t, rep, http.StatusUnprocessableEntity), 4, "no data for 2026-10", "--fail-if", "idle > 1%")
	f(answering(t, rep, http.StatusInternalServerError), 1, "no data", "--fail-if", "idle > 1%")
	f(answering(t, rep, http.StatusBadRequest), 2, "no data", "--fail-if", "idle > 1%")
	rep.Contracts[0].Total.Buckets[contract.Unmeasured], rep.Contracts[0].Total.Buckets[contract.Busy] = 1, 91
	doubtful := answering(t, rep, http.StatusOK)
	f(doubtful, 4, "?     cw", "--fail-if", "idle > 1%")
	f(doubtful, 3, "FAIL  cw", "--fail-if", "busy > 1%")
	rep.Contracts[0].Total = contract.Line{}
	f(answering(t, rep, http.StatusOK), 4, "nothing is contracted", "--fail-if", "idle >= 0")
}

func TestReportWritesEveryForm(t *testing.T) {
	url := answering(t, sample(t), http.StatusOK)
	for format, want := range map[string]string{"text": "GPU ledger, 2026-10\n", "json": "{\n", "csv": "row,period,", "markdown": "# GPU ledger, 2026-10\n"} {
		out, err := gpumeter(t, "report", "--url", url, "--by", "team", "-o", format)
		if err != nil || !strings.HasPrefix(out, want) || !strings.Contains(out, "llm-pretraining") {
			t.Errorf("report -o %s: %v: %.200s", format, err, out)
		}
	}
	if _, err := gpumeter(t, "report", "-o", "xml"); err == nil || exitCode(err) != 2 || err.Error() != `output "xml" is not text, json, csv or markdown` {
		t.Errorf("report -o xml: %v", err)
	}
}

func TestReportRefusesAWrongBreakdown(t *testing.T) {
	// The folder is opened only after the question is understood.
	for args, want := range map[string]string{
		"--by teams": `by "teams" is not cloud, account, region, model, node, holder or team`, "--by team --top 0": `top "0" is neither`, "--top 3": "top is given without by",
	} {
		_, err := gpumeter(t, append([]string{"report", "--data", t.TempDir()}, strings.Fields(args)...)...)
		if err == nil || exitCode(err) != 2 || !strings.Contains(err.Error(), want) {
			t.Errorf("report %s: %v, want exit code 2 and %q", args, err, want)
		}
	}
}
