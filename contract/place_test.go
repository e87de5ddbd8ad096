package contract_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
)

// Times in these tests are hours since t0.
var t0 = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

func h(hours float64) int64 { return t0.Add(time.Duration(hours * float64(time.Hour))).UnixMilli() }

// bought is a contract "acme" with aws.
func bought(tranches ...contract.Tranche) []contract.Contract {
	return []contract.Contract{{ID: "acme", Provider: "aws", Currency: "USD", Zone: time.UTC, Tranches: tranches}}
}

// tranche holds n H100 from an hour to another.
func tranche(id string, n int, from, to float64) contract.Tranche {
	return contract.Tranche{ID: id, Model: "H100", Steps: []contract.Step{{FromMs: h(from), GPUs: n}}, EndMs: h(to)}
}

// stood is an H100 at aws in us-east-1; change it with the functions below.
func stood(gpu, node string, from, to float64, with ...func(*contract.Presence)) contract.Presence {
	p := contract.Presence{GPU: gpu, Node: node, Model: "H100", Provider: "aws", Account: "111", Region: "us-east-1", StartMs: h(from), EndMs: h(to)}
	for _, f := range with {
		f(&p)
	}
	return p
}

func unit(n int64) func(*contract.Presence)    { return func(p *contract.Presence) { p.Unit = n } }
func goodbye(p *contract.Presence)             { p.Goodbye = true }
func region(s string) func(*contract.Presence) { return func(p *contract.Presence) { p.Region = s } }
func provider(s string) func(*contract.Presence) {
	return func(p *contract.Presence) { p.Provider = s }
}

// place prints the placements, each GPU's by time, then the vacancies.
func place(contracts []contract.Contract, now float64, presences ...contract.Presence) []string {
	rand.Shuffle(len(presences), func(i, j int) { presences[i], presences[j] = presences[j], presences[i] })
	p := contract.Place(contracts, presences, h(now))
	hour := func(ms int64) float64 { return float64(ms-t0.UnixMilli()) / 3.6e6 }
	name := func(c, t int) string { return contracts[c].ID + "/" + contracts[c].Tranches[t].ID }
	var out []string
	for _, x := range p.List {
		s := fmt.Sprintf("%s %g-%g ", x.GPU, hour(x.FromMs), hour(x.ToMs))
		switch x.Fate {
		case contract.Placed:
			s += "in " + name(x.Contract, x.Tranche)
		case contract.Overage:
			s += "over " + name(x.Contract, x.Tranche)
		case contract.Uncontracted:
			s += "none; " + x.Near
		}
		if x.Unit != 0 {
			s += fmt.Sprintf(" unit %d", x.Unit)
		}
		out = append(out, s)
	}
	for _, v := range p.Vacancies {
		out = append(out, fmt.Sprintf("%s %g-%g lacks %d unconfirmed", name(v.Contract, v.Tranche), hour(v.FromMs), hour(v.ToMs), v.GPUs))
	}
	return out
}

func check(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("placements (-want +got):\n%s", d)
	}
}

func TestPlacePrefersOldestThenUUID(t *testing.T) {
	got := place(bought(tranche("h100", 2, 5, 20)), 10, stood("c", "n1", 0, 10), stood("b", "n1", 1, 10), stood("a", "n1", 1, 10))
	check(t, got,
		"a 1-5 none; acme/h100: starts 2026-10-01T05:00:00Z", "a 5-10 in acme/h100",
		"b 1-5 none; acme/h100: starts 2026-10-01T05:00:00Z", "b 5-10 over acme/h100",
		"c 0-5 none; acme/h100: starts 2026-10-01T05:00:00Z", "c 5-10 in acme/h100")
}

func TestPlaceNeverDisplacesWhoIsPlaced(t *testing.T) {
	// b is older in its node, but came to match only after a had the seat.
	got := place(bought(contract.Tranche{ID: "h100", Model: "H100", Steps: []contract.Step{{FromMs: h(0), GPUs: 1}}, EndMs: h(20),
		Scope: contract.Scope{Regions: []string{"us-east-1"}}}), 10,
		stood("a", "n1", 1, 10), stood("b", "n2", 0, 2, region("us-west-2"), unit(1)), stood("b", "n2", 2, 10, unit(2)))
	check(t, got, "a 1-10 in acme/h100",
		`b 0-2 none; acme/h100: region "us-west-2" is not in [us-east-1] unit 1`, "b 2-10 over acme/h100 unit 2")
}

