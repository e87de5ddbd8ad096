package contract_test

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// label is where a piece of a GPU's time goes: the zero label is nowhere.
type label struct {
	asked bool
	fate  contract.Fate
	ref   ref
	rate  int // -1 is none
	sub   int // -1 is the model bought
	down  bool
	group contract.Group
	slot  int
	unit  int64 // of a report broken down by where GPUs stand
}

// account is what a label was given.
type account struct {
	stood int64
	sums  usage.Sums
	held  map[usage.Holder]usage.Sums // what each holder had of the sums
}

// ledger is the slow counterpart of Plan and Build.
type ledger struct {
	*slow
	periods []contract.Period
	stray   contract.Period
	edges   []int64
	by      contract.By
	outages []contract.Outage
}

func (l *ledger) addEdges() {
	l.edges = []int64{l.stray.FromMs, l.stray.ToMs}
	for c, p := range l.periods {
		l.edges = append(l.edges, p.FromMs, p.ToMs)
		for at := p.FromMs; at < p.ToMs; at += gridMs {
			if l.date(c, at) != l.date(c, at-gridMs) {
				l.edges = append(l.edges, at)
			}
		}
	}
	slices.Sort(l.edges)
	l.edges = slices.Compact(l.edges)
}

func (l *ledger) date(c int, ms int64) string {
	return time.UnixMilli(ms).In(l.contracts[c].Zone).Format(time.DateOnly)
}

func (l *ledger) rate(r ref, ms int64) int {
	for i, x := range l.tranche(r).Rates {
		if x.FromMs <= ms && ms < x.ToMs {
			return i
		}
	}
	return -1
}

// label says where the time of a unit in a step goes.
func (l *ledger) label(g, k int, unit int64) label {
	o := l.seat[g][k]
	if !o.stands || o.unit != unit {
		return label{}
	}
	out := label{asked: true, fate: o.fate, ref: o.ref, rate: -1, sub: -1}
	if l.by != "" && !l.holding() {
		out.unit = unit
	}
	period := l.stray
	if o.fate == contract.Uncontracted {
		out.group = o.group
	} else {
		period = l.periods[o.ref.c]
		out.rate = l.rate(o.ref, l.at(k))
		for i, x := range l.tranche(o.ref).Accepts {
			if x.Model == o.group.Model {
				out.sub = i
			}
		}
		out.down = o.fate == contract.Placed && l.down(l.tranche(o.ref).Delivery.Unit, unit, l.at(k))
	}
	if l.at(k) < period.FromMs || l.at(k) >= period.ToMs {
		return label{}
	}
	for i := range l.edges {
		if l.edges[i] <= l.at(k) {
			out.slot = i
		}
	}
	return out
}

// down asks every outage whether it strikes the node or rack of a unit.
func (l *ledger) down(by contract.DeliveryUnit, unit, ms int64) bool {
	where := func(unit int64) contract.Presence {
		return l.presences[slices.IndexFunc(l.presences, func(p contract.Presence) bool { return p.Unit == unit })]
	}
	me := where(unit)
	for _, o := range l.outages {
		if o.FromMs > ms || ms >= o.ToMs {
			continue
		}
		it := where(o.Unit)
		its, mine := slowMachine(it, l.presences), slowMachine(me, l.presences)
		rack := it.Rack == me.Rack && it.Zone == me.Zone && [4]string(its[1:]) == [4]string(mine[1:])
		switch {
		case by == "node" && its == mine,
			by == "rack" && me.Rack == "" && its == mine,
			by == "rack" && me.Rack != "" && rack:
			return true
		}
	}
	return false
}

