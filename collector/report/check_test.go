package report_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
)

func TestCheckAsPrinted(t *testing.T) {
	r := fleet(t)
	r.Contracts[1].Total.ContractedMs = 0
	l := &r.Contracts[2].Total
	l.Buckets[contract.Unobserved] += l.ContractedMs / 20
	l.Buckets[contract.Busy] -= l.ContractedMs / 20
	var conditions []contract.Condition
	for _, s := range []string{"delivered<0.95", "busy < 66%"} {
		c, err := contract.ParseCondition(s)
		if err != nil {
			t.Fatal(err)
		}
		conditions = append(conditions, c)
	}
	var b bytes.Buffer
	v, err := report.Check(&b, r, conditions)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "check.txt", b.Bytes())
	if d := cmp.Diff(report.Verdict{Met: 3, Doubtful: 1, Judged: 4}, v); d != "" {
		t.Errorf("verdict (-want +got):\n%s", d)
	}
}
