package contract

import (
	"cmp"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// swapped is a Swap with where it happened.
type swapped struct {
	Swap
	old *Presence
}

// swapsOf finds the GPUs that said goodbye and those that took their places:
// the next new ones in the same node, within Decommission.
func swapsOf(presences []Presence) []swapped {
	machines := MachinesOf(presences)
	byNode := map[Machine][]*Presence{}
	for i := range presences {
		m := machines.Of(&presences[i])
		byNode[m] = append(byNode[m], &presences[i])
	}
	var out []swapped
	for _, list := range byNode {
		out = append(out, swapsIn(list)...)
	}
	slices.SortFunc(out, func(a, b swapped) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Old, b.Old))
	})
	return out
}

// swapsIn pairs the goodbyes of one node with what came after them, each once.
func swapsIn(list []*Presence) []swapped {
	slices.SortFunc(list, func(a, b *Presence) int {
		return cmp.Or(cmp.Compare(a.StartMs, b.StartMs), cmp.Compare(a.GPU, b.GPU))
	})
	first := map[string]int64{}
	for _, p := range list {
		if _, ok := first[p.GPU]; !ok {
			first[p.GPU] = p.StartMs
		}
	}
	leaving := slices.DeleteFunc(slices.Clone(list), func(p *Presence) bool { return !p.Goodbye || usage.IsSlot(p.GPU) })
	slices.SortStableFunc(leaving, func(a, b *Presence) int { return cmp.Compare(a.EndMs, b.EndMs) })
	taken := map[string]bool{}
	var out []swapped
	for _, old := range leaving {
		for _, p := range list {
			if p.GPU == old.GPU || taken[p.GPU] || p.StartMs != first[p.GPU] || p.Model != old.Model {
				continue
			}
			if p.StartMs >= old.EndMs && p.StartMs-old.EndMs <= Decommission.Milliseconds() {
				taken[p.GPU] = true
				out = append(out, swapped{Swap{Node: old.Node, Old: old.GPU, New: p.GPU, At: time.UnixMilli(p.StartMs).UTC()}, old})
				break
			}
		}
	}
	return out
}

// replaced remarks upon the GPUs of a contract that were replaced within the
// period, by model.
func replaced(s *Statement, c *Contract, swaps []swapped) []Remark {
	var out []Remark
	tranches := slots([]Contract{*c})
	for i := range swaps {
		x := &swaps[i]
		ours := slices.ContainsFunc(tranches, func(t slot) bool { return t.fails(x.old) == hurdleNone })
		if x.At.Before(s.From) || !x.At.Before(s.To) || !ours {
			continue
		}
		k := slices.IndexFunc(out, func(m Remark) bool { return m.Model == x.old.Model })
		if k < 0 {
			k = len(out)
			out = append(out, Remark{Kind: RemarkReplaced, Contract: s.Contract, Model: x.old.Model, Currency: s.Currency})
		}
		out[k].GPUs++
		out[k].Swaps = append(out[k].Swaps, x.Swap)
	}
	return out
}