// accounts gives every step's time and every record to its label.
func (l *ledger) accounts(records []contract.Straddle) map[label]*account {
	out := map[label]*account{}
	get := func(x label) *account {
		if out[x] == nil {
			out[x] = &account{held: map[usage.Holder]usage.Sums{}}
		}
		return out[x]
	}
	for g := range l.gpus {
		for k := range l.steps {
			if o := l.seat[g][k]; o.stands {
				get(l.label(g, k, o.unit)).stood += gridMs
			}
		}
	}
	type window struct {
		gpu              string
		unit, start, end int64
	}
	windows := map[window]map[usage.Holder]usage.Sums{}
	for _, r := range records {
		w := window{r.GPU, r.Unit, r.StartMs, r.EndMs}
		if windows[w] == nil {
			windows[w] = map[usage.Holder]usage.Sums{}
		}
		sums := windows[w][r.Holder]
		sums.Add(r.Sums)
		windows[w][r.Holder] = sums
	}
	for w, holders := range windows {
		var sums usage.Sums
		for _, s := range holders {
			sums.Add(s)
		}
		var labels []label
		var lengths []int64
		for at := w.start; at < w.end; {
			k := int((at - l.fromMs) / gridMs)
			end := min(l.at(k+1), w.end)
			x := l.label(slices.Index(l.gpus, w.gpu), k, w.unit)
			if n := len(labels); n > 0 && labels[n-1] == x {
				lengths[n-1] += end - at
			} else {
				labels, lengths = append(labels, x), append(lengths, end-at)
			}
			at = end
		}
		parts := slowDivideAround(sums, lengths, labels)
		shared := slowAmong(holders, parts)
		for i, part := range parts {
			a := get(labels[i])
			a.sums.Add(part)
			for h, s := range shared[i] {
				s.Add(a.held[h])
				a.held[h] = s
			}
		}
	}
	delete(out, label{})
	return out
}

// slowDivideAround gives what was unhealthy to the parts that were down first,
// as far as there is room.
func slowDivideAround(s usage.Sums, lengths []int64, labels []label) []usage.Sums {
	var room int64
	for i, x := range labels {
		if x.down {
			room += lengths[i]
		}
	}
	sick := min(s.UnhealthyMs, room)
	quota := make([]*big.Rat, len(lengths))
	for i, x := range labels {
		quota[i] = new(big.Rat)
		if x.down {
			quota[i] = new(big.Rat).Mul(big.NewRat(sick, room), big.NewRat(lengths[i], 1))
		}
	}
	given := slowShare(sick, quota, make([]int64, len(quota)))
	rest := slices.Clone(lengths)
	for i, v := range given {
		rest[i] -= v
	}
	s.UnhealthyMs -= sick
	out := slowDivide(s, rest)
	for i, v := range given {
		out[i].UnhealthyMs += v
	}
	return out
}

// slowDivide cuts sums over parts with fractions of arbitrary size.
func slowDivide(s usage.Sums, lengths []int64) []usage.Sums {
	if len(lengths) == 1 {
		return []usage.Sums{s}
	}
	span := int64(0)
	for _, n := range lengths {
		span += n
	}
	left := []int64{s.UnhealthyMs, s.UnallocatedMs, s.IdleMs, s.UnmeasuredMs, s.BusyMs, span - s.ObservedMs()}
	out := make([]usage.Sums, len(lengths))
	rest := span
	for i, n := range lengths {
		var quota []*big.Rat
		for _, v := range left {
			if rest == 0 {
				quota = append(quota, new(big.Rat))
				continue
			}
			quota = append(quota, new(big.Rat).Mul(big.NewRat(v, rest), big.NewRat(n, 1)))
		}
		got := slowShare(n, quota, make([]int64, len(quota)))
		for r, v := range got {
			left[r] -= v
		}
		rest -= n
		out[i] = usage.Sums{UnhealthyMs: got[0], UnallocatedMs: got[1], IdleMs: got[2], UnmeasuredMs: got[3], BusyMs: got[4]}
	}
	var upTo int64
	var last usage.Sums
	for i, n := range lengths {
		upTo += n
		var now usage.Sums
		now.SMKnownMs = floorOf(s.SMKnownMs, upTo, span)
		now.SMActiveMs = floorOf(s.SMActiveMs, now.SMKnownMs, s.SMKnownMs)
		now.EnergyKnownMs = floorOf(s.EnergyKnownMs, upTo, span)
		now.EnergyMJ = floorOf(s.EnergyMJ, now.EnergyKnownMs, s.EnergyKnownMs)
		out[i].SMKnownMs = now.SMKnownMs - last.SMKnownMs
		out[i].SMActiveMs = now.SMActiveMs - last.SMActiveMs
		out[i].EnergyKnownMs = now.EnergyKnownMs - last.EnergyKnownMs
		out[i].EnergyMJ = now.EnergyMJ - last.EnergyMJ
		last = now
	}
	return out
}

func floorOf(a, b, c int64) int64 {
	if c == 0 {
		return 0
	}
	x := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
	return x.Quo(x, big.NewInt(c)).Int64()
}

