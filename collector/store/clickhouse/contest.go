package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store/owner"
)

// dispute is time of one unit that its GPU may have been recorded twice in.
type dispute struct {
	unit int64
	owner.Span
}

// lost returns the claims to a GPU's time within a span that overlap one which
// owns. First it finds where to look: where the days of two feeds of one GPU
// overlap, or where a feed went back in time. There all claims are compared.
func (v view) lost(ctx context.Context, within owner.Span) ([]owner.Claim, error) {
	within = within.Widen()
	days, err := v.days(ctx, within)
	if err != nil {
		return nil, err
	}
	returns, err := v.returns(ctx, within)
	if err != nil {
		return nil, err
	}
	var numbers []int64
	for _, x := range days {
		numbers = append(numbers, x.unit)
	}
	units, _, err := v.unitsOf(ctx, numbers)
	if err != nil {
		return nil, err
	}
	disputes := disputesOf(days, returns, units, within)
	if len(disputes) == 0 {
		return nil, nil
	}
	claims, err := v.claimsTo(ctx, disputes, units, within)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(claims, func(a, b owner.Claim) int {
		return cmp.Or(cmp.Compare(a.GPU, b.GPU), cmp.Compare(a.FromMs, b.FromMs))
	})
	var s owner.Sweep
	for _, c := range claims {
		s.Add(c)
	}
	return s.Lost(), nil
}

// disputesOf finds the time of each unit in which its GPU may have been
// recorded twice, under whatever unit.
func disputesOf(days []day, returns map[feed][]owner.Span, units map[int64]unit, within owner.Span) []dispute {
	type gpu struct {
		units map[int64]bool
		feeds map[feed][]owner.Span
	}
	gpus := map[string]*gpu{}
	for _, x := range days {
		g := gpus[units[x.unit].gpu]
		if g == nil {
			g = &gpu{map[int64]bool{}, map[feed][]owner.Span{}}
			gpus[units[x.unit].gpu] = g
		}
		g.units[x.unit] = true
		g.feeds[x.feed] = append(g.feeds[x.feed], x.Span)
	}
	var out []dispute
	for _, g := range gpus {
		for _, x := range contested(g.feeds, returns) {
			if x = x.Clip(within); x.Empty() {
				continue
			}
			for u := range g.units {
				out = append(out, dispute{u, x})
			}
		}
	}
	return out
}

// contested returns the time that two feeds have in common, or that one of
// them went back to, as disjoint spans.
func contested(feeds map[feed][]owner.Span, returns map[feed][]owner.Span) []owner.Span {
	var all []owner.Span
	var before [][]owner.Span
	for f, x := range feeds {
		all = append(all, returns[f]...)
		x = owner.Union(x)
		for _, y := range before {
			all = owner.Common(all, x, y)
		}
		before = append(before, x)
	}
	return owner.Union(all)
}

// block is a stretch of numbers of one feed: the span of its batches, and the
// spans of those of them that overlap.
type block struct {
	feed
	owner.Span
	twice []owner.Span
}

// returns finds where feeds went back in time: the spans of batches that
// overlap others of their feed, as when a clock was set back.
func (v view) returns(ctx context.Context, within owner.Span) (map[feed][]owner.Span, error) {
	asked, err := v.partTable([]owner.Span{within})
	if err != nil {
		return nil, err
	}
	blocks, err := gather(ctx, v.DB, v.ask(sqlReturns, bounds(within), asked), func(r driver.Rows) (b block, err error) {
		var from, to []int64
		err = r.Scan(&b.agent, &b.epoch, &b.FromMs, &b.ToMs, &from, &to)
		for i := range min(len(from), len(to)) {
			b.twice = append(b.twice, owner.Span{FromMs: from[i], ToMs: to[i]})
		}
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("look for clocks that were set back: %w", err)
	}
	out, hulls := map[feed][]owner.Span{}, map[feed][]owner.Span{}
	for _, b := range blocks {
		out[b.feed] = append(out[b.feed], b.twice...)
		for _, x := range hulls[b.feed] {
			if y := x.Clip(b.Span); !y.Empty() {
				out[b.feed] = append(out[b.feed], y)
			}
		}
		hulls[b.feed] = append(hulls[b.feed], b.Span)
	}
	return out, nil
}

// claimsTo returns all claims in disputed time.
func (v view) claimsTo(ctx context.Context, disputes []dispute, units map[int64]unit, within owner.Span) ([]owner.Claim, error) {
	disputed, err := table("disputed", disputes, func(x dispute) []any { return []any{x.unit, x.FromMs, x.ToMs} },
		ext.Column("unit", "Int64"), ext.Column("lo", "Int64"), ext.Column("hi", "Int64"))
	if err != nil {
		return nil, err
	}
	asked, err := v.partTable([]owner.Span{within})
	if err != nil {
		return nil, err
	}
	return gather(ctx, v.DB, v.ask(sqlDisputed, bounds(within), disputed, asked), func(r driver.Rows) (c owner.Claim, err error) {
		var fixed uint8
		err = r.Scan(&c.Unit, &c.Agent, &c.Epoch, (*string)(&c.Evidence), &c.Seq, &c.FromMs, &c.ToMs, &fixed)
		c.Fixed = fixed == 1
		c.GPU = units[c.Unit].gpu
		return c, err
	})
}
