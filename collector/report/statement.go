package report

import (
	"fmt"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// statement writes one contract.
func (t *text) statement(s *contract.Statement) {
	t.blank()
	t.rule()
	head := s.Provider + " / " + s.Contract
	if s.Title != "" {
		head += "   " + s.Title
	}
	t.line("%s", t.paint(bold, head))
	if !s.From.Before(s.To) {
		t.line("its period begins at %s: nothing of it is settled yet", moment(contract.InZone(s.From, s.Zone)))
		return
	}
	t.line("%s", bounds(s.From, s.To, s.Zone))
	t.line("%s contracted at its end, in %s", gpus(s.Total.GPUs), tranchesOf(len(s.Tranches)))
	if s.Total.ContractedMs == 0 {
		t.line("no capacity is contracted in this period")
		t.overage(&s.Total, s.Currency)
		return
	}
	t.waterfall(&s.Total, s.Currency)
	if len(s.Tranches) > 1 {
		t.tranches(s.Tranches)
	}
	t.blank()
	t.utilisation(&s.Total)
	t.costs(&s.Total, s.Currency)
	t.checks(&s.Total, s.Currency)
	t.overage(&s.Total, s.Currency)
	t.unconfirmed(&s.Total)
	t.delivery(s)
}

func gpus(n int) string {
	if n == 1 {
		return "1 GPU"
	}
	return contract.Grouped(int64(n)) + " GPUs"
}

func tranchesOf(n int) string {
	if n == 1 {
		return "1 tranche"
	}
	return fmt.Sprintf("%d tranches", n)
}

// waterfall writes the stages and what is lost between them.
func (t *text) waterfall(l *contract.Line, currency string) {
	t.blank()
	t.line("%s", t.paint(bold, fmt.Sprintf("  %-15s %14s %17s %16s  %s", "", "GPU-hours", currency, "% of contracted", "who can act")))
	for i, d := range l.Waterfall() {
		sign := "="
		if i == 0 {
			sign = " "
		}
		actor := ""
		if d.Off {
			sign, actor = "−", d.Bucket.Actor()
		}
		out := fmt.Sprintf("  %s %-13s %14s %17s %16s  %-10s", sign, d.Name, contract.Hours(d.Ms), d.Cost.Figure(), contract.Share(d.Ms, l.ContractedMs), actor)
		if t.o.Width >= wide {
			out += " " + bar(d.Ms, l.ContractedMs, t.o.Width-82)
		}
		if !d.Off {
			out = t.paint(bold, out)
		}
		t.line("%s", out)
	}
}

var eighths = []rune(" ▏▎▍▌▋▊▉")

// bar draws part ÷ whole in n columns. What is there at all is seen.
func bar(part, whole int64, n int) string {
	if whole <= 0 || part <= 0 {
		return ""
	}
	steps := max(int(float64(part)/float64(whole)*float64(n)*8+0.5), 1)
	s := strings.Repeat("█", steps/8)
	if rest := steps % 8; rest > 0 {
		s += string(eighths[rest])
	}
	return s
}

// tranches writes one line for each tranche of a contract.
func (t *text) tranches(lines []contract.Line) {
	t.blank()
	t.line("%s", t.paint(bold, fmt.Sprintf("  %-18s %-10s %7s %14s %10s %10s", "tranche", "model", "GPUs", "GPU-hours", "delivered", "busy")))
	for i := range lines {
		l := &lines[i]
		t.line("  %-18s %-10s %7s %14s %10s %10s %s", clip(l.Tranche, 18), clip(l.Model, 10), contract.Grouped(int64(l.GPUs)), contract.Hours(l.ContractedMs),
			contract.Share(l.ContractedMs-l.Buckets[contract.Undelivered], l.ContractedMs), contract.Share(l.Buckets[contract.Busy], l.ContractedMs), t.mark(l))
	}
	t.line("%s", t.paint(dim, "  GPU-hours are contracted; delivered and busy are shares of the tranche's"))
}

// utilisation writes the shares, each with its denominator.
func (t *text) utilisation(l *contract.Line) {
	busy := l.Buckets[contract.Busy]
	upper := busy + l.Buckets[contract.Unobserved] + l.Buckets[contract.Unmeasured]
	observed := l.ContractedMs - l.Buckets[contract.Undelivered] - l.Buckets[contract.Unobserved]
	t.note("utilisation", "%s of contracted, bounds %s%s", share(busy, l.ContractedMs),
		together("["+contract.Share(busy, l.ContractedMs)+", "+contract.Share(upper, l.ContractedMs)+"]"), t.boundsMark(l))
	t.note("", "%s of observed (busy ÷ %s observed)", share(busy, observed), hours(observed))
	if l.SMKnownMs > 0 {
		t.note("effective", "%s with active SMs, %s of the %s in which SM activity is known", hours(l.SMActiveMs), share(l.SMActiveMs, l.SMKnownMs), hours(l.SMKnownMs))
	}
	if l.EnergyKnownMs > 0 {
		t.note("energy", "%s, measured over %s", together(contract.Grouped(l.EnergyMJ/3_600_000_000)+" kWh"), hours(l.EnergyKnownMs))
	}
}

func (t *text) boundsMark(l *contract.Line) string {
	if m := t.mark(l); m != "" {
		return " " + m
	}
	return ""
}

// costs says who can act on which money, and what a busy hour costs.
func (t *text) costs(l *contract.Line, currency string) {
	if l.Cost.Contracted == 0 && l.Cost.UnpricedMs == l.ContractedMs {
		t.note("money", "the contract file has no rate for this period")
		return
	}
	var parts []string
	for _, who := range []string{"provider", "platform", "team", "us"} {
		sum, names := contract.Money(0), []string{}
		for b := range contract.Buckets {
			if b.Actor() == who && l.Buckets[b] > 0 {
				sum += l.Cost.Buckets[b]
				names = append(names, b.String())
			}
		}
		if len(names) > 0 {
			parts = append(parts, fmt.Sprintf("%s %s (%s)", who, together(sum.Figure()+" "+currency), strings.Join(names, " + ")))
		}
	}
	if len(parts) > 0 {
		t.note("who can act", "%s", strings.Join(parts, ", "))
	}
	if p, ok := l.HourPrices(); ok {
		t.note("GPU-hour", "%s paid, %s for each busy hour, %s for each effective hour (contracted cost ÷ contracted, busy, effective GPU-hours)",
			price(p.Paid, currency), price(p.Busy, currency), price(p.Effective, currency))
	}
	if l.Cost.UnpricedMs > 0 {
		t.note("no price", "%s of contracted have no rate and are in no amount ~", hours(l.Cost.UnpricedMs))
	}
}

// price writes the price of an hour.
func price(m contract.Money, currency string) string {
	if m < 0 {
		return "n/a"
	}
	return together(m.Figure() + " " + currency)
}

// checks adds up the buckets anew and compares.
func (t *text) checks(l *contract.Line, currency string) {
	sum, unit := l.Buckets.Total(), "GPU-ms"
	a, b := sum, l.ContractedMs
	if a%1000 == 0 && b%1000 == 0 {
		a, b, unit = a/1000, b/1000, "GPU-s"
	}
	t.note("check", "sum of buckets = contracted: %s = %s %s", together(contract.Grouped(a)+" "+unit), together(contract.Grouped(b)+" "+unit), t.verdict(sum == l.ContractedMs))
	if l.Cost.UnpricedMs < l.ContractedMs {
		t.note("", "sum of costs = contracted cost: %s = %s %s", together(l.Cost.Buckets.Total().String()+" "+currency), together(l.Cost.Contracted.String()+" "+currency),
			t.verdict(l.Cost.Buckets.Total() == l.Cost.Contracted))
	}
}

func (t *text) verdict(ok bool) string {
	if ok {
		return t.paint(green, "✓")
	}
	return t.paint(red, "MISMATCH")
}

func (t *text) overage(l *contract.Line, currency string) {
	if l.OverageMs == 0 {
		return
	}
	cost := "without a price ~"
	if l.Cost.OverageUnpricedMs > 0 {
		t.unpriced = true
	}
	if l.Cost.OverageUnpricedMs < l.OverageMs {
		cost = together(l.Cost.Overage.Figure() + " " + currency)
		if l.Cost.OverageUnpricedMs > 0 {
			cost += " and " + hours(l.Cost.OverageUnpricedMs) + " without a price ~"
		}
	}
	t.note("overage", "%s of matching GPUs beyond the contracted number, %s", hours(l.OverageMs), cost)
}

func (t *text) unconfirmed(l *contract.Line) {
	if l.UnconfirmedMs == 0 {
		return
	}
	t.note("unconfirmed", "%s, %s of undelivered, follow GPUs that fell silent without a goodbye: not claimable until confirmed",
		hours(l.UnconfirmedMs), share(l.UnconfirmedMs, l.Buckets[contract.Undelivered]))
}

// delivery says what of the undelivered is not late yet, what unhealthy GPUs
// took their nodes and racks down with them, and what was substituted.
func (t *text) delivery(s *contract.Statement) {
	l := &s.Total
	if l.GraceMs > 0 {
		t.note("not late yet", "%s, %s of undelivered, are within the grace of the ramp", hours(l.GraceMs), share(l.GraceMs, l.Buckets[contract.Undelivered]))
	}
	if l.UnhealthyAloneMs < l.Buckets[contract.Unhealthy] {
		t.note("as a whole", "of unhealthy, GPUs were so themselves for %s; the rest went down with its node or rack", hours(l.UnhealthyAloneMs))
	}
	for i := range s.Tranches {
		for _, x := range s.Tranches[i].Substitutes {
			t.note("substituted", "%s of %s stood for %s in %s, at %s", hours(x.Ms), clip(x.Model, 18), clip(s.Tranches[i].Model, 18), clip(s.Tranches[i].Tranche, 18),
				together(x.Cost.Figure()+" "+s.Currency))
		}
	}
}