// slowShare floors the quotas and gives what is missing to n, one by one, to
// the largest remainders; ties go to the larger weight, then to the first.
func slowShare(n int64, quota []*big.Rat, weight []int64) []int64 {
	out := make([]int64, len(quota))
	rem := make([]*big.Rat, len(quota))
	for i, q := range quota {
		whole := new(big.Int).Quo(q.Num(), q.Denom())
		out[i] = whole.Int64()
		rem[i] = new(big.Rat).Sub(q, new(big.Rat).SetInt(whole))
		n -= out[i]
	}
	for ; n > 0; n-- {
		best := 0
		for i := range quota {
			if c := rem[i].Cmp(rem[best]); c > 0 || (c == 0 && weight[i] > weight[best]) {
				best = i
			}
		}
		out[best]++
		rem[best] = big.NewRat(-1, 1)
	}
	return out
}

// exact is ms × rate in micro-units.
func exact(ms int64, rate contract.Money) *big.Rat {
	return new(big.Rat).Mul(big.NewRat(ms, 3_600_000), big.NewRat(int64(rate), 1))
}

func halfEven(x *big.Rat) contract.Money {
	doubled := new(big.Rat).Mul(x, big.NewRat(2, 1))
	whole := new(big.Int).Quo(x.Num(), x.Denom())
	twice := new(big.Rat).Sub(doubled, new(big.Rat).SetInt(new(big.Int).Lsh(whole, 1)))
	if c := twice.Cmp(big.NewRat(1, 1)); c > 0 || (c == 0 && whole.Bit(0) == 1) {
		whole.Add(whole, big.NewInt(1))
	}
	return contract.Money(whole.Int64())
}

// priced is ms × a price of the rate, in micro-units: of a month that is billed
// as 730 hours, its part of 730 hours.
func priced(ms int64, price contract.Money, x *contract.Rate) *big.Rat {
	if x.MonthMs == 0 {
		return exact(ms, price)
	}
	return new(big.Rat).Mul(big.NewRat(ms, x.MonthMs), new(big.Rat).Mul(big.NewRat(730, 1), big.NewRat(int64(price), 1)))
}

func slowMoney(sum contract.Money, ms []int64, price contract.Money, x *contract.Rate) []int64 {
	var quota []*big.Rat
	for _, v := range ms {
		quota = append(quota, priced(v, price, x))
	}
	return slowShare(int64(sum), quota, ms)
}

// report is the slow counterpart of Build.
func (l *ledger) report(records []contract.Straddle, overlaps int64, asOf time.Time) contract.Report {
	l.addEdges()
	accounts := l.accounts(records)
	out := contract.Report{Schema: "gpumeter.report/v1", AsOf: asOf, Period: l.stray.Name,
		Contracts: []contract.Statement{}, Uncontracted: l.strays(accounts)}
	out.Quality.OverlapRecords = overlaps
	for g := range l.gpus {
		if slices.ContainsFunc(l.seat[g], func(o outcome) bool { return o.stands }) {
			for k := range l.steps {
				if l.label(g, k, l.seat[g][k].unit).asked {
					out.Quality.GPUs++
					break
				}
			}
		}
	}
	for c := range l.contracts {
		out.Contracts = append(out.Contracts, l.statement(c, accounts))
	}
	out.Breakdown = l.breakdown(out.Contracts, accounts)
	return out
}

func (l *ledger) strays(accounts map[label]*account) []contract.Stray {
	found := map[contract.Group]*contract.Stray{}
	for x, a := range accounts {
		if x.fate != contract.Uncontracted {
			continue
		}
		if found[x.group] == nil {
			found[x.group] = &contract.Stray{Provider: x.group.Provider, Account: x.group.Account, Region: x.group.Region, Model: x.group.Model}
		}
		found[x.group].Ms += a.stood
		found[x.group].Buckets.Add(slowBuckets(x, a))
	}
	out := []contract.Stray{}
	for group, s := range found {
		for g := range l.gpus {
			for k := range l.steps {
				if x := l.label(g, k, l.seat[g][k].unit); x.asked && x.fate == contract.Uncontracted && x.group == group {
					s.GPUs++
					break
				}
			}
		}
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b contract.Stray) int {
		return cmp.Compare(fmt.Sprintf("%s\x00%s\x00%s\x00%s", a.Provider, a.Account, a.Region, a.Model),
			fmt.Sprintf("%s\x00%s\x00%s\x00%s", b.Provider, b.Account, b.Region, b.Model))
	})
	return out
}

func slowBuckets(x label, a *account) contract.Time {
	s := a.sums
	if x.down {
		return contract.Time{contract.Unhealthy: a.stood}
	}
	return contract.Time{0, a.stood - s.UnhealthyMs - s.UnallocatedMs - s.IdleMs - s.UnmeasuredMs - s.BusyMs,
		s.UnhealthyMs, s.UnallocatedMs, s.IdleMs, s.UnmeasuredMs, s.BusyMs}
}

