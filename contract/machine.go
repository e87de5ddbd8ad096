package contract

import (
	"cmp"
	"slices"
	"strings"
)

// Machine is a node in its cloud: the names of nodes are unique no further, and
// two clouds, accounts, regions or clusters may have a node of one name. Empty
// is unknown.
type Machine struct{ Node, Provider, Account, Region, Cluster string }

// Machine is where the presence stands.
func (p *Presence) Machine() Machine {
	return Machine{p.Node, p.Provider, p.Account, p.Region, p.Cluster}
}

// knows reports whether m says all that o says, of the same node.
func (m Machine) knows(o Machine) bool {
	says := func(a, b string) bool { return b == "" || a == b }
	return m.Node == o.Node && says(m.Provider, o.Provider) && says(m.Account, o.Account) && says(m.Region, o.Region) && says(m.Cluster, o.Cluster)
}

// Compare orders machines by node, and then from the widest.
func (m Machine) Compare(o Machine) int {
	return cmp.Or(cmp.Compare(m.Node, o.Node), cmp.Compare(m.Provider, o.Provider), cmp.Compare(m.Account, o.Account),
		cmp.Compare(m.Region, o.Region), cmp.Compare(m.Cluster, o.Cluster))
}

// String joins what is known, the widest first: "aws/123/us-east-1/n1".
func (m Machine) String() string {
	var parts []string
	for _, s := range []string{m.Provider, m.Account, m.Region, m.Cluster, m.Node} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "/")
}

// Machines tell nodes apart. An agent that has not asked its cloud yet knows
// less of its node than later: where only one of the machines of that name that
// are known best fits, it is that one.
type Machines struct {
	best map[Machine]Machine
	// alike are how many machines there are of one name.
	alike map[string]int
}

// MachinesOf tells the nodes of the presences, and more, apart. The order does
// not matter.
func MachinesOf(presences []Presence, more ...Machine) Machines {
	byName := map[string][]Machine{}
	seen := map[Machine]bool{}
	add := func(m Machine) {
		if !seen[m] {
			seen[m] = true
			byName[m.Node] = append(byName[m.Node], m)
		}
	}
	var before Machine
	for i := range presences {
		if m := presences[i].Machine(); i == 0 || m != before { // the GPUs of a node stand together, as a rule
			add(m)
			before = m
		}
	}
	for _, m := range more {
		add(m)
	}
	out := Machines{make(map[Machine]Machine, len(seen)), make(map[string]int, len(byName))}
	for name, list := range byName {
		best, different := knownBest(list), map[Machine]bool{}
		for _, m := range list {
			out.best[m] = m.among(best)
			different[out.best[m]] = true
		}
		out.alike[name] = len(different)
	}
	return out
}

// knownBest returns those of different machines of one name that no other says
// more of.
func knownBest(list []Machine) []Machine {
	return slices.DeleteFunc(slices.Clone(list), func(m Machine) bool {
		return slices.ContainsFunc(list, func(o Machine) bool { return o != m && o.knows(m) })
	})
}

// among returns the one that fits of the machines that are known best, or m
// where several do.
func (m Machine) among(best []Machine) Machine {
	fits := slices.DeleteFunc(slices.Clone(best), func(o Machine) bool { return !o.knows(m) })
	if len(fits) == 1 {
		return fits[0]
	}
	return m
}

// Of returns the machine that a presence stands in, and the same for all that
// stand in it.
func (m Machines) Of(p *Presence) Machine { return m.Known(p.Machine()) }

// Known returns what a machine is known as best.
func (m Machines) Known(x Machine) Machine {
	if best, ok := m.best[x]; ok {
		return best
	}
	return x
}

// Name names a machine for people: by its node alone where no other has the
// same.
func (m Machines) Name(x Machine) string {
	if m.alike[x.Node] < 2 {
		return x.Node
	}
	return m.Known(x).String()
}
