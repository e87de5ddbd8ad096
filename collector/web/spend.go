package web

import (
	"html/template"
	"io"
	"net/url"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// SpendPage is how far the spend commitments are drawn.
type SpendPage struct {
	// Report is what to show; nil where there is none, and then Problem says
	// why, in one sentence.
	Report  *contract.SpendReport
	Problem string
	Version string
	// Query is the request's: it is repeated in the link to the figures.
	Query url.Values
}

// Write writes the page as HTML. Nothing is written if it cannot be made.
func (p SpendPage) Write(w io.Writer) error { return write(w, "spend.html", p.view()) }

// spendView is the page as the template prints it.
type spendView struct {
	frame
	Query       template.URL
	Problem     string
	Summary     []commitmentRow
	Commitments []commitment
	Expiries    []expiryRow
	Bills       []billRow
}

type commitmentRow struct {
	Anchor, ID, Cloud, Status, Class, Committed, Drawn, Share, Elapsed, AtEnd, Shortfall string
}

type commitment struct {
	Anchor, ID, Title, Status, Class, Currency string
	Figures                                    []figure
	Track                                      *track
	Rows                                       []amountRow
	Forecast                                   []forecastRow
	Floors                                     []floorRow
	Notes                                      []string
}

// amountRow is an amount with what it is made of.
type amountRow struct{ Name, Amount, Basis string }

type forecastRow struct{ Name, PerDay, AtEnd, Shortfall, Basis string }

type floorRow struct{ Span, Amount, Drawn, Missing, State, Class string }

type expiryRow struct{ At, Days, Kind, What, Stake string }

type billRow struct {
	Cloud, Account, Currency, Period, Covers, Note string
	Look                                           bool
}

func (p SpendPage) view() spendView {
	v := spendView{frame: framed("Spend", p.Version), Problem: p.Problem}
	v.Query = template.URL(p.Query.Encode()) //nolint:gosec // Encode escapes
	v.Title = "Spend commitments"
	if p.Report == nil {
		return v
	}
	v.AsOf = moment(p.Report.AsOf)
	for i := range p.Report.Commitments {
		s := &p.Report.Commitments[i]
		v.Summary = append(v.Summary, commitmentRowOf(s))
		v.Commitments = append(v.Commitments, commitmentOf(s))
	}
	for i := range p.Report.Expiries {
		e := &p.Report.Expiries[i]
		row := expiryRow{e.At.Format(time.DateOnly), contract.Grouped(e.Days), e.Kind, e.Contract + " / " + e.ID, ""}
		if e.AtStake != nil {
			row.Stake = e.AtStake.Amount.Figure() + " " + e.Currency
		}
		v.Expiries = append(v.Expiries, row)
	}
	for i := range p.Report.Bills {
		v.Bills = append(v.Bills, billRowOf(&p.Report.Bills[i]))
	}
	return v
}

func billRowOf(b *contract.BillState) billRow {
	row := billRow{
		Cloud: b.Provider, Account: b.Account, Currency: b.Currency, Covers: moment(b.CoversTo),
		Period: b.From.Format(time.DateOnly) + " to " + b.To.Format(time.DateOnly),
	}
	switch {
	case b.Partial:
		row.Look, row.Note = true, "partial: the rest of the period is not imported"
	case !b.Concerned:
		row.Note = "no commitment looks at it"
	}
	return row
}

// statusClass is how a status looks: well, to be looked at, bad, or neither.
func statusClass(s contract.SpendStatus) string {
	switch s {
	case contract.SpendMet, contract.SpendOnTrack:
		return "good"
	case contract.SpendAtRisk, contract.SpendUnknown:
		return "look"
	case contract.SpendShort, contract.SpendInfeasible, contract.SpendEnded:
		return "bad"
	}
	return ""
}

func commitmentRowOf(s *contract.CommitmentSpend) commitmentRow {
	row := commitmentRow{
		Anchor: anchor(s.Contract + "/" + s.Commitment), ID: s.Contract + " / " + s.Commitment, Cloud: s.Provider,
		Status: string(s.Status), Class: statusClass(s.Status), Committed: s.Committed.Amount.Figure() + " " + s.Currency,
		Elapsed: contract.Share(s.ElapsedMs, s.TermMs),
	}
	if s.Drawn != nil {
		row.Drawn, row.Share = s.Drawn.Amount.Figure(), contract.Share(int64(s.Drawn.Amount), int64(s.Committed.Amount))
	}
	if s.Spread != nil {
		row.AtEnd = s.Spread.Least.Figure() + " – " + s.Spread.Most.Figure()
	}
	if s.Shortfall != nil {
		row.Shortfall = s.Shortfall.Amount.Figure()
	}
	return row
}

func commitmentOf(s *contract.CommitmentSpend) commitment {
	c := commitment{
		Anchor: anchor(s.Contract + "/" + s.Commitment), ID: s.Contract + " / " + s.Commitment, Title: s.Title,
		Status: string(s.Status), Class: statusClass(s.Status), Currency: s.Currency,
		Figures: spendFigures(s), Track: trackOf(s), Rows: amountRows(s), Notes: s.Words(),
	}
	for _, p := range s.Forecast {
		c.Forecast = append(c.Forecast, forecastRowOf("the last "+p.Name, &p))
	}
	if s.Scheduled != nil {
		c.Forecast = append(c.Forecast, forecastRowOf("all that is contracted", s.Scheduled))
	}
	for _, f := range s.Floors {
		row := floorRow{f.From.Format(time.DateOnly) + " to " + f.To.Format(time.DateOnly), f.Amount.Figure(), (f.Drawn + f.Carried).Figure(), f.Missing.Figure(), f.State, ""}
		if f.State == "missed" {
			row.Class = "bad"
		}
		c.Floors = append(c.Floors, row)
	}
	return c
}

func forecastRowOf(name string, p *contract.Projection) forecastRow {
	if p.Name == "to date" {
		name = "the term to date"
	}
	return forecastRow{name, p.PerDay.Amount.Figure(), p.AtEnd.Amount.Figure(), p.Shortfall.Amount.Figure(), p.PerDay.Basis}
}

// spendFigures are the large numbers of a commitment.
func spendFigures(s *contract.CommitmentSpend) []figure {
	of := func(m contract.Money) string {
		return contract.Share(int64(m), int64(s.Committed.Amount)) + " of committed"
	}
	out := []figure{{"Committed", s.Committed.Amount.Figure(), s.Currency}}
	if s.Drawn != nil {
		out = append(out, figure{"Drawn", s.Drawn.Amount.Figure(), of(s.Drawn.Amount)})
	}
	if u := s.Use; u != nil {
		out = append(out, figure{"Used", u.Used.Amount.Figure(), "of what was committed so far: " + contract.Share(int64(u.Used.Amount), int64(u.Used.Amount+u.Unused.Amount))},
			figure{"Unused", u.Unused.Amount.Figure(), "paid, and lost"})
	}
	out = append(out, figure{"Time elapsed", contract.Share(s.ElapsedMs, s.TermMs), "to " + s.To.Format(time.DateOnly)})
	if s.Required != nil {
		out = append(out, figure{"Required per day", s.Required.Amount.Figure(), recent(s)})
	}
	if s.Shortfall != nil && s.Shortfall.Amount > 0 {
		f := figure{"Shortfall", s.Shortfall.Amount.Figure(), of(s.Shortfall.Amount)}
		if s.Late != nil && s.Late.Amount > 0 {
			f.Of = "of it " + s.Late.Amount.Figure() + " came late"
		}
		out = append(out, f)
	}
	return out
}

// recent says at what rate the last days drew.
func recent(s *contract.CommitmentSpend) string {
	for _, name := range []string{"28d", "7d", "to date"} {
		for i := range s.Forecast {
			if s.Forecast[i].Name == name {
				return "drawn of late: " + s.Forecast[i].PerDay.Amount.Figure()
			}
		}
	}
	return "to draw all of it"
}

// amountRows are the amounts with what they are made of.
func amountRows(s *contract.CommitmentSpend) []amountRow {
	var out []amountRow
	add := func(name string, f *contract.Figure) {
		if f != nil {
			out = append(out, amountRow{name, f.Amount.Figure(), f.Basis})
		}
	}
	add("committed", &s.Committed)
	add("drawn", s.Drawn)
	add("remaining", s.Remaining)
	add("required per day", s.Required)
	if u := s.Use; u != nil {
		add("used", &u.Used)
		add("unused", &u.Unused)
		add("overage", &u.Overage)
	}
	if s.BilledUnused != 0 {
		add("billed as unused", &contract.Figure{Amount: s.BilledUnused, Basis: contract.BasisBilled})
	}
	add("shortfall", s.Shortfall)
	add("of it, came late", s.Late)
	return out
}
