// Package report writes a contract.Report as text for people, as CSV for
// spreadsheets and as JSON for programs.
//
// CSV and JSON are exact. The text is rounded, says so, and prints the sums
// that it can be checked by in integers.
package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/gpumeter/gpumeter/contract"
)

// JSON writes the report in its published form, see docs/report.md. A closed
// month is the same bytes for ever.
func JSON(w io.Writer, r contract.Report) error {
	if r.Stored != nil {
		if _, err := w.Write(r.Stored); err != nil {
			return fmt.Errorf("write report as JSON: %w", err)
		}
		return nil
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write report as JSON: %w", err)
	}
	return nil
}