func (l *ledger) statement(c int, accounts map[label]*account) contract.Statement {
	x, p := l.contracts[c], l.periods[c]
	out := contract.Statement{Contract: x.ID, Title: x.Title, Provider: x.Provider, Currency: x.Currency, Zone: x.Zone.String(),
		From: time.UnixMilli(p.FromMs), To: time.UnixMilli(p.ToMs), Total: contract.Line{Days: []contract.Day{}}}
	var dates []string
	for at := p.FromMs; at < p.ToMs; at += gridMs {
		if d := l.date(c, at); !slices.Contains(dates, d) {
			dates = append(dates, d)
		}
	}
	for _, d := range dates {
		out.Total.Days = append(out.Total.Days, contract.Day{Date: d})
	}
	for t := range x.Tranches {
		line := l.line(ref{c, t}, dates, accounts)
		out.Tranches = append(out.Tranches, line)
		slowAdd(&out.Total, &line)
		if l.by != "" {
			out.Total.Groups = slowMerge(out.Total.Groups, line.Groups)
		}
	}
	slowDerive(&out.Total)
	return out
}

func (l *ledger) line(r ref, dates []string, accounts map[label]*account) contract.Line {
	t, p := l.tranche(r), l.periods[r.c]
	out := contract.Line{Tranche: t.ID, Model: t.Model, GPUs: t.GPUsAt(p.ToMs - 1), Days: []contract.Day{}}
	for _, d := range dates {
		out.Days = append(out.Days, contract.Day{Date: d})
	}
	for i := range (1 + len(t.Rates)) * (1 + len(t.Accepts)) {
		rate, sub := i/(1+len(t.Accepts))-1, i%(1+len(t.Accepts))-1
		leg := contract.Line{Days: slices.Clone(out.Days)}
		for d := range leg.Days {
			leg.Days[d] = contract.Day{Date: dates[d]}
		}
		for at := p.FromMs; at < p.ToMs; at += gridMs {
			if l.rate(r, at) == rate && sub < 0 {
				leg.Days[slices.Index(dates, l.date(r.c, at))].Buckets[contract.Undelivered] += int64(t.GPUsAt(at)) * gridMs
			}
		}
		for x, a := range accounts {
			if x.ref != r || x.rate != rate || x.fate == contract.Uncontracted {
				continue
			}
			day := &leg.Days[slices.Index(dates, l.date(r.c, l.edges[x.slot]))]
			if x.fate == contract.Placed && sub < 0 {
				day.Buckets[contract.Undelivered] -= a.stood
			}
			if x.sub != sub {
				continue
			}
			if x.fate == contract.Overage {
				day.OverageMs += a.stood
				continue
			}
			day.Buckets.Add(slowBuckets(x, a))
			leg.UnhealthyAloneMs += a.sums.UnhealthyMs
			if !x.down {
				leg.SMActiveMs += a.sums.SMActiveMs
				leg.SMKnownMs += a.sums.SMKnownMs
			}
			leg.EnergyMJ += a.sums.EnergyMJ
			leg.EnergyKnownMs += a.sums.EnergyKnownMs
		}
		price := slowRate(t, rate, sub)
		slowPrice(&leg, price)
		slowAdd(&out, &leg)
		slowSubstitute(&out, &leg, t, sub)
		if l.by != "" {
			out.Groups = slowMerge(out.Groups, l.groups(r, rate, sub, price, &leg, accounts))
		}
	}
	for k := range l.steps {
		if l.at(k) >= p.FromMs && l.at(k) < p.ToMs {
			out.UnconfirmedMs += int64(l.missing[r][k]) * gridMs
			out.GraceMs += int64(l.late[r][k]) * gridMs
		}
	}
	out.GPUs = t.GPUsAt(p.ToMs - 1)
	slowDerive(&out)
	return out
}

// slowRate is a rate with the prices of a model; nil is none.
func slowRate(t *contract.Tranche, rate, sub int) *contract.Rate {
	if rate < 0 {
		return nil
	}
	x := t.Rates[rate]
	if sub >= 0 {
		factor := big.NewRat(t.Accepts[sub].Factor, 1_000_000)
		x.PerGPUHour = halfEven(new(big.Rat).Mul(big.NewRat(int64(x.PerGPUHour), 1), factor))
		x.OveragePerGPUHour = halfEven(new(big.Rat).Mul(big.NewRat(int64(x.OveragePerGPUHour), 1), factor))
	}
	return &x
}

