package report_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
)

// explanation is of the idle or delivered time of coreweave in the fleet.
func explanation(t *testing.T, name string) contract.Explanation {
	t.Helper()
	q, err := contract.ParseQuantity(name)
	if err != nil {
		t.Fatal(err)
	}
	r := fleetBy(t)
	r.Contracts = r.Contracts[2:3]
	x, err := contract.Explain(q, 5, r)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestExplanationAsPrinted(t *testing.T) {
	f := func(name string, write func(*bytes.Buffer) error) {
		t.Helper()
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
	f("explain-idle.txt", func(b *bytes.Buffer) error { return report.ExplainText(b, explanation(t, "idle"), report.Options{}) })
	f("explain-delivered.txt", func(b *bytes.Buffer) error {
		return report.ExplainText(b, explanation(t, "delivered"), report.Options{Width: 100})
	})
	f("explain-idle.csv", func(b *bytes.Buffer) error { return report.ExplainCSV(b, explanation(t, "idle")) })
	f("explain-idle.json", func(b *bytes.Buffer) error { return report.ExplainJSON(b, explanation(t, "idle")) })
}

func TestExplanationSurvivesJSON(t *testing.T) {
	want := explanation(t, "busy")
	var b bytes.Buffer
	if err := report.ExplainJSON(&b, want); err != nil {
		t.Fatal(err)
	}
	var got contract.Explanation
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	got.From, got.To = got.From.In(want.From.Location()), got.To.In(want.To.Location())
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("explanation (-want +got):\n%s", d)
	}
}
