package contract_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
	_ "time/tzdata" // days of zones are tested wherever the tests run

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// fleet is a random world: what was bought, what stood where, what was
// recorded, and what is asked.
type fleet struct {
	fromMs, nowMs int64
	contracts     []contract.Contract
	presences     []contract.Presence
	records       []contract.Straddle
	outages       []contract.Outage
	periods       []contract.Period
	stray         contract.Period
	by            contract.By
}

// starts are days before a change of clocks somewhere; zones' midnights all
// lie on the grid.
var (
	starts = []string{"2026-03-04", "2026-03-24", "2026-04-01", "2026-04-20", "2026-10-21", "2026-10-28"}
	zones  = []string{"UTC", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo"}
)

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func newFleet(r *rand.Rand) *fleet {
	start, err := time.Parse(time.DateOnly, pick(r, starts...))
	if err != nil {
		panic(err)
	}
	f := &fleet{fromMs: start.UnixMilli()}
	f.nowMs = f.fromMs + int64(2*24+r.IntN(8*48))*gridMs
	for i := range 1 + r.IntN(3) {
		f.contracts = append(f.contracts, f.contract(r, i))
		f.periods = append(f.periods, f.period(r))
	}
	f.stray = f.period(r)
	for g := range 1 + r.IntN(10) {
		f.addGPU(r, fmt.Sprintf("GPU-%02d", g))
	}
	r.Shuffle(len(f.presences), func(i, j int) { f.presences[i], f.presences[j] = f.presences[j], f.presences[i] })
	return f
}

// moment is a random grid time, sometimes outside of what was recorded.
func (f *fleet) moment(r *rand.Rand) int64 {
	n := (f.nowMs - f.fromMs) / gridMs
	return f.fromMs + (r.Int64N(n+96)-48)*gridMs
}

func (f *fleet) period(r *rand.Rand) contract.Period {
	from := max(f.moment(r), f.fromMs)
	to := min(from+r.Int64N(10*48)*gridMs, f.nowMs)
	return contract.Period{Name: "random", FromMs: min(from, to), ToMs: to}
}

func (f *fleet) contract(r *rand.Rand, i int) contract.Contract {
	zone, err := time.LoadLocation(pick(r, zones...))
	if err != nil {
		panic(err)
	}
	c := contract.Contract{ID: fmt.Sprintf("c%d", i), Provider: pick(r, "aws", "azure"), Currency: "USD", Zone: zone}
	for t := range 1 + r.IntN(3) {
		c.Tranches = append(c.Tranches, f.tranche(r, t))
	}
	return c
}

func (f *fleet) tranche(r *rand.Rand, i int) contract.Tranche {
	t := contract.Tranche{ID: fmt.Sprintf("t%d", i), Model: pick(r, "H100", "H100", "A100"), Priority: r.IntN(2)}
	at := f.moment(r)
	for range 1 + r.IntN(4) {
		t.Steps = append(t.Steps, contract.Step{FromMs: at, GPUs: r.IntN(6)})
		at += (1 + r.Int64N(60)) * gridMs
	}
	t.Steps[r.IntN(len(t.Steps))].GPUs = 1 + r.IntN(6)
	t.EndMs = at + r.Int64N(240)*gridMs
	rate := f.moment(r)
	for range r.IntN(4) {
		rate += r.Int64N(2) * r.Int64N(40) * gridMs
		x := contract.Rate{FromMs: rate, ToMs: rate + (1+r.Int64N(100))*gridMs, PerGPUHour: contract.Money(r.Int64N(5_000_000))}
		if x.HasOverage = r.IntN(2) == 0; x.HasOverage {
			x.OveragePerGPUHour = contract.Money(r.Int64N(9_000_000))
		}
		x.MonthMs = pick(r, int64(0), 0, 28*86_400_000, 31*86_400_000, 31*86_400_000+3_600_000)
		t.Rates = append(t.Rates, x)
		rate = x.ToMs
	}
	t.Scope = contract.Scope{
		Accounts:     pick(r, nil, nil, []string{"a"}, []string{"a", "b"}),
		Regions:      pick(r, nil, nil, []string{"east"}),
		Reservations: pick(r, nil, nil, nil, []string{"r1"}),
		Pins:         pick(r, nil, nil, nil, []string{"n1", "GPU-02"}, []string{"n0"}),
	}
	if r.IntN(3) == 0 {
		t.Scope.Rules = randomRules(r)
	}
	for _, m := range pick(r, nil, nil, []string{"H200"}, []string{"H200", "A100"}) {
		if m != t.Model {
			t.Accepts = append(t.Accepts, contract.Substitute{Model: m, Factor: pick(r, int64(contract.Whole), 900_000, 1_234_567, 0)})
		}
	}
	t.Delivery = contract.Delivery{Unit: pick(r, "", contract.DeliverGPU, contract.DeliverNode, contract.DeliverRack), GraceMs: pick(r, 0, 0, (1+r.Int64N(200))*gridMs)}
	return t
}

// randomRules is a scope in FOCUS's grammar on what random GPUs have.
func randomRules(r *rand.Rand) contract.Applicability {
	a := contract.Applicability{IncludeAny: r.IntN(2) == 0, ExcludeAll: r.IntN(2) == 0, Complex: r.IntN(20) == 0}
	for range r.IntN(3) {
		a.Inclusions = append(a.Inclusions, randomRule(r))
	}
	for range r.IntN(2) * r.IntN(3) {
		a.Exclusions = append(a.Exclusions, randomRule(r))
	}
	return a
}

func randomRule(r *rand.Rand) contract.Rule {
	x := contract.Rule{Operator: pick(r, contract.Operators...)}
	of := pick(r, [][]string{{"RegionId", "EAST", "west", "st", "e"}, {"SubAccountId", "A", "b", "c"}, {"AvailabilityZone", "z1", "z", "2"},
		{"x_Node", "n0", "N", "1"}, {"x_Rack", "r-7", "r", "7"}, {"ServiceProviderName", "aws", "azure", "a"}, {"x_GpuModel", "H100", "00", "h"}}...)
	x.Dimension = of[0]
	switch {
	case x.Operator == contract.Exists || x.Operator == contract.DoesNotExist || (r.IntN(6) == 0 && (x.Operator == contract.In || x.Operator == contract.Contains)):
		x.Values = []string{contract.Wildcard}
	default:
		for range 1 + r.IntN(2) {
			x.Values = append(x.Values, pick(r, of[1:]...))
		}
	}
	return x
}

// addGPU lets one GPU come, fall silent, move, be renamed and go.
func (f *fleet) addGPU(r *rand.Rand, gpu string) {
	p := contract.Presence{GPU: gpu, Model: pick(r, "H100", "H100", "H200", "A100")}
	ends := map[string]int64{} // by node: presences of one node are disjoint
	at := f.fromMs + r.Int64N((f.nowMs-f.fromMs)/gridMs)*gridMs*r.Int64N(2)
	f.identify(r, &p)
	for range 1 + r.IntN(4) {
		p.Unit = int64(len(f.presences) + 1)
		p.StartMs = max(at, ends[p.Node])
		p.EndMs = min(p.StartMs+(1+r.Int64N(150))*gridMs, f.nowMs)
		if p.StartMs >= p.EndMs {
			return
		}
		p.Goodbye = r.IntN(5) == 0
		ends[p.Node] = p.EndMs
		f.presences = append(f.presences, p)
		f.addRecords(r, p)
		for range r.IntN(3) * r.IntN(2) {
			from := p.StartMs + r.Int64N((p.EndMs-p.StartMs)/gridMs)*gridMs
			f.outages = append(f.outages, contract.Outage{Unit: p.Unit, FromMs: from, ToMs: from + r.Int64N(60)*gridMs})
		}
		switch r.IntN(5) {
		case 0, 1: // silence, often longer than a day
			at = p.EndMs + r.Int64N(80)*gridMs
		case 2: // at once, under another identity
			at = p.EndMs
			node := p.Node
			f.identify(r, &p)
			p.Node = node
			if r.IntN(3) == 0 { // the driver calls it by another name
				p.Model = pick(r, "H100", "H200")
			}
		case 3: // in another node, perhaps while the first still reports
			at = p.EndMs - r.Int64N((p.EndMs-p.StartMs)/gridMs+1)*gridMs
			f.identify(r, &p)
		case 4:
			at = p.EndMs + r.Int64N(60)*gridMs
			f.identify(r, &p)
		}
	}
}

func (f *fleet) identify(r *rand.Rand, p *contract.Presence) {
	p.Node = pick(r, "n0", "n1", "n2")
	p.Provider = pick(r, "aws", "aws", "azure", "")
	p.Account = pick(r, "a", "a", "b", "")
	p.Region = pick(r, "east", "east", "west")
	p.Reservation = pick(r, "", "r1")
	p.Zone = pick(r, "z1", "z2", "")
	p.Rack = pick(r, "r-7", "r-8", "")
}

// addRecords fills a presence with records and gaps of any length.
func (f *fleet) addRecords(r *rand.Rand, p contract.Presence) {
	width := pick(r, int64(3_600_000), 3_600_000, 1_800_000, 7_200_000)
	for at := p.StartMs; at < p.EndMs; {
		end := min(at+1+r.Int64N(width), p.EndMs)
		if r.IntN(3) == 0 {
			end = min(at+width, p.EndMs)
		}
		if r.IntN(6) > 0 {
			free := end - at
			for range 1 + r.IntN(pick(r, 3, 3, 3, 7)) { // as many as a divided GPU has instances
				sums := randomSums(r, end-at, &free)
				f.records = append(f.records, contract.Straddle{Unit: p.Unit, Record: usage.Record{
					GPU: p.GPU, StartMs: at, EndMs: end, Sums: sums, Holder: randomHolder(r)}})
			}
		}
		at = end
	}
}

// randomHolder is nobody, somebody in a group, or somebody with a label; one
// may hold a GPU twice over.
func randomHolder(r *rand.Rand) usage.Holder {
	if r.IntN(4) == 0 {
		return usage.Holder{Basis: pick(r, usage.BasisNone, usage.BasisProcess)}
	}
	return usage.Holder{Basis: pick(r, usage.BasisKubelet, usage.BasisProcess), Kind: pick(r, "pod", "user"), Group: pick(r, "", "ml", "web"),
		Name: pick(r, "a", "b"), Part: pick(r, "", "main"), Labels: pick(r, "", "", "team=search", "cost=1,team=ads", "team=")}
}

func randomSums(r *rand.Rand, span int64, free *int64) usage.Sums {
	var s usage.Sums
	for _, v := range []*int64{&s.UnhealthyMs, &s.UnallocatedMs, &s.IdleMs, &s.UnmeasuredMs, &s.BusyMs} {
		if r.IntN(2) == 0 {
			*v = r.Int64N(*free + 1)
			*free -= *v
		}
	}
	if r.IntN(2) == 0 {
		s.SMKnownMs = r.Int64N(span/3 + 1)
		s.SMActiveMs = r.Int64N(s.SMKnownMs + 1)
	}
	if r.IntN(2) == 0 {
		s.EnergyKnownMs = 1 + r.Int64N(span/3+1)
		s.EnergyMJ = r.Int64N(700 * s.EnergyKnownMs)
	}
	return s
}

// answer does what a store does: it adds up what lies wholly in one span and
// slot and hands out what is cut.
func answer(q contract.Query, records []contract.Straddle) contract.Answer {
	var out contract.Answer
	spans := map[int64][]contract.Span{}
	for _, s := range q.Spans {
		spans[s.Unit] = append(spans[s.Unit], s)
	}
	for _, r := range records {
		whole, touched := false, false
		for _, s := range spans[r.Unit] {
			for slot := range len(q.Edges) - 1 {
				from, to := max(s.FromMs, q.Edges[slot]), min(s.ToMs, q.Edges[slot+1])
				if from >= to || r.EndMs <= from || r.StartMs >= to {
					continue
				}
				touched = true
				if from <= r.StartMs && r.EndMs <= to {
					whole = true
					sum := contract.Sum{Key: s.Key, Slot: slot, Sums: r.Sums}
					if q.By.Held() {
						sum.Group = len(out.Groups)
						out.Groups = append(out.Groups, q.By.Group(r.Holder))
					}
					out.Sums = append(out.Sums, sum)
				}
			}
		}
		if touched && !whole {
			out.Straddles = append(out.Straddles, r)
		}
	}
	return out
}

// clone copies what shuffling may disturb.
func (f *fleet) clone() *fleet {
	out := *f
	out.contracts = slices.Clone(f.contracts)
	out.periods = slices.Clone(f.periods)
	out.presences = slices.Clone(f.presences)
	out.records = slices.Clone(f.records)
	out.outages = slices.Clone(f.outages)
	return &out
}

func (f *fleet) report() (contract.Placements, contract.Report, error) {
	p := contract.Place(f.contracts, f.presences, f.nowMs)
	plan := contract.NewPlanBy(contract.Grouping{By: f.by, Presences: f.presences}, f.contracts,
		contract.Ground(f.contracts, p, f.presences, f.outages), f.periods, f.stray)
	a := answer(plan.Query(), f.records)
	a.Overlaps = 7
	rep, err := plan.Build(a, time.UnixMilli(f.nowMs))
	return p, rep, err
}
