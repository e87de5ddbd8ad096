package web

import (
	"html/template"
	"net/url"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// showback is the report by groups on the page.
type showback struct {
	By    string
	Links []byLink
	// Tables are of all contracts of a currency, and of the GPUs in none.
	Tables []groupTable
}

// byLink shows the same period by something else.
type byLink struct {
	By    string
	Query template.URL
	Shown bool
}

// groupTable is a table of groups, each with a bar of its buckets.
type groupTable struct {
	Title, By, Currency string
	Rows                []groupRow
	All                 groupRow
	Notes               []note
	Checks              []check
}

type groupRow struct {
	Class, Name                              string
	Bars                                     []rect
	Hours, Busy, Idle, IdleCost, Cost, Share string
}

// barWidth is that of the longest bar, in its own units: the page scales it.
const barWidth = 200

// showbackOf has the links also where the report is not broken down.
func showbackOf(r *contract.Report, query url.Values) showback {
	var out showback
	if r.Breakdown != nil {
		out.By = string(r.Breakdown.By)
	}
	for _, by := range contract.Bys {
		q := url.Values{}
		for key, v := range query {
			q[key] = v
		}
		q.Del("revision") // a closed month is broken down as it is known now
		q.Set("by", string(by))
		out.Links = append(out.Links, byLink{string(by), template.URL(q.Encode()), string(by) == out.By}) //nolint:gosec // Encode escapes
	}
	if r.Breakdown == nil {
		return out
	}
	for i := range r.Breakdown.Currencies {
		s := &r.Breakdown.Currencies[i]
		t := groupsOf(out.By, s.Currency, &s.Total, s.Groups)
		t.Title = "All contracts in " + s.Currency
		out.Tables = append(out.Tables, t)
	}
	if t, ok := straysBy(r.Breakdown); ok {
		out.Tables = append(out.Tables, t)
	}
	return out
}

// straysBy is the table of the GPUs in no tranche.
func straysBy(b *contract.Breakdown) (groupTable, bool) {
	all := contract.Parcel{Kind: contract.OfTotal}
	for i := range b.Uncontracted {
		all.Buckets.Add(b.Uncontracted[i].Buckets)
	}
	t := groupsOf(string(b.By), "", &all, b.Uncontracted)
	t.Title = "GPUs in no tranche"
	t.Checks = nil // there is nothing else that they sum to
	return t, all.Buckets.Total() > 0
}

// groupsOf makes a table; without a currency it has no money.
func groupsOf(by, currency string, all *contract.Parcel, list []contract.Parcel) groupTable {
	t := groupTable{By: by, Currency: currency, All: groupRowOf(all, all, 0)}
	var longest int64
	var time contract.Time
	var cost contract.Amounts
	for i := range list {
		p := &list[i]
		longest = max(longest, p.Buckets.Total())
		time.Add(p.Buckets)
		for b, m := range p.Cost.Buckets {
			cost[b] += m
		}
	}
	for i := range list {
		t.Rows = append(t.Rows, groupRowOf(&list[i], all, longest))
	}
	t.Notes = groupNotes(by, currency, all, list)
	t.Checks = []check{
		{time == all.Buckets, "rows = contracted, in each bucket: " + contract.Grouped(time.Total()) + " = " + contract.Grouped(all.ContractedMs) + " GPU-ms"},
		{cost == all.Cost.Buckets, "rows = contracted cost, in each bucket: " + cost.Total().String() + " = " + all.Cost.Contracted.String() + " " + currency},
	}
	return t
}

func groupRowOf(p, all *contract.Parcel, longest int64) groupRow {
	ms := p.Buckets.Total()
	return groupRow{
		Class: string(p.Kind), Name: groupName(p), Bars: groupBars(p, longest), Hours: contract.Hours(ms),
		Busy: contract.Share(p.Buckets[contract.Busy], ms), Idle: contract.Share(p.Buckets[contract.Idle], ms),
		IdleCost: p.Cost.Buckets[contract.Idle].Figure(), Cost: p.Cost.Contracted.Figure(),
		Share: contract.Share(int64(p.Cost.Contracted), int64(all.Cost.Contracted)),
	}
}

func groupName(p *contract.Parcel) string {
	switch {
	case p.Kind == contract.OfGroup:
		return p.Group
	case p.Kind == contract.OfTotal:
		return "All"
	case p.Kind == contract.OfOthers && p.Others == 1:
		return "1 other"
	case p.Kind == contract.OfOthers:
		return contract.Grouped(int64(p.Others)) + " others"
	}
	return string(p.Kind)
}

// groupBars draws the buckets of a group end to end, what was of use first.
func groupBars(p *contract.Parcel, longest int64) []rect {
	if longest == 0 {
		return nil
	}
	var out []rect
	x := 0.0
	for _, b := range stacked {
		if ms := p.Buckets[b]; ms > 0 {
			width := float64(ms) / float64(longest) * barWidth
			out = append(out, rect{"b-" + b.String(), b.String() + ": " + contract.Hours(ms) + " GPU-hours", px(x), "0", px(width), "12"})
			x += width
		}
	}
	return out
}

// groupNotes say what is unattributed, and what stands beside the sum.
func groupNotes(by, currency string, all *contract.Parcel, list []contract.Parcel) []note {
	var out []note
	var parts []string
	for b, ms := range list[len(list)-1].Buckets {
		if ms > 0 {
			parts = append(parts, contract.Hours(ms)+" "+contract.Bucket(b).String())
		}
	}
	if len(parts) > 0 {
		out = append(out, note{"Unattributed", "GPU-hours for which no " + by + " can be named: " + strings.Join(parts, ", ")})
	}
	parts = nil
	for i := range list {
		p := &list[i]
		if p.OverageMs == 0 {
			continue
		}
		part := groupName(p) + " " + contract.Hours(p.OverageMs)
		if p.Cost.Overage > 0 {
			part += " for " + p.Cost.Overage.Figure() + " " + currency
		}
		parts = append(parts, part)
	}
	if len(parts) > 0 {
		out = append(out, note{"Overage", "GPU-hours beyond what is contracted, and in no row: " + strings.Join(parts, ", ")})
	}
	if all.Cost.UnpricedMs > 0 {
		out = append(out, note{"No price", contract.Hours(all.Cost.UnpricedMs) + " contracted GPU-hours have no rate in the contract file and are in no amount"})
	}
	return out
}
