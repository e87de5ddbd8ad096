package contract_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// minuteMs is the grid of a world: everything in it happens on whole minutes.
const minuteMs = 60_000

// minute is what one GPU's record says of one minute.
type minute struct {
	record bool
	sick   string // the fault; empty if not unhealthy
	blind  string // why not observed; "-" is without a reason
}

// world is a random fleet, minute by minute.
type world struct {
	fromMs    int64
	n         int // minutes
	month     contract.Month
	contracts []contract.Contract
	gpus      []contract.Presence // start and end are of the whole time that it may have records
	course    [][]minute          // by GPU
	lives     []contract.Life
	events    []contract.NodeEvent
	zones     [4]string // by the number in a node's name
	racks     [4]string
}

func (x *world) at(k int) int64 { return x.fromMs + int64(k)*minuteMs }

func newWorld(r *rand.Rand) *world {
	start := time.Date(2026, 10, 31, r.IntN(20), 0, 0, 0, time.UTC)
	x := &world{fromMs: start.UnixMilli(), n: 300 + r.IntN(1200), month: contract.Month{Year: 2026, Month: pick(r, time.October, time.November)}}
	if r.IntN(4) == 0 {
		x.n += 2500 // long enough for GPUs to be given up
	}
	for i := range 1 + r.IntN(2) {
		x.contracts = append(x.contracts, x.contract(r, i))
	}
	for i := range x.zones {
		x.zones[i], x.racks[i] = pick(r, "", "z1", "z1"), pick(r, "", "r1", "r2")
	}
	for node := range 1 + r.IntN(4) {
		x.addNode(r, node)
	}
	if r.IntN(6) > 0 {
		at := x.at(-r.IntN(100) - 1)
		if r.IntN(3) == 0 { // long after what was bought began
			at = x.at(r.IntN(400))
		}
		for at < x.at(x.n) {
			end := min(at+int64(1+r.IntN(1500))*minuteMs, x.at(x.n))
			x.lives = append(x.lives, contract.Life{FromMs: at, ToMs: end})
			at = end + int64(1+r.IntN(40))*minuteMs
		}
	}
	return x
}

func (x *world) contract(r *rand.Rand, i int) contract.Contract {
	zone, err := time.LoadLocation(pick(r, "UTC", "Asia/Kolkata", "America/Los_Angeles"))
	if err != nil {
		panic(err)
	}
	c := contract.Contract{ID: fmt.Sprintf("c%d", i), Provider: "aws", Currency: "USD", Zone: zone}
	for s := range 2 {
		c.SLAs = append(c.SLAs, contract.SLA{
			ID: fmt.Sprintf("s%d", s), Target: pick(r, int64(999_900), 995_000, 1_000_000), Cap: pick(r, int64(150_000), contract.Whole),
			Scope:          pick(r, contract.SLAPerGPU, contract.SLAPerNode, contract.SLAPerCluster, contract.SLAPerRegion),
			Period:         pick(r, contract.SLAByMonth, contract.SLAByMonth, contract.SLAByQuarter, contract.SLAByYear),
			Tiers:          []contract.CreditTier{{Below: 1_000_000, Credit: 100_000}, {Below: 990_000, Credit: 250_000}},
			CountsDegraded: r.IntN(2) == 0,
			Excludes:       pick(r, nil, []contract.SLAExclusion{contract.ExcludeMaintenance}, []contract.SLAExclusion{contract.ExcludeCapacity, contract.ExcludeForce}),
			Claim: pick(r, contract.ClaimRule{}, contract.ClaimRule{From: contract.ClaimFromPeriod, Days: 14},
				contract.ClaimRule{From: contract.ClaimFromIncident, Days: 1}, contract.ClaimRule{From: contract.ClaimFromIncident, Days: 1}),
		})
	}
	for i := range r.IntN(6) {
		n := contract.Notice{ID: fmt.Sprintf("w%d", i), Kind: pick(r, contract.ExcludeMaintenance, contract.ExcludeForce)}
		n.FromMs = x.at(r.IntN(x.n)) / 300_000 * 300_000
		n.ToMs = n.FromMs + int64(1+r.IntN(100))*300_000
		n.Scope.Regions = pick(r, nil, nil, nil, []string{"east"})
		n.Scope.Pins = pick(r, nil, nil, nil, nil, []string{"n0", "GPU-1-0"})
		c.Notices = append(c.Notices, n)
	}
	for i := range 1 + r.IntN(2) {
		t := contract.Tranche{ID: fmt.Sprintf("t%d", i), Model: "H100", SLA: pick(r, "", "s0", "s1", "s1"), Prepaid: r.IntN(3) == 0, EndMs: x.at(x.n + 5000)}
		t.Steps = []contract.Step{{FromMs: x.at(r.IntN(250)), GPUs: 1 + r.IntN(3)}}
		if r.IntN(2) == 0 {
			t.Steps = append(t.Steps, contract.Step{FromMs: x.at(260 + r.IntN(200)), GPUs: r.IntN(6)})
		}
		t.Delivery.Unit = pick(r, contract.DeliverGPU, contract.DeliverNode, contract.DeliverRack, "")
		t.Delivery.GraceMs = int64(r.IntN(2)*r.IntN(200)) * minuteMs
		mid := x.at(r.IntN(x.n))
		t.Rates = []contract.Rate{{FromMs: x.at(-9000), ToMs: mid, PerGPUHour: 2_345_678}}
		if r.IntN(2) == 0 {
			t.Rates = append(t.Rates, contract.Rate{FromMs: mid, ToMs: x.at(x.n + 9000), PerGPUHour: 1_111_111, MonthMs: pick(r, int64(0), 30*86_400_000)})
		}
		c.Tranches = append(c.Tranches, t)
	}
	return c
}

