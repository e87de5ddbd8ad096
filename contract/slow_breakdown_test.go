package contract_test

import (
	"cmp"
	"math/big"
	"slices"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// words are the parts of a holder in the order in which holders are sorted.
func words(h usage.Holder) string {
	return strings.Join([]string{string(h.Basis), h.Kind, h.Group, h.Name, h.Part, h.Labels}, "\x00")
}

// slowAmong cuts what happened in the parts of a window among its holders,
// field by field, with fractions of arbitrary size: by part and holder.
func slowAmong(holders map[usage.Holder]usage.Sums, parts []usage.Sums) []map[usage.Holder]usage.Sums {
	var order []usage.Holder
	for h := range holders {
		order = append(order, h)
	}
	slices.SortFunc(order, func(a, b usage.Holder) int { return strings.Compare(words(a), words(b)) })
	out := make([]map[usage.Holder]usage.Sums, len(parts))
	for i := range out {
		out[i] = map[usage.Holder]usage.Sums{}
	}
	for field := range len(fields{}) {
		left, rest := make([]int64, len(order)), int64(0)
		for h := range order {
			left[h] = numbers(holders[order[h]])[field]
			rest += left[h]
		}
		for i, part := range parts {
			n := numbers(part)[field]
			quota := make([]*big.Rat, len(order))
			for h := range order {
				quota[h] = new(big.Rat)
				if rest > 0 {
					quota[h] = new(big.Rat).Mul(big.NewRat(left[h], rest), big.NewRat(n, 1))
				}
			}
			rest -= n
			for h, v := range slowShare(n, quota, make([]int64, len(order))) {
				left[h] -= v
				x := numbers(out[i][order[h]])
				x[field] = v
				out[i][order[h]] = sums(x)
			}
		}
	}
	return out
}

// fields are what usage.Sums has, as a list.
type fields [9]int64

// numbers are the fields of sums; sums is the inverse.
func numbers(s usage.Sums) fields {
	return fields{s.UnhealthyMs, s.UnallocatedMs, s.IdleMs, s.UnmeasuredMs, s.BusyMs, s.SMActiveMs, s.SMKnownMs, s.EnergyMJ, s.EnergyKnownMs}
}

func sums(n fields) usage.Sums {
	return usage.Sums{UnhealthyMs: n[0], UnallocatedMs: n[1], IdleMs: n[2], UnmeasuredMs: n[3], BusyMs: n[4],
		SMActiveMs: n[5], SMKnownMs: n[6], EnergyMJ: n[7], EnergyKnownMs: n[8]}
}

// holding reports whether the report is by who held the GPUs.
func (l *ledger) holding() bool { return l.by == "holder" || l.by == "team" }

// holderGroup is the group of a holder; empty is none.
func (l *ledger) holderGroup(h usage.Holder) string {
	if h.Kind == "" {
		return ""
	}
	if l.by == "holder" {
		return strings.Replace(h.Kind+" "+h.Group+"/"+h.Name, " /", " ", 1)
	}
	for _, pair := range strings.Split(h.Labels, ",") {
		if team, ok := strings.CutPrefix(pair, "team="); ok && team != "" {
			return team
		}
	}
	return h.Group
}

// place is the group of where a unit stands.
func (l *ledger) place(x label) string {
	i := slices.IndexFunc(l.presences, func(p contract.Presence) bool { return p.Unit == x.unit })
	p := l.presences[i]
	if x.fate != contract.Uncontracted {
		p.Provider = l.contracts[x.ref.c].Provider
	}
	return map[contract.By]string{"cloud": p.Provider, "account": p.Account, "region": p.Region, "model": p.Model, "node": l.nodeOf(l.presences[i])}[l.by]
}

// nodeOf is a node's name, with all that is known of where it stands if another
// node has the same.
func (l *ledger) nodeOf(p contract.Presence) string {
	is, alike := slowMachine(p, l.presences), map[[5]string]bool{}
	for _, o := range l.presences {
		if o.Node == p.Node {
			alike[slowMachine(o, l.presences)] = true
		}
	}
	if len(alike) == 1 {
		return p.Node
	}
	name := ""
	for _, s := range []string{is[1], is[2], is[3], is[4], is[0]} {
		if s != "" {
			name += "/" + s
		}
	}
	return name[1:]
}

// missing is the group of what was not delivered.
func (l *ledger) absent(r ref) string {
	one := func(list []string) string {
		if len(list) != 1 {
			return ""
		}
		return list[0]
	}
	t := l.tranche(r)
	return map[contract.By]string{"cloud": l.contracts[r.c].Provider, "model": t.Model,
		"account": one(t.Scope.Accounts), "region": one(t.Scope.Regions)}[l.by]
}

// split gives what a label was given to its groups.
func (l *ledger) split(x label, a *account) map[string]*account {
	out := map[string]*account{}
	give := func(group string, stood int64, n fields) {
		if out[group] == nil {
			out[group] = &account{}
		}
		out[group].stood += stood
		out[group].sums.Add(sums(n))
	}
	if !l.holding() {
		give(l.place(x), a.stood, numbers(a.sums))
		return out
	}
	give("", a.stood, numbers(a.sums))
	for h, s := range a.held {
		group := l.holderGroup(h)
		if group == "" {
			continue
		}
		s.UnallocatedMs = 0
		n := numbers(s)
		give(group, s.ObservedMs(), n)
		for i := range n {
			n[i] = -n[i]
		}
		give("", -s.ObservedMs(), n)
	}
	return out
}

// groups are the parcels of a leg, given its days' undelivered time and what
// its buckets cost.
func (l *ledger) groups(r ref, rate, sub int, price *contract.Rate, leg *contract.Line, accounts map[label]*account) []contract.Parcel {
	if l.by == "" {
		return nil
	}
	found := map[string]*contract.Parcel{}
	of := func(group string) *contract.Parcel {
		if found[group] == nil {
			found[group] = &contract.Parcel{Kind: "group", Group: group}
			if group == "" {
				found[group].Kind = "unattributed"
			}
		}
		return found[group]
	}
	of("")
	for x, a := range accounts {
		if x.ref != r || x.rate != rate || x.sub != sub || x.fate == contract.Uncontracted {
			continue
		}
		for group, part := range l.split(x, a) {
			slowGive(of(group), x, part)
		}
	}
	of(l.absent(r)).Buckets[contract.Undelivered] += leg.Buckets[contract.Undelivered]
	var out []contract.Parcel
	for _, p := range found {
		p.ContractedMs = p.Buckets.Total()
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b contract.Parcel) int {
		return cmp.Or(cmp.Compare(b.Kind, a.Kind)*-1, cmp.Compare(a.Group, b.Group))
	})
	slowPriceGroups(price, leg, out)
	return out
}

