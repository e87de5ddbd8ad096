package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/gpumeter/gpumeter/contract"
)

// Checked is what a check found. Its JSON form is published: see
// docs/report.md.
type Checked struct {
	Period   string    `json:"period"`
	Findings []Finding `json:"findings"` // by contract; conditions that hold first
	Met      int       `json:"failed"`   // contracts and conditions of which one holds
	Doubtful int       `json:"doubtful"` // contracts of which too much is not known
	Judged   int       `json:"judged"`   // contracts of which anything is contracted
}

// Finding is one contract and condition.
type Finding struct {
	Contract string `json:"contract"`
	Result   Result `json:"result"`
	// Condition is what was asked; empty where no condition is.
	Condition string `json:"condition,omitempty"`
	// Quantity is what GPUMs counts, of ContractedMs.
	Quantity     string `json:"quantity,omitempty"`
	GPUMs        int64  `json:"gpu_ms"`
	ContractedMs int64  `json:"contracted_gpu_ms"`
}

// Result is what came of one contract and condition.
type Result string

// A contract is doubtful if too much of it is not known to trust its shares, and
// absent if nothing of it is contracted in the period.
const (
	Failed   Result = "failed" // the condition holds
	Passed   Result = "passed"
	Doubtful Result = "doubtful"
	Absent   Result = "absent"
)

// Check lays conditions against the contracts of a report.
func Check(r contract.Report, conditions []contract.Condition) Checked {
	out := Checked{Period: r.Period, Findings: []Finding{}}
	for i := range r.Contracts {
		s := &r.Contracts[i]
		l := &s.Total
		if l.ContractedMs == 0 {
			out.Findings = append(out.Findings, Finding{Contract: s.Contract, Result: Absent})
			continue
		}
		out.Judged++
		for _, held := range []bool{true, false} {
			for c := range conditions {
				if x := &conditions[c]; x.Met(l) == held {
					out.add(s.Contract, held, x, l)
				}
			}
		}
		if l.Doubtful() {
			out.Doubtful++
			out.Findings = append(out.Findings, Finding{Contract: s.Contract, Result: Doubtful, Quantity: "unobserved or unmeasured",
				GPUMs: l.Buckets[contract.Unobserved] + l.Buckets[contract.Unmeasured], ContractedMs: l.ContractedMs})
		}
	}
	return out
}

func (r *Checked) add(id string, held bool, c *contract.Condition, l *contract.Line) {
	f := Finding{Contract: id, Result: Passed, Condition: c.String(), Quantity: c.Quantity.Name, GPUMs: c.Quantity.Ms(l.Buckets), ContractedMs: l.ContractedMs}
	if held {
		f.Result = Failed
		r.Met++
	}
	r.Findings = append(r.Findings, f)
}

// CheckText writes a line for each finding.
func CheckText(w io.Writer, r Checked) error {
	var out bytes.Buffer
	for i := range r.Findings {
		f := &r.Findings[i]
		share := contract.Share(f.GPUMs, f.ContractedMs)
		switch f.Result {
		case Absent:
			fmt.Fprintf(&out, "n/a   %-20s nothing is contracted, %s\n", f.Contract, r.Period)
		case Doubtful:
			fmt.Fprintf(&out, "?     %-20s %s of contracted is %s: it may be otherwise\n", f.Contract, share, f.Quantity)
		default:
			word := map[Result]string{Failed: "FAIL", Passed: "ok"}[f.Result]
			fmt.Fprintf(&out, "%-5s %-20s %s is %s of contracted, %s (fail if %s)\n", word, f.Contract, f.Quantity, share, r.Period, f.Condition)
		}
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("write check: %w", err)
	}
	return nil
}

// CheckJSON writes what was found for programs.
func CheckJSON(w io.Writer, r Checked) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // conditions have < and >
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write check as JSON: %w", err)
	}
	return nil
}

// CheckCSV writes a row for each finding.
func CheckCSV(w io.Writer, r Checked) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"period", "contract", "result", "condition", "quantity", "gpu_ms", "contracted_gpu_ms"}) // c.Error has it
	for i := range r.Findings {
		f := &r.Findings[i]
		_ = c.Write([]string{safe(r.Period), safe(f.Contract), string(f.Result), f.Condition, f.Quantity,
			strconv.FormatInt(f.GPUMs, 10), strconv.FormatInt(f.ContractedMs, 10)})
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write check as CSV: %w", err)
	}
	return nil
}