func (x *world) addNode(r *rand.Rand, i int) {
	// Nodes of one name in two clouds, accounts, regions or clusters are two; they
	// stand in zones and racks of one name as well.
	name := r.IntN(i + 1)
	p := contract.Presence{
		Model: "H100", Node: fmt.Sprintf("n%d", name), Provider: pick(r, "aws", "aws", "aws", "azure"), Account: pick(r, "", "1", "1", "2"),
		Region: pick(r, "east", "west"), Zone: x.zones[name], Rack: x.racks[name], Cluster: pick(r, "", "k1"),
	}
	first, n := r.IntN(200), 1+r.IntN(3)
	node := make([]minute, x.n) // what happens to all of them
	for k := range node {
		node[k].record = true
	}
	x.trouble(r, node, true)
	for g := range n {
		p.Unit, p.GPU = int64(10*i+g+1), fmt.Sprintf("GPU-%d-%d", i, g)
		course := slices.Clone(node)
		x.trouble(r, course, r.IntN(3) == 0)
		for k := range first {
			course[k] = minute{}
		}
		if r.IntN(3) == 0 { // it goes, with or without a word
			clear(course[200+r.IntN(x.n-200):])
			p.Goodbye = r.IntN(2) == 0
		}
		x.gpus, x.course = append(x.gpus, p), append(x.course, course)
		p.Goodbye = false
	}
	for range r.IntN(6) {
		e := usage.Event{AtMs: x.at(r.IntN(x.n)), Kind: pick(r, contract.WatchedEvents...)}
		switch e.Kind {
		case usage.EventAgentStart:
			e.Value = pick(r, 0, x.at(r.IntN(x.n)), x.at(-100))
		case usage.EventDropped:
			e.Value, e.Detail = 5, pick(r, "spool full", "events beyond the limit of one window")
		}
		x.events = append(x.events, contract.NodeEvent{Machine: p.Machine(), Event: e})
	}
}

// trouble breaks some stretches of a course.
func (x *world) trouble(r *rand.Rand, course []minute, silent bool) {
	for range r.IntN(5) {
		from, n := r.IntN(x.n), 1+r.IntN(40)
		if r.IntN(8) == 0 {
			n += r.IntN(2000)
		}
		what := pick(r, minute{true, "xid_79", ""}, minute{true, "gpu_lost", ""}, minute{true, "odd", ""}, minute{true, "", "paused"},
			minute{true, "", "driver_hang"}, minute{true, "", "-"}, minute{true, "xid_79", ""})
		if silent {
			what = minute{}
		}
		for k := from; k < min(from+n, x.n); k++ {
			course[k] = what
		}
	}
}

// watch is the world as a store would tell it.
func (x *world) watch() contract.Watch {
	w := contract.Watch{Contracts: x.contracts, Events: x.events, Lives: x.lives, AsOfMs: x.at(x.n)}
	for g, p := range x.gpus {
		open := false
		for k, m := range x.course[g] {
			if !m.record {
				continue
			}
			s := contract.Stretch{Unit: p.Unit, FromMs: x.at(k), ToMs: x.at(k + 1), Fault: m.sick}
			switch {
			case m.sick != "":
				s.UnhealthyMs = minuteMs
			case m.blind == "":
				s.HealthyMs = minuteMs
			case m.blind != "-":
				s.Missing = m.blind
			}
			last := len(w.Stretches) - 1
			if open && s.Whole() && w.Stretches[last].Whole() && w.Stretches[last].ToMs == s.FromMs {
				w.Stretches[last].ToMs, w.Stretches[last].HealthyMs = s.ToMs, w.Stretches[last].HealthyMs+minuteMs
			} else {
				w.Stretches = append(w.Stretches, s)
			}
			n := len(w.Presences) - 1
			if open && s.FromMs-w.Presences[n].EndMs <= contract.Decommission.Milliseconds() {
				w.Presences[n].EndMs = s.ToMs
			} else {
				p.StartMs, p.EndMs = s.FromMs, s.ToMs
				if n >= 0 && open {
					w.Presences[n].Goodbye = false // it came back
				}
				w.Presences = append(w.Presences, p)
			}
			open = true
		}
	}
	return w
}

// records are the world's as a report reads them.
func (x *world) records() []contract.Straddle {
	var out []contract.Straddle
	for g, p := range x.gpus {
		for k, m := range x.course[g] {
			r := usage.Record{GPU: p.GPU, StartMs: x.at(k), EndMs: x.at(k + 1)}
			switch {
			case !m.record:
				continue
			case m.sick != "":
				r.UnhealthyMs = minuteMs
			case m.blind == "":
				r.IdleMs = minuteMs
			}
			out = append(out, contract.Straddle{Unit: p.Unit, Record: r})
		}
	}
	return out
}