func TestPlaceFillsByPriorityThenEarliestEnd(t *testing.T) {
	late, soon, first := tranche("late", 1, 0, 40), tranche("soon", 1, 0, 30), tranche("first", 1, 0, 50)
	late.Priority, soon.Priority, first.Priority = 2, 2, 1
	got := place(bought(late, soon, first), 10, stood("a", "n", 0, 10), stood("b", "n", 1, 10), stood("c", "n", 2, 10), stood("d", "n", 3, 10))
	check(t, got, "a 0-10 in acme/first", "b 1-10 in acme/soon", "c 2-10 in acme/late", "d 3-10 over acme/first")
}

func TestPlaceKeepsSeatsUntilTrancheEnds(t *testing.T) {
	// "next" is preferred from hour 5 on, but a sits well where it is.
	first, next := tranche("first", 1, 0, 8), tranche("next", 1, 5, 20)
	first.Priority = 1
	got := place(bought(first, next), 10, stood("a", "n", 0, 10))
	check(t, got, "a 0-8 in acme/first", "a 8-10 in acme/next")
}

func TestPlaceFollowsRamp(t *testing.T) {
	ramp := tranche("h100", 1, 0, 20)
	ramp.Steps = append(ramp.Steps, contract.Step{FromMs: h(2), GPUs: 3}, contract.Step{FromMs: h(6), GPUs: 2}, contract.Step{FromMs: h(8), GPUs: 0})
	got := place(bought(ramp), 10, stood("a", "n", 1, 10), stood("b", "n", 0, 10), stood("c", "n", 1, 10))
	check(t, got,
		"a 1-2 over acme/h100", "a 2-8 in acme/h100", "a 8-10 over acme/h100",
		"b 0-8 in acme/h100", "b 8-10 over acme/h100",
		"c 1-2 over acme/h100", "c 2-6 in acme/h100", "c 6-10 over acme/h100")
}

func TestPlaceReplacesGPUInTheSameInstant(t *testing.T) {
	got := place(bought(tranche("h100", 1, 0, 20)), 10, stood("b", "n1", 0, 5, goodbye), stood("a", "n1", 5, 10))
	check(t, got, "a 5-10 in acme/h100", "b 0-5 in acme/h100")
}

func TestPlaceBridgesSilenceInOneNode(t *testing.T) {
	// Five days of silence, an identity that was corrected meanwhile: no move.
	got := place(bought(tranche("h100", 1, 0, 500)), 200,
		stood("a", "n1", 0, 10, unit(1)), stood("a", "n1", 130, 140, unit(2)), stood("b", "n2", 20, 200))
	check(t, got, "a 0-130 in acme/h100 unit 1", "a 130-164 in acme/h100 unit 2",
		"b 20-164 over acme/h100", "b 164-200 in acme/h100")
}

func TestPlaceEndsSilenceAfterADay(t *testing.T) {
	got := place(bought(tranche("h100", 2, 0, 500)), 100, stood("a", "n1", 0, 10), stood("b", "n1", 0, 90))
	check(t, got, "a 0-34 in acme/h100", "b 0-100 in acme/h100", "acme/h100 34-100 lacks 1 unconfirmed")
}

func TestPlaceTakesVacancyBackWhenFilledOrBack(t *testing.T) {
	contracts := bought(tranche("h100", 2, 0, 500))
	// c takes a's seat at 50; when c goes for sure at 60, that is confirmed.
	check(t, place(contracts, 100, stood("a", "n1", 0, 10), stood("b", "n1", 0, 90), stood("c", "n2", 50, 60, goodbye)),
		"a 0-34 in acme/h100", "b 0-100 in acme/h100", "c 50-60 in acme/h100", "acme/h100 34-50 lacks 1 unconfirmed")
	// c takes one of two seats that fell vacant: one is still missing.
	check(t, place(contracts, 100, stood("a", "n1", 0, 10), stood("b", "n1", 0, 10), stood("c", "n2", 50, 90)),
		"a 0-34 in acme/h100", "b 0-34 in acme/h100", "c 50-100 in acme/h100",
		"acme/h100 34-50 lacks 2 unconfirmed", "acme/h100 50-100 lacks 1 unconfirmed")
	// a shows up in another account's node: it is not missing any more.
	check(t, place(contracts, 100, stood("a", "n1", 0, 10), stood("b", "n1", 0, 90), stood("a", "n9", 70, 90, provider("azure"))),
		"a 0-34 in acme/h100", `a 70-100 none; acme/h100: provider "azure" is not "aws"`, "b 0-100 in acme/h100",
		"acme/h100 34-70 lacks 1 unconfirmed")
}

