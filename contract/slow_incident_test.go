package contract_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// mark says what a lost GPU-minute is part of.
type mark struct {
	ref
	month string
	node  [5]string // see slowMachine
	kind  contract.IncidentKind
	cause string
	// notice excuses it.
	notice string
}

// wantIncident is an incident as the slow calculation finds it.
type wantIncident struct {
	mark
	from, to int // minutes
	gpus     []string
	downBy   []string
	down     int // minutes
	gpuMin   int
	most     int
	micro    int64
	class    contract.Class
	owed     int64
	lost     map[string][]bool // by GPU, by minute of the world
}

// slowClaims derives incidents by looking at every minute of every GPU. It
// takes the placements as given, and nothing else.
type slowClaims struct {
	*world
	placed contract.Placements
	seen   []contract.Presence
	lost   map[mark]map[string][]int // GPUs that were lost, in each minute; for tranches under "n"
	seat   [][]int                   // by GPU and minute: index of the placement, or -1
	in     [][5]string               // by GPU: the node that it is in
}

func newSlowClaims(x *world, w *contract.Watch) *slowClaims {
	s := &slowClaims{world: x, placed: contract.Place(x.contracts, w.Presences, w.AsOfMs), seen: w.Presences, lost: map[mark]map[string][]int{}}
	for g := range x.gpus {
		row := make([]int, x.n)
		for k := range row {
			row[k] = slices.IndexFunc(s.placed.List, func(p contract.Placement) bool {
				return p.GPU == x.gpus[g].GPU && p.FromMs <= x.at(k) && x.at(k) < p.ToMs && p.Fate == contract.Placed
			})
		}
		s.seat = append(s.seat, row)
		s.in = append(s.in, s.machine(x.gpus[g]))
	}
	return s
}

// machine is slowMachine, among the GPUs that were ever seen and all events.
func (s *slowClaims) machine(p contract.Presence) [5]string {
	all := slices.Clone(s.seen)
	for _, e := range s.events {
		all = append(all, onMachine(e.Machine))
	}
	return slowMachine(p, all)
}

func onMachine(m contract.Machine) contract.Presence {
	return contract.Presence{Node: m.Node, Provider: m.Provider, Account: m.Account, Region: m.Region, Cluster: m.Cluster}
}

func (s *slowClaims) lose(m mark, k, n int, gpu string) {
	if n == 0 {
		return
	}
	m.month = contract.MonthOf(s.at(k), s.contracts[m.c].Zone).String()
	if s.lost[m] == nil {
		s.lost[m] = map[string][]int{}
	}
	if s.lost[m][gpu] == nil {
		s.lost[m][gpu] = make([]int, s.n)
	}
	s.lost[m][gpu][k] += n
}

// heard reports whether any GPU that fits has a record of a minute.
func (s *slowClaims) heard(k int, fits func(g int) bool) bool {
	for g := range s.gpus {
		if s.course[g][k].record && fits(g) {
			return true
		}
	}
	return false
}

func (s *slowClaims) lives(k int) (ran, known bool) {
	for _, l := range s.world.lives {
		ran = ran || l.FromMs <= s.at(k) && s.at(k) < l.ToMs
		known = known || l.FromMs <= s.at(k)
	}
	return ran, known
}

// downBy returns the GPU that takes down the node or rack of another in a
// minute: of those at fault there, the one that has been so for longest. It is
// -1 if none is, or if GPUs are delivered one by one.
func (s *slowClaims) downBy(unit contract.DeliveryUnit, g, k int) int {
	by, since := -1, 0
	for o := range s.gpus {
		a, b := &s.gpus[g], &s.gpus[o]
		one := s.in[g] == s.in[o]
		if unit == contract.DeliverRack && a.Rack != "" {
			one = a.Rack == b.Rack && a.Zone == b.Zone && [4]string(s.in[g][1:]) == [4]string(s.in[o][1:])
		}
		if !one || (unit != contract.DeliverNode && unit != contract.DeliverRack) || s.course[o][k].sick == "" {
			continue
		}
		began := k
		for began > 0 && s.course[o][began-1].sick != "" {
			began--
		}
		if by < 0 || began < since || began == since && b.GPU < s.gpus[by].GPU {
			by, since = o, began
		}
	}
	return by
}

