package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
)

// sample is a contract of the sample fleet, broken down by team.
func sample(t *testing.T) contract.Report {
	t.Helper()
	text, err := os.ReadFile("../../collector/report/testdata/fleet-team.json")
	if err != nil {
		t.Fatal(err)
	}
	var rep contract.Report
	if err := json.Unmarshal(text, &rep); err != nil {
		t.Fatal(err)
	}
	rep.Contracts = rep.Contracts[2:3]
	return rep
}

func TestExplainAsksAgainWhenRecordsCome(t *testing.T) {
	rep, asked := sample(t), 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		q := r.URL.Query()
		if q.Get("contract") != "cw-h100-res" || q.Get("top") != "all" || q.Get("month") != "2026-10" {
			t.Errorf("asked for %v", q)
		}
		now := rep
		now.Breakdown = &contract.Breakdown{By: contract.By(q.Get("by"))}
		if asked == 2 { // records came after the first answer
			now.Contracts = []contract.Statement{rep.Contracts[0]}
			now.Contracts[0].Total.Groups = nil
		}
		_ = report.JSON(w, now)
	}))
	t.Cleanup(srv.Close)
	out, err := gpumeter(t, "explain", "cw-h100-res", "idle", "--period", "2026-10", "--url", srv.URL, "--by", "team,node", "--top", "2")
	if err != nil {
		t.Fatal(err)
	}
	if asked != 4 {
		t.Errorf("asked %d times, want each of two twice", asked)
	}
	for _, want := range []string{"held by somebody known", "by tranche", "by day", "29 others", "by team", "by node", "search", "2 others", "unattributed"} {
		if !strings.Contains(out, want) {
			t.Errorf("the explanation lacks %q:\n%s", want, out)
		}
	}
}

func TestExplainRefusesWrongUsage(t *testing.T) {
	for args, want := range map[string]string{
		"":                      "wants a contract and a bucket",
		"cw":                    "wants a contract and a bucket",
		"cw used":               `"used" is not contracted,`,
		"cw idle --by teams":    `by "teams" is not cloud`,
		"cw idle --top 0":       "top 0 is below 1",
		"cw idle --contract cw": "the contract is an argument",
		"cw idle -o xml":        `output "xml" is not text, json or csv`,
	} {
		_, err := gpumeter(t, append([]string{"explain"}, strings.Fields(args)...)...)
		if err == nil || exitCode(err) != 2 || !strings.Contains(err.Error(), want) {
			t.Errorf("explain %s: %v, want exit code 2 and %q", args, err, want)
		}
	}
}
