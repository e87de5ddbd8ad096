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

// seat is what is counted once: a GPU, or a node without one.
type seat struct {
	machine contract.Machine
	gpu     string
}

// countFleet counts each GPU and each node once, where it was seen last.
func countFleet(presences []contract.Presence, now time.Time) fleetCounts {
	gpus, nodes := map[seat]*contract.Presence{}, map[seat]*contract.Presence{}
	machines := contract.MachinesOf(presences)
	for i := range presences {
		p := &presences[i]
		node := seat{machine: machines.Of(p)}
		gpu := seat{gpu: p.GPU}
		if usage.IsSlot(p.GPU) { // its number is the node's
			gpu.machine = node.machine
		}
		for _, x := range []struct {
			last map[seat]*contract.Presence
			key  seat
		}{{gpus, gpu}, {nodes, node}} {
			if was := x.last[x.key]; was == nil || was.EndMs < p.EndMs {
				x.last[x.key] = p
			}
		}
	}
	out := fleetCounts{map[fleetKey]int{}, map[fleetKey]int{}}
	for _, p := range gpus {
		if state := fleetState(p, now); state != "" {
			out.GPUs[fleetKey{p.Provider, p.Model, state}]++
		}
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
