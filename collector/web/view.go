package web

import (
	"cmp"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// view is the page as the template prints it: texts and coordinates only.
type view struct {
	frame
	Query         template.URL
	Problem       string
	Empty, NoFile bool
	Awaited       bool
	Trust         []trust
	Costs         []string
	Summary       []summaryRow
	All           *summaryRow
	Remarks       []remark
	Showback      showback
	Contracts     []account
	Strays        []strayRow
	Legend        []swatch
	Definitions   []definition
}

// remark is one thing that stands out, and who can act.
type remark struct{ Who, Text string }

// trust is one entry of the bar that says how far the page can be trusted.
type trust struct {
	Good bool
	Text string
}

type summaryRow struct {
	ID, Cloud, GPUs, Contracted, Delivered, Healthy, Busy, Cost, Provider, Ours string
	Mark                                                                        bool
}

type strayRow struct{ Cloud, Account, Region, Model, GPUs, Hours, Busy, Near string }

// swatch is one entry of a legend.
type swatch struct{ Class, Name string }

type definition struct{ Name, Means, Actor string }

func (p Page) view() view {
	v := view{
		frame:   framed("Report", p.Version),
		Problem: p.Problem, Empty: p.NoData, NoFile: !p.HasContracts, Awaited: p.Awaited,
		Query:       template.URL(p.Query.Encode()), //nolint:gosec // Encode escapes
		Definitions: definitions,
	}
	v.Title, v.Spans = "no report", true
	v.Month, v.Prev, v.Next = months(p.Query.Get("month"), p.Now)
	for b := range contract.Buckets {
		v.Legend = append(v.Legend, swatch{"b-" + b.String(), b.String()})
	}
	if by, err := contract.ParseBy(p.Query.Get("by")); err == nil {
		v.Keep = template.URL("&by=" + string(by)) //nolint:gosec // one of a few words
	}
	if p.Report != nil {
		v.fill(p.Report)
		v.Showback = showbackOf(p.Report, p.Query)
	}
	return v
}

// months returns the month that is shown and its neighbours.
func months(asked string, now time.Time) (month, prev, next string) {
	const form = "2006-01"
	at, err := time.Parse(form, asked)
	if err != nil {
		at = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
	if later := at.AddDate(0, 1, 0); !later.After(now) {
		next = later.Format(form)
	}
	return at.Format(form), at.AddDate(0, -1, 0).Format(form), next
}

func (v *view) fill(r *contract.Report) {
	v.Title = r.Period
	v.AsOf = moment(r.AsOf)
	v.Trust = trustOf(r)
	v.Costs = costsOf(r)
	for i := range r.Remarks {
		text, who := r.Remarks[i].Sentence()
		v.Remarks = append(v.Remarks, remark{who, text})
	}
	var all contract.Line
	var by contract.By
	if r.Breakdown != nil {
		by = r.Breakdown.By
	}
	for i := range r.Contracts {
		s := &r.Contracts[i]
		v.Summary = append(v.Summary, summaryOf(s))
		v.Contracts = append(v.Contracts, accountOf(s, by))
		all.GPUs += s.Total.GPUs
		all.ContractedMs += s.Total.ContractedMs
		all.Buckets.Add(s.Total.Buckets)
	}
	if len(r.Contracts) > 1 {
		row := sharesOf(&all)
		v.All = &row
	}
	for _, s := range r.Uncontracted {
		v.Strays = append(v.Strays, strayRow{
			known(s.Provider), known(s.Account), known(s.Region), known(s.Model),
			contract.Grouped(int64(s.GPUs)), contract.Hours(s.Ms), contract.Share(s.Buckets[contract.Busy], s.Ms), s.Near,
		})
	}
}

func known(s string) string { return cmp.Or(s, "unknown") }

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// trustOf says what the reader should know before the figures.
func trustOf(r *contract.Report) []trust {
	sums := true
	var observed, delivered int64
	for i := range r.Contracts {
		l := &r.Contracts[i].Total
		sums = sums && l.Buckets.Total() == l.ContractedMs && l.Cost.Buckets.Total() == l.Cost.Contracted
		delivered += l.ContractedMs - l.Buckets[contract.Undelivered]
		observed += l.ContractedMs - l.Buckets[contract.Undelivered] - l.Buckets[contract.Unobserved]
	}
	out := []trust{{true, "data up to " + moment(r.AsOf)}, {true, contract.Grouped(int64(r.Quality.GPUs)) + " GPUs present"}}
	if at := r.Quality.RecordedSince; at != nil {
		out = append(out, trust{false, "nothing was metered before " + moment(*at) + ": what was contracted until then is undelivered"})
	}
	if e := r.Edition; e != nil && e.Head != "" && e.Revision != nil {
		out = append(out, trust{true, fmt.Sprintf("closed, revision %d, ledger head %s", *e.Revision, e.Head)})
	}
	if delivered > 0 {
		out = append(out, trust{observed*100 >= delivered*98, contract.Share(observed, delivered) + " of delivered time observed"})
	}
	if len(r.Contracts) > 0 {
		text := "buckets sum exactly to contracted"
		if !sums {
			text = "MISMATCH: buckets do not sum to contracted"
		}
		out = append(out, trust{sums, text})
	}
	return append(out, keptAside(r.Quality)...)
}

func keptAside(q contract.Quality) []trust {
	var out []trust
	for _, x := range []struct {
		n    int64
		what string
	}{
		{q.OverlapRecords, "records left out, as another agent owns their time"},
		{q.Conflicts, "batches in conflict since the store began"},
		{q.Quarantined, "batches quarantined since the store began"},
	} {
		if x.n > 0 {
			out = append(out, trust{false, x.what + ": " + contract.Grouped(x.n)})
		}
	}
	return out
}

// costsOf adds up what is contracted, by currency.
func costsOf(r *contract.Report) []string {
	sums := map[string]contract.Money{}
	var order []string
	for i := range r.Contracts {
		c := r.Contracts[i].Currency
		if _, ok := sums[c]; !ok {
			order = append(order, c)
		}
		sums[c] += r.Contracts[i].Total.Cost.Contracted
	}
	var out []string
	for _, c := range order {
		out = append(out, sums[c].Figure()+" "+c)
	}
	return out
}

func summaryOf(s *contract.Statement) summaryRow {
	l := &s.Total
	row := sharesOf(l)
	row.ID, row.Cloud = s.Contract, s.Provider
	row.Cost = l.Cost.Contracted.Figure() + " " + s.Currency
	row.Provider = lostTo(l, "provider").Figure()
	row.Ours = (lostTo(l, "platform") + lostTo(l, "team") + lostTo(l, "us")).Figure()
	return row
}

func sharesOf(l *contract.Line) summaryRow {
	delivered := l.ContractedMs - l.Buckets[contract.Undelivered]
	healthy := delivered - l.Buckets[contract.Unobserved] - l.Buckets[contract.Unhealthy]
	unknown := l.Buckets[contract.Unobserved] + l.Buckets[contract.Unmeasured]
	return summaryRow{
		GPUs: contract.Grouped(int64(l.GPUs)), Contracted: contract.Hours(l.ContractedMs),
		Delivered: contract.Share(delivered, l.ContractedMs), Healthy: contract.Share(healthy, l.ContractedMs),
		Busy: contract.Share(l.Buckets[contract.Busy], l.ContractedMs), Mark: unknown > l.ContractedMs/50,
	}
}

// lostTo is the money of the buckets that somebody can act on.
func lostTo(l *contract.Line, actor string) contract.Money {
	var sum contract.Money
	for b := range contract.Buckets {
		if b.Actor() == actor {
			sum += l.Cost.Buckets[b]
		}
	}
	return sum
}

// anchor makes an id for a link within the page: ids of contracts may hold
// anything.
func anchor(id string) string { return "c-" + strings.ReplaceAll(url.QueryEscape(id), "%", "_") }

// Anchor is where the row's contract stands on the page.
func (r summaryRow) Anchor() string { return anchor(r.ID) }

var definitions = []definition{
	{"undelivered", "contracted, but no GPU stood for it", contract.Undelivered.Actor()},
	{"unobserved", "a GPU stood for it, but no telemetry covers it: it may have been anything", contract.Unobserved.Actor()},
	{"unhealthy", "the GPU was not usable: lost, fatal Xid, uncorrected ECC error, reset required", contract.Unhealthy.Actor()},
	{"unallocated", "healthy, and nobody held it", contract.Unallocated.Actor()},
	{"idle", "held, and no kernel was running", contract.Idle.Actor()},
	{"unmeasured", "healthy, but activity or holder cannot be read", contract.Unmeasured.Actor()},
	{"busy", "a kernel was running", ""},
}
