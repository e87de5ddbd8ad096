package web

import (
	"fmt"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// account is one contract on the page.
type account struct {
	Anchor, ID, Title, Cloud, Currency, Period string
	GPUs                                       string
	// Nothing says why there are no figures.
	Nothing  string
	Figures  []figure
	Rows     []stepRow
	Bridge   bridge
	Days     days
	Tranches []trancheRow
	Groups   *groupTable // nil unless the report is broken down
	Notes    []note
	Checks   []check
}

// figure is one of the large numbers.
type figure struct{ Name, Value, Of string }

// stepRow is one row of the table beside the waterfall.
type stepRow struct {
	Name, Sign, Class, Hours, Cost, Share, Actor string
	Stage                                        bool
}

type trancheRow struct{ ID, Model, GPUs, Contracted, Delivered, Busy, Cost string }

type note struct{ Name, Text string }

type check struct {
	Good bool
	Text string
}

func accountOf(s *contract.Statement, by contract.By) account {
	l := &s.Total
	from, to := contract.InZone(s.From, s.Zone), contract.InZone(s.To, s.Zone)
	a := account{
		Anchor: anchor(s.Contract), ID: s.Contract, Title: s.Title, Cloud: s.Provider, Currency: s.Currency,
		GPUs:   contract.Grouped(int64(l.GPUs)),
		Period: from.Format("2006-01-02 15:04") + " – " + to.Format("2006-01-02 15:04") + " " + to.Location().String(),
	}
	switch {
	case !s.From.Before(s.To):
		a.Nothing = "The period of this contract has not begun, or nothing of it is settled yet."
		return a
	case l.ContractedMs == 0:
		a.Nothing = "No capacity is contracted in this period."
		a.Notes = notesOf(s)
		return a
	}
	a.Figures = figuresOf(s)
	a.Rows = rowsOf(l)
	a.Bridge = bridgeOf(l)
	a.Days = daysOf(l.Days)
	if len(s.Tranches) > 1 {
		for i := range s.Tranches {
			a.Tranches = append(a.Tranches, trancheOf(&s.Tranches[i]))
		}
	}
	if len(l.Groups) > 0 {
		all := l.Parcel()
		t := groupsOf(string(by), s.Currency, &all, l.Groups)
		a.Groups = &t
	}
	a.Notes = notesOf(s)
	a.Checks = checksOf(s)
	return a
}

// figuresOf holds each number and its unit together with no-break spaces.
func figuresOf(s *contract.Statement) []figure {
	l := &s.Total
	b := &l.Buckets
	delivered := l.ContractedMs - b[contract.Undelivered]
	out := []figure{
		{"Contracted", contract.Hours(l.ContractedMs) + " h", l.Cost.Contracted.Figure() + " " + s.Currency},
		{"Delivered", contract.Share(delivered, l.ContractedMs), "of contracted"},
		{"Healthy", contract.Share(delivered-b[contract.Unobserved]-b[contract.Unhealthy], l.ContractedMs), "of contracted"},
		{"Busy", contract.Share(b[contract.Busy], l.ContractedMs), "of contracted, up to " +
			contract.Share(b[contract.Busy]+b[contract.Unobserved]+b[contract.Unmeasured], l.ContractedMs)},
	}
	if p, ok := l.HourPrices(); ok && p.Busy >= 0 {
		of := "cost ÷ busy hours; paid " + p.Paid.Figure()
		if p.Effective >= 0 {
			of += ", effective hour " + p.Effective.Figure()
		}
		out = append(out, figure{"Busy hour", p.Busy.Figure() + " " + s.Currency, of})
	}
	for i := range out {
		out[i].Of = strings.ReplaceAll(out[i].Of, " %", "\u00a0%")
	}
	return out
}

func rowsOf(l *contract.Line) []stepRow {
	var out []stepRow
	for i, d := range l.Waterfall() {
		row := stepRow{
			Name: d.Name, Sign: "=", Stage: !d.Off, Hours: contract.Hours(d.Ms), Cost: d.Cost.Figure(),
			Share: contract.Share(d.Ms, l.ContractedMs),
		}
		switch {
		case d.Off:
			row.Sign, row.Class, row.Actor = "−", "b-"+d.Bucket.String(), d.Bucket.Actor()
		case i == 0:
			row.Sign = ""
		}
		if d.Name == contract.Busy.String() {
			row.Class = "b-busy"
		}
		out = append(out, row)
	}
	return out
}

func trancheOf(l *contract.Line) trancheRow {
	return trancheRow{
		l.Tranche, l.Model, contract.Grouped(int64(l.GPUs)), contract.Hours(l.ContractedMs),
		contract.Share(l.ContractedMs-l.Buckets[contract.Undelivered], l.ContractedMs),
		contract.Share(l.Buckets[contract.Busy], l.ContractedMs), l.Cost.Contracted.Figure(),
	}
}

// notesOf says what the waterfall leaves out.
func notesOf(s *contract.Statement) []note {
	l := &s.Total
	b := &l.Buckets
	var out []note
	add := func(name, format string, args ...any) { out = append(out, note{name, fmt.Sprintf(format, args...)}) }
	if observed := l.ContractedMs - b[contract.Undelivered] - b[contract.Unobserved]; observed > 0 {
		add("Busy", "%s of the %s GPU-hours observed", contract.Share(b[contract.Busy], observed), contract.Hours(observed))
	}
	if l.SMKnownMs > 0 {
		add("Effective", "%s GPU-hours with active SMs, %s of the %s GPU-hours in which SM activity is known",
			contract.Hours(l.SMActiveMs), contract.Share(l.SMActiveMs, l.SMKnownMs), contract.Hours(l.SMKnownMs))
	}
	if l.EnergyKnownMs > 0 {
		add("Energy", "%s kWh, measured over %s GPU-hours", contract.Grouped(l.EnergyMJ/3_600_000_000), contract.Hours(l.EnergyKnownMs))
	}
	if l.OverageMs > 0 {
		price := l.Cost.Overage.Figure() + " " + s.Currency
		if l.Cost.OverageUnpricedMs > 0 {
			price += fmt.Sprintf(", %s of them without a price", contract.Hours(l.Cost.OverageUnpricedMs))
		}
		add("Overage", "%s GPU-hours of matching GPUs beyond the contracted number: %s", contract.Hours(l.OverageMs), price)
	}
	if l.UnconfirmedMs > 0 {
		add("Unconfirmed", "%s GPU-hours, %s of undelivered, follow GPUs that fell silent without a goodbye: not claimable until confirmed",
			contract.Hours(l.UnconfirmedMs), contract.Share(l.UnconfirmedMs, b[contract.Undelivered]))
	}
	out = append(out, deliveryNotes(s)...)
	if l.Cost.UnpricedMs > 0 {
		add("No price", "%s contracted GPU-hours have no rate in the contract file and are in no amount", contract.Hours(l.Cost.UnpricedMs))
	}
	return out
}

// deliveryNotes say what of the undelivered is not late yet, what unhealthy GPUs
// took down with them, and what was substituted.
func deliveryNotes(s *contract.Statement) []note {
	l := &s.Total
	var out []note
	if l.GraceMs > 0 {
		out = append(out, note{"Not late yet", fmt.Sprintf("%s GPU-hours, %s of undelivered, are within the grace of the ramp",
			contract.Hours(l.GraceMs), contract.Share(l.GraceMs, l.Buckets[contract.Undelivered]))})
	}
	if l.UnhealthyAloneMs < l.Buckets[contract.Unhealthy] {
		out = append(out, note{"As a whole", fmt.Sprintf("of unhealthy, GPUs were so themselves for %s GPU-hours; the rest went down with its node or rack",
			contract.Hours(l.UnhealthyAloneMs))})
	}
	for i := range s.Tranches {
		for _, x := range s.Tranches[i].Substitutes {
			out = append(out, note{"Substituted", fmt.Sprintf("%s GPU-hours of %s stood for %s in %s, at %s %s",
				contract.Hours(x.Ms), x.Model, s.Tranches[i].Model, s.Tranches[i].Tranche, x.Cost.Figure(), s.Currency)})
		}
	}
	return out
}

// checksOf adds up anew what must sum.
func checksOf(s *contract.Statement) []check {
	l := &s.Total
	sum, unit := l.Buckets.Total(), "GPU-ms"
	a, b := sum, l.ContractedMs
	if a%1000 == 0 && b%1000 == 0 {
		a, b, unit = a/1000, b/1000, "GPU-s"
	}
	cost := l.Cost.Buckets.Total()
	return []check{
		{sum == l.ContractedMs, fmt.Sprintf("sum of buckets = contracted: %s = %s %s", contract.Grouped(a), contract.Grouped(b), unit)},
		{cost == l.Cost.Contracted, fmt.Sprintf("sum of costs = contracted cost: %s = %s %s", cost, l.Cost.Contracted, s.Currency)},
	}
}
