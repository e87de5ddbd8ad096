package contract_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// The edge cases of docs/edge-cases.md that placements and reports decide.
// Times are hours since t0, as in the tests of Place.

// record is one hour-grid record of a unit.
func record(u int64, from, to float64, sums usage.Sums) contract.Straddle {
	return contract.Straddle{Unit: u, Record: usage.Record{StartMs: h(from), EndMs: h(to), Sums: sums}}
}

// only is the total of the one contract that a report has.
func only(t *testing.T, r contract.Report) contract.Line {
	t.Helper()
	if len(r.Contracts) != 1 {
		t.Fatalf("%d contracts", len(r.Contracts))
	}
	return r.Contracts[0].Total
}

func buckets(undelivered, unobserved, unhealthy, unallocated, idle, unmeasured, busy float64) contract.Time {
	var out contract.Time
	for b, hours := range []float64{undelivered, unobserved, unhealthy, unallocated, idle, unmeasured, busy} {
		out[b] = int64(hours * hour)
	}
	return out
}

func wantBuckets(t *testing.T, l contract.Line, want contract.Time) {
	t.Helper()
	if d := cmp.Diff(want, l.Buckets); d != "" || l.Buckets.Total() != l.ContractedMs {
		t.Errorf("buckets (-want +got), %d contracted:\n%s", l.ContractedMs, d)
	}
}

// A's seconds, the gap and B's seconds fill one window. While the node stays,
// its agent records the lost GPU, unhealthy; when the node leaves, nobody
// stands there.
func TestEdgeGPUReplacedWithinAWindow(t *testing.T) {
	contracts := bought(tranche("h100", 1, 0, 1))
	node := only(t, build(t, contracts, span(0, 1),
		[]contract.Presence{stood("a", "n1", 0, 0.75, unit(1), goodbye), stood("b", "n1", 0.75, 1, unit(2))},
		record(1, 0, 0.75, usage.Sums{BusyMs: hour / 2, UnhealthyMs: hour / 4}), busy(2, 0.75, 1, hour/4)))
	wantBuckets(t, node, buckets(0, 0, 0.25, 0, 0, 0, 0.75))
	gone := only(t, build(t, contracts, span(0, 1),
		[]contract.Presence{stood("a", "n1", 0, 0.5, unit(1), goodbye), stood("b", "n2", 0.75, 1, unit(2))},
		busy(1, 0, 0.5, hour/2), busy(2, 0.75, 1, hour/4)))
	wantBuckets(t, gone, buckets(0.25, 0, 0, 0, 0, 0, 0.75))
	if gone.UnconfirmedMs != 0 {
		t.Errorf("%d GPU-ms unconfirmed after a goodbye", gone.UnconfirmedMs)
	}
}

func TestEdgeNodeInNoContract(t *testing.T) {
	east := tranche("east", 8, 0, 10)
	east.Scope.Regions = []string{"us-east-1"}
	r := build(t, bought(east), span(0, 10), []contract.Presence{stood("a", "n1", 0, 10, unit(1), region("us-west-2"))}, busy(1, 0, 10, 5*hour))
	if len(r.Uncontracted) != 1 || r.Uncontracted[0].Ms != 10*hour || r.Uncontracted[0].Near != `acme/east: region "us-west-2" is not in [us-east-1]` {
		t.Errorf("uncontracted = %+v", r.Uncontracted)
	}
	wantBuckets(t, only(t, r), buckets(80, 0, 0, 0, 0, 0, 0))
}

// Twelve reserved, sixteen running: twelve count, four are overage, priced as
// such.
func TestEdgeMoreGPUsThanContracted(t *testing.T) {
	lot := tranche("h100", 12, 0, 10)
	lot.Rates = []contract.Rate{{FromMs: h(0), ToMs: h(10), PerGPUHour: 2_000_000, OveragePerGPUHour: 3_000_000, HasOverage: true}}
	var presences []contract.Presence
	for i := range 16 {
		presences = append(presences, stood(string(rune('a'+i)), "n", 0, 10, unit(int64(i+1))))
	}
	l := only(t, build(t, bought(lot), span(0, 10), presences))
	wantBuckets(t, l, buckets(0, 120, 0, 0, 0, 0, 0))
	if l.OverageMs != 40*hour || l.Cost.Contracted != 240_000_000 || l.Cost.Overage != 120_000_000 {
		t.Errorf("overage %d GPU-ms for %s, contracted %s", l.OverageMs, l.Cost.Overage, l.Cost.Contracted)
	}
}