func TestPlaceBelievesGoodbye(t *testing.T) {
	got := place(bought(tranche("h100", 2, 0, 500)), 100, stood("a", "n1", 0, 10, goodbye), stood("b", "n1", 0, 90))
	check(t, got, "a 0-10 in acme/h100", "b 0-100 in acme/h100")
	// It is gone for sure in between, though it comes back to the same node.
	got = place(bought(tranche("h100", 2, 0, 500)), 40, stood("a", "n1", 0, 10, goodbye), stood("a", "n1", 30, 40))
	check(t, got, "a 0-10 in acme/h100", "a 30-40 in acme/h100")
}

func TestPlaceMovesGPUToWhereItShowedUpLast(t *testing.T) {
	contracts := bought(tranche("h100", 1, 0, 500))
	// In n2 from hour 5 to 8, while n1 seems to report on; b gets the seat.
	check(t, place(contracts, 20, stood("a", "n1", 0, 10, unit(1)), stood("a", "n2", 5, 8, unit(2)), stood("b", "n3", 4, 20, unit(3))),
		"a 0-5 in acme/h100 unit 1", "a 5-8 over acme/h100 unit 2", "a 8-20 over acme/h100 unit 1",
		"b 4-5 over acme/h100 unit 3", "b 5-20 in acme/h100 unit 3")
	// Silence ends where the next node speaks.
	check(t, place(contracts, 20, stood("a", "n1", 0, 10, unit(1)), stood("a", "n2", 12, 20, unit(2))),
		"a 0-12 in acme/h100 unit 1", "a 12-20 in acme/h100 unit 2")
}

func TestPlaceKeepsSeatUnderAnotherIdentityIfItMatches(t *testing.T) {
	east := tranche("east", 1, 0, 500)
	east.Scope.Regions = []string{"us-east-1"}
	check(t, place(bought(east), 20, stood("a", "n1", 0, 10, unit(1)), stood("a", "n1", 10, 20, unit(2)), stood("b", "n2", 1, 20, unit(3))),
		"a 0-10 in acme/east unit 1", "a 10-20 in acme/east unit 2", "b 1-20 over acme/east unit 3")
	check(t, place(bought(east), 20, stood("a", "n1", 0, 10, unit(1)), stood("a", "n1", 10, 20, unit(2), region("eu")), stood("b", "n2", 1, 20, unit(3))),
		"a 0-10 in acme/east unit 1", `a 10-20 none; acme/east: region "eu" is not in [us-east-1] unit 2`,
		"b 1-10 over acme/east unit 3", "b 10-20 in acme/east unit 3")
}

func TestPlaceTakesPinnedOnly(t *testing.T) {
	pinned := tranche("pinned", 3, 0, 500)
	pinned.Scope.Pins = []string{"n7", "a"}
	check(t, place(bought(pinned), 10,
		stood("a", "n1", 0, 10), stood("b", "n7", 0, 10), stood("c", "n2", 0, 10),
		stood("d", "n7", 0, 10, provider("")), stood("e", "n2", 0, 10, provider(""))),
		"a 0-10 in acme/pinned", "b 0-10 in acme/pinned", "c 0-10 none; acme/pinned: neither the GPU nor its node is pinned",
		"d 0-10 in acme/pinned", `e 0-10 none; acme/pinned: provider unknown is not "aws"`)
}

