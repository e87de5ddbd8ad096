package contract_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

func span(from, to float64) contract.Period {
	return contract.Period{Name: "test", FromMs: h(from), ToMs: h(to)}
}

// busy is a record of a GPU that was busy for ms milliseconds.
func busy(u int64, from, to float64, ms int64) contract.Straddle {
	return contract.Straddle{Unit: u, Record: usage.Record{StartMs: h(from), EndMs: h(to), Sums: usage.Sums{BusyMs: ms}}}
}

// build reports all contracts and strays over one period, as of its end.
func build(t *testing.T, contracts []contract.Contract, p contract.Period, presences []contract.Presence, records ...contract.Straddle) contract.Report {
	t.Helper()
	periods := make([]contract.Period, len(contracts))
	for i := range periods {
		periods[i] = p
	}
	plan := contract.NewPlan(contracts, contract.Place(contracts, presences, p.ToMs), periods, p)
	rep, err := plan.Build(answer(plan.Query(), records), time.UnixMilli(p.ToMs))
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

const hour = 3_600_000

func TestBuildReportsContractsOutsideTheirTerm(t *testing.T) {
	rep := build(t, bought(tranche("past", 8, -50, -40)), span(0, 10), nil)
	s := rep.Contracts[0]
	if s.Total.ContractedMs != 0 || s.Total.Utilisation.Known || s.Tranches[0].GPUs != 0 || s.Tranches[0].Utilisation.Denominator != "contracted" {
		t.Errorf("statement %+v, want zero contracted and no utilisation", s)
	}
	if rep = build(t, bought(tranche("h100", 8, 0, 100)), span(10, 10), nil); rep.Contracts[0].Total.ContractedMs != 0 || rep.Contracts[0].Total.GPUs != 8 {
		t.Errorf("statement of an empty period: %+v", rep.Contracts[0])
	}
}

func TestBuildSplitsMoneyAtRateChanges(t *testing.T) {
	lot := tranche("h100", 1, 0, 100)
	lot.Rates = []contract.Rate{
		{FromMs: h(2), ToMs: h(4), PerGPUHour: 1_000_000, OveragePerGPUHour: 3_000_000, HasOverage: true},
		{FromMs: h(4), ToMs: h(6), PerGPUHour: 2_000_000},
	}
	// The record lies across all four prices: none, $1, $2, none.
	rep := build(t, bought(lot), span(0, 8),
		[]contract.Presence{stood("a", "n", 0, 8, unit(1)), stood("b", "n", 0, 8, unit(2))}, busy(1, 0, 8, 4*hour), busy(2, 0, 8, 8*hour))
	l := rep.Contracts[0].Tranches[0]
	want := contract.Cost{Contracted: 6_000_000, UnpricedMs: 4 * hour, Overage: 6_000_000, OverageUnpricedMs: 6 * hour}
	want.Buckets[contract.Busy], want.Buckets[contract.Unobserved] = 3_000_000, 3_000_000
	if d := cmp.Diff(want, l.Cost); d != "" {
		t.Errorf("cost (-want +got):\n%s", d)
	}
	if l.OverageMs != 8*hour || l.Buckets[contract.Busy] != 4*hour || l.ContractedMs != 8*hour {
		t.Errorf("line %+v, want half busy and all of b over", l)
	}
}

func TestBuildKeepsTheDaysOfTheZone(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	// November 2026 in New York: 721 hours, the 1st has 25.
	from, to := time.Date(2026, 11, 1, 0, 0, 0, 0, zone).UnixMilli(), time.Date(2026, 12, 1, 0, 0, 0, 0, zone).UnixMilli()
	contracts := bought(tranche("h100", 10, 0, 10_000))
	contracts[0].Zone = zone
	rep := build(t, contracts, contract.Period{Name: "2026-11", FromMs: from, ToMs: to}, nil)
	s := rep.Contracts[0]
	if s.Total.ContractedMs != 10*721*hour || len(s.Total.Days) != 30 {
		t.Errorf("contracted %d GPU-h in %d days, want 7210 in 30", s.Total.ContractedMs/hour, len(s.Total.Days))
	}
	if d := s.Total.Days[0]; d.Date != "2026-11-01" || d.ContractedMs != 250*hour || s.Total.Days[1].ContractedMs != 240*hour {
		t.Errorf("days %+v", s.Total.Days[:2])
	}
	if s.Zone != "America/New_York" || s.From.Format(time.RFC3339) != "2026-11-01T00:00:00-04:00" || s.To.Format(time.RFC3339) != "2026-12-01T00:00:00-05:00" {
		t.Errorf("statement of %s from %s to %s", s.Zone, s.From, s.To)
	}
}

func TestBuildCountsGPUsAtTheEnd(t *testing.T) {
	ramp := tranche("h100", 8, 0, 20)
	ramp.Steps = append(ramp.Steps, contract.Step{FromMs: h(5), GPUs: 16}, contract.Step{FromMs: h(10), GPUs: 24})
	l := build(t, bought(ramp), span(0, 10), nil).Contracts[0].Total
	if l.GPUs != 16 || l.ContractedMs != (5*8+5*16)*hour || l.Buckets[contract.Undelivered] != l.ContractedMs {
		t.Errorf("line %+v, want 16 GPUs and 120 GPU-h undelivered", l)
	}
}

func TestBuildClipsUnconfirmedToThePeriod(t *testing.T) {
	contracts := bought(tranche("h100", 2, 0, 500))
	presences := []contract.Presence{stood("a", "n", 0, 10, unit(1)), stood("b", "n", 0, 100, unit(2))}
	l := build(t, contracts, span(40, 100), presences).Contracts[0].Total
	if l.UnconfirmedMs != 60*hour || l.Buckets[contract.Undelivered] != 60*hour {
		t.Errorf("unconfirmed %d of %d undelivered, want all 60 GPU-h", l.UnconfirmedMs/hour, l.Buckets[contract.Undelivered]/hour)
	}
}

func TestBuildAddsEffectiveStageOnlyWhereKnown(t *testing.T) {
	presences := []contract.Presence{stood("a", "n", 0, 1, unit(1))}
	r := busy(1, 0, 1, hour)
	last := func(r contract.Straddle) contract.Stage {
		stages := build(t, bought(tranche("h100", 1, 0, 10)), span(0, 1), presences, r).Contracts[0].Total.Stages
		return stages[len(stages)-1]
	}
	if got := last(r); got.Name != "busy" {
		t.Errorf("last stage %+v, want busy: SM activity is not known", got)
	}
	r.SMActiveMs, r.SMKnownMs = 1000, hour
	if got := last(r); got != (contract.Stage{Name: "effective", Ms: 1000}) {
		t.Errorf("last stage %+v, want effective", got)
	}
}

func TestBuildListsStraysByGroup(t *testing.T) {
	lot := tranche("h100", 1, 5, 100)
	lot.Scope.Regions = []string{"us-east-1"}
	rep := build(t, bought(lot), span(0, 20), []contract.Presence{
		stood("a", "n1", 0, 20, unit(1), region("us-west-2")), stood("b", "n1", 0, 20, unit(2), region("us-west-2")),
		stood("a", "n2", 15, 20, unit(3), region("us-west-2")), stood("c", "n3", 0, 20, unit(4), region("eu")),
		stood("d", "n4", 0, 20, unit(5)),
	}, busy(1, 0, 1, 1000), busy(5, 4, 6, 2*hour))
	want := []contract.Stray{
		{Provider: "aws", Account: "111", Region: "eu", Model: "H100", GPUs: 1, Ms: 20 * hour, Near: `acme/h100: region "eu" is not in [us-east-1]`},
		{Provider: "aws", Account: "111", Region: "us-east-1", Model: "H100", GPUs: 1, Ms: 5 * hour, Near: "acme/h100: starts 2026-10-01T05:00:00Z"},
		{Provider: "aws", Account: "111", Region: "us-west-2", Model: "H100", GPUs: 2, Ms: 40 * hour, Near: `acme/h100: region "us-west-2" is not in [us-east-1]`},
	}
	for i, observed := range []int64{0, hour, 1000} {
		want[i].Buckets[contract.Busy] = observed
		want[i].Buckets[contract.Unobserved] = want[i].Ms - observed
	}
	if d := cmp.Diff(want, rep.Uncontracted); d != "" {
		t.Errorf("uncontracted (-want +got):\n%s", d)
	}
	if rep.Quality.GPUs != 4 {
		t.Errorf("%d distinct GPUs, want 4", rep.Quality.GPUs)
	}
}

func TestBuildGivesEachContractItsPeriod(t *testing.T) {
	contracts := append(bought(tranche("h100", 1, 0, 100)), contract.Contract{ID: "other", Provider: "azure", Currency: "EUR", Zone: time.UTC,
		Tranches: []contract.Tranche{tranche("h100", 2, 0, 100)}})
	plan := contract.NewPlan(contracts, contract.Place(contracts, nil, h(50)), []contract.Period{span(0, 10), span(5, 50)}, span(0, 50))
	rep, err := plan.Build(contract.Answer{}, t0)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := rep.Contracts[0].Total.ContractedMs, rep.Contracts[1].Total.ContractedMs; a != 10*hour || b != 90*hour {
		t.Errorf("contracted %d and %d GPU-h, want 10 and 90", a/hour, b/hour)
	}
}

func TestQueryStaysSmall(t *testing.T) {
	var presences []contract.Presence
	for g := range 500 {
		presences = append(presences, stood(fmt.Sprint("g", g), fmt.Sprint("n", g/8), float64(g%7), 100, unit(int64(g+1))))
	}
	contracts := bought(tranche("h100", 300, 0, 500))
	q := contract.NewPlan(contracts, contract.Place(contracts, presences, h(100)), []contract.Period{span(0, 96)}, span(0, 96)).Query()
	keys := map[int]bool{}
	for _, s := range q.Spans {
		keys[s.Key] = true
	}
	if len(keys) != 2 || len(q.Edges) != 5 {
		t.Errorf("%d keys and %d edges for one tranche and four days, want 2 and 5", len(keys), len(q.Edges))
	}
	if q := contract.NewPlan(nil, contract.Placements{}, nil, span(5, 5)).Query(); len(q.Edges) < 2 || q.Edges[0] >= q.Edges[1] {
		t.Errorf("edges %v of an empty period", q.Edges)
	}
}

func TestQueryJoinsWhatCountsTheSame(t *testing.T) {
	// First "starts", then "ended": two reasons, one group, one span.
	contracts := bought(tranche("h100", 1, 5, 6))
	contracts[0].Tranches[0].Scope.Pins = []string{"other"}
	more := tranche("more", 1, 3, 4)
	more.Scope.Pins = []string{"other"}
	contracts[0].Tranches = append(contracts[0].Tranches, more)
	p := contract.Place(contracts, []contract.Presence{stood("a", "n", 0, 10, unit(7))}, h(10))
	q := contract.NewPlan(contracts, p, []contract.Period{span(0, 10)}, span(0, 10)).Query()
	if len(p.List) < 2 || len(q.Spans) != 1 || q.Spans[0] != (contract.Span{Unit: 7, FromMs: h(0), ToMs: h(10)}) {
		t.Errorf("%d placements, spans %+v; want one span", len(p.List), q.Spans)
	}
}

func TestBuildRefusesAnswersThatContradict(t *testing.T) {
	contracts := bought(tranche("h100", 1, 0, 100))
	presences := []contract.Presence{stood("a", "n", 0, 2, unit(1)), stood("b", "n", 0, 2, unit(2), region("eu"), provider("gcp"))}
	plan := contract.NewPlan(contracts, contract.Place(contracts, presences, h(2)), []contract.Period{span(0, 2)}, span(0, 2))
	f := func(want string, a contract.Answer) {
		t.Helper()
		rep, err := plan.Build(a, t0)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Build = %v, want an error with %q", err, want)
		}
		if rep.Schema != "" {
			t.Errorf("Build returned a report with its error")
		}
	}
	sum := func(key, slot int, s usage.Sums) contract.Answer {
		return contract.Answer{Sums: []contract.Sum{{Key: key, Slot: slot, Sums: s}}}
	}
	f(`answer: contract "acme", tranche "h100" from 2026-10-01T00:00:00Z to 2026-10-01T02:00:00Z: observed 7200001 GPU-ms, but only 7200000 stood there`,
		sum(0, 0, usage.Sums{BusyMs: 2*hour + 1}))
	f("answer: uncontracted GPUs from", sum(1, 0, usage.Sums{IdleMs: 2 * hour, BusyMs: 1}))
	f("key 2, slot 0, which was not asked for", sum(2, 0, usage.Sums{}))
	f("key 0, slot 1, which was not asked for", sum(0, 1, usage.Sums{}))
	f("key -1", sum(-1, 0, usage.Sums{}))
	f("a sum is negative", sum(0, 0, usage.Sums{BusyMs: -1}))
	f("negative sum", contract.Answer{Straddles: []contract.Straddle{busy(1, 0, 3, -1)}})
	f("unit 1: observed 10800001 ms of a window of 10800000 ms", contract.Answer{Straddles: []contract.Straddle{busy(1, 0, 3, 3*hour), busy(1, 0, 3, 1)}})
	f("window of 0 ms", contract.Answer{Straddles: []contract.Straddle{busy(1, 1, 1, 0)}})
	// Two records of one unit that overlap, each of which may be true.
	f("observed 10800000 GPU-ms", contract.Answer{Straddles: []contract.Straddle{busy(1, 0, 3, 3*hour), busy(1, 1, 4, 3*hour)}})
}

