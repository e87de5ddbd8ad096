package contract

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gpumeter/gpumeter/usage"
)

// Breakdown is a report by groups. Line.Groups has the same of each line.
type Breakdown struct {
	By By `json:"by"`
	// Currencies adds up the contracts of each currency, in the order of the
	// contracts: money is never added across currencies.
	Currencies []Showback `json:"currencies"`
	// Uncontracted is the GPU time in no tranche, which has no price.
	Uncontracted []Parcel `json:"uncontracted"`
}

// Showback is what became of all that was contracted in one currency, by
// groups. The groups add up to the total, in every bucket.
type Showback struct {
	Currency string   `json:"currency"`
	Total    Parcel   `json:"total"`
	Groups   []Parcel `json:"groups"`
}

// lot is what of a key or leg falls to one group.
type lot struct {
	time    Time
	sums    usage.Sums // SM activity and energy
	overage int64
}

// lots are by group.
type lots map[string]*lot

func (s lots) of(group string) *lot {
	x, ok := s[group]
	if !ok {
		x = &lot{}
		s[group] = x
	}
	return x
}

// groups returns the groups by name; what has none is last.
func (s lots) groups() []string {
	out := make([]string, 0, len(s))
	for g := range s {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b string) int {
		if (a == unattributed) != (b == unattributed) {
			return cmp.Compare(b, a)
		}
		return cmp.Compare(a, b)
	})
	return out
}

// addKey adds what became of the time of one key.
func (s lots) addKey(p *Plan, i int, t *tally) {
	var stood int64
	var sums usage.Sums
	for slot, ms := range p.stood[i] {
		stood += ms
		sums.Add(t.cells[i][slot])
	}
	rest := p.keys[i].group // of what no holder is named for: where the GPU stands
	if p.by.Held() {
		for group, held := range t.held[i] {
			s.of(group).add(&p.keys[i], held.ObservedMs(), *held)
			stood -= held.ObservedMs()
			sums = less(sums, *held)
		}
	}
	s.of(rest).add(&p.keys[i], stood, sums)
}

// add adds stood milliseconds of a key's GPUs, of which sums are known.
func (s *lot) add(k *key, stood int64, sums usage.Sums) {
	if k.fate == Overage {
		s.overage += stood
		return
	}
	time, rest := k.became(stood, sums)
	s.time.Add(time)
	s.sums.Add(rest)
}

// less is a − b.
func less(a, b usage.Sums) usage.Sums {
	return usage.Sums{
		UnhealthyMs: a.UnhealthyMs - b.UnhealthyMs, UnallocatedMs: a.UnallocatedMs - b.UnallocatedMs, IdleMs: a.IdleMs - b.IdleMs,
		UnmeasuredMs: a.UnmeasuredMs - b.UnmeasuredMs, BusyMs: a.BusyMs - b.BusyMs,
		SMActiveMs: a.SMActiveMs - b.SMActiveMs, SMKnownMs: a.SMKnownMs - b.SMKnownMs,
		EnergyMJ: a.EnergyMJ - b.EnergyMJ, EnergyKnownMs: a.EnergyKnownMs - b.EnergyKnownMs,
	}
}

// lots divides a leg among its groups. What was not delivered goes where the
// contract says that it would have been.
func (p *Plan) lots(g *leg, k key, t *tally) lots {
	if p.by == "" {
		return nil
	}
	out := lots{}
	for i, x := range p.keys {
		if x.ofRate(k) && x.sub == k.sub {
			out.addKey(p, i, t)
		}
	}
	c := &p.contracts[k.contract]
	missing := out.of(p.by.ofUndelivered(c, &c.Tranches[k.tranche]))
	for _, day := range g.days {
		missing.time[Undelivered] += day[Undelivered]
	}
	return out
}

// addLeg adds a leg's groups, with their parts of what it costs: each bucket's
// amount is shared out over the bucket's time.
func (ps parcels) addLeg(g *leg, cost *Cost, r *Rate) error {
	if g.lots == nil {
		return nil
	}
	groups := g.lots.groups()
	parts := make([]Parcel, len(groups))
	for i, group := range groups {
		x := g.lots[group]
		parts[i] = Parcel{
			Group: group, ContractedMs: x.time.Total(), Buckets: x.time, OverageMs: x.overage,
			SMActiveMs: x.sums.SMActiveMs, SMKnownMs: x.sums.SMKnownMs, EnergyMJ: x.sums.EnergyMJ, EnergyKnownMs: x.sums.EnergyKnownMs,
		}
	}
	if err := shareOut(cost, parts, r); err != nil {
		return err
	}
	return ps.merge(parts)
}

