package contract

import (
	"errors"
	"fmt"

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

// leg is a tranche under one rate, or without one, by day.
type leg struct {
	rate    int
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
		leg, err := p.leg(key{contract: c, tranche: t, rate: rate}, days, sums)
		if err != nil {
			return Line{}, err
		}
		if err := out.addLeg(&leg, groups, tranche); err != nil {
			return Line{}, err
		}
	}
	if p.by != "" {
		out.Groups = groups.list()
	}
	for _, v := range p.placed.Vacancies {
		if v.Contract == c && v.Tranche == t {
			out.UnconfirmedMs += int64(v.GPUs) * max(0, min(v.ToMs, period.ToMs)-max(v.FromMs, period.FromMs))
		}
	}
	if out.UnconfirmedMs > out.Buckets[Undelivered] {
		return Line{}, fmt.Errorf("%d GPU-ms unconfirmed of %d undelivered", out.UnconfirmedMs, out.Buckets[Undelivered])
	}
	out.derive()
	return out, nil
}

// leg adds up the cells of a tranche and rate; k.fate is not looked at.
func (p *Plan) leg(k key, days []day, sums *tally) (leg, error) {
	out := leg{rate: k.rate, days: make([]Time, len(days)), overage: make([]int64, len(days))}
	tranche := &p.contracts[k.contract].Tranches[k.tranche]
	for d := range days {
		for _, piece := range tranche.priced(days[d].fromMs, days[d].toMs) {
			if piece.rate == k.rate {
				out.days[d][Undelivered] += tranche.contractedMs(piece.fromMs, piece.toMs)
			}
		}
	}
	for i, x := range p.keys {
		if x.contract != k.contract || x.tranche != k.tranche || x.rate != k.rate {
			continue
		}
		d := 0
		for slot, stood := range p.stood[i] {
			if stood == 0 {
				continue
			}
			for days[d].toMs <= p.edges[slot] {
				d++
			}
			if x.fate == Overage {
				out.overage[d] += stood
				continue
			}
			out.days[d][Undelivered] -= stood
			out.days[d].Add(buckets(stood, sums.cells[i][slot]))
			out.total.Add(sums.cells[i][slot])
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

func blankDays(days []day) []Day {
	out := make([]Day, len(days))
	for i, d := range days {
		out[i].Date = d.date
	}
	return out
}

// addLeg adds a leg's time and money to the line of its tranche, and to its
// groups.
func (l *Line) addLeg(g *leg, groups parcels, t *Tranche) error {
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
	var r *Rate
	if g.rate != unpriced {
		r = &t.Rates[g.rate]
	}
	cost, err := g.cost(r)
	if err == nil {
		err = l.addDaily(g, &cost, r)
	}
	if err == nil {
		err = groups.addLeg(g, &cost, r)
	}
	if err != nil {
		return err
	}
	return l.Cost.add(&cost)
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
	sum, err := total(time.Total(), r.PerGPUHour)
	if err != nil {
		return Cost{}, err
	}
	parts, err := apportion(sum, time[:], r.PerGPUHour)
	if err != nil {
		return Cost{}, err
	}
	out := Cost{Contracted: sum, Buckets: Amounts(parts)}
	if !r.HasOverage {
		out.OverageUnpricedMs = overage
		return out, nil
	}
	out.Overage, err = total(overage, r.OveragePerGPUHour)
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
		daily, err := apportion(cost.Buckets[b], ms, r.PerGPUHour)
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