func slowGive(p *contract.Parcel, x label, a *account) {
	if x.fate == contract.Overage {
		p.OverageMs += a.stood
		return
	}
	p.Buckets.Add(slowBuckets(x, a))
	if !x.down {
		p.SMActiveMs += a.sums.SMActiveMs
		p.SMKnownMs += a.sums.SMKnownMs
	}
	p.EnergyMJ += a.sums.EnergyMJ
	p.EnergyKnownMs += a.sums.EnergyKnownMs
}

func slowPriceGroups(price *contract.Rate, leg *contract.Line, out []contract.Parcel) {
	over := make([]int64, len(out))
	for i := range out {
		over[i] = out[i].OverageMs
	}
	if price == nil || !price.HasOverage {
		for i := range out {
			out[i].Cost.OverageUnpricedMs = over[i]
		}
	} else {
		for i, m := range slowMoney(leg.Cost.Overage, over, price.OveragePerGPUHour, price) {
			out[i].Cost.Overage = contract.Money(m)
		}
	}
	if price == nil {
		for i := range out {
			out[i].Cost.UnpricedMs = out[i].ContractedMs
		}
		return
	}
	for b := range contract.Buckets {
		ms := make([]int64, len(out))
		for i := range out {
			ms[i] = out[i].Buckets[b]
		}
		for i, m := range slowMoney(leg.Cost.Buckets[b], ms, price.PerGPUHour, price) {
			out[i].Cost.Buckets[b] = contract.Money(m)
			out[i].Cost.Contracted += contract.Money(m)
		}
	}
}