// mark puts every lost minute under its mark.
func (s *slowClaims) mark() {
	kinds := map[string]contract.IncidentKind{"xid_79": contract.FatalXid, "gpu_lost": contract.GPULost, "odd": contract.OtherFault}
	for g := range s.gpus {
		for k := range s.n {
			if s.seat[g][k] < 0 {
				continue
			}
			x, is := s.placed.List[s.seat[g][k]], s.course[g][k]
			m := mark{ref: ref{x.Contract, x.Tranche}, node: s.in[g]}
			ran, known := s.lives(k)
			switch {
			case is.sick != "":
				m.kind, m.cause = kinds[is.sick], is.sick
			case s.downBy(s.tranche(m.ref).Delivery.Unit, g, k) >= 0:
				m.kind, m.cause = contract.UnitDown, s.course[s.downBy(s.tranche(m.ref).Delivery.Unit, g, k)][k].sick
			case is.record && is.blind == "":
				continue
			case is.record:
				m.kind, m.cause = contract.NotObserved, strings.Trim(is.blind, "-")
			case s.heard(k, func(o int) bool { return s.in[o] == m.node }):
				m.kind = contract.NotObserved
			case known && !ran:
				m.kind = contract.CollectorDown
			default:
				m.kind = contract.Unreachable
			}
			m.notice = s.notice(m, g, k)
			s.lose(m, k, 1, s.gpus[g].GPU)
		}
	}
	for c := range s.contracts {
		for t := range s.contracts[c].Tranches {
			s.markTranche(ref{c, t})
		}
	}
}

// notice returns the id of the notice that excuses a GPU's lost minute.
func (s *slowClaims) notice(m mark, g, k int) string {
	sla, p := s.sla(m.ref), s.gpus[g]
	if sla == nil || m.kind == contract.NotObserved || m.kind == contract.CollectorDown {
		return ""
	}
	var best *contract.Notice
	for i, n := range s.contracts[m.c].Notices {
		here := len(n.Scope.Pins) == 0 || slices.Contains(n.Scope.Pins, p.Node) || slices.Contains(n.Scope.Pins, p.GPU)
		here = here && (len(n.Scope.Regions) == 0 || slices.Contains(n.Scope.Regions, p.Region))
		if !here || !slices.Contains(sla.Excludes, n.Kind) || s.at(k) < n.FromMs || n.ToMs <= s.at(k) {
			continue
		}
		if best == nil || n.FromMs < best.FromMs || n.FromMs == best.FromMs && (n.ToMs < best.ToMs || n.ToMs == best.ToMs && n.ID < best.ID) {
			best = &s.contracts[m.c].Notices[i]
		}
	}
	if best == nil {
		return ""
	}
	return best.ID
}

// since is the first minute of the silence that an incident is the rest of.
func (s *slowClaims) since(x *wantIncident) int {
	first := x.from
	for gpu, row := range x.lost {
		if !row[x.from] {
			continue
		}
		k := x.from
		for was := true; was && k > 0; {
			was = false
			for m, gpus := range s.lost {
				if m.notice = x.notice; m == x.mark && gpus[gpu] != nil && gpus[gpu][k-1] > 0 {
					was = true
				}
			}
			if was {
				k--
			}
		}
		first = min(first, k)
	}
	return first
}

// everLooked reports whether anything tells of a minute or one before: a
// collector that ran, or a record.
func (s *slowClaims) everLooked(k int) bool {
	for ; k >= 0; k-- {
		if s.heard(k, func(int) bool { return true }) {
			return true
		}
		if ran, known := s.lives(k); ran || known {
			return true
		}
	}
	return false
}

func (s *slowClaims) markTranche(r ref) {
	t := &s.contracts[r.c].Tranches[r.t]
	count := func(list []contract.Vacancy, ms int64) (n int) {
		for _, v := range list {
			if v.Contract == r.c && v.Tranche == r.t && v.FromMs <= ms && ms < v.ToMs {
				n += v.GPUs
			}
		}
		return n
	}
	most := 0
	for k := range s.n {
		ms, placed := s.at(k), 0
		for g := range s.gpus {
			if s.seat[g][k] >= 0 {
				if x := s.placed.List[s.seat[g][k]]; x.Contract == r.c && x.Tranche == r.t {
					placed++
				}
			}
		}
		most = max(most, placed)
		missing := t.GPUsAt(ms) - placed
		silent := min(missing, count(s.placed.Vacancies, ms))
		grace := min(missing-silent, count(s.placed.Graces, ms))
		never := min(missing-silent-grace, max(0, t.GPUsAt(ms)-most))
		s.lose(mark{ref: r, kind: contract.FellSilent}, k, silent, "")
		s.lose(mark{ref: r, kind: "grace"}, k, grace, "")
		kind := contract.LateDelivery
		if !s.everLooked(k) {
			kind = contract.BeforeMetering
		}
		s.lose(mark{ref: r, kind: kind}, k, never, "")
		s.lose(mark{ref: r, kind: contract.Departed}, k, missing-silent-grace-never, "")
	}
}

