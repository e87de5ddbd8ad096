package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

func (t *terms) tranche(x *contract.Tranche) {
	t.begin("tranche", x.ID)
	t.add("model", x.Model)
	for _, s := range x.Accepts {
		t.addf("accepts", "%s at %s of the price", s.Model, percent(s.Factor))
	}
	for _, s := range x.Steps {
		t.addf("gpus", "%s from %s", contract.Grouped(int64(s.GPUs)), t.at(s.FromMs))
	}
	t.add("end", t.at(x.EndMs))
	t.rates(x)
	t.delivery(&x.Delivery)
	t.scope(&x.Scope)
	t.add("priority", strconv.Itoa(x.Priority))
	t.add("sla", x.SLA)
	if x.Prepaid {
		t.add("prepaid", "paid in advance")
	}
}

func (t *terms) rates(x *contract.Tranche) {
	if len(x.Rates) == 0 {
		t.add("rate", "none")
	}
	for _, r := range x.AsAgreed() {
		line := fmt.Sprintf("%s per GPU-hour from %s to %s", t.money(r.PerGPUHour), t.at(r.FromMs), t.at(r.ToMs))
		if r.HasOverage {
			line += ", overage " + t.money(r.OveragePerGPUHour)
		}
		if r.HasList {
			line += ", list price " + t.money(r.ListPerGPUHour)
		}
		if r.MonthMs > 0 {
			line += fmt.Sprintf(", each month billed as %d hours", contract.BilledHours)
		}
		t.add("rate", line)
	}
}

func (t *terms) delivery(d *contract.Delivery) {
	switch {
	case d.GPUsPerUnit > 0:
		t.addf("unit_of_delivery", "%s of %d GPUs", d.Unit, d.GPUsPerUnit)
	case d.Unit == "":
		t.add("unit_of_delivery", string(contract.DeliverGPU))
	default:
		t.add("unit_of_delivery", string(d.Unit))
	}
	if d.GraceMs > 0 {
		t.addf("late_grace", "%s after each step", span(d.GraceMs))
	}
}

func (t *terms) scope(s *contract.Scope) {
	before := len(t.list)
	for _, l := range []struct {
		name  string
		items []string
	}{{"accounts", s.Accounts}, {"regions", s.Regions}, {"reservations", s.Reservations}, {"pin", s.Pins}} {
		t.add(l.name, strings.Join(l.items, ", "))
	}
	t.rules(&s.Rules, "rules")
	if len(t.list) == before {
		t.add("scope", "all GPUs of the provider and model")
	}
}

func (t *terms) rules(a *contract.Applicability, name string) {
	if a.Complex {
		t.add(name, "complex: nothing is known to apply")
	}
	t.joined("include", a.Inclusions, a.IncludeAny)
	t.joined("exclude", a.Exclusions, !a.ExcludeAll)
	if a.Eligibility.Known {
		t.addf(name, "%s of the cost, %s of the usage", percent(a.Eligibility.Cost), percent(a.Eligibility.Usage))
	}
}

// joined writes rules in one line each, after the first with what joins them.
func (t *terms) joined(name string, rules []contract.Rule, or bool) {
	word := map[bool]string{true: "or ", false: "and "}[or]
	for i, r := range rules {
		line := fmt.Sprintf("%s %s %s", r.Dimension, r.Operator, strings.Join(r.Values, ", "))
		if i > 0 {
			line = word + line
		}
		if r.Eligibility.Known {
			line += fmt.Sprintf(" (%s of the cost, %s of the usage)", percent(r.Eligibility.Cost), percent(r.Eligibility.Usage))
		}
		t.add(name, line)
	}
}

func (t *terms) commitment(m *contract.Commitment) {
	t.begin("commitment", m.ID)
	t.add("title", m.Title)
	t.add("cloud_id", m.CloudID)
	t.add("model", string(m.Model))
	t.add("basis", string(m.Basis))
	t.add("start", t.at(m.FromMs))
	t.add("end", t.at(m.EndMs))
	t.add("shortfall", string(m.Shortfall))
	if m.Total != 0 {
		t.add("total", t.money(m.Total))
	}
	for _, f := range m.Floors {
		t.addf("floor", "%s from %s to %s", t.money(f.Amount), t.at(f.FromMs), t.at(f.ToMs))
	}
	if m.CarryExcess {
		t.add("carry_excess", "what was drawn beyond a floor counts toward the next")
	}
	if m.Interval != "" {
		t.addf("per_interval", "%s, %s", t.money(m.PerInterval), m.Interval)
	}
	t.rules(&m.Eligible, "eligible")
	if m.OtherPerDay != 0 {
		t.add("other_per_day", t.money(m.OtherPerDay))
	}
	t.add("source", m.Source)
}

func (t *terms) sla(s *contract.SLA) {
	t.begin("sla", s.ID)
	t.add("title", s.Title)
	t.addf("target", "%s of each %s in a %s", percent(s.Target), s.Scope, s.Period)
	for _, x := range s.Tiers {
		t.addf("credit", "%s below %s", percent(x.Credit), percent(x.Below))
	}
	t.addf("cap", "%s of the period's charge", percent(s.Cap))
	for _, x := range s.Excludes {
		t.add("excludes", string(x))
	}
	if s.CountsDegraded {
		t.add("counts_degraded", "a GPU that can be reached but not used counts as down")
	}
	r := &s.Claim
	if r.From == "" {
		t.add("claim", "no deadline is stated")
	} else {
		t.addf("claim", "within %s of the end of the %s", length(r.Months, r.Days), r.From)
	}
	t.add("subject", r.Subject)
	for _, x := range r.Evidence {
		t.add("evidence", x)
	}
}

func (t *terms) notice(n *contract.Notice) {
	t.begin("notice", n.ID)
	t.add("title", n.Title)
	t.add("kind", string(n.Kind))
	t.add("from", t.at(n.FromMs))
	t.add("to", t.at(n.ToMs))
	t.scope(&n.Scope)
}

// length writes months and days: "2 months", "1 month and 10 days".
func length(months, days int) string {
	var parts []string
	for _, x := range []struct {
		n    int
		unit string
	}{{months, "month"}, {days, "day"}} {
		switch {
		case x.n == 1:
			parts = append(parts, "1 "+x.unit)
		case x.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", x.n, x.unit))
		}
	}
	return strings.Join(parts, " and ")
}

// percent writes millionths as a percentage, exactly: "99.95 %".
func percent(n int64) string {
	s := fmt.Sprintf("%d.%04d", n/10_000, n%10_000)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") + " %"
}

// span writes whole minutes as days, hours and minutes: "3 d", "36 h".
func span(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}} {
		if d%u.unit == 0 {
			return fmt.Sprintf("%d %s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}