// A GPU that two tranches could take counts in one: in that which ends first,
// unless a priority says otherwise.
func TestEdgeOverlappingTranches(t *testing.T) {
	short, long := tranche("short", 1, 0, 20), tranche("long", 1, 0, 30)
	check(t, place(bought(long, short), 10, stood("a", "n", 0, 10)), "a 0-10 in acme/short")
	short.Priority = 1
	check(t, place(bought(long, short), 10, stood("a", "n", 0, 10)), "a 0-10 in acme/long")
	r := build(t, bought(long, short), span(0, 10), []contract.Presence{stood("a", "n", 0, 10, unit(1))})
	wantBuckets(t, only(t, r), buckets(10, 10, 0, 0, 0, 0, 0))
}

// Silence is unobserved and never idle; a stop that was said is undelivered,
// confirmed.
func TestEdgeTelemetryGap(t *testing.T) {
	contracts := bought(tranche("h100", 1, 0, 10))
	gap := only(t, build(t, contracts, span(0, 10), []contract.Presence{stood("a", "n", 0, 10, unit(1))}, busy(1, 0, 4, 4*hour), busy(1, 6, 10, 4*hour)))
	wantBuckets(t, gap, buckets(0, 2, 0, 0, 0, 0, 8))
	stopped := only(t, build(t, contracts, span(0, 10),
		[]contract.Presence{stood("a", "n", 0, 4, unit(1), goodbye), stood("a", "n", 6, 10, unit(1))}, busy(1, 0, 4, 4*hour), busy(1, 6, 10, 4*hour)))
	wantBuckets(t, stopped, buckets(2, 0, 0, 0, 0, 0, 8))
	if gap.Utilisation.Busy != 0.8 || gap.Utilisation.Upper != 1 || stopped.Utilisation.Upper != 0.8 {
		t.Errorf("bounds up to %g with a gap, %g after a stop", gap.Utilisation.Upper, stopped.Utilisation.Upper)
	}
}

// A tranche that is superseded within a month ends, and another goes on: both
// have a line, and together they are what was contracted.
func TestEdgeContractChangedWithinAMonth(t *testing.T) {
	old, amended := tranche("v1", 8, 0, 240), tranche("v2", 12, 240, 744)
	old.Rates = []contract.Rate{{FromMs: h(0), ToMs: h(240), PerGPUHour: 2_000_000}}
	amended.Rates = []contract.Rate{{FromMs: h(240), ToMs: h(744), PerGPUHour: 1_500_000}}
	s := build(t, bought(old, amended), span(0, 744), nil).Contracts[0]
	if len(s.Tranches) != 2 || s.Tranches[0].ContractedMs != 8*240*hour || s.Tranches[1].ContractedMs != 12*504*hour ||
		s.Total.Cost.Contracted != (8*240*2+12*504*3/2)*1_000_000 {
		t.Errorf("lines %d and %d GPU-ms for %s", s.Tranches[0].ContractedMs, s.Tranches[1].ContractedMs, s.Total.Cost.Contracted)
	}
	// The GPU that stood for the first stands for the second from that moment.
	check(t, place(bought(old, amended), 300, stood("a", "n", 0, 300)), "a 0-240 in acme/v1", "a 240-300 in acme/v2")
}

// Hours are real ones: of a leap February, and of months in which clocks
// change.
func TestEdgeLeapYearMonthLengthAndDST(t *testing.T) {
	f := func(zone, month string, hours int64) {
		t.Helper()
		z, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		from, err := time.ParseInLocation("2006-01", month, z)
		if err != nil {
			t.Fatal(err)
		}
		p := contract.Period{Name: month, FromMs: from.UnixMilli(), ToMs: from.AddDate(0, 1, 0).UnixMilli()}
		lot := contract.Tranche{ID: "t", Model: "H100", EndMs: p.ToMs, Steps: []contract.Step{{FromMs: p.FromMs, GPUs: 1}},
			Rates: []contract.Rate{{FromMs: p.FromMs, ToMs: p.ToMs, PerGPUHour: 1_000_000}}}
		contracts := []contract.Contract{{ID: "c", Provider: "aws", Currency: "USD", Zone: z, Tranches: []contract.Tranche{lot}}}
		l := only(t, build(t, contracts, p, nil))
		if l.ContractedMs != hours*hour || l.Cost.Contracted != contract.Money(hours)*1_000_000 {
			t.Errorf("%s in %s: %d GPU-ms for %s, want %d hours", month, zone, l.ContractedMs, l.Cost.Contracted, hours)
		}
	}
	f("UTC", "2028-02", 29*24)
	f("UTC", "2027-02", 28*24)
	f("America/New_York", "2026-03", 31*24-1)
	f("America/New_York", "2026-11", 30*24+1)
	f("Asia/Kolkata", "2026-10", 31*24)
}

