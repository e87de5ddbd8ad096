package focus

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

const dayMs = 86_400_000

// Limits of a delivery, which is held in memory while it is made and whenever
// it is read.
const (
	maxCharges = 2_000_000
	maxSets    = 500_000 // distinct sets of columns
	maxBills   = 10_000
	maxStated  = 100_000
)

// span is a half-open span of time in Unix milliseconds.
type span struct{ from, to int64 }

// billKey tells bills apart within a delivery.
type billKey struct {
	provider, account, currency string
	span
}

// chargeKey is what charges must have in common to be added up.
type chargeKey struct {
	bill, columns int
	span
	known   uint8
	applied string // their ids, joined
}

// sums are the exact sums of one charge, and the span that its rows cover: an
// export that ends at noon must not spread the morning over the day.
type sums struct {
	span
	costs   [4]big.Int
	applied []applied
}

// draft is a delivery while files are read into it.
type draft struct {
	provider string // of all rows, where it is not empty
	complete bool   // nothing more will come
	now      time.Time

	bills   map[billKey]int
	reaches []int64 // up to when metered charges of a bill go
	keys    []billKey
	sets    map[string]int
	columns []contract.Columns
	charges map[chargeKey]*sums
	order   []chargeKey
	stated  []contract.StatedCommitment
}

func newDraft(o Options) *draft {
	return &draft{provider: o.Provider, complete: o.Complete, now: o.Now, bills: map[billKey]int{}, sets: map[string]int{}, charges: map[chargeKey]*sums{}}
}

// put adds one row. Rows of one UTC day, alike in all columns, are one charge.
func (d *draft) put(bill billKey, columns []string, charge span, costs [4]*decimal, known uint8, of []applied, metered bool) error {
	b, err := d.bill(bill, charge, metered)
	if err != nil {
		return err
	}
	set, err := d.set(columns)
	if err != nil {
		return err
	}
	key := chargeKey{bill: b, columns: set, span: wholeDay(charge), known: known, applied: joined(of)}
	s := d.charges[key]
	if s == nil {
		if len(d.charges) >= maxCharges {
			return fmt.Errorf("makes more than %d different charges: import fewer months at a time", maxCharges)
		}
		s = &sums{span: charge}
		for _, a := range of {
			s.applied = append(s.applied, applied{strings.Clone(a.commitment), a.own, new(big.Int)})
		}
		d.charges[key] = s
		d.order = append(d.order, key)
	}
	s.from, s.to = min(s.from, charge.from), max(s.to, charge.to)
	for i, cost := range costs {
		if cost != nil {
			s.costs[i].Add(&s.costs[i], cost)
		}
	}
	for i, a := range of {
		s.applied[i].cost.Add(s.applied[i].cost, a.cost)
	}
	return nil
}

// wholeDay is the UTC day of a span within one; longer spans and moments are
// what they are.
func wholeDay(s span) span {
	from := s.from - s.from%dayMs
	if s.to > s.from && s.to <= from+dayMs {
		return span{from, from + dayMs}
	}
	return s
}

func joined(of []applied) string {
	var b strings.Builder
	for _, a := range of {
		fmt.Fprintf(&b, "%q %t,", a.commitment, a.own)
	}
	return b.String()
}

func (d *draft) bill(key billKey, charge span, metered bool) (int, error) {
	i, ok := d.bills[key]
	if !ok {
		if len(d.keys) >= maxBills {
			return 0, fmt.Errorf("makes more than %d bills", maxBills)
		}
		key.provider, key.account, key.currency = strings.Clone(key.provider), strings.Clone(key.account), strings.Clone(key.currency)
		i = len(d.keys)
		d.bills[key] = i
		d.keys = append(d.keys, key)
		d.reaches = append(d.reaches, key.from)
	}
	if metered {
		d.reaches[i] = max(d.reaches[i], charge.to)
	}
	return i, nil
}

// set keeps each distinct set of columns once.
func (d *draft) set(values []string) (int, error) {
	key := strings.Join(values, "\x00")
	if i, ok := d.sets[key]; ok {
		return i, nil
	}
	if len(d.columns) >= maxSets {
		return 0, fmt.Errorf("makes more than %d different sets of columns: import fewer months at a time", maxSets)
	}
	columns := contract.Columns{}
	for i, v := range values {
		if v != "" {
			columns[contract.SpendDimensions[i]] = strings.Clone(v)
		}
	}
	d.sets[key] = len(d.columns)
	d.columns = append(d.columns, columns)
	return d.sets[key], nil
}

// coversTo says up to when a bill is complete: all of its period once that is
// over, if its metered charges go to the last day of it or it has none, and else
// as far as they go: an export of half a month is no month.
func (d *draft) coversTo(i int) int64 {
	k := &d.keys[i]
	over := d.now.UnixMilli() >= k.to
	if over && (d.complete || d.reaches[i] == k.from || d.reaches[i] > k.to-dayMs) {
		return k.to
	}
	return min(k.to, d.reaches[i], d.now.UnixMilli())
}

// finish rounds the sums and returns the bills.
func (d *draft) finish() ([]contract.Bill, error) {
	out := make([]contract.Bill, len(d.keys))
	for i, k := range d.keys {
		out[i] = contract.Bill{Provider: k.provider, Account: k.account, Currency: k.currency, FromMs: k.from, ToMs: k.to, CoversToMs: d.coversTo(i)}
	}
	for _, key := range d.order {
		c, err := d.charge(key)
		if err != nil {
			return nil, fmt.Errorf("add up the charges of %s from %s: %w", d.keys[key.bill].account, time.UnixMilli(key.from).UTC().Format(time.DateOnly), err)
		}
		out[key.bill].Charges = append(out[key.bill].Charges, c)
	}
	return out, nil
}

func (d *draft) charge(key chargeKey) (contract.Charge, error) {
	s := d.charges[key]
	c := contract.Charge{FromMs: s.from, ToMs: s.to, Columns: d.columns[key.columns]}
	for i := range s.costs {
		if key.known&(1<<i) == 0 {
			continue
		}
		var err error
		if c.Costs.Amount[i], err = money(&s.costs[i]); err != nil {
			return c, err
		}
		c.Costs.Known[i] = true
	}
	for _, a := range s.applied {
		m, err := money(a.cost)
		if err != nil {
			return c, err
		}
		c.Applied = append(c.Applied, contract.Applied{Commitment: a.commitment, Cost: m, Own: a.own})
	}
	return c, nil
}