// slowSubstitute notes a leg of an accepted model in its line.
func slowSubstitute(to, leg *contract.Line, t *contract.Tranche, sub int) {
	if sub < 0 || leg.ContractedMs+leg.OverageMs == 0 {
		return
	}
	for i := range to.Substitutes {
		if x := &to.Substitutes[i]; x.Model == t.Accepts[sub].Model {
			x.Ms += leg.ContractedMs
			x.OverageMs += leg.OverageMs
			x.Cost += leg.Cost.Contracted
			return
		}
	}
	to.Substitutes = append(to.Substitutes, contract.Substituted{
		Model: t.Accepts[sub].Model, Ms: leg.ContractedMs, OverageMs: leg.OverageMs, Cost: leg.Cost.Contracted})
}

// slowPrice fills in a leg's sums and money from its days.
func slowPrice(leg *contract.Line, x *contract.Rate) {
	for d := range leg.Days {
		day := &leg.Days[d]
		day.ContractedMs = day.Buckets.Total()
		leg.Buckets.Add(day.Buckets)
		leg.ContractedMs += day.ContractedMs
		leg.OverageMs += day.OverageMs
	}
	if x == nil {
		leg.Cost.UnpricedMs, leg.Cost.OverageUnpricedMs = leg.ContractedMs, leg.OverageMs
		return
	}
	leg.Cost.Contracted = halfEven(priced(leg.ContractedMs, x.PerGPUHour, x))
	for b, m := range slowMoney(leg.Cost.Contracted, leg.Buckets[:], x.PerGPUHour, x) {
		leg.Cost.Buckets[b] = contract.Money(m)
		var ms []int64
		for d := range leg.Days {
			ms = append(ms, leg.Days[d].Buckets[b])
		}
		for d, m := range slowMoney(contract.Money(m), ms, x.PerGPUHour, x) {
			leg.Days[d].Cost[b] = contract.Money(m)
		}
	}
	if x.HasOverage {
		leg.Cost.Overage = halfEven(priced(leg.OverageMs, x.OveragePerGPUHour, x))
	} else {
		leg.Cost.OverageUnpricedMs = leg.OverageMs
	}
}

func slowAdd(to, o *contract.Line) {
	to.GPUs += o.GPUs
	to.ContractedMs += o.ContractedMs
	to.UnconfirmedMs += o.UnconfirmedMs
	to.GraceMs += o.GraceMs
	to.UnhealthyAloneMs += o.UnhealthyAloneMs
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
		for d := range o.Days {
			to.Days[d].Buckets[b] += o.Days[d].Buckets[b]
			to.Days[d].Cost[b] += o.Days[d].Cost[b]
		}
	}
	for d := range o.Days {
		to.Days[d].ContractedMs += o.Days[d].ContractedMs
		to.Days[d].OverageMs += o.Days[d].OverageMs
	}
}

func slowDerive(l *contract.Line) {
	b := l.Buckets
	l.Stages = []contract.Stage{
		{Name: "contracted", Ms: l.ContractedMs},
		{Name: "delivered", Ms: b[contract.Unobserved] + b[contract.Unhealthy] + b[contract.Unallocated] + b[contract.Idle] + b[contract.Unmeasured] + b[contract.Busy]},
		{Name: "observed", Ms: b[contract.Unhealthy] + b[contract.Unallocated] + b[contract.Idle] + b[contract.Unmeasured] + b[contract.Busy]},
		{Name: "healthy", Ms: b[contract.Unallocated] + b[contract.Idle] + b[contract.Unmeasured] + b[contract.Busy]},
		{Name: "allocated", Ms: b[contract.Idle] + b[contract.Unmeasured] + b[contract.Busy]},
		{Name: "busy", Ms: b[contract.Busy]},
	}
	if l.SMKnownMs > 0 {
		l.Stages = append(l.Stages, contract.Stage{Name: "effective", Ms: l.SMActiveMs})
	}
	l.Utilisation = contract.Utilisation{Denominator: "contracted"}
	if n := float64(l.ContractedMs); n > 0 {
		l.Utilisation.Known = true
		l.Utilisation.Busy = float64(b[contract.Busy]) / n
		l.Utilisation.Lower = l.Utilisation.Busy
		l.Utilisation.Upper = float64(b[contract.Busy]+b[contract.Unobserved]+b[contract.Unmeasured]) / n
	}
}