// Two holders of one GPU at a time are one GPU in the ledger.
func TestEdgeSharedGPUCountsOnce(t *testing.T) {
	half := usage.Sums{BusyMs: hour / 4, IdleMs: hour / 4}
	l := only(t, build(t, bought(tranche("h100", 1, 0, 1)), span(0, 1), []contract.Presence{stood("a", "n", 0, 1, unit(1))}, record(1, 0, 1, half), record(1, 0, 1, half)))
	wantBuckets(t, l, buckets(0, 0, 0, 0, 0.5, 0, 0.5))
}

// An accepted model counts one for one and is listed, whatever its price; one
// that is not accepted leaves the tranche undelivered and is uncontracted.
func TestEdgeGPUModelSubstitution(t *testing.T) {
	lot := tranche("h100", 2, 0, 10)
	lot.Rates = []contract.Rate{{FromMs: h(0), ToMs: h(10), PerGPUHour: 2_000_000}}
	h200 := func(p *contract.Presence) { p.Model = "H200" }
	presences := []contract.Presence{stood("a", "n", 0, 10, unit(1)), stood("b", "n", 0, 10, unit(2), h200)}
	refused := build(t, bought(lot), span(0, 10), presences, busy(1, 0, 10, 10*hour), busy(2, 0, 10, 10*hour))
	wantBuckets(t, only(t, refused), buckets(10, 0, 0, 0, 0, 0, 10))
	if len(refused.Uncontracted) != 1 || refused.Uncontracted[0].Near != `acme/h100: model "H200" is not "H100"` {
		t.Errorf("uncontracted = %+v", refused.Uncontracted)
	}
	lot.Accepts = []contract.Substitute{{Model: "H200", Factor: 1_500_000}}
	accepted := build(t, bought(lot), span(0, 10), presences, busy(1, 0, 10, 10*hour), busy(2, 0, 10, 10*hour))
	wantBuckets(t, only(t, accepted), buckets(0, 0, 0, 0, 0, 0, 20))
	want := []contract.Substituted{{Model: "H200", Ms: 10 * hour, Cost: 30_000_000}}
	if l := accepted.Contracts[0].Tranches[0]; cmp.Diff(want, l.Substitutes) != "" || l.Cost.Contracted != 50_000_000 || len(accepted.Uncontracted) != 0 {
		t.Errorf("substitutes %+v, contracted %s, uncontracted %+v", l.Substitutes, l.Cost.Contracted, accepted.Uncontracted)
	}
}

// A tranche that bought a model has it before one that accepts it, even if
// that one ends first.
func TestEdgeSubstituteIsNotTakenFromWhoBoughtIt(t *testing.T) {
	h100, h200 := tranche("h100", 1, 0, 20), tranche("h200", 1, 0, 30)
	h100.Accepts, h200.Model = []contract.Substitute{{Model: "H200", Factor: contract.Whole}}, "H200"
	model := func(p *contract.Presence) { p.Model = "H200" }
	check(t, place(bought(h100, h200), 10, stood("a", "n", 0, 10, model)), "a 0-10 in acme/h200")
	check(t, place(bought(h100, h200), 10, stood("a", "n", 0, 10, model), stood("b", "n", 1, 10, model), stood("c", "n", 2, 10)),
		"a 0-10 in acme/h200", "b 1-10 in acme/h100", "c 2-10 over acme/h100")
	// Beyond all seats it is overage of who bought it.
	check(t, place(bought(h100, h200), 10, stood("a", "n", 0, 10, model), stood("b", "n", 1, 10, model), stood("c", "n", 2, 10, model)),
		"a 0-10 in acme/h200", "b 1-10 in acme/h100", "c 2-10 over acme/h200")
}