// shareOut shares the cost of a leg out over its parcels; r is nil where
// there is no rate.
func shareOut(cost *Cost, parts []Parcel, r *Rate) error {
	for i := range parts {
		if r == nil {
			parts[i].Cost.UnpricedMs = parts[i].ContractedMs
		}
		if r == nil || !r.HasOverage {
			parts[i].Cost.OverageUnpricedMs = parts[i].OverageMs
		}
	}
	if r == nil {
		return nil
	}
	for b := range Buckets {
		amounts, err := apportion(cost.Buckets[b], each(parts, func(p *Parcel) int64 { return p.Buckets[b] }), r.committed())
		if err != nil {
			return err
		}
		for i, m := range amounts {
			parts[i].Cost.Buckets[b] = m
			parts[i].Cost.Contracted += m // a part of a checked sum
		}
	}
	if !r.HasOverage {
		return nil
	}
	amounts, err := apportion(cost.Overage, each(parts, func(p *Parcel) int64 { return p.OverageMs }), r.over())
	for i, m := range amounts {
		parts[i].Cost.Overage = m
	}
	return err
}

// each returns what f says of each of a list.
func each[T, V any](list []T, f func(*T) V) []V {
	out := make([]V, len(list))
	for i := range list {
		out[i] = f(&list[i])
	}
	return out
}

// breakdown adds up the groups of all contracts, and those of the GPUs in
// none.
func (p *Plan) breakdown(list []Statement, t *tally) (*Breakdown, error) {
	if p.by == "" {
		return nil, nil
	}
	out := &Breakdown{By: p.by, Currencies: []Showback{}}
	found := map[string]parcels{}
	for i := range list {
		s := &list[i]
		at := slices.IndexFunc(out.Currencies, func(x Showback) bool { return x.Currency == s.Currency })
		if at < 0 {
			at = len(out.Currencies)
			out.Currencies = append(out.Currencies, Showback{Currency: s.Currency, Total: Parcel{Kind: OfTotal}})
			found[s.Currency] = parcels{}
		}
		total := s.Total.Parcel()
		if err := out.Currencies[at].Total.add(&total); err != nil {
			return nil, fmt.Errorf("%s contracts: %w", s.Currency, err)
		}
		if err := found[s.Currency].merge(s.Total.Groups); err != nil {
			return nil, fmt.Errorf("%s contracts: %w", s.Currency, err)
		}
	}
	for i := range out.Currencies {
		out.Currencies[i].Groups = found[out.Currencies[i].Currency].list()
	}
	out.Uncontracted = p.strayGroups(t)
	return out, nil
}

// Parcel is all of a line, as what its groups add up to.
func (l *Line) Parcel() Parcel {
	return Parcel{
		Kind: OfTotal, ContractedMs: l.ContractedMs, Buckets: l.Buckets, SMActiveMs: l.SMActiveMs, SMKnownMs: l.SMKnownMs,
		EnergyMJ: l.EnergyMJ, EnergyKnownMs: l.EnergyKnownMs, OverageMs: l.OverageMs, Cost: l.Cost,
	}
}

// strayGroups are the groups of the uncontracted GPUs. Nothing of them was
// contracted: their buckets are of the time that they stood.
func (p *Plan) strayGroups(t *tally) []Parcel {
	found := lots{}
	for i, x := range p.keys {
		if x.fate == Uncontracted {
			found.addKey(p, i, t)
		}
	}
	out := parcels{}
	for group, x := range found {
		*out.of(group) = Parcel{
			Kind: out.of(group).Kind, Group: group, Buckets: x.time,
			SMActiveMs: x.sums.SMActiveMs, SMKnownMs: x.sums.SMKnownMs, EnergyMJ: x.sums.EnergyMJ, EnergyKnownMs: x.sums.EnergyKnownMs,
		}
	}
	return out.list()
}
