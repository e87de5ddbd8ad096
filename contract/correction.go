package contract

import (
	"cmp"
	"fmt"
	"slices"
)

// Correction is what one revision of a closed period says otherwise of one
// tranche than the revision before: differences, positive or negative, all in
// the units of Line. Buckets.Total() == ContractedMs, and
// Cost.Buckets.Total() == Cost.Contracted.
type Correction struct {
	Contract         string `json:"contract"`
	Tranche          string `json:"tranche"`
	Currency         string `json:"currency"`
	ContractedMs     int64  `json:"contracted_gpu_ms"` // not zero only where terms were restated
	Buckets          Time   `json:"buckets_gpu_ms"`
	UnconfirmedMs    int64  `json:"undelivered_unconfirmed_gpu_ms"`
	GraceMs          int64  `json:"undelivered_within_grace_gpu_ms"`
	UnhealthyAloneMs int64  `json:"unhealthy_alone_gpu_ms"`
	SMActiveMs       int64  `json:"sm_active_gpu_ms"`
	SMKnownMs        int64  `json:"sm_known_gpu_ms"`
	EnergyMJ         int64  `json:"energy_mj"`
	EnergyKnownMs    int64  `json:"energy_known_gpu_ms"`
	OverageMs        int64  `json:"overage_gpu_ms"`
	Cost             Cost   `json:"cost"`
}

// Correct returns what turns one report of a period into another of the same
// period: a line for each tranche that differs, in order of contract and
// tranche. A tranche that only one of them has counts as zero in the other.
// It is an error if a contract changed its currency: money of two currencies
// has no difference.
func Correct(from, to Report) ([]Correction, error) {
	if from.Period != to.Period {
		return nil, fmt.Errorf("compare the reports of %s and %s: they are of two periods", from.Period, to.Period)
	}
	lines := map[seat]*Correction{}
	for _, side := range []struct {
		report *Report
		sign   int64
	}{{&from, -1}, {&to, 1}} {
		for i := range side.report.Contracts {
			s := &side.report.Contracts[i]
			for j := range s.Tranches {
				at := seat{s.Contract, s.Tranches[j].Tranche}
				if lines[at] == nil {
					lines[at] = &Correction{Contract: at.contract, Tranche: at.tranche, Currency: s.Currency}
				}
				if lines[at].Currency != s.Currency {
					return nil, fmt.Errorf("compare contract %q: its currency was %s and is %s", s.Contract, lines[at].Currency, s.Currency)
				}
				lines[at].add(&s.Tranches[j], side.sign)
			}
		}
	}
	return differing(lines), nil
}

type seat struct{ contract, tranche string }

// differing returns the lines that are not zero, in order.
func differing(lines map[seat]*Correction) []Correction {
	out := []Correction{}
	for at, c := range lines {
		if *c != (Correction{Contract: at.contract, Tranche: at.tranche, Currency: c.Currency}) {
			out = append(out, *c)
		}
	}
	slices.SortFunc(out, func(a, b Correction) int {
		return cmp.Or(cmp.Compare(a.Contract, b.Contract), cmp.Compare(a.Tranche, b.Tranche))
	})
	return out
}

// add adds a line, or, with a sign of -1, takes it away.
func (c *Correction) add(l *Line, sign int64) {
	c.ContractedMs += sign * l.ContractedMs
	c.UnconfirmedMs += sign * l.UnconfirmedMs
	c.GraceMs += sign * l.GraceMs
	c.UnhealthyAloneMs += sign * l.UnhealthyAloneMs
	c.SMActiveMs += sign * l.SMActiveMs
	c.SMKnownMs += sign * l.SMKnownMs
	c.EnergyMJ += sign * l.EnergyMJ
	c.EnergyKnownMs += sign * l.EnergyKnownMs
	c.OverageMs += sign * l.OverageMs
	money := Money(sign)
	c.Cost.Contracted += money * l.Cost.Contracted
	c.Cost.Overage += money * l.Cost.Overage
	c.Cost.UnpricedMs += sign * l.Cost.UnpricedMs
	c.Cost.OverageUnpricedMs += sign * l.Cost.OverageUnpricedMs
	for b := range Buckets {
		c.Buckets[b] += sign * l.Buckets[b]
		c.Cost.Buckets[b] += money * l.Cost.Buckets[b]
	}
}

// Within returns what touches [fromMs, toMs), cut to it: all that a period
// needs to be computed again.
func (p Placements) Within(fromMs, toMs int64) Placements {
	out := Placements{
		Vacancies: vacanciesWithin(p.Vacancies, fromMs, toMs),
		Graces:    vacanciesWithin(p.Graces, fromMs, toMs),
		Groups:    slices.Clone(p.Groups),
	}
	for _, x := range p.List {
		if x.FromMs, x.ToMs = max(x.FromMs, fromMs), min(x.ToMs, toMs); x.FromMs < x.ToMs {
			out.List = append(out.List, x)
		}
	}
	return out
}

func vacanciesWithin(all []Vacancy, fromMs, toMs int64) []Vacancy {
	var out []Vacancy
	for _, v := range all {
		if v.FromMs, v.ToMs = max(v.FromMs, fromMs), min(v.ToMs, toMs); v.FromMs < v.ToMs {
			out = append(out, v)
		}
	}
	return out
}

// Missing returns how much of the time in [fromMs, toMs) that placements have
// of GPUs another set of placements does not have of the same units. It is
// what later records show to have stood there and p, made before, does not
// know of.
func (p Placements) Missing(o Placements, fromMs, toMs int64) int64 {
	known := map[int64][]Placement{}
	for _, x := range p.List {
		known[x.Unit] = append(known[x.Unit], x)
	}
	var out int64
	for _, x := range o.Within(fromMs, toMs).List {
		out += x.ToMs - x.FromMs
		for _, k := range known[x.Unit] {
			out -= max(0, min(x.ToMs, k.ToMs)-max(x.FromMs, k.FromMs))
		}
	}
	return out
}
