package report_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
)

const reportPage = "../../docs/report.md"

// TestExampleInTheDocsIsMade holds the example of docs/report.md.
func TestExampleInTheDocsIsMade(t *testing.T) {
	page, err := os.ReadFile(reportPage)
	if err != nil {
		t.Fatal(err)
	}
	r := worked(t)
	for i := range r.Contracts[0].Tranches {
		r.Contracts[0].Tranches[i].Days = nil
	}
	r.Contracts[0].Total.Days = nil
	var want bytes.Buffer
	if err := report.JSON(&want, r); err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), "```json\n")
	got, after, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("docs/report.md has no example")
	}
	if *update {
		text := before + "```json\n" + want.String() + "```" + after
		if err := os.WriteFile(reportPage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want.String() {
		t.Error("the example of docs/report.md differs: run the test with -update and read the diff")
	}
}

// TestDocsNameEveryField holds that each field of the JSON and each column of
// the CSV that is not one of a kind is named in docs/report.md.
func TestDocsNameEveryField(t *testing.T) {
	page, err := os.ReadFile(reportPage)
	if err != nil {
		t.Fatal(err)
	}
	closed := fleet(t)
	closed.Edition.Revision = new(int)
	closed.Quality.RecordedSince = &closed.AsOf                                          // that fleet was metered from the beginning
	closed.Remarks = append(closed.Remarks, contract.Remark{Swaps: []contract.Swap{{}}}) // no GPU of that fleet was replaced
	text, err := json.Marshal([]contract.Report{closed, fleetBy(t)})
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	fieldsOf(reflect.TypeFor[contract.Report](), fields)
	if len(fields) < 40 {
		t.Fatalf("found %d fields only", len(fields))
	}
	for f := range fields {
		if !bytes.Contains(page, []byte("`"+f+"`")) {
			t.Errorf("docs/report.md does not name %s", f)
		}
		if !bytes.Contains(text, []byte(`"`+f+`":`)) {
			t.Errorf("the report of the fleet has no %s", f)
		}
	}
}

// fieldsOf collects the JSON names of a struct and what is in it.
func fieldsOf(t reflect.Type, into map[string]bool) {
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		fieldsOf(t.Elem(), into)
	case reflect.Struct:
		for i := range t.NumField() {
			if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
				into[name] = true
				fieldsOf(t.Field(i).Type, into)
			}
		}
	}
}