func TestBuildRefusesPlansThatDoNotFit(t *testing.T) {
	contracts := bought(tranche("h100", 1, 0, 100))
	f := func(want string, contracts []contract.Contract, p contract.Placements, periods ...contract.Period) {
		t.Helper()
		plan := contract.NewPlan(contracts, p, periods, span(0, 10))
		if q := plan.Query(); len(q.Spans) != 0 || len(q.Edges) < 2 {
			t.Errorf("query %+v of a plan that does not fit", q)
		}
		if _, err := plan.Build(contract.Answer{}, t0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Build = %v, want an error with %q", err, want)
		}
	}
	list := func(x contract.Placement) contract.Placements {
		return contract.Placements{List: []contract.Placement{x}}
	}
	f("0 periods for 1 contracts", contracts, contract.Placements{})
	f(`placement of "x" is in a tranche that is not there`, contracts, list(contract.Placement{GPU: "x", Contract: 1}), span(0, 10))
	f(`placement of "x" is in a tranche that is not there`, contracts, list(contract.Placement{GPU: "x", Tranche: 1}), span(0, 10))
	f(`placement of "x" is in group 0 of 0`, contracts, list(contract.Placement{GPU: "x", Fate: contract.Uncontracted}), span(0, 10))
	f(`contract "z" has no billing time zone`, []contract.Contract{{ID: "z"}}, contract.Placements{}, span(0, 10))

	tooMany := contract.Placements{List: []contract.Placement{{Unit: 1, GPU: "a", FromMs: h(0), ToMs: h(10)}, {Unit: 2, GPU: "b", FromMs: h(0), ToMs: h(10)}}}
	plan := contract.NewPlan(contracts, tooMany, []contract.Period{span(0, 10)}, span(0, 10))
	if _, err := plan.Build(contract.Answer{}, t0); err == nil || !strings.Contains(err.Error(), "more is placed than contracted") {
		t.Errorf("Build of other contracts' placements = %v", err)
	}
	missing := contract.Placements{Vacancies: []contract.Vacancy{{FromMs: h(0), ToMs: h(10), GPUs: 2}}}
	plan = contract.NewPlan(contracts, missing, []contract.Period{span(0, 10)}, span(0, 10))
	if _, err := plan.Build(contract.Answer{}, t0); err == nil || !strings.Contains(err.Error(), "unconfirmed or within the grace") {
		t.Errorf("Build of other contracts' vacancies = %v", err)
	}
}

func TestBuildRefusesAmountsBeyondMoney(t *testing.T) {
	f := func(r contract.Rate, gpus int) {
		t.Helper()
		r.FromMs, r.ToMs = h(0), h(10)
		lot := tranche("h100", gpus, 0, 10)
		lot.Rates = []contract.Rate{r}
		contracts := bought(lot)
		presences := []contract.Presence{stood("a", "n", 0, 10), stood("b", "n", 0, 10)}
		plan := contract.NewPlan(contracts, contract.Place(contracts, presences, h(10)), []contract.Period{span(0, 10)}, span(0, 10))
		if _, err := plan.Build(contract.Answer{}, t0); err == nil || !strings.Contains(err.Error(), `contract "acme", tranche "h100": amount is beyond`) {
			t.Errorf("Build at %s = %v, want an error that names the tranche", r.PerGPUHour, err)
		}
	}
	f(contract.Rate{PerGPUHour: 1 << 62}, 1)
	f(contract.Rate{PerGPUHour: 1, OveragePerGPUHour: 1 << 62, HasOverage: true}, 1)
}