// slowMerge adds up parcels of one group and puts them in their order.
func slowMerge(lists ...[]contract.Parcel) []contract.Parcel {
	out := []contract.Parcel{{Kind: "unattributed"}}
	for _, p := range slices.Concat(lists...) {
		i := slices.IndexFunc(out, func(x contract.Parcel) bool { return x.Group == p.Group })
		if i < 0 {
			i = len(out)
			out = append(out, contract.Parcel{Kind: "group", Group: p.Group})
		}
		slowAddParcel(&out[i], &p)
	}
	out = slices.DeleteFunc(out, func(p contract.Parcel) bool { return p == contract.Parcel{Kind: "group", Group: p.Group} })
	slices.SortFunc(out, func(a, b contract.Parcel) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Cost.Contracted, a.Cost.Contracted),
			cmp.Compare(b.Buckets.Total(), a.Buckets.Total()), cmp.Compare(b.OverageMs, a.OverageMs), cmp.Compare(a.Group, b.Group))
	})
	return out
}

func slowAddParcel(to, o *contract.Parcel) {
	to.ContractedMs += o.ContractedMs
	to.SMActiveMs += o.SMActiveMs
	to.SMKnownMs += o.SMKnownMs
	to.EnergyMJ += o.EnergyMJ
	to.EnergyKnownMs += o.EnergyKnownMs
	to.OverageMs += o.OverageMs
	to.Cost.Contracted += o.Cost.Contracted
	to.Cost.UnpricedMs += o.Cost.UnpricedMs
	to.Cost.Overage += o.Cost.Overage
	to.Cost.OverageUnpricedMs += o.Cost.OverageUnpricedMs
	for b := range contract.Buckets {
		to.Buckets[b] += o.Buckets[b]
		to.Cost.Buckets[b] += o.Cost.Buckets[b]
	}
}

// breakdown is the slow counterpart of Report.Breakdown.
func (l *ledger) breakdown(list []contract.Statement, accounts map[label]*account) *contract.Breakdown {
	if l.by == "" {
		return nil
	}
	out := &contract.Breakdown{By: l.by, Currencies: []contract.Showback{}}
	seen := map[string]bool{}
	for _, s := range list {
		if seen[s.Currency] {
			continue
		}
		seen[s.Currency] = true
		x := contract.Showback{Currency: s.Currency, Total: contract.Parcel{Kind: "total"}}
		var groups [][]contract.Parcel
		for _, o := range list {
			if o.Currency == s.Currency {
				groups = append(groups, o.Total.Groups)
				t := &o.Total
				slowAddParcel(&x.Total, &contract.Parcel{ContractedMs: t.ContractedMs, Buckets: t.Buckets, SMActiveMs: t.SMActiveMs,
					SMKnownMs: t.SMKnownMs, EnergyMJ: t.EnergyMJ, EnergyKnownMs: t.EnergyKnownMs, OverageMs: t.OverageMs, Cost: t.Cost})
			}
		}
		x.Groups = slowMerge(groups...)
		out.Currencies = append(out.Currencies, x)
	}
	var strays []contract.Parcel
	for x, a := range accounts {
		if x.fate == contract.Uncontracted {
			for group, part := range l.split(x, a) {
				p := contract.Parcel{Group: group}
				slowGive(&p, x, part)
				strays = append(strays, p)
			}
		}
	}
	out.Uncontracted = slowMerge(strays)
	return out
}
