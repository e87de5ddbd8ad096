package report_test

import (
	"bytes"
	"io"
	"testing"

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
	v := report.Check(r, conditions)
	for file, write := range map[string]func(io.Writer, report.Checked) error{
		"check.txt": report.CheckText, "check.json": report.CheckJSON, "check.csv": report.CheckCSV} {
		var b bytes.Buffer
		if err := write(&b, v); err != nil {
			t.Fatal(err)
		}
		golden(t, file, b.Bytes())
	}
	if v.Met != 3 || v.Doubtful != 1 || v.Judged != 4 {
		t.Errorf("%d failed, %d doubtful, %d judged; want 3, 1 and 4", v.Met, v.Doubtful, v.Judged)
	}
}