// The price of a substitute is rounded half even, to a micro-unit.
func TestEdgeSubstitutePriceIsRoundedHalfEven(t *testing.T) {
	f := func(price contract.Money, factor int64, want contract.Money) {
		t.Helper()
		lot := tranche("h100", 1, 0, 1)
		lot.Accepts = []contract.Substitute{{Model: "H200", Factor: factor}}
		lot.Rates = []contract.Rate{{FromMs: h(0), ToMs: h(1), PerGPUHour: price, OveragePerGPUHour: price, HasOverage: true}}
		h200 := func(p *contract.Presence) { p.Model = "H200" }
		l := only(t, build(t, bought(lot), span(0, 1), []contract.Presence{stood("a", "n", 0, 1, unit(1), h200), stood("b", "n", 0, 1, unit(2), h200)}))
		if l.Cost.Contracted != want || l.Cost.Overage != want {
			t.Errorf("%d × %d = %d and %d over, want %d", price, factor, l.Cost.Contracted, l.Cost.Overage, want)
		}
	}
	f(5, 500_000, 2)
	f(7, 500_000, 4)
	f(5, 500_001, 3)
	f(5, 499_999, 2)
	f(2_350_000, 1_100_000, 2_585_000)
	f(5, 0, 0)
}

// A GPU that is known by another model from some moment on keeps its seat as a
// substitute, and is then the first to lose it.
func TestEdgeModelChangesInASeat(t *testing.T) {
	lot := tranche("h100", 2, 0, 20)
	lot.Accepts = []contract.Substitute{{Model: "H200", Factor: contract.Whole}}
	lot.Steps = append(lot.Steps, contract.Step{FromMs: h(10), GPUs: 1})
	check(t, place(bought(lot), 15, stood("a", "n", 0, 5, unit(1)), stood("a", "n", 5, 15, unit(2), func(p *contract.Presence) { p.Model = "H200" }), stood("b", "n", 1, 15, unit(3))),
		"a 0-5 in acme/h100 unit 1", "a 5-10 in acme/h100 unit 2", "a 10-15 over acme/h100 unit 2", "b 1-15 in acme/h100 unit 3")
}

// A GPU that the node should have and never showed is on record as its slot:
// delivered, and unhealthy.
func TestEdgeFewerGPUsThanTheNodeShouldHave(t *testing.T) {
	l := only(t, build(t, bought(tranche("h100", 2, 0, 10)), span(0, 10),
		[]contract.Presence{stood("a", "n", 0, 10, unit(1)), stood("n/slot-1", "n", 0, 10, unit(2))},
		busy(1, 0, 10, 10*hour), record(2, 0, 10, usage.Sums{UnhealthyMs: 10 * hour})))
	wantBuckets(t, l, buckets(0, 0, 10, 0, 0, 0, 10))
}

// A GPU whose cloud is not known counts where a pin says so, and is reported
// by itself elsewhere.
func TestEdgeCloudIdentityUnknown(t *testing.T) {
	open, pinned := tranche("open", 1, 0, 10), tranche("pinned", 1, 0, 10)
	pinned.Scope.Pins = []string{"n1"}
	check(t, place(bought(open, pinned), 10, stood("a", "n1", 0, 10, provider("")), stood("b", "n2", 0, 10, provider(""))),
		"a 0-10 in acme/pinned", `b 0-10 none; acme/open: provider unknown is not "aws"`)
	r := build(t, bought(open), span(0, 10), []contract.Presence{stood("b", "n2", 0, 10, unit(1), provider(""))})
	if len(r.Uncontracted) != 1 || r.Uncontracted[0].Provider != "" || r.Uncontracted[0].Ms != 10*hour {
		t.Errorf("uncontracted = %+v", r.Uncontracted)
	}
}

// An account that the provider renames is both names in the scope; the GPU
// keeps its seat and its age.
func TestEdgeProviderRenamesAnAccount(t *testing.T) {
	lot := tranche("h100", 1, 0, 20)
	lot.Scope.Accounts = []string{"111", "tenancy-renamed"}
	renamed := func(p *contract.Presence) { p.Account = "tenancy-renamed" }
	check(t, place(bought(lot), 20, stood("b", "n1", 0, 10, unit(1)), stood("b", "n1", 10, 20, unit(2), renamed), stood("a", "n2", 5, 20, unit(3))),
		"a 5-20 over acme/h100 unit 3", "b 0-10 in acme/h100 unit 1", "b 10-20 in acme/h100 unit 2")
}