// incidents joins marked minutes, and judges what it finds.
func (s *slowClaims) incidents() []*wantIncident {
	s.mark()
	var out []*wantIncident
	for m, gpus := range s.lost {
		last := -1
		var x *wantIncident
		for k := range s.n {
			n := 0
			for _, row := range gpus {
				n += row[k]
			}
			if n == 0 {
				continue
			}
			if x == nil || k-last-1 > 10 {
				x = &wantIncident{mark: m, from: k, lost: map[string][]bool{}}
				out = append(out, x)
			}
			last, x.to = k, k+1
			x.down++
			x.gpuMin += n
			x.most = max(x.most, n)
			for gpu, row := range gpus {
				if row[k] > 0 && gpu != "" {
					if x.lost[gpu] == nil {
						x.lost[gpu], x.gpus = make([]bool, s.n), append(x.gpus, gpu)
					}
					x.lost[gpu][k] = true
					if m.kind == contract.UnitDown {
						g := slices.IndexFunc(s.gpus, func(p contract.Presence) bool { return p.GPU == gpu })
						x.downBy = append(x.downBy, s.gpus[s.downBy(s.tranche(m.ref).Delivery.Unit, g, k)].GPU)
					}
				}
			}
		}
	}
	unobserved := []contract.IncidentKind{contract.Unreachable, contract.CollectorDown, contract.NotObserved}
	out = slices.DeleteFunc(out, func(x *wantIncident) bool {
		return x.kind == "grace" || slices.Contains(unobserved, x.kind) && x.down < 5
	})
	for _, x := range out {
		slices.Sort(x.gpus)
		slices.Sort(x.downBy)
		x.downBy = slices.Compact(x.downBy)
		x.micro = s.price(x)
		x.class = s.class(x)
	}
	s.award(out)
	return out
}

func (s *slowClaims) tranche(r ref) *contract.Tranche { return &s.contracts[r.c].Tranches[r.t] }

func (s *slowClaims) price(x *wantIncident) int64 {
	var sum int64
	for _, rate := range s.tranche(x.ref).Rates {
		var n int64
		for k := x.from; k < x.to; k++ {
			if rate.FromMs <= s.at(k) && s.at(k) < rate.ToMs {
				for _, row := range s.lost[x.mark] {
					n += int64(row[k])
				}
			}
		}
		sum += int64(halfEven(priced(n*minuteMs, rate.PerGPUHour, &rate)))
	}
	return sum
}

func (s *slowClaims) sla(r ref) *contract.SLA {
	for i, sla := range s.contracts[r.c].SLAs {
		if sla.ID == s.tranche(r).SLA {
			return &s.contracts[r.c].SLAs[i]
		}
	}
	return nil
}

// class judges without the uptime.
func (s *slowClaims) class(x *wantIncident) contract.Class {
	sla := s.sla(x.ref)
	switch x.kind {
	case contract.CollectorDown:
		return contract.Ours
	case contract.NotObserved:
		if x.cause == "paused" {
			return contract.Ours
		}
		return contract.Unknown
	case contract.LateDelivery:
		return contract.Claimable
	case contract.BeforeMetering, contract.Departed, contract.FellSilent:
		return contract.Unknown
	case contract.Unreachable:
		if c := s.silence(x); c != contract.Claimable {
			return c
		}
	default:
		if sla != nil && !sla.CountsDegraded {
			return contract.Uncovered
		}
	}
	if sla == nil || x.notice != "" || s.tranche(x.ref).Prepaid && slices.Contains(sla.Excludes, contract.ExcludeCapacity) {
		return contract.Uncovered
	}
	return contract.Claimable
}

