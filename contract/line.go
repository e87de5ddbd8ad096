package contract

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gpumeter/gpumeter/usage"
)

// statement makes the account of one contract.
func (p *Plan) statement(i int, sums *tally) (Statement, error) {
	c, period := &p.contracts[i], p.periods[i]
	out := Statement{
		Contract: c.ID, Title: c.Title, Provider: c.Provider, Currency: c.Currency, Zone: c.Zone.String(),
		From: c.local(period.FromMs), To: c.local(period.ToMs), Tranches: []Line{},
	}
	days := daysOf(period.FromMs, period.ToMs, c.Zone)
	out.Total.Days = blankDays(days)
	groups := parcels{}
	for t := range c.Tranches {
		line, err := p.line(i, t, days, sums)
		if err == nil {
			err = errors.Join(out.Total.add(&line), groups.merge(line.Groups))
		}
		if err != nil {
			return Statement{}, fmt.Errorf("tranche %q: %w", c.Tranches[t].ID, err)
		}
		out.Tranches = append(out.Tranches, line)
	}
	out.Total.derive()
	if p.by != "" {
		out.Total.Groups = groups.list()
	}
	return out, nil
}

// leg is what counted toward a tranche of one model under one rate, or without
// one, by day. What was not delivered is of the model that was bought.
type leg struct {
	rate    *Rate // with the price of the model; nil is none
	days    []Time
	overage []int64
	total   usage.Sums
	lots    lots // nil unless the report is broken down
}

// line makes the ledger of one tranche.
func (p *Plan) line(c, t int, days []day, sums *tally) (Line, error) {
	tranche, period := &p.contracts[c].Tranches[t], p.periods[c]
	out := Line{Tranche: tranche.ID, Model: tranche.Model, GPUs: tranche.GPUsAt(period.ToMs - 1), Days: blankDays(days)}
	groups := parcels{}
	for rate := unpriced; rate < len(tranche.Rates); rate++ {
		for sub := asBought; sub < len(tranche.Accepts); sub++ {
			leg, err := p.leg(key{contract: c, tranche: t, rate: rate, sub: sub}, days, sums)
			if err == nil {
				err = out.addLeg(&leg, groups, tranche.accepted(sub))
			}
			if err != nil {
				return Line{}, err
			}
		}
	}
	if p.by != "" {
		out.Groups = groups.list()
	}
	out.UnconfirmedMs = vacant(p.placed.Vacancies, c, t, period)
	out.GraceMs = vacant(p.placed.Graces, c, t, period)
	if n := max(out.UnconfirmedMs, out.GraceMs); n > out.Buckets[Undelivered] {
		return Line{}, fmt.Errorf("%d GPU-ms unconfirmed or within the grace, more than %d undelivered", n, out.Buckets[Undelivered])
	}
	out.derive()
	return out, nil
}

// vacant adds up the vacancies of a tranche in a period, in GPU-ms.
func vacant(list []Vacancy, c, t int, period Period) int64 {
	var sum int64
	for _, v := range list {
		if v.Contract == c && v.Tranche == t {
			sum += int64(v.GPUs) * max(0, min(v.ToMs, period.ToMs)-max(v.FromMs, period.FromMs))
		}
	}
	return sum
}

// leg adds up the cells of a tranche, rate and model.
func (p *Plan) leg(k key, days []day, sums *tally) (leg, error) {
	tranche := &p.contracts[k.contract].Tranches[k.tranche]
	out := leg{rate: tranche.rateOf(k), days: make([]Time, len(days)), overage: make([]int64, len(days))}
	for d := range days {
		for _, piece := range tranche.priced(days[d].fromMs, days[d].toMs) {
			if piece.rate == k.rate && k.sub == asBought {
				out.days[d][Undelivered] += tranche.contractedMs(piece.fromMs, piece.toMs)
			}
		}
	}
	for i := range p.keys {
		if p.keys[i].ofRate(k) {
			p.addKey(&out, i, k.sub, days, sums)
		}
	}
	for d, v := range out.days {
		if v[Undelivered] < 0 {
			return leg{}, fmt.Errorf("%s: more is placed than contracted, by %d GPU-ms", days[d].date, -v[Undelivered])
		}
	}
	out.lots = p.lots(&out, k, sums)
	return out, nil
}

// addKey adds the cells of the key with index i to the leg of a model. What stood,
// of whichever model, is no longer undelivered of the one that was bought.
func (p *Plan) addKey(g *leg, i, sub int, days []day, sums *tally) {
	x := &p.keys[i]
	d := 0
	for slot, stood := range p.stood[i] {
		if stood == 0 {
			continue
		}
		for days[d].toMs <= p.edges[slot] {
			d++
		}
		if x.fate == Overage {
			if x.sub == sub {
				g.overage[d] += stood
			}
			continue
		}
		if sub == asBought {
			g.days[d][Undelivered] -= stood
		}
		if x.sub == sub {
			time, rest := x.became(stood, sums.cells[i][slot])
			g.days[d].Add(time)
			g.total.Add(rest)
		}
	}
}

// ofRate reports whether a key is of the same tranche and rate.
func (k *key) ofRate(o key) bool {
	return k.contract == o.contract && k.tranche == o.tranche && k.rate == o.rate
}

func blankDays(days []day) []Day {
	out := make([]Day, len(days))
	for i, d := range days {
		out[i].Date = d.date
	}
	return out
}