// Contracts in two currencies are never added up.
func TestEdgeCurrenciesAreNotAddedUp(t *testing.T) {
	lot := tranche("h100", 1, 0, 10)
	lot.Rates = []contract.Rate{{FromMs: h(0), ToMs: h(10), PerGPUHour: 1_000_000}}
	contracts := append(bought(lot), bought(lot)[0])
	contracts[1].ID, contracts[1].Currency = "euro", "EUR"
	periods := []contract.Period{span(0, 10), span(0, 10)}
	plan := contract.NewPlanBy(contract.Grouping{By: contract.ByCloud}, contracts, contract.Place(contracts, nil, h(10)), periods, span(0, 10))
	r, err := plan.Build(contract.Answer{}, t0)
	if err != nil || len(r.Breakdown.Currencies) != 2 {
		t.Fatalf("breakdown %+v, %v", r.Breakdown, err)
	}
	for i, currency := range []string{"USD", "EUR"} {
		if c := r.Breakdown.Currencies[i]; c.Currency != currency || c.Total.Cost.Contracted != 10_000_000 {
			t.Errorf("%s: %s", c.Currency, c.Total.Cost.Contracted)
		}
	}
}

// What is paid ahead is spread over the term by its price: days of equal
// length cost the same, to the micro-unit that rounding moves.
func TestEdgePrepaidIsSpreadEvenly(t *testing.T) {
	lot := tranche("h100", 1, 0, 240)
	lot.Rates = []contract.Rate{{FromMs: h(0), ToMs: h(240), PerGPUHour: 333_333}}
	l := build(t, bought(lot), span(0, 240), nil).Contracts[0].Total
	var sum contract.Money
	for _, d := range l.Days {
		cost := d.Cost.Total()
		sum += cost
		if cost < 24*333_333-1 || cost > 24*333_333+1 {
			t.Errorf("%s costs %s", d.Date, cost)
		}
	}
	if len(l.Days) != 10 || sum != 240*333_333 || l.Cost.Contracted != sum {
		t.Errorf("%d days cost %s of %s", len(l.Days), sum, l.Cost.Contracted)
	}
}

// Nothing is rounded before the money: 24 hours and a quarter are 24.25
// reservation hours, and a millisecond is a millisecond.
func TestEdgePartsOfHoursAreNotRounded(t *testing.T) {
	lot := tranche("odcr", 20, 0, 24.25)
	lot.Rates = []contract.Rate{{FromMs: h(0), ToMs: h(24.25), PerGPUHour: 1_000_000}}
	l := only(t, build(t, bought(lot), span(0, 48), []contract.Presence{{GPU: "a", Node: "n", Model: "H100", Provider: "aws", Unit: 1, StartMs: h(0), EndMs: h(0) + 1}}))
	if l.Cost.Contracted != 485_000_000 || l.ContractedMs != 20*2425*hour/100 {
		t.Errorf("%d GPU-ms for %s, want 485 hours", l.ContractedMs, l.Cost.Contracted)
	}
}

// An agent that cannot read activity says so: unmeasured, no effective stage,
// and never zero.
func TestEdgeAgentWithoutAFeature(t *testing.T) {
	l := only(t, build(t, bought(tranche("h100", 1, 0, 10)), span(0, 10), []contract.Presence{stood("a", "n", 0, 10, unit(1))},
		record(1, 0, 10, usage.Sums{UnmeasuredMs: 10 * hour})))
	wantBuckets(t, l, buckets(0, 0, 0, 0, 0, 10, 0))
	if last := l.Stages[len(l.Stages)-1]; last.Name != "busy" || l.Utilisation.Upper != 1 || l.EnergyKnownMs != 0 {
		t.Errorf("last stage %+v, upper bound %g", last, l.Utilisation.Upper)
	}
}

// GPUs that are missing within the grace of the step that added them are
// undelivered like any other, and not late.
func TestEdgeGraceIsUndeliveredAndNotLate(t *testing.T) {
	lot := tranche("h100", 2, 0, 48)
	lot.Steps = append(lot.Steps, contract.Step{FromMs: h(20), GPUs: 5})
	lot.Delivery.GraceMs = 10 * hour
	// One of the first two comes at hour 4; nobody is added.
	l := only(t, build(t, bought(lot), span(0, 40), []contract.Presence{stood("a", "n", 0, 40, unit(1)), stood("b", "n", 4, 40, unit(2))}))
	wantBuckets(t, l, buckets(4+3*20, 36+40, 0, 0, 0, 0, 0))
	if l.GraceMs != (4+3*10)*hour || l.UnconfirmedMs != 0 {
		t.Errorf("%d GPU-ms within the grace, %d unconfirmed; want 34 hours and none", l.GraceMs, l.UnconfirmedMs)
	}
}