// pauses returns the longest run of minutes of x in which what returns false.
func (s *slowClaims) pauses(x *wantIncident, what func(k int) bool) (longest int) {
	run := 0
	for k := x.from; k < x.to; k++ {
		run++
		if what(k) {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

func (s *slowClaims) silence(x *wantIncident) contract.Class {
	var p *contract.Presence
	var here [5]string
	again := false
	for g := range s.gpus {
		if s.in[g] == x.node {
			p, here = &s.gpus[g], s.in[g]
			for k := x.to; k < s.n; k++ {
				again = again || s.course[g][k].record
			}
		}
	}
	stopped, booted, known := false, int64(0), false
	lost := false
	events := slices.Clone(s.events)
	slices.SortStableFunc(events, func(a, b contract.NodeEvent) int {
		if a.AtMs != b.AtMs {
			return int(a.AtMs - b.AtMs)
		}
		return strings.Compare(string(a.Kind), string(b.Kind))
	})
	const near = 5 * minuteMs
	from, to := s.at(s.since(x)), s.at(x.to)
	started := false
	for _, e := range events {
		if s.machine(onMachine(e.Machine)) != x.node {
			continue
		}
		if e.AtMs >= from-near && e.AtMs <= from+near && e.AtMs < to {
			switch e.Kind {
			case usage.EventAgentStop:
				stopped = true
			case usage.EventAgentStart:
				stopped = false
			}
		}
		if e.Kind == usage.EventAgentStart && e.AtMs >= from && !started {
			started, booted, known = true, e.Value, e.Value > 0
		}
		if e.Kind == usage.EventDropped && e.Detail == "spool full" && from <= e.AtMs && e.AtMs <= to+60*minuteMs {
			lost = true
		}
	}
	ran := s.pauses(x, func(k int) bool { up, _ := s.lives(k); return up }) <= 5 && len(s.world.lives) > 0
	rack := p.Rack != "" && s.pauses(x, func(k int) bool {
		return s.heard(k, func(o int) bool {
			return s.gpus[o].Rack == p.Rack && s.gpus[o].Zone == p.Zone && [4]string(s.in[o][1:]) == [4]string(here[1:])
		})
	}) <= 5
	zone := p.Zone != "" && s.pauses(x, func(k int) bool {
		return s.heard(k, func(o int) bool { return s.gpus[o].Zone == p.Zone && [3]string(s.in[o][1:4]) == [3]string(here[1:4]) })
	}) <= 5
	switch {
	case known && booted < from-near, lost, stopped && !known:
		return contract.Ours
	case !ran, x.to == s.n, !again, !rack && !zone, stopped:
		return contract.Unknown
	}
	return contract.Claimable
}

// award measures uptime minute by minute, and pays.
func (s *slowClaims) award(all []*wantIncident) {
	type court struct {
		ref
		period, subject string
	}
	courts := map[court][]*wantIncident{}
	subject := func(scope contract.SLAScope, gpu string) string {
		for g, p := range s.gpus {
			if p.GPU == gpu {
				in := s.in[g]
				return map[contract.SLAScope]string{contract.SLAPerGPU: p.GPU, contract.SLAPerNode: fmt.Sprintf("%q", in),
					contract.SLAPerCluster: fmt.Sprintf("%q", in[1:]), contract.SLAPerRegion: fmt.Sprintf("%q %q", in[1], in[3])}[scope]
			}
		}
		return "?"
	}
	for _, x := range all {
		if x.class != contract.Claimable {
			continue
		}
		if x.kind == contract.LateDelivery {
			x.owed = x.micro
			continue
		}
		sla := s.sla(x.ref)
		var seen []string
		for _, gpu := range x.gpus {
			if k := subject(sla.Scope, gpu); !slices.Contains(seen, k) {
				seen = append(seen, k)
				courts[court{x.ref, periodOf(sla.Period, x.month), k}] = append(courts[court{x.ref, periodOf(sla.Period, x.month), k}], x)
			}
		}
		x.class = contract.Uncovered // until a court says otherwise
	}
	for k, list := range courts {
		sla := s.sla(k.ref)
		down, members := map[*wantIncident]int64{}, map[string]bool{}
		var total int64
		for m := range s.n {
			for g, p := range s.gpus {
				if s.inPeriod(k.ref, sla, k.period, m) && subject(sla.Scope, p.GPU) == k.subject && s.sits(g, m, k.ref) {
					members[p.GPU] = true
				}
			}
			hit := map[string]bool{}
			for _, x := range list {
				mine := map[string]bool{}
				for gpu, row := range x.lost {
					if who := subject(sla.Scope, gpu); row[m] && who == k.subject {
						if sla.Scope == contract.SLAPerNode {
							gpu = who
						}
						hit[gpu], mine[gpu] = true, true
					}
				}
				down[x] += int64(len(mine))
			}
			total += int64(len(hit))
		}
		n := int64(1)
		if sla.Scope == contract.SLAPerCluster || sla.Scope == contract.SLAPerRegion {
			n = int64(len(members))
		}
		whole := new(big.Int).Mul(big.NewInt(n), big.NewInt(minutesOf(k.period, s.contracts[k.c].Zone)))
		up := new(big.Int).Sub(whole, big.NewInt(total))
		uptime := new(big.Int).Div(up.Mul(up, big.NewInt(1_000_000)), whole).Int64()
		if uptime >= sla.Target {
			continue
		}
		share := int64(100_000)
		if uptime < 990_000 {
			share = 250_000
		}
		credit := s.charge(k.ref, sla, k.period, func(gpu string) bool { return subject(sla.Scope, gpu) == k.subject })
		credit = new(big.Int).Div(new(big.Int).Mul(big.NewInt(credit), big.NewInt(min(share, sla.Cap))), big.NewInt(1_000_000)).Int64()
		for _, x := range list {
			x.class = contract.Claimable
		}
		s.deal(list, down, credit)
	}
}

// deal gives each incident its part, to within a micro-unit for each incident:
// who gets the residue is not this calculation's to say.
func (s *slowClaims) deal(list []*wantIncident, down map[*wantIncident]int64, credit int64) {
	var sum int64
	for _, x := range list {
		sum += down[x]
	}
	for _, x := range list {
		x.owed += new(big.Int).Div(new(big.Int).Mul(big.NewInt(credit), big.NewInt(down[x])), big.NewInt(sum)).Int64()
	}
}

func (s *slowClaims) sits(g, k int, r ref) bool {
	if s.seat[g][k] < 0 {
		return false
	}
	x := s.placed.List[s.seat[g][k]]
	return x.Contract == r.c && x.Tranche == r.t
}

func (s *slowClaims) inPeriod(r ref, sla *contract.SLA, period string, k int) bool {
	return periodOf(sla.Period, contract.MonthOf(s.at(k), s.contracts[r.c].Zone).String()) == period
}

func (s *slowClaims) charge(r ref, sla *contract.SLA, period string, fits func(string) bool) (sum int64) {
	for _, rate := range s.tranche(r).Rates {
		var n int64
		for g, p := range s.gpus {
			for k := range s.n {
				if fits(p.GPU) && s.sits(g, k, r) && s.inPeriod(r, sla, period, k) && rate.FromMs <= s.at(k) && s.at(k) < rate.ToMs {
					n++
				}
			}
		}
		sum += int64(halfEven(priced(n*minuteMs, rate.PerGPUHour, &rate)))
	}
	return sum
}

// periodOf names the period that a month is in.
func periodOf(p contract.SLAPeriod, month string) string {
	switch p {
	case contract.SLAByQuarter:
		return month[:4] + map[string]string{"10": "q4", "11": "q4", "12": "q4"}[month[5:]]
	case contract.SLAByYear:
		return month[:4]
	}
	return month
}

func minutesOf(period string, zone *time.Location) int64 {
	from, to := time.Date(2026, 1, 1, 0, 0, 0, 0, zone), time.Date(2027, 1, 1, 0, 0, 0, 0, zone)
	switch period {
	case "2026-10":
		from, to = time.Date(2026, 10, 1, 0, 0, 0, 0, zone), time.Date(2026, 11, 1, 0, 0, 0, 0, zone)
	case "2026-11":
		from, to = time.Date(2026, 11, 1, 0, 0, 0, 0, zone), time.Date(2026, 12, 1, 0, 0, 0, 0, zone)
	case "2026q4":
		from = time.Date(2026, 10, 1, 0, 0, 0, 0, zone)
	case "2026":
	default:
		panic(period)
	}
	return int64(to.Sub(from) / time.Minute)
}

func (x *wantIncident) String() string {
	return fmt.Sprintf("c%d/t%d %s %s %q %d–%d", x.c, x.t, x.node, x.kind, x.cause, x.from, x.to)
}
