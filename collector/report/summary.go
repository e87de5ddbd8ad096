package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

func (t *text) title() {
	t.line("%s", t.paint(bold, "GPU ledger, "+t.r.Period))
	t.line("data up to %s, each contract in its own billing calendar", moment(t.r.AsOf))
	if at := t.r.Quality.RecordedSince; at != nil {
		t.line("%s", t.paint(red, unseen(*at)))
	}
	if e := t.r.Edition; e != nil {
		t.line("%s, contracts %.12s", edition(e, t.r.AsOf), e.Terms)
		if e.Head != "" {
			t.line("ledger head %s", e.Head)
		}
	}
}

// unseen says what a report is to be read with where records begin within it.
func unseen(since time.Time) string {
	return "nothing was metered before " + moment(since) + ": what was contracted until then is undelivered"
}

// edition says how final a month is, in a report as of a moment.
func edition(e *contract.Edition, asOf time.Time) string {
	switch {
	case e.Revision == nil && e.State == contract.Open:
		return "open: it closes at " + moment(e.ClosesAt)
	case e.Revision == nil && e.State == contract.Closed:
		return "closed; this is what is known now, and may differ from what was closed"
	case e.Revision == nil && !asOf.Before(e.ClosesAt):
		return "provisional: due to be closed since " + moment(e.ClosesAt)
	case e.Revision == nil:
		return "provisional: it closes at " + moment(e.ClosesAt)
	case *e.Revision == 0:
		return "closed, revision 0"
	}
	return fmt.Sprintf("closed, with corrections: revision %d", *e.Revision)
}

// moment writes a time with its zone.
func moment(at time.Time) string { return contract.Moment(at) }

// bounds writes a span on the clocks of a billing zone.
func bounds(from, to time.Time, zone string) string {
	return contract.InZone(from, zone).Format("2006-01-02 15:04") + " to " + moment(contract.InZone(to, zone))
}

// summary has one line for each contract.
func (t *text) summary() {
	t.blank()
	big := t.o.Width >= wide
	head := fmt.Sprintf("%-20s %-10s %7s %14s %10s", "CONTRACT", "CLOUD", "GPUS", "GPU-HOURS", "DELIVERED")
	if big {
		head += fmt.Sprintf(" %10s %10s", "OBSERVED", "HEALTHY")
	}
	head += fmt.Sprintf(" %10s", "BUSY")
	if big {
		head += fmt.Sprintf(" %19s", "COST")
	}
	t.line("%s", t.paint(bold, head))
	var all contract.Line
	for i := range t.r.Contracts {
		l := &t.r.Contracts[i].Total
		t.summaryLine(&t.r.Contracts[i], big)
		all.GPUs += l.GPUs
		all.ContractedMs += l.ContractedMs
		all.Buckets.Add(l.Buckets)
	}
	t.line("%s", t.paint(bold, shares("all", "", &all, big)))
	t.line("%s", t.paint(dim, "GPU-HOURS are contracted; DELIVERED to BUSY are shares of contracted GPU-hours"))
	t.costLine()
}

func (t *text) summaryLine(s *contract.Statement, big bool) {
	out := shares(s.Contract, s.Provider, &s.Total, big)
	if big {
		out += fmt.Sprintf(" %15s %s", s.Total.Cost.Contracted.Figure(), s.Currency)
	}
	t.line("%s %s", out, t.mark(&s.Total))
}

// shares writes what of a line was contracted, and what was left of it at some
// stages.
func shares(name, provider string, l *contract.Line, big bool) string {
	b := &l.Buckets
	left := l.ContractedMs - b[contract.Undelivered]
	out := fmt.Sprintf("%-20s %-10s %7s %14s %10s", clip(name, 20), clip(provider, 10),
		contract.Grouped(int64(l.GPUs)), contract.Hours(l.ContractedMs), contract.Share(left, l.ContractedMs))
	if big {
		observed := left - b[contract.Unobserved]
		out += fmt.Sprintf(" %10s %10s", contract.Share(observed, l.ContractedMs), contract.Share(observed-b[contract.Unhealthy], l.ContractedMs))
	}
	return out + fmt.Sprintf(" %10s", contract.Share(b[contract.Busy], l.ContractedMs))
}

// costLine sums money by currency: it is never added across currencies.
func (t *text) costLine() {
	sums := map[string]contract.Money{}
	var order []string
	for i := range t.r.Contracts {
		s := &t.r.Contracts[i]
		if _, ok := sums[s.Currency]; !ok {
			order = append(order, s.Currency)
		}
		sums[s.Currency] += s.Total.Cost.Contracted
	}
	var parts []string
	for _, c := range order {
		parts = append(parts, together(sums[c].Figure()+" "+c))
	}
	t.note("contracted", "%s", strings.Join(parts, " and "))
}
