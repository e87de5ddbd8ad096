package report

import (
	"bytes"
	"fmt"
	"io"

	"github.com/gpumeter/gpumeter/contract"
)

// Verdict is what came of a check.
type Verdict struct {
	Met      int // contracts and conditions of which one holds
	Doubtful int // contracts of which too much is not known
	Judged   int // contracts of which anything is contracted
}

// Check writes a line for each contract and condition, those that hold first
// in their contract, and one for each contract of which too much is not known
// to trust its shares.
func Check(w io.Writer, r contract.Report, conditions []contract.Condition) (Verdict, error) {
	var v Verdict
	var out bytes.Buffer
	for i := range r.Contracts {
		s := &r.Contracts[i]
		l := &s.Total
		if l.ContractedMs == 0 {
			fmt.Fprintf(&out, "n/a   %-20s nothing is contracted in %s\n", s.Contract, r.Period)
			continue
		}
		v.Judged++
		for c := range conditions {
			if conditions[c].Met(l) {
				v.Met++
				fmt.Fprintf(&out, "FAIL  %-20s %s\n", s.Contract, found(&conditions[c], l, r.Period))
			}
		}
		for c := range conditions {
			if !conditions[c].Met(l) {
				fmt.Fprintf(&out, "ok    %-20s %s\n", s.Contract, found(&conditions[c], l, r.Period))
			}
		}
		if l.Doubtful() {
			v.Doubtful++
			unknown := l.Buckets[contract.Unobserved] + l.Buckets[contract.Unmeasured]
			fmt.Fprintf(&out, "?     %-20s %s of contracted is unobserved or unmeasured: it may be otherwise\n", s.Contract, contract.Share(unknown, l.ContractedMs))
		}
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return v, fmt.Errorf("write check: %w", err)
	}
	return v, nil
}

// found says what the share is that a condition looks at.
func found(c *contract.Condition, l *contract.Line, period string) string {
	return fmt.Sprintf("%s is %s of contracted in %s (fail if %s)", c.Quantity.Name, contract.Share(c.Quantity.Ms(l.Buckets), l.ContractedMs), period, c)
}
