package web

import (
	"cmp"
	"html/template"
	"io"
	"net/url"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// ClaimsPage is what went wrong in a month, and what can be claimed for it.
type ClaimsPage struct {
	// Docket is what to show; nil where there is none, and then Problem says
	// why, in one sentence.
	Docket  *contract.Docket
	Problem string
	Now     time.Time
	Version string
	// Query is the request's: it is repeated in the links to the evidence.
	Query url.Values
}

// Write writes the page as HTML. Nothing is written if it cannot be made.
func (p ClaimsPage) Write(w io.Writer) error { return write(w, "claims.html", p.view()) }

// claimsView is the page as the template prints it.
type claimsView struct {
	frame
	Query   template.URL
	Period  string
	Problem string
	Figures []figure
	Classes []classView
	Minor   []minorRow
	// Unmetered says what lies before anybody looked; empty is nothing.
	Unmetered string
}

// classView are the incidents of one class.
type classView struct {
	Title, Class string
	Count        int
	Incidents    []incidentRow
}

type incidentRow struct {
	ID, Contract, What, Where, From, Lasted, GPUs, Hours, Amount, Owed, ClaimBy, Rule string
	Evidence                                                                          template.URL
	Expired                                                                           bool
}

type minorRow struct{ Tranche, Gaps, Grace string }

func (p ClaimsPage) view() claimsView {
	v := claimsView{frame: framed("Claims", p.Version), Problem: p.Problem}
	v.Query = template.URL(p.Query.Encode()) //nolint:gosec // Encode escapes
	v.Title = "no claims"
	v.Month, v.Prev, v.Next = months(p.Query.Get("month"), p.Now)
	if p.Docket == nil {
		return v
	}
	d := p.Docket
	v.Period, v.Title, v.AsOf = d.Period, "Claims of "+d.Period, moment(d.AsOf)
	v.Figures, v.Unmetered = claimFigures(d), d.Unmetered()
	month := url.Values{"month": {d.Period}}.Encode()
	for _, class := range contract.Classes {
		c := classView{Title: class.Title(), Class: string(class)}
		for i := range d.Incidents {
			if x := &d.Incidents[i]; x.Class == class {
				c.Incidents = append(c.Incidents, incidentRowOf(x, month))
			}
		}
		if c.Count = len(c.Incidents); c.Count > 0 {
			v.Classes = append(v.Classes, c)
		}
	}
	for _, m := range d.Minor {
		v.Minor = append(v.Minor, minorRow{m.Contract + " / " + m.Tranche, contract.Hours(m.GapsMs), contract.Hours(m.GraceMs)})
	}
	return v
}

func incidentRowOf(x *contract.Incident, month string) incidentRow {
	return incidentRow{
		ID: x.ID, Contract: x.Contract + " / " + x.Tranche, What: x.What(), Where: cmp.Or(x.Site.Node, "–"),
		From: contract.InZone(x.From, x.Zone).Format("2006-01-02 15:04 MST"), Lasted: x.Lasted(), GPUs: contract.Grouped(int64(x.Most)),
		Hours: contract.Hours(x.GPUMs), Amount: x.Amount.Figure() + " " + x.Currency, Owed: x.Owed.Figure() + " " + x.Currency, ClaimBy: x.ClaimBy(), Rule: x.Rule,
		Evidence: template.URL("api/v1/claims/" + url.PathEscape(x.ID) + "?" + month), //nolint:gosec // escaped
		Expired:  x.Claim != nil && x.Claim.Expired,
	}
}

// claimFigures are the large numbers: what can be claimed by currency, the next
// deadline, and what was lost and cannot be claimed. What lies before anybody
// looked may not have been lost.
func claimFigures(d *contract.Docket) []figure {
	var order []string
	open, lost := map[string]contract.Money{}, map[string]contract.Money{}
	var next *contract.Incident
	for i := range d.Incidents {
		x := &d.Incidents[i]
		if _, ok := lost[x.Currency]; !ok {
			order = append(order, x.Currency)
			lost[x.Currency] = 0
		}
		if x.Kind == contract.BeforeMetering {
			continue
		}
		if x.Class != contract.Claimable || x.Claim != nil && x.Claim.Expired {
			lost[x.Currency] += x.Amount
			continue
		}
		open[x.Currency] += x.Owed
		if due(x) != nil && (next == nil || due(x).Before(*due(next))) {
			next = x
		}
	}
	var out []figure
	for _, c := range order {
		out = append(out, figure{"Can be claimed", open[c].Figure() + " " + c, "credits and late delivery, by the terms"},
			figure{"Lost besides", lost[c].Figure() + " " + c, "at the rate paid: not covered, not proved, ours, or too late"})
	}
	if next != nil {
		out = append(out, figure{"Claim by", next.ClaimBy(), "the next deadline, of " + next.ID})
	}
	return out
}

func due(x *contract.Incident) *time.Time {
	if x.Claim == nil {
		return nil
	}
	return x.Claim.Deadline
}
