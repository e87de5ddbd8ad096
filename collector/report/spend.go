package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// SpendJSON writes the report in its published form, see docs/spend.md.
func SpendJSON(w io.Writer, r contract.SpendReport) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write spend report as JSON: %w", err)
	}
	return nil
}

// spendFigure is one amount of a commitment, under a name for machines.
type spendFigure struct {
	name string
	contract.Figure
}

// spendFigures lists all amounts of a commitment that can be told.
func spendFigures(s *contract.CommitmentSpend) []spendFigure {
	out := []spendFigure{{"committed", s.Committed}}
	put := func(name string, f *contract.Figure) {
		if f != nil {
			out = append(out, spendFigure{name, *f})
		}
	}
	put("drawn", s.Drawn)
	if s.Drawn != nil {
		put("drawn.billed", &contract.Figure{Amount: s.Billed, Basis: contract.BasisBilled})
		put("drawn.metered", &contract.Figure{Amount: s.Metered, Basis: contract.BasisMetered})
	}
	put("remaining", s.Remaining)
	put("required_per_day", s.Required)
	for i := range s.Forecast {
		out = append(out, projectionFigures(&s.Forecast[i])...)
	}
	if s.Spread != nil {
		put("spread.least", &contract.Figure{Amount: s.Spread.Least, Basis: s.Spread.Basis})
		put("spread.most", &contract.Figure{Amount: s.Spread.Most, Basis: s.Spread.Basis})
	}
	if s.Scheduled != nil {
		out = append(out, projectionFigures(s.Scheduled)...)
	}
	put("shortfall", s.Shortfall)
	put("shortfall.late_delivery", s.Late)
	if s.BilledUnused != 0 {
		put("billed_unused", &contract.Figure{Amount: s.BilledUnused, Basis: contract.BasisBilled})
	}
	for i := range s.Floors {
		out = append(out, floorFigures(i+1, &s.Floors[i])...)
	}
	if u := s.Use; u != nil {
		put("used", &u.Used)
		put("unused", &u.Unused)
		put("overage", &u.Overage)
	}
	return out
}

func floorFigures(n int, f *contract.FloorState) []spendFigure {
	basis := fmt.Sprintf("%s to %s, %s", f.From.Format(time.DateOnly), f.To.Format(time.DateOnly), f.State)
	name := fmt.Sprintf("floor.%d.", n)
	return []spendFigure{
		{name + "amount", contract.Figure{Amount: f.Amount, Basis: contract.BasisContract}},
		{name + "drawn", contract.Figure{Amount: f.Drawn, Basis: basis}},
		{name + "carried", contract.Figure{Amount: f.Carried, Basis: "beyond the floor before"}},
		{name + "missing", contract.Figure{Amount: f.Missing, Basis: basis}},
	}
}

func projectionFigures(p *contract.Projection) []spendFigure {
	name := strings.ReplaceAll(p.Name, " ", "_")
	out := []spendFigure{
		{name + ".drawn", p.Drawn}, {name + ".per_day", p.PerDay}, {name + ".at_end", p.AtEnd}, {name + ".shortfall", p.Shortfall},
	}
	if p.Late != nil {
		out = append(out, spendFigure{name + ".shortfall.late_delivery", *p.Late})
	}
	return out
}

// spendColumns are the columns of the CSV. New ones go to the end.
var spendColumns = []string{
	"as_of", "provider", "contract", "commitment", "title", "model", "status", "from", "to", "drawn_through", "currency", "figure", "amount", "basis",
}

// SpendCSV writes the report as one table with a row for each amount, exact,
// and its basis. Text that a spreadsheet would take for a formula is preceded
// by an apostrophe.
func SpendCSV(w io.Writer, r contract.SpendReport) error {
	c := csv.NewWriter(w)
	_ = c.Write(spendColumns) // c.Error has it
	for i := range r.Commitments {
		s := &r.Commitments[i]
		for _, f := range spendFigures(s) {
			_ = c.Write([]string{
				r.AsOf.Format(time.RFC3339), safe(s.Provider), safe(s.Contract), safe(s.Commitment), safe(s.Title), string(s.Model), string(s.Status),
				s.From.Format(time.RFC3339), s.To.Format(time.RFC3339), s.Through.Format(time.RFC3339), s.Currency,
				f.name, f.Amount.String(), safe(f.Basis),
			})
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write spend report as CSV: %w", err)
	}
	return nil
}

// SpendMarkdown writes the report as a document with tables.
func SpendMarkdown(w io.Writer, r contract.SpendReport) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Spend commitments as of %s\n", moment(r.AsOf))
	for i := range r.Commitments {
		s := &r.Commitments[i]
		fmt.Fprintf(&b, "\n## %s / %s: %s\n\n", mark(s.Contract), mark(s.Commitment), s.Status)
		for _, line := range s.Words() {
			fmt.Fprintf(&b, "- %s\n", mark(line))
		}
		fmt.Fprintf(&b, "\n| figure | %s | basis |\n|---|---:|---|\n", s.Currency)
		for _, f := range spendFigures(s) {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", f.name, f.Amount.Figure(), mark(f.Basis))
		}
	}
	if len(r.Expiries) > 0 {
		b.WriteString("\n## What ends next\n\n| at | in days | what | at stake |\n|---|---:|---|---:|\n")
		for i := range r.Expiries {
			e := &r.Expiries[i]
			fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", moment(e.At), e.Days, mark(e.Kind+" "+e.Contract+" / "+e.ID), stake(e))
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write spend report as Markdown: %w", err)
	}
	return nil
}

// mark keeps text from being taken for Markdown.
func mark(s string) string {
	return strings.NewReplacer(`\`, `\\`, "&", "&amp;", "|", `\|`, "*", `\*`, "_", `\_`, "<", "&lt;", "`", "\\`", "[", `\[`).Replace(s)
}

func stake(e *contract.Expiry) string {
	if e.AtStake == nil {
		return ""
	}
	return e.AtStake.Amount.Figure() + " " + e.Currency
}