// addLeg adds a leg's time and money to the line of its tranche, and to its
// groups; model is that of a substitute, or empty.
func (l *Line) addLeg(g *leg, groups parcels, model string) error {
	for d, v := range g.days {
		l.Days[d].Buckets.Add(v)
		l.Days[d].ContractedMs += v.Total()
		l.Days[d].OverageMs += g.overage[d]
	}
	time, overage := g.time()
	l.Buckets.Add(time)
	l.ContractedMs += time.Total()
	l.OverageMs += overage
	l.SMActiveMs += g.total.SMActiveMs
	l.SMKnownMs += g.total.SMKnownMs
	l.EnergyMJ += g.total.EnergyMJ
	l.EnergyKnownMs += g.total.EnergyKnownMs
	l.UnhealthyAloneMs += g.total.UnhealthyMs
	cost, err := g.cost(g.rate)
	if err == nil {
		err = l.addDaily(g, &cost, g.rate)
	}
	if err == nil {
		err = groups.addLeg(g, &cost, g.rate)
	}
	if err != nil {
		return err
	}
	if model != "" {
		l.substitute(model, time.Total(), overage, cost.Contracted)
	}
	return l.Cost.add(&cost)
}

// substitute notes what a model did in place of the one bought.
func (l *Line) substitute(model string, ms, overage int64, cost Money) {
	if ms == 0 && overage == 0 {
		return
	}
	i := slices.IndexFunc(l.Substitutes, func(s Substituted) bool { return s.Model == model })
	if i < 0 {
		i = len(l.Substitutes)
		l.Substitutes = append(l.Substitutes, Substituted{Model: model})
	}
	l.Substitutes[i].Ms += ms
	l.Substitutes[i].OverageMs += overage
	l.Substitutes[i].Cost += cost // a part of a checked sum
}

// time is a leg's time by bucket, and its overage.
func (g *leg) time() (time Time, overage int64) {
	for d, v := range g.days {
		time.Add(v)
		overage += g.overage[d]
	}
	return time, overage
}

// cost prices a leg: its total is rounded, and its buckets share the total
// out. r is nil where there is no rate.
func (g *leg) cost(r *Rate) (Cost, error) {
	time, overage := g.time()
	if r == nil {
		return Cost{UnpricedMs: time.Total(), OverageUnpricedMs: overage}, nil
	}
	sum, err := total(time.Total(), r.committed())
	if err != nil {
		return Cost{}, err
	}
	parts, err := apportion(sum, time[:], r.committed())
	if err != nil {
		return Cost{}, err
	}
	out := Cost{Contracted: sum, Buckets: Amounts(parts)}
	if !r.HasOverage {
		out.OverageUnpricedMs = overage
		return out, nil
	}
	out.Overage, err = total(overage, r.over())
	return out, err
}

// addDaily shares each bucket's amount out over the days.
func (l *Line) addDaily(g *leg, cost *Cost, r *Rate) error {
	if r == nil {
		return nil
	}
	for b := range Buckets {
		ms := make([]int64, len(g.days))
		for d := range g.days {
			ms[d] = g.days[d][b]
		}
		daily, err := apportion(cost.Buckets[b], ms, r.committed())
		if err != nil {
			return err
		}
		for d, m := range daily {
			l.Days[d].Cost[b] += m // a part of a checked sum
		}
	}
	return nil
}

// add adds another line, of the same days. Utilisation and stages are not
// sums: see derive.
func (l *Line) add(o *Line) error {
	l.GPUs += o.GPUs
	l.ContractedMs += o.ContractedMs
	l.Buckets.Add(o.Buckets)
	l.UnconfirmedMs += o.UnconfirmedMs
	l.GraceMs += o.GraceMs
	l.UnhealthyAloneMs += o.UnhealthyAloneMs
	l.SMActiveMs += o.SMActiveMs
	l.SMKnownMs += o.SMKnownMs
	l.EnergyMJ += o.EnergyMJ
	l.EnergyKnownMs += o.EnergyKnownMs
	l.OverageMs += o.OverageMs
	for d := range o.Days {
		l.Days[d].ContractedMs += o.Days[d].ContractedMs
		l.Days[d].Buckets.Add(o.Days[d].Buckets)
		l.Days[d].OverageMs += o.Days[d].OverageMs
		for b, m := range o.Days[d].Cost {
			l.Days[d].Cost[b] += m
		}
	}
	return l.Cost.add(&o.Cost)
}

// add adds another cost in the same currency.
func (c *Cost) add(o *Cost) error {
	var err error
	if c.Contracted, err = add(c.Contracted, o.Contracted); err != nil {
		return err
	}
	if c.Overage, err = add(c.Overage, o.Overage); err != nil {
		return err
	}
	for b, m := range o.Buckets {
		c.Buckets[b] += m // parts of Contracted, which fits
	}
	c.UnpricedMs += o.UnpricedMs
	c.OverageUnpricedMs += o.OverageUnpricedMs
	return nil
}

// derive fills in what follows from the line's time.
func (l *Line) derive() {
	b := &l.Buckets
	ms := l.ContractedMs
	l.Stages = []Stage{{"contracted", ms}}
	for _, s := range []struct {
		name string
		less int64
	}{
		{"delivered", b[Undelivered]},
		{"observed", b[Unobserved]},
		{"healthy", b[Unhealthy]},
		{"allocated", b[Unallocated]},
		{"busy", b[Idle] + b[Unmeasured]},
	} {
		ms -= s.less
		l.Stages = append(l.Stages, Stage{s.name, ms})
	}
	if l.SMKnownMs > 0 {
		l.Stages = append(l.Stages, Stage{"effective", l.SMActiveMs})
	}
	l.Utilisation = Utilisation{Denominator: "contracted"}
	if l.ContractedMs > 0 {
		whole := float64(l.ContractedMs)
		busy := float64(b[Busy]) / whole
		l.Utilisation = Utilisation{true, "contracted", busy, busy, float64(b[Busy]+b[Unobserved]+b[Unmeasured]) / whole}
	}
}
