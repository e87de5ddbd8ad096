package contract

import (
	"errors"
	"slices"
)

// errStatement says that a statement is not one of the contract's own.
var errStatement = errors.New("the days of the statement are not those of its period in the contract's zone")

// drawing is an amount that a commitment was drawn down by, over a span of
// time, evenly; an empty span is a moment.
type drawing struct {
	timeSpan
	amount Money
}

// until is how much of the drawing lies before a time. The differences of
// growing times add up to the amount.
func (d drawing) until(ms int64) (Money, error) {
	switch {
	case ms >= d.toMs && ms > d.fromMs:
		return d.amount, nil
	case ms <= d.fromMs:
		return 0, nil
	}
	return truncDiv(d.amount, ms-d.fromMs, d.toMs-d.fromMs)
}

// drawings are all that a commitment was drawn down by.
type drawings []drawing

// between is what was drawn in a span.
func (c drawings) between(s timeSpan) (Money, error) {
	var sum Money
	for _, d := range c {
		before, err := d.until(s.fromMs)
		if err != nil {
			return 0, err
		}
		after, err := d.until(max(s.fromMs, s.toMs))
		if err != nil {
			return 0, err
		}
		if sum, err = plus(sum, after-before); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// billed is what the bills say of a commitment.
type billed struct {
	drawings drawings
	covers   []timeSpan // what bills cover of the term
	unused   Money      // of the commitment, as billed
	left     []LeftOut
	concerns []bool // by bill
}

// readBills adds up the charges of the bills that draw a commitment down.
func readBills(c *Contract, m *Commitment, bills []Bill) (billed, error) {
	out := billed{concerns: make([]bool, len(bills))}
	sums := map[timeSpan]Money{}
	foreign, noCost := 0, 0
	for i := range bills {
		b := &bills[i]
		if b.Provider != c.Provider {
			continue
		}
		if b.Currency != c.Currency {
			foreign += len(b.Charges)
			continue
		}
		out.concerns[i] = true
		out.covers = append(out.covers, timeSpan{b.FromMs, b.CoversToMs}.clip(timeSpan{m.FromMs, m.EndMs}))
		n, err := out.read(b, m, sums)
		if err != nil {
			return billed{}, err
		}
		noCost += n
	}
	out.covers = union(out.covers)
	for span, amount := range sums {
		out.drawings = append(out.drawings, drawing{span, amount})
	}
	slices.SortFunc(out.drawings, func(a, b drawing) int { return a.compare(b.timeSpan) })
	out.left = leftOut(out.left, foreign, "billed in another currency than "+c.Currency)
	out.left = leftOut(out.left, noCost, "the export states no "+string(m.Basis)+" cost")
	return out, nil
}

// read adds up one bill by charge period, and returns how many charges lacked
// the cost that counts.
func (o *billed) read(b *Bill, m *Commitment, sums map[timeSpan]Money) (noCost int, err error) {
	named := b.names(m)
	for i := range b.Charges {
		x := &b.Charges[i]
		amount, fate, err := x.toward(m, named)
		if err != nil {
			return 0, err
		}
		switch fate {
		case draws:
			span := timeSpan{x.FromMs, x.ToMs}
			if x.once() {
				span.toMs = span.fromMs
			}
			sums[span], err = plus(sums[span], amount)
		case unused:
			o.unused, err = plus(o.unused, amount)
		case costless:
			noCost++
		}
		if err != nil {
			return 0, err
		}
	}
	return noCost, nil
}

func leftOut(list []LeftOut, n int, reason string) []LeftOut {
	if n == 0 {
		return list
	}
	return append(list, LeftOut{reason, n})
}

// MeteredDay is what a contract's capacity cost in one day, as metered:
// delivered and undelivered time at the committed rate, overage at its own.
type MeteredDay struct {
	FromMs, ToMs                    int64
	Delivered, Undelivered, Overage Money
}

// MeteredDays reads the days of a statement of the contract. Overage, which a
// statement prices as a whole, is shared out over the days by its time.
func (c *Contract) MeteredDays(s *Statement) ([]MeteredDay, error) {
	days := daysOf(s.From.UnixMilli(), s.To.UnixMilli(), c.Zone)
	if len(days) != len(s.Total.Days) {
		return nil, errStatement
	}
	var out []MeteredDay
	var ms int64
	var given Money
	for i, d := range days {
		x := &s.Total.Days[i]
		ms += x.OverageMs
		upTo, err := truncDiv(s.Total.Cost.Overage, ms, max(1, s.Total.OverageMs))
		if err != nil {
			return nil, err
		}
		undelivered := x.Cost[Undelivered]
		out = append(out, MeteredDay{d.fromMs, d.toMs, x.Cost.Total() - undelivered, undelivered, upTo - given})
		given = upTo
	}
	return out, nil
}

// meter makes drawings of the metered days where nothing else covers them.
func meter(days []MeteredDay, term timeSpan, covered []timeSpan) (drawings, []timeSpan, error) {
	var out drawings
	var spans []timeSpan
	for _, d := range days {
		day := timeSpan{d.FromMs, d.ToMs}
		amount, err := plus(d.Delivered, d.Overage)
		if err != nil {
			return nil, nil, err
		}
		for _, free := range day.clip(term).without(covered) {
			before, err := drawing{day, amount}.until(free.fromMs)
			if err != nil {
				return nil, nil, err
			}
			after, err := drawing{day, amount}.until(free.toMs)
			if err != nil {
				return nil, nil, err
			}
			out = append(out, drawing{free, after - before})
			spans = append(spans, free)
		}
	}
	return out, union(spans), nil
}
