package contract

import "fmt"

// schedule adds what the contracted capacity comes to from Through on, if all
// of it is delivered and paid, and what stands for it now goes on to. Without capacity, or where any of it has no
// price, there is none.
func (a *account) schedule(out *CommitmentSpend, drawn Money) error {
	left := timeSpan{a.throughMs, a.m.EndMs}
	if len(a.capacity) == 0 || !a.priced(left) {
		return nil
	}
	p := Projection{Name: "scheduled"}
	if err := a.finish(out, &p, a.value, drawn); err != nil {
		return err
	}
	more, err := a.value(left)
	if err != nil {
		return err
	}
	perDay, err := mulDiv(more, oneDayMs, left.ms())
	if err != nil {
		return err
	}
	p.Drawn = Figure{drawn, a.basis()}
	p.PerDay = Figure{perDay, fmt.Sprintf("%s of %s ÷ %s days", more.Exact(), a.capacityText(), daysText(left.ms()))}
	p.AtEnd.Basis = fmt.Sprintf("%s drawn + %s of %s", drawn.Exact(), more.Exact(), a.capacityText())
	out.Scheduled = &p
	return nil
}

// capacityText says how capacity is priced.
func (a *account) capacityText() string {
	n := 0
	for _, tranches := range a.stood {
		for i := range tranches {
			for _, gpus := range tranches[i].Accepted {
				n += gpus
			}
		}
	}
	if n == 0 {
		return "contracted capacity × rate"
	}
	return fmt.Sprintf("contracted capacity × rate, the %s GPUs of accepted models at their own", Grouped(int64(n)))
}

// priced reports whether all contracted time of a span has a price.
func (a *account) priced(s timeSpan) bool {
	for _, c := range a.capacity {
		for i := range c.Tranches {
			if !c.Tranches[i].isPriced(s) {
				return false
			}
		}
	}
	return true
}

// value is what the contracted capacity of a span costs, with what stands now.
func (a *account) value(s timeSpan) (Money, error) {
	var sum Money
	for k, c := range a.capacity {
		for i := range c.Tranches {
			m, err := c.Tranches[i].valueOf(s, &a.stood[k][i])
			if err != nil {
				return 0, err
			}
			if sum, err = add(sum, m); err != nil {
				return 0, err
			}
		}
	}
	return sum, nil
}

// Price is what the contracted time of a half-open span costs as bought, each rate
// rounded half even; false where any of it has no price.
func (t *Tranche) Price(fromMs, toMs int64) (Money, bool, error) {
	s := timeSpan{fromMs, toMs}
	if !t.isPriced(s) {
		return 0, false, nil
	}
	m, err := t.valueOf(s, &Stood{})
	return m, err == nil, err
}

func (t *Tranche) isPriced(s timeSpan) bool {
	for _, piece := range t.priced(s.fromMs, s.toMs) {
		if piece.rate == unpriced && t.contractedMs(piece.fromMs, piece.toMs) > 0 {
			return false
		}
	}
	return true
}

// valueOf is what the priced part of a span costs, with what stands in the seats:
// the time under each rate and of each model is rounded half even.
func (t *Tranche) valueOf(s timeSpan, stood *Stood) (Money, error) {
	ms := map[key]int64{}
	for _, piece := range t.priced(s.fromMs, s.toMs) {
		for _, r := range stood.rows() {
			ms[key{rate: piece.rate, sub: r.sub}] += t.seatMs(r, piece.fromMs, piece.toMs)
		}
	}
	var sum Money
	for k, v := range ms {
		r := t.rateOf(k)
		if r == nil {
			continue
		}
		m, err := total(v, r.committed())
		if err != nil {
			return 0, err
		}
		if sum, err = add(sum, m); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// infeasible finds the first day on which what is left, if the recent rate
// goes on until then, is more than contracted capacity and other services can
// draw until the end.
func (a *account) infeasible(out *CommitmentSpend, now *Projection) error {
	left := timeSpan{a.throughMs, a.m.EndMs}
	if (len(a.capacity) == 0 && a.m.OtherPerDay == 0) || !a.priced(left) || now.Shortfall.Amount == 0 {
		return nil
	}
	rate := goesOn(now.PerDay.Amount, oneDayMs)
	for _, d := range daysOf(left.fromMs, left.toMs, a.c.Zone) {
		room, err := a.room(timeSpan{d.fromMs, left.toMs})
		if err != nil {
			return err
		}
		drawn, err := rate(timeSpan{left.fromMs, d.fromMs})
		if err != nil {
			return err
		}
		rest, err := plus(out.Remaining.Amount, -drawn)
		if err != nil {
			return err
		}
		if rest <= room {
			continue
		}
		out.Infeasible = &Infeasible{d.date, fmt.Sprintf("%s left then, at the rate of %s; contracted capacity and other services can draw %s", rest.Figure(), now.Name, room.Figure())}
		if d.fromMs == left.fromMs {
			out.Status = SpendInfeasible
		}
		return nil
	}
	return nil
}

// room is the most that can be drawn in a span.
func (a *account) room(s timeSpan) (Money, error) {
	capacity, err := a.value(s)
	if err != nil {
		return 0, err
	}
	other, err := mulDiv(a.m.OtherPerDay, s.ms(), oneDayMs)
	if err != nil {
		return 0, err
	}
	return add(capacity, other)
}
