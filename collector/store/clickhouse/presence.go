package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// goodbye is a goodbye event of a GPU in a node, or of the node if gpu is empty.
type goodbye struct {
	node int64
	gpu  string
	atMs int64
}

// Presence adds up the days of every unit: see store.Store.
func (d *DB) Presence(ctx context.Context) ([]contract.Presence, error) {
	v, err := d.settle(ctx)
	if err != nil {
		return nil, fmt.Errorf("read presence: %w", err)
	}
	out, err := v.presence(ctx)
	if err != nil {
		return nil, fmt.Errorf("read presence: %w", err)
	}
	return out, nil
}

func (v view) presence(ctx context.Context) ([]contract.Presence, error) {
	spans, err := v.there(ctx)
	if err != nil {
		return nil, err
	}
	numbers := slices.Collect(maps.Keys(spans))
	slices.Sort(numbers)
	units, nodes, err := v.unitsOf(ctx, numbers)
	if err != nil {
		return nil, err
	}
	goodbyes, err := v.goodbyes(ctx)
	if err != nil {
		return nil, err
	}
	var out []contract.Presence
	for _, number := range numbers {
		u := units[number]
		for i, x := range spans[number] {
			next := int64(-1)
			if i+1 < len(spans[number]) {
				next = spans[number][i+1].FromMs
			}
			p := present(number, u, nodes[u.node], x)
			p.Goodbye = saidGoodbye(goodbyes[u.node], u.gpu, x.ToMs, next)
			out = append(out, p)
		}
	}
	return out, nil
}

// present describes a span of a unit.
func present(number int64, u unit, n usage.Node, x owner.Span) contract.Presence {
	return contract.Presence{
		Unit: number, GPU: u.gpu, Model: u.model, Node: n.Name,
		Provider: n.Cloud.Provider, Account: n.Cloud.Account, Region: n.Cloud.Region, Zone: n.Cloud.Zone,
		Reservation: n.Cloud.Reservation, InstanceType: n.Cloud.InstanceType, InstanceID: n.Cloud.InstanceID,
		Cluster: n.Cloud.Cluster, NodePool: n.Cloud.NodePool, Rack: n.Cloud.Rack,
		StartMs: x.FromMs, EndMs: x.ToMs,
	}
}

// saidGoodbye reports whether a GPU said goodbye in [fromMs, toMs); a negative
// toMs is open.
func saidGoodbye(list []goodbye, gpu string, fromMs, toMs int64) bool {
	return slices.ContainsFunc(list, func(g goodbye) bool {
		return (g.gpu == "" || g.gpu == gpu) && fromMs <= g.atMs && (toMs < 0 || g.atMs < toMs)
	})
}

// goodbyes returns all goodbyes by node.
func (v view) goodbyes(ctx context.Context) (map[int64][]goodbye, error) {
	all, err := gather(ctx, v.DB, v.ask(sqlGoodbyes, nil), func(r driver.Rows) (g goodbye, err error) {
		err = r.Scan(&g.node, &g.gpu, &g.atMs)
		return g, err
	})
	out := map[int64][]goodbye{}
	for _, g := range all {
		out[g.node] = append(out[g.node], g)
	}
	return out, err
}

// day is what one feed recorded of one unit, of what starts in one day: from
// the first start to the last end. Records whose starts lie in one day are less
// than a day of silence apart.
type day struct {
	unit int64
	feed
	owner.Span
}

// everything is more than all time that a record can be of.
var everything = owner.Span{FromMs: 0, ToMs: 1 << 62}

// days returns the days of all units in which there are records within a span.
func (v view) days(ctx context.Context, within owner.Span) ([]day, error) {
	asked, err := v.partTable([]owner.Span{within})
	if err != nil {
		return nil, err
	}
	return gather(ctx, v.DB, v.ask(sqlDays, bounds(within), asked), func(r driver.Rows) (x day, err error) {
		err = r.Scan(&x.unit, &x.agent, &x.epoch, &x.FromMs, &x.ToMs)
		return x, err
	})
}

// bounds are the numbers by which a statement finds the batches with records
// within a span.
func bounds(x owner.Span) map[string]int64 {
	return map[string]int64{"from": x.FromMs, "to": x.ToMs}
}

// hullOf returns the span from the first start to the last end of a batch's
// records; empty if it has none.
func hullOf(b *usage.Batch) owner.Span {
	var x owner.Span
	for i := range b.Records {
		r := owner.Span{FromMs: b.Records[i].StartMs, ToMs: b.Records[i].EndMs}
		if i == 0 {
			x = r
		}
		x = owner.Span{FromMs: min(x.FromMs, r.FromMs), ToMs: max(x.ToMs, r.ToMs)}
	}
	return x
}
