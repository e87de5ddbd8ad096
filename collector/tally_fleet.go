package collector

import (
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// silentAfter is how long after its last record a GPU is silent: two of the
// longest windows.
const silentAfter = 10 * time.Minute

// The states of a GPU, or of a node, in the fleet of now. What is silent for
// longer than contract.Decommission, or said goodbye, is in none.
const (
	fleetReporting = "reporting"
	fleetSilent    = "silent"
	fleetMissing   = "missing" // its node reports, and never saw it
)

// fleetCounts is how many GPUs and nodes there are by what is known of them.
type fleetCounts struct {
	GPUs  map[fleetKey]int
	Nodes map[fleetKey]int // without a model
}

type fleetKey struct{ Provider, Model, State string }

// slot is a place for a GPU that nobody has seen: its number is the node's.
type slot struct {
	machine contract.Machine
	gpu     string
}

// lastSeen is where each was seen last.
type lastSeen[K comparable] map[K]*contract.Presence

func (l lastSeen[K]) see(key K, p *contract.Presence) {
	if was := l[key]; was == nil || was.EndMs < p.EndMs {
		l[key] = p
	}
}

// countFleet counts each GPU and each node once, where it was seen last.
func countFleet(presences []contract.Presence, now time.Time) fleetCounts {
	gpus, slots, nodes := make(lastSeen[string], len(presences)), lastSeen[slot]{}, lastSeen[contract.Machine]{}
	machines := contract.MachinesOf(presences)
	var said, machine contract.Machine
	for i := range presences {
		p := &presences[i]
		if m := p.Machine(); i == 0 || m != said { // the GPUs of a node stand together, as a rule
			said, machine = m, machines.Of(p)
		}
		if usage.IsSlot(p.GPU) {
			slots.see(slot{machine, p.GPU}, p)
		} else {
			gpus.see(p.GPU, p)
		}
		nodes.see(machine, p)
	}
	out := fleetCounts{map[fleetKey]int{}, map[fleetKey]int{}}
	count := func(p *contract.Presence) {
		if state := fleetState(p, now); state != "" {
			out.GPUs[fleetKey{p.Provider, p.Model, state}]++
		}
	}
	for _, p := range gpus {
		count(p)
	}
	for _, p := range slots {
		count(p)
	}
	for _, p := range nodes {
		switch state := fleetState(p, now); state {
		case "":
		case fleetMissing:
			out.Nodes[fleetKey{p.Provider, "", fleetReporting}]++
		default:
			out.Nodes[fleetKey{p.Provider, "", state}]++
		}
	}
	return out
}

func fleetState(p *contract.Presence, now time.Time) string {
	silence := now.Sub(time.UnixMilli(p.EndMs))
	switch {
	case p.Goodbye || silence > contract.Decommission:
		return ""
	case silence > silentAfter:
		return fleetSilent
	case usage.IsSlot(p.GPU):
		return fleetMissing
	}
	return fleetReporting
}

// cutKey takes apart the key of an uncontracted count.
func cutKey(key string) (provider, model string) {
	i := strings.LastIndexByte(key, '/')
	return key[:max(i, 0)], key[i+1:]
}
