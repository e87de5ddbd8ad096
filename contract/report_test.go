package contract_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
)

func TestReportSurvivesJSON(t *testing.T) {
	forFleets(t, 50, func(t *testing.T, _ *rand.Rand, f *fleet) {
		_, want, err := f.report()
		if err != nil {
			t.Errorf("Build: %v", err)
			return
		}
		body, err := json.Marshal(want)
		if err != nil {
			t.Errorf("Marshal: %v", err)
			return
		}
		var got contract.Report
		if err := json.Unmarshal(body, &got); err != nil {
			t.Errorf("Unmarshal: %v", err)
			return
		}
		again, err := json.Marshal(got)
		if err != nil || !bytes.Equal(body, again) {
			t.Errorf("report changed on its way, %v (-want +got):\n%s", err, cmp.Diff(string(body), string(again)))
		}
	})
}

func TestReportWithoutContractsHasEmptyLists(t *testing.T) {
	rep, err := contract.NewPlan(nil, contract.Placements{}, nil, span(0, 1)).Build(contract.Answer{}, t0)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"schema":"gpumeter.report/v1","as_of":"2026-10-01T00:00:00Z","period":"test","contracts":[],"uncontracted":[],` +
		`"quality":{"gpus":0,"overlap_records":0,"conflicts":0,"quarantined":0}}`
	if string(body) != want {
		t.Errorf("report\n%s\nwant\n%s", body, want)
	}
}

// What can be read as a report is written and read again without change.
func FuzzReportJSON(f *testing.F) {
	f.Add([]byte(`{"schema":"gpumeter.report/v1","as_of":"2026-10-01T00:00:00+05:30","contracts":[{"total":{"buckets_gpu_ms":{"busy":5},"cost":{"contracted":1.5,"buckets":{"idle":0.000001}}}}]}`))
	f.Add([]byte(`{"uncontracted":[{"provider":"aws","gpu_ms":7,"buckets_gpu_ms":null}],"contracts":[{"total":{"cost":{"overage":-2}}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var a, b contract.Report
		if json.Unmarshal(body, &a) != nil {
			return
		}
		first, err := json.Marshal(a)
		if err != nil {
			t.Fatalf("write what was read from %q: %v", body, err)
		}
		if err := json.Unmarshal(first, &b); err != nil {
			t.Fatalf("read again %s: %v", first, err)
		}
		second, err := json.Marshal(b)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s was read again as %s, %v", first, second, err)
		}
	})
}
