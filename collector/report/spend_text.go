package report

import (
	"fmt"
	"io"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// maxExpiries is how many ends that are ahead the text lists.
const maxExpiries = 10

// SpendText writes the report for people. Amounts are rounded; each stands
// with what it is made of.
func SpendText(w io.Writer, r contract.SpendReport, o Options) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	t := &text{o: o}
	t.line("%s", t.paint(bold, "Spend commitments as of "+moment(r.AsOf)))
	if len(r.Commitments) == 0 {
		t.line("there are none in the contract file")
	}
	for i := range r.Commitments {
		t.commitment(&r.Commitments[i])
	}
	t.expiries(r.Expiries)
	t.bills(r.Bills)
	if _, err := w.Write(t.out.Bytes()); err != nil {
		return fmt.Errorf("write spend report as text: %w", err)
	}
	return nil
}

func (t *text) commitment(s *contract.CommitmentSpend) {
	t.blank()
	t.rule()
	t.line("%s   %s", t.paint(bold, s.Contract+" / "+s.Commitment), s.Title)
	t.line("%s to %s", moment(s.From), moment(s.To))
	t.line("%s, counted in %s cost; what is missing at the end: %s", s.Model.Words(), s.CostBasis, s.Rule)
	t.blank()
	t.line("%s", t.paint(bold, fmt.Sprintf("    %-18s %20s  %s", "", s.Currency, "basis")))
	t.figure("  ", "committed", &s.Committed)
	t.figure("− ", "drawn", s.Drawn)
	t.figure("= ", "remaining", s.Remaining)
	t.figure("  ", "required per day", s.Required)
	if u := s.Use; u != nil {
		t.figure("  ", "used", &u.Used)
		t.figure("  ", "unused", &u.Unused)
		t.figure("  ", "overage", &u.Overage)
	}
	if s.BilledUnused != 0 {
		t.figure("  ", "billed as unused", &contract.Figure{Amount: s.BilledUnused, Basis: contract.BasisBilled})
	}
	t.projections(s)
	t.figure("  ", "shortfall", s.Shortfall)
	t.figure("  ", "  came late", s.Late)
	t.floors(s)
	t.blank()
	t.note("status", "%s", t.status(s.Status))
	for i, line := range s.Words()[1:] {
		label := ""
		if i == 0 {
			label = "notes"
		}
		t.note(label, "%s", line)
	}
}

func (t *text) status(s contract.SpendStatus) string {
	switch s {
	case contract.SpendShort, contract.SpendInfeasible, contract.SpendEnded:
		return t.paint(red, string(s))
	case contract.SpendMet, contract.SpendOnTrack:
		return t.paint(green, string(s))
	}
	return string(s)
}

// figure writes one amount with its basis; one that is not known is left out.
func (t *text) figure(sign, name string, f *contract.Figure) {
	if f != nil {
		t.line("  %s%-18s %20s  %s", sign, name, f.Amount.Figure(), f.Basis)
	}
}

// projections is the table of what the rates come to.
func (t *text) projections(s *contract.CommitmentSpend) {
	list := s.Forecast
	if s.Scheduled != nil {
		list = append(list[:len(list):len(list)], *s.Scheduled)
	}
	if len(list) == 0 {
		return
	}
	t.blank()
	t.line("%s", t.paint(bold, fmt.Sprintf("    %-10s %18s %20s %20s  %s", "if it goes", "per day", "at the end", "shortfall", "per day is")))
	for i := range list {
		p := &list[i]
		t.line("    %-10s %18s %20s %20s  %s", p.Name, p.PerDay.Amount.Figure(), p.AtEnd.Amount.Figure(), p.Shortfall.Amount.Figure(), p.PerDay.Basis)
	}
	if s.Spread != nil {
		t.line("    %-10s %39s  %s", "spread", s.Spread.Least.Figure()+" to "+s.Spread.Most.Figure(), s.Spread.Basis)
	}
	t.blank()
}

func (t *text) floors(s *contract.CommitmentSpend) {
	if len(s.Floors) == 0 {
		return
	}
	t.blank()
	t.line("%s", t.paint(bold, fmt.Sprintf("    %-24s %18s %18s %18s  %s", "floor", "amount", "drawn + carried", "missing", "state")))
	for _, f := range s.Floors {
		span := f.From.Format(time.DateOnly) + " to " + f.To.Format(time.DateOnly)
		t.line("    %-24s %18s %18s %18s  %s", span, f.Amount.Figure(), (f.Drawn + f.Carried).Figure(), f.Missing.Figure(), f.State)
	}
}

func (t *text) expiries(list []contract.Expiry) {
	if len(list) == 0 {
		return
	}
	t.blank()
	t.rule()
	t.line("%s", t.paint(bold, "What ends next"))
	for i := range list {
		if i == maxExpiries {
			t.line("  and %s later", contract.Counted(len(list)-i, "end"))
			break
		}
		e := &list[i]
		t.line("  %s  in %6s days  %-10s %-38s %s", e.At.Format(time.DateOnly), contract.Grouped(e.Days), e.Kind, clip(e.Contract+" / "+e.ID, 38), stake(e))
	}
}

// bills lists what was imported, by account, from the first to the last.
func (t *text) bills(list []contract.BillState) {
	t.blank()
	t.rule()
	t.line("%s", t.paint(bold, "What was billed (gpumeter focus import)"))
	if len(list) == 0 {
		t.line("  nothing is imported: what is drawn is metered, or not known")
	}
	for i := 0; i < len(list); {
		first, n, covers := &list[i], 0, list[i].CoversTo
		for ; i < len(list) && list[i].Provider == first.Provider && list[i].Account == first.Account && list[i].Currency == first.Currency; i++ {
			n++
			if list[i].CoversTo.After(covers) {
				covers = list[i].CoversTo
			}
		}
		note := ""
		if !first.Concerned {
			note = "no commitment looks at it"
		}
		partial := list[i-n : i]
		t.line("  %-12s %-28s %s  %-10s %s to %s  %s", clip(first.Provider, 12), clip(first.Account, 28), first.Currency,
			contract.Counted(n, "bill"), first.From.Format(time.DateOnly), moment(covers), note)
		for k := range partial {
			if b := &partial[k]; b.Partial {
				t.line("    %s: charges go to %s only, of a period to %s; import all of it, or say that it is --complete", b.Source, moment(b.CoversTo), b.To.Format(time.DateOnly))
			}
		}
	}
}
