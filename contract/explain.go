package contract

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Explanation says what one quantity of a contract is made of. Every list of
// contributions adds up to Whole, in time and in money.
type Explanation struct {
	Contract string    `json:"contract"`
	Period   string    `json:"period"`
	Currency string    `json:"currency"`
	Zone     string    `json:"billing_timezone"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	AsOf     time.Time `json:"as_of"`
	Quantity string    `json:"quantity"`
	Rule     string    `json:"rule"`
	Actor    string    `json:"who_can_act,omitempty"`
	// Buckets are those that the quantity is the sum of, with their time.
	Buckets      []Contribution `json:"buckets"`
	Whole        Contribution   `json:"whole"`
	ContractedMs int64          `json:"contracted_gpu_ms"`
	Contracted   Money          `json:"contracted"`
	// UnpricedMs is contracted time without a rate: it is in no amount.
	UnpricedMs int64           `json:"unpriced_gpu_ms"`
	Lists      []Contributions `json:"lists"`
}

// Contributions are the parts of a quantity by one thing: "tranche", "day" or a
// By.
type Contributions struct {
	By   string         `json:"by"`
	List []Contribution `json:"list"`
}

// Contribution is a part of a quantity.
type Contribution struct {
	Kind ParcelKind `json:"kind"`
	Name string     `json:"name,omitempty"` // of a group
	// Others is how many parts are in others.
	Others int   `json:"others,omitempty"`
	Ms     int64 `json:"gpu_ms"`
	Cost   Money `json:"cost"` // of the priced part
}

// ErrMoved is returned by Explain if the reports are not of the same data:
// records came in between.
var ErrMoved = errors.New("the reports are not of the same data")

// Explain says what a quantity of the one contract of some reports is made of,
// with the n largest contributions of each kind. The reports are answers to one
// question, each broken down by something else, or by nothing. Others in
// them stay others.
func Explain(q Quantity, n int, reports ...Report) (Explanation, error) {
	var out Explanation
	for i := range reports {
		r := &reports[i]
		if len(r.Contracts) != 1 {
			return Explanation{}, fmt.Errorf("explain %s: the report has %d contracts, not one", q.Name, len(r.Contracts))
		}
		s := &r.Contracts[0]
		l := &s.Total
		if i == 0 {
			out = explained(q, r, s)
			out.addList("tranche", n, each(s.Tranches, func(l *Line) Contribution { return q.part(l.Tranche, l.Buckets, l.Cost.Buckets) }))
			out.addList("day", n, each(l.Days, func(d *Day) Contribution { return q.part(d.Date, d.Buckets, d.Cost) }))
		}
		if r.Breakdown != nil {
			out.addList(string(r.Breakdown.By), n, each(l.Groups, func(p *Parcel) Contribution {
				c := q.part(p.Group, p.Buckets, p.Cost.Buckets)
				c.Kind, c.Others = p.Kind, p.Others
				return c
			}))
		}
	}
	for _, list := range out.Lists {
		sum := Contribution{Kind: OfTotal}
		for _, c := range list.List {
			sum.Ms += c.Ms
			sum.Cost += c.Cost
		}
		if sum != out.Whole {
			return Explanation{}, fmt.Errorf("explain %s by %s: %d GPU-ms for %s, of %d for %s: %w",
				q.Name, list.By, sum.Ms, sum.Cost, out.Whole.Ms, out.Whole.Cost, ErrMoved)
		}
	}
	return out, nil
}

func explained(q Quantity, r *Report, s *Statement) Explanation {
	l := &s.Total
	out := Explanation{
		Contract: s.Contract, Period: r.Period, Currency: s.Currency, Zone: s.Zone, From: s.From, To: s.To, AsOf: r.AsOf,
		Quantity: q.Name, Rule: q.Rule, Actor: q.Actor(), Whole: q.part("", l.Buckets, l.Cost.Buckets),
		ContractedMs: l.ContractedMs, Contracted: l.Cost.Contracted, UnpricedMs: l.Cost.UnpricedMs,
	}
	out.Whole.Kind = OfTotal
	for _, b := range q.Buckets {
		out.Buckets = append(out.Buckets, Contribution{Kind: OfGroup, Name: b.String(), Ms: l.Buckets[b], Cost: l.Cost.Buckets[b]})
	}
	return out
}

// part is what a quantity has of some time and amounts.
func (q *Quantity) part(name string, t Time, a Amounts) Contribution {
	return Contribution{Kind: OfGroup, Name: name, Ms: q.Ms(t), Cost: q.Cost(a)}
}

// addList adds the n largest of a list; the rest are others, and what has no
// group is last. Parts that are nothing are left out.
func (x *Explanation) addList(by string, n int, list []Contribution) {
	out := Contributions{By: by, List: []Contribution{}}
	others, rest := Contribution{Kind: OfOthers}, Contribution{Kind: OfUnattributed}
	slices.SortStableFunc(list, func(a, b Contribution) int {
		return cmp.Or(cmp.Compare(b.Ms, a.Ms), cmp.Compare(b.Cost, a.Cost), cmp.Compare(a.Name, b.Name))
	})
	for _, c := range list {
		switch {
		case c.Ms == 0 && c.Cost == 0:
		case c.Kind == OfUnattributed:
			rest.Ms, rest.Cost = rest.Ms+c.Ms, rest.Cost+c.Cost
		case c.Kind == OfGroup && len(out.List) < n:
			out.List = append(out.List, c)
		default:
			others.Others += max(c.Others, 1)
			others.Ms, others.Cost = others.Ms+c.Ms, others.Cost+c.Cost
		}
	}
	for _, c := range []Contribution{others, rest} {
		if c.Ms != 0 || c.Cost != 0 {
			out.List = append(out.List, c)
		}
	}
	x.Lists = append(x.Lists, out)
}

// Contributors are what a quantity is best broken down by.
func (q *Quantity) Contributors() []By {
	switch q.Name {
	case "undelivered": // no GPU stood, and nobody held it: its tranches and days tell
		return nil
	case "allocated", "idle", "unmeasured", "busy":
		return []By{ByTeam, ByHolder, ByNode}
	}
	return []By{ByNode}
}