func TestPlaceNamesNearestTrancheAndRule(t *testing.T) {
	h100, a100 := tranche("h100", 1, 0, 500), tranche("a100", 1, 0, 500)
	a100.Model = "A100"
	h100.Scope = contract.Scope{Accounts: []string{"111"}, Regions: []string{"us-east-1", "us-east-2"}, Reservations: []string{"cr-1"}}
	f := func(want string, with func(*contract.Presence)) {
		t.Helper()
		check(t, place(bought(a100, h100), 10, stood("x", "n1", 0, 10, with)), "x 0-10 none; "+want)
	}
	f(`acme/a100: provider "gcp" is not "aws"`, provider("gcp"))
	f(`acme/a100: model "T4" is not "A100"`, func(p *contract.Presence) { p.Model = "T4" })
	east := h100
	h100.Scope.Rules = contract.Applicability{
		Inclusions: []contract.Rule{{Dimension: "x_Node", Operator: contract.StartsWith, Values: []string{"n"}}, {Dimension: "x_Rack", Operator: contract.Exists, Values: []string{"*"}}},
		Exclusions: []contract.Rule{{Dimension: "AvailabilityZone", Operator: contract.EndsWith, Values: []string{"c"}}},
	}
	reserved := func(p *contract.Presence) { p.Reservation, p.Rack = "cr-1", "r1" }
	f(`acme/h100: x_Rack unknown is not Exists [*]`, func(p *contract.Presence) { p.Reservation = "cr-1" })
	f(`acme/h100: x_Node "other" is not StartsWith [n]`, func(p *contract.Presence) { reserved(p); p.Node = "other" })
	f(`acme/h100: AvailabilityZone "us-east-1c" is excluded: EndsWith [c]`, func(p *contract.Presence) { reserved(p); p.Zone = "us-east-1c" })
	h100.Scope.Rules = contract.Applicability{Complex: true}
	f(`acme/h100: its scope is complex: it takes only what it pins`, reserved)
	h100.Scope.Pins = []string{"n1"}
	check(t, place(bought(a100, h100), 10, stood("x", "n1", 0, 10, reserved)), "x 0-10 in acme/h100")
	h100 = east
	f(`acme/h100: account unknown is not in [111]`, func(p *contract.Presence) { p.Account = "" })
	f(`acme/h100: region "us-west-2" is not in [us-east-1, us-east-2]`, region("us-west-2"))
	f(`acme/h100: reservation "cr-2" is not in [cr-1]`, func(p *contract.Presence) { p.Reservation = "cr-2" })

	many := tranche("many", 1, 0, 500)
	many.Scope.Regions = []string{"a", "b", "c", "d", "e", "f"}
	check(t, place(bought(many), 10, stood("x", "n1", 0, 10)),
		`x 0-10 none; acme/many: region "us-east-1" is not in [a, b, c, d, … 2 more]`)
	check(t, place(bought(tranche("old", 1, 0, 5)), 10, stood("x", "n1", 6, 10)), "x 6-10 none; acme/old: ended 2026-10-01T05:00:00Z")
	check(t, place(nil, 10, stood("x", "n1", 6, 10)), "x 6-10 none; ")
}

func TestPlaceKnowsNothingOfTheFuture(t *testing.T) {
	contracts := bought(tranche("h100", 1, 0, 500))
	presences := []contract.Presence{stood("a", "n1", 0, 50), stood("b", "n1", 30, 60)}
	check(t, place(contracts, 20, presences...), "a 0-20 in acme/h100")
	check(t, place(contracts, -5, presences...))
	if p := contract.Place(contracts, []contract.Presence{stood("a", "n", 3, 3), stood("b", "n", 4, 2)}, h(10)); len(p.List) != 0 {
		t.Errorf("presences of no time are placed: %+v", p.List)
	}
}

func TestPlaceGroupsByIdentity(t *testing.T) {
	p := contract.Place(nil, []contract.Presence{
		stood("a", "n1", 0, 5, region("b")), stood("b", "n1", 0, 5, region("a")), stood("c", "n1", 0, 5, region("b"))}, h(10))
	want := []contract.Group{{Provider: "aws", Account: "111", Region: "a", Model: "H100"}, {Provider: "aws", Account: "111", Region: "b", Model: "H100"}}
	if d := cmp.Diff(want, p.Groups); d != "" {
		t.Errorf("groups (-want +got):\n%s", d)
	}
	for i, g := range []int{1, 0, 1} {
		if p.List[i].Group != g {
			t.Errorf("%s is in group %d, want %d", p.List[i].GPU, p.List[i].Group, g)
		}
	}
}
