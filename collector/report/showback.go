package report

import (
	"fmt"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// showback writes the report by groups: all contracts of each currency, then
// each contract, or, of one contract, its tranches.
func (t *text) showback(b *contract.Breakdown) {
	for i := range b.Currencies {
		s := &b.Currencies[i]
		t.blank()
		t.rule()
		t.line("%s", t.paint(bold, fmt.Sprintf("By %s, all contracts in %s", b.By, s.Currency)))
		t.groups(&s.Total, s.Groups, s.Currency)
	}
	if len(t.r.Contracts) == 1 {
		t.trancheGroups(&t.r.Contracts[0])
	} else {
		for i := range t.r.Contracts {
			s := &t.r.Contracts[i]
			t.groupsOf(s.Provider+" / "+s.Contract, &s.Total, s.Currency)
		}
	}
	t.uncontractedGroups(b)
}

func (t *text) trancheGroups(s *contract.Statement) {
	if len(s.Tranches) < 2 {
		return
	}
	for i := range s.Tranches {
		t.groupsOf(s.Contract+" / "+s.Tranches[i].Tranche, &s.Tranches[i], s.Currency)
	}
}

func (t *text) groupsOf(title string, l *contract.Line, currency string) {
	t.blank()
	t.rule()
	t.line("%s", t.paint(bold, fmt.Sprintf("%s, by %s", title, t.r.Breakdown.By)))
	if l.ContractedMs == 0 && l.OverageMs == 0 {
		t.line("no capacity is contracted in this period")
		return
	}
	all := l.Parcel()
	t.groups(&all, l.Groups, currency)
}

// groups writes the rows of one table, and what they add up to.
func (t *text) groups(all *contract.Parcel, list []contract.Parcel, currency string) {
	t.groupHead(currency)
	for i := range list {
		t.group(&list[i], all)
	}
	t.group(all, all)
	t.line("%s", t.paint(dim, "  busy and idle are shares of the row's GPU-hours; of all: of contracted cost"))
	t.blank()
	t.unattributed(&list[len(list)-1])
	t.groupOverage(all, list, currency)
	if all.Cost.UnpricedMs > 0 {
		t.note("no price", "%s of contracted have no rate and are in no amount ~", hours(all.Cost.UnpricedMs))
		t.unpriced = true
	}
	t.groupChecks(all, list, currency)
}

// nameWidth is how many columns there are for the name of a group.
func (t *text) nameWidth() int {
	left := t.o.Width - 62
	if t.o.Width >= wide {
		left -= 16
	}
	return max(min(left, 44), 12)
}

// middle shortens a name to n columns and leaves its ends: holders of one team
// differ at theirs.
func middle(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	head := (n - 1) / 3
	return string(r[:head]) + "…" + string(r[len(r)-(n-1-head):])
}

func (t *text) groupHead(currency string) {
	head := fmt.Sprintf("  %-*s %13s %9s %9s", t.nameWidth(), t.r.Breakdown.By, "GPU-hours", "busy", "idle")
	if t.o.Width >= wide {
		head += fmt.Sprintf(" %15s", "idle "+currency)
	}
	t.line("%s", t.paint(bold, head+fmt.Sprintf(" %15s %9s", currency, "of all")))
}

func (t *text) group(p, all *contract.Parcel) {
	ms := p.Buckets.Total()
	out := fmt.Sprintf("  %-*s %13s %9s %9s", t.nameWidth(), middle(groupName(p), t.nameWidth()), contract.Hours(ms),
		contract.Share(p.Buckets[contract.Busy], ms), contract.Share(p.Buckets[contract.Idle], ms))
	if t.o.Width >= wide {
		out += fmt.Sprintf(" %15s", p.Cost.Buckets[contract.Idle].Figure())
	}
	out += fmt.Sprintf(" %15s %9s", p.Cost.Contracted.Figure(), contract.Share(int64(p.Cost.Contracted), int64(all.Cost.Contracted)))
	switch p.Kind {
	case contract.OfTotal:
		out = t.paint(bold, out)
	case contract.OfOthers, contract.OfUnattributed:
		out = t.paint(dim, out)
	}
	t.line("%s", out)
}

// groupName is the name of a row.
func groupName(p *contract.Parcel) string {
	switch p.Kind {
	case contract.OfGroup:
		return p.Group
	case contract.OfOthers:
		if p.Others == 1 {
			return "1 other"
		}
		return contract.Grouped(int64(p.Others)) + " others"
	case contract.OfTotal:
		return "all"
	}
	return string(p.Kind)
}

// unattributed says what the time is that has no group.
func (t *text) unattributed(p *contract.Parcel) {
	var parts []string
	for b, ms := range p.Buckets {
		if ms > 0 {
			parts = append(parts, hours(ms)+" "+contract.Bucket(b).String())
		}
	}
	if len(parts) > 0 {
		t.note("unattributed", "%s: no %s can be named", strings.Join(parts, ", "), t.r.Breakdown.By)
	}
}

func (t *text) groupOverage(all *contract.Parcel, list []contract.Parcel, currency string) {
	if all.OverageMs == 0 {
		return
	}
	var parts []string
	for i := range list {
		p := &list[i]
		if p.OverageMs == 0 {
			continue
		}
		part := groupName(p) + " " + hours(p.OverageMs)
		if p.Cost.Overage > 0 {
			part += together(" for " + p.Cost.Overage.Figure() + " " + currency)
		}
		parts = append(parts, part)
	}
	t.note("overage", "beyond what is contracted, and in no row: %s", strings.Join(parts, ", "))
}

// groupChecks adds up the groups anew and compares.
func (t *text) groupChecks(all *contract.Parcel, list []contract.Parcel, currency string) {
	var time contract.Time
	var cost contract.Amounts
	for i := range list {
		time.Add(list[i].Buckets)
		for b, m := range list[i].Cost.Buckets {
			cost[b] += m
		}
	}
	t.note("check", "rows = contracted, in each bucket: %s = %s %s", together(contract.Grouped(time.Total())),
		together(contract.Grouped(all.ContractedMs)+" GPU-ms"), t.verdict(time == all.Buckets))
	t.note("", "rows = contracted cost, in each bucket: %s = %s %s", cost.Total(),
		together(all.Cost.Contracted.String()+" "+currency), t.verdict(cost == all.Cost.Buckets))
}

// uncontractedGroups writes who had the GPUs that are in no tranche.
func (t *text) uncontractedGroups(b *contract.Breakdown) {
	all := contract.Parcel{Kind: contract.OfTotal}
	for i := range b.Uncontracted {
		all.Buckets.Add(b.Uncontracted[i].Buckets)
	}
	if all.Buckets.Total() == 0 {
		return
	}
	t.blank()
	t.rule()
	t.line("%s", t.paint(bold, fmt.Sprintf("Uncontracted: GPUs in no tranche, by %s", b.By)))
	n := t.nameWidth()
	t.line("%s", t.paint(bold, fmt.Sprintf("  %-*s %13s %9s %9s", n, b.By, "GPU-hours", "busy", "idle")))
	for _, p := range append(b.Uncontracted[:len(b.Uncontracted):len(b.Uncontracted)], all) {
		ms := p.Buckets.Total()
		t.line("  %-*s %13s %9s %9s", n, middle(groupName(&p), n), contract.Hours(ms),
			contract.Share(p.Buckets[contract.Busy], ms), contract.Share(p.Buckets[contract.Idle], ms))
	}
}
