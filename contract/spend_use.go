package contract

import (
	"fmt"
	"strings"
)

// use states a continuous commitment: what was used of it and what was lost.
func (a *account) use(out *CommitmentSpend) error {
	out.Status = SpendRunning
	switch {
	case a.in.AtMs <= a.m.FromMs:
		out.Status = SpendFuture
	case a.throughMs == a.m.FromMs:
		out.Status = SpendUnknown
	case a.in.AtMs >= a.m.EndMs:
		out.Status = SpendOver
	}
	if a.throughMs == a.m.FromMs {
		return nil
	}
	byBill, byMeter, drawn, err := a.drawn(a.term())
	if err != nil {
		return err
	}
	out.Billed, out.Metered, out.Drawn = byBill, byMeter, &Figure{drawn, a.basis()}
	if out.Use, err = a.useByStatus(); err != nil || out.Use != nil {
		return err
	}
	out.Use, err = a.useByInterval()
	return err
}

// useByStatus adds up what the cloud's rows call used and unused of the
// commitment; nil if no row names it. Overage is what else is eligible and no
// commitment covered.
func (a *account) useByStatus() (*Use, error) {
	var used, left, over Money
	found := false
	add := func(to *Money, m Money) (err error) {
		*to, err = plus(*to, m)
		return err
	}
	for b, yes := range a.billed.concerns {
		if !yes {
			continue
		}
		for i := range a.bills[b].Charges {
			x := &a.bills[b].Charges[i]
			cost, _ := x.Costs.Of(EffectiveCost)
			of, category := x.Columns["CommitmentDiscountId"], x.Columns["ChargeCategory"]
			if category != "Usage" || x.FromMs < a.m.FromMs || x.FromMs >= min(a.m.EndMs, a.in.AtMs) {
				continue
			}
			var err error
			switch _, eligible := a.m.Eligible.Of(func(d string) string { return x.Columns[d] }); {
			case strings.EqualFold(of, a.m.cloudID()) && x.Columns["CommitmentDiscountStatus"] == "Unused":
				found, err = true, add(&left, cost)
			case strings.EqualFold(of, a.m.cloudID()):
				found, err = true, add(&used, cost)
			case of == "" && eligible:
				err = add(&over, cost)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if !found {
		return nil, nil
	}
	return &Use{
		Used: Figure{used, "billed: effective cost of what it covered"}, Unused: Figure{left, "billed: effective cost of what it did not cover"},
		Overage: Figure{over, "billed: effective cost of eligible usage without a commitment"},
	}, nil
}

// useByInterval compares what was drawn in each interval that is over and
// known with its amount. Hours cannot be told from charges kept by the day.
func (a *account) useByInterval() (*Use, error) {
	if a.m.Interval == Hourly {
		return nil, nil
	}
	var u Use
	for _, s := range a.c.intervals(a.m) {
		if s.toMs > a.throughMs {
			break
		}
		if len(s.without(a.known)) > 0 {
			continue
		}
		_, _, drawn, err := a.drawn(s)
		if err != nil {
			return nil, err
		}
		used := min(max(0, drawn), a.m.PerInterval)
		u.Intervals++
		for _, x := range []struct {
			to *Money
			m  Money
		}{{&u.Used.Amount, used}, {&u.Unused.Amount, a.m.PerInterval - used}, {&u.Overage.Amount, max(0, drawn-used)}} {
			if *x.to, err = plus(*x.to, x.m); err != nil {
				return nil, err
			}
		}
	}
	basis := fmt.Sprintf("%s, of %d intervals that are over", a.basis(), u.Intervals)
	u.Used.Basis, u.Unused.Basis, u.Overage.Basis = basis, basis, basis
	return &u, nil
}
