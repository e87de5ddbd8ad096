package duckdb

import (
	"context"
	"slices"

	"github.com/gpumeter/gpumeter/contract"
)

// Presence needs no table: see store.Store. Spans of a unit that several
// streams recorded are merged. A span has a goodbye if an event said so of the
// GPU in this node, or of this whole node, between the span's end and the
// unit's next span.
func (d *DB) Presence(context.Context) ([]contract.Presence, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	units := make([]spans, len(d.state.units.list))
	for c, s := range d.state.courses {
		u := &units[c.unit-1]
		if len(*u) == 0 {
			*u = s[:len(s):len(s)] // of one course as a rule: nothing is merged
			continue
		}
		*u = slices.Clone(*u)
		for _, x := range s {
			*u = u.add(x)
		}
	}
	out := slices.Grow([]contract.Presence(nil), len(d.state.courses))
	for i, s := range units {
		for j, x := range s {
			next := int64(-1)
			if j+1 < len(s) {
				next = s[j+1].fromMs
			}
			p := d.state.presence(i, x)
			p.Goodbye = d.state.saidGoodbye(d.state.units.list[i], x.toMs, next)
			out = append(out, p)
		}
	}
	return out, nil
}

// presence describes a span of the unit with index i.
func (s *state) presence(i int, x span) contract.Presence {
	u := s.units.list[i]
	n := &s.nodes.list[u.node-1]
	return contract.Presence{
		Unit: int64(i) + 1, GPU: u.gpu, Model: u.model, Node: n.Name,
		Provider: n.Cloud.Provider, Account: n.Cloud.Account, Region: n.Cloud.Region, Zone: n.Cloud.Zone,
		Reservation: n.Cloud.Reservation, InstanceType: n.Cloud.InstanceType, InstanceID: n.Cloud.InstanceID,
		Cluster: n.Cloud.Cluster, NodePool: n.Cloud.NodePool, Rack: n.Cloud.Rack,
		StartMs: x.fromMs, EndMs: x.toMs,
	}
}

// saidGoodbye reports whether a unit said goodbye in [fromMs, toMs); a negative
// toMs is open.
func (s *state) saidGoodbye(u unit, fromMs, toMs int64) bool {
	return slices.ContainsFunc(s.goodbyes[u.node], func(g goodbye) bool {
		return (g.gpu == "" || g.gpu == u.gpu) && fromMs <= g.atMs && (toMs < 0 || g.atMs < toMs)
	})
}
