package contract_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// TestMachinesAgreeWithSlow folds what is less known into what is known best, in
// any order.
func TestMachinesAgreeWithSlow(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		var all []contract.Presence
		for range 1 + r.IntN(8) {
			all = append(all, contract.Presence{Node: pick(r, "n0", "n1"), Provider: pick(r, "", "aws", "azure"), Account: pick(r, "", "1", "2"),
				Region: pick(r, "", "east"), Cluster: pick(r, "", "k1", "k2")})
		}
		m := contract.MachinesOf(shuffled(r, all))
		for i := range all {
			is := m.Of(&all[i])
			if want := slowMachine(all[i], all); [5]string{is.Node, is.Provider, is.Account, is.Region, is.Cluster} != want {
				t.Fatalf("seed %d: %+v is in %v, want %v", seed, all[i].Machine(), is, want)
			}
			for k := range all {
				same := m.Of(&all[k]) == is
				if (m.Name(all[k].Machine()) == m.Name(all[i].Machine())) != same {
					t.Fatalf("seed %d: %+v and %+v are named %q and %q", seed, all[i].Machine(), all[k].Machine(), m.Name(all[i].Machine()), m.Name(all[k].Machine()))
				}
			}
		}
	}
}

// TestNodesOfOneNameAreTwo has a node n1 in each of two accounts: what befalls
// one says nothing of the other.
func TestNodesOfOneNameAreTwo(t *testing.T) {
	lot := tranche("h100", 4, 0, 10)
	lot.Delivery.Unit = contract.DeliverNode
	in := func(account string) func(*contract.Presence) {
		return func(p *contract.Presence) { p.Account = account }
	}
	presences := []contract.Presence{
		stood("a", "n1", 0, 10, unit(1), in("1")), stood("b", "n1", 0, 10, unit(2), in("1")),
		stood("c", "n1", 0, 10, unit(3), in("2")), stood("d", "n1", 4, 10, unit(4), in("2")),
	}
	contracts := bought(lot)
	placed := contract.Place(contracts, presences, h(10))
	down := 0
	for _, x := range contract.Ground(contracts, placed, presences, []contract.Outage{{Unit: 1, FromMs: h(3), ToMs: h(5)}}).List {
		if x.Down {
			down++
			if x.GPU != "a" && x.GPU != "b" {
				t.Errorf("%s is down with a node of another account", x.GPU)
			}
		}
	}
	if down != 2 {
		t.Errorf("%d GPUs are down, want 2", down)
	}

	// One leaves in one account, another comes in the other: no swap.
	presences[0].EndMs, presences[0].Goodbye = h(3), true
	plan := contract.NewPlanBy(contract.Grouping{By: contract.ByNode, Presences: presences}, contracts, contract.Place(contracts, presences, h(10)), []contract.Period{span(0, 10)}, span(0, 10))
	rep, err := plan.Build(answer(plan.Query(), nil), time.UnixMilli(h(10)))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range contract.Remarks(&rep, contracts, presences) {
		if m.Kind == contract.RemarkReplaced {
			t.Errorf("%+v", m)
		}
	}
	var groups []string
	for _, g := range rep.Contracts[0].Total.Groups {
		groups = append(groups, g.Group)
	}
	if want := "[aws/2/us-east-1/n1 aws/1/us-east-1/n1 ]"; fmt.Sprint(groups) != want {
		t.Errorf("groups = %v, want %s", groups, want)
	}
}
