package contract_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// silentNode is a node that was not heard from minute 60 to 150, beside one that
// was, with everything that makes it claimable. The month is March 2026.
func silentNode() contract.Watch {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli()
	at := func(k int64) int64 { return start + k*minuteMs }
	w := contract.Watch{AsOfMs: at(600), Lives: []contract.Life{{FromMs: at(-10), ToMs: at(600)}}}
	for i, node := range []string{"n1", "n2"} {
		w.Presences = append(w.Presences, contract.Presence{Unit: int64(i + 1), GPU: "GPU-" + node, Model: "H100", Node: node,
			Provider: "aws", Zone: "z1", StartMs: at(0), EndMs: at(600)})
	}
	whole := func(unit, from, to int64) contract.Stretch {
		return contract.Stretch{Unit: unit, FromMs: at(from), ToMs: at(to), HealthyMs: (to - from) * minuteMs}
	}
	w.Stretches = []contract.Stretch{whole(1, 0, 60), whole(1, 150, 600), whole(2, 0, 600)}
	w.Contracts = []contract.Contract{{ID: "c", Provider: "aws", Currency: "USD", Zone: time.UTC,
		Tranches: []contract.Tranche{{ID: "t", Model: "H100", SLA: "s", Steps: []contract.Step{{FromMs: at(0), GPUs: 2}}, EndMs: at(90_000),
			Rates: []contract.Rate{{FromMs: at(0), ToMs: at(90_000), PerGPUHour: 3_000_000}}}},
		SLAs: []contract.SLA{{ID: "s", Target: 999_000, Scope: contract.SLAPerNode, Period: contract.SLAByMonth, Cap: contract.Whole,
			Tiers: []contract.CreditTier{{Below: 999_000, Credit: 100_000}}, Claim: contract.ClaimRule{From: contract.ClaimFromPeriod, Days: 14}}}}}
	return w
}

// TestWhatIsExcludedIsNoDowntime announces half of a silence: only the rest is
// claimed, unless the promise does not exclude it, it concerns others, or is of
// another kind. Prepaid capacity is not claimed at all.
func TestWhatIsExcludedIsNoDowntime(t *testing.T) {
	f := func(edit func(c *contract.Contract, n *contract.Notice), want ...string) {
		t.Helper()
		w := silentNode()
		at := func(k int64) int64 { return w.Presences[0].StartMs + k*minuteMs }
		c := &w.Contracts[0]
		c.SLAs[0].Excludes = []contract.SLAExclusion{contract.ExcludeMaintenance, contract.ExcludeCapacity}
		c.Notices = []contract.Notice{{ID: "w1", Kind: contract.ExcludeMaintenance, FromMs: at(60), ToMs: at(105)}}
		edit(c, &c.Notices[0])
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range docket(t, w, contract.Month{Year: 2026, Month: time.March}).Incidents {
			if x.Site.Node == "n1" {
				got = append(got, fmt.Sprintf("%s %d min %s, owed %s", x.Class, x.DownMs/minuteMs, x.Notice, x.Owed))
				if excluded := strings.Contains(x.Rule, "excludes"); excluded != (x.Notice != "" || c.Tranches[0].Prepaid) {
					t.Errorf("%s: %s", x.Class, x.Rule)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	// March has 44,640 minutes: 45 of them are a thousandth, and 99.899 % is below
	// the target. One GPU for 10 hours at $3 is $30, of which a tenth.
	f(func(*contract.Contract, *contract.Notice) {}, "uncovered 45 min w1, owed 0.000000", "claimable 45 min , owed 3.000000")
	all := "claimable 90 min , owed 3.000000"
	f(func(c *contract.Contract, _ *contract.Notice) { c.SLAs[0].Excludes = nil }, all)
	f(func(_ *contract.Contract, n *contract.Notice) { n.Kind = contract.ExcludeForce }, all)
	f(func(_ *contract.Contract, n *contract.Notice) { n.Scope.Pins = []string{"n2"} }, all)
	f(func(_ *contract.Contract, n *contract.Notice) { n.Scope.Regions = []string{"elsewhere"} }, all)
	f(func(_ *contract.Contract, n *contract.Notice) { n.FromMs, n.ToMs = n.FromMs-7200_000, n.FromMs }, all)
	f(func(c *contract.Contract, _ *contract.Notice) { c.Notices, c.Tranches[0].Prepaid = nil, true }, "uncovered 90 min , owed 0.000000")
	// What is left is too little to be below the target.
	f(func(_ *contract.Contract, n *contract.Notice) { n.ToMs += 600_000 }, "uncovered 55 min w1, owed 0.000000", "uncovered 35 min , owed 0.000000")
}

// onN1 returns the incident of node n1.
func onN1(t *testing.T, w contract.Watch) contract.Incident {
	t.Helper()
	for _, x := range docket(t, w, contract.Month{Year: 2026, Month: time.March}).Incidents {
		if x.Site.Node == "n1" && x.Kind != contract.CollectorDown {
			return x
		}
	}
	t.Fatal("no incident of n1")
	return contract.Incident{}
}

func TestSilenceIsClaimableOnlyWithWitnesses(t *testing.T) {
	f := func(class contract.Class, rule string, edit func(w *contract.Watch, at func(int64) int64)) {
		t.Helper()
		w := silentNode()
		at := func(k int64) int64 { return w.Presences[0].StartMs + k*minuteMs }
		if edit != nil {
			edit(&w, at)
		}
		x := onN1(t, w)
		if x.Class != class || !strings.Contains(x.Rule, rule) {
			t.Errorf("%s: %s, want %s: %s", x.Class, x.Rule, class, rule)
		}
		if x.Class != contract.Claimable && x.Owed != 0 {
			t.Errorf("%s, and %s is owed", x.Class, x.Owed)
		}
	}
	say := func(k int64, kind usage.EventKind, value int64) func(*contract.Watch, func(int64) int64) {
		return func(w *contract.Watch, at func(int64) int64) {
			w.Events = append(w.Events, contract.NodeEvent{Machine: w.Presences[0].Machine(), Event: usage.Event{AtMs: at(k), Kind: kind, Value: value}})
		}
	}
	f(contract.Claimable, `SLA "s" counts it as down; the uptime of node n1 is 99.7983 %, below the 99.9 % promised`, nil)
	f(contract.Unknown, "nobody recorded whether the collector ran", func(w *contract.Watch, _ func(int64) int64) { w.Lives = nil })
	f(contract.Unknown, "nobody recorded whether", func(w *contract.Watch, at func(int64) int64) { w.Lives[0].FromMs = at(100) })
	f(contract.Unknown, "no other agent of its rack or zone", func(w *contract.Watch, _ func(int64) int64) { w.Presences[1].Zone = "z2" })
	f(contract.Unknown, "no other agent", func(w *contract.Watch, _ func(int64) int64) { w.Presences[0].Zone, w.Presences[1].Zone = "", "" })
	f(contract.Claimable, "counts it", func(w *contract.Watch, _ func(int64) int64) {
		for i := range w.Presences {
			w.Presences[i].Zone, w.Presences[i].Rack = "", "r1"
		}
	})
	f(contract.Unknown, "the node is still silent", func(w *contract.Watch, at func(int64) int64) {
		w.AsOfMs = at(140)
		w.Presences[0].EndMs, w.Stretches = at(60), []contract.Stretch{w.Stretches[0], w.Stretches[2]}
	})
	f(contract.Unknown, "the node never came back", func(w *contract.Watch, at func(int64) int64) {
		w.AsOfMs = at(3000)
		w.Lives[0].ToMs, w.Presences[1].EndMs = at(3000), at(3000)
		w.Presences[0].EndMs, w.Stretches = at(60), []contract.Stretch{w.Stretches[0], w.Stretches[2]}
		w.Stretches[1].ToMs, w.Stretches[1].HealthyMs = at(3000), 3000*minuteMs
	})
	f(contract.Ours, "our agent was stopped", say(59, usage.EventAgentStop, 0))
	f(contract.Claimable, "counts it", say(40, usage.EventAgentStop, 0))               // long before
	f(contract.Claimable, "counts it", func(w *contract.Watch, at func(int64) int64) { // it had started again
		say(57, usage.EventAgentStop, 0)(w, at)
		say(58, usage.EventAgentStart, 1)(w, at)
	})
	f(contract.Ours, "only our agent did not run", say(150, usage.EventAgentStart, 1))
	f(contract.Claimable, "counts it", func(w *contract.Watch, at func(int64) int64) {
		say(150, usage.EventAgentStart, at(148))(w, at)
	})
	f(contract.Unknown, "who shut the node down is not on record", func(w *contract.Watch, at func(int64) int64) {
		say(59, usage.EventAgentStop, 0)(w, at)
		say(150, usage.EventAgentStart, at(148))(w, at)
	})
	f(contract.Ours, "metered and lost its records", say(150, usage.EventDropped, 90))
	f(contract.Uncovered, "the tranche names no promise of uptime", func(w *contract.Watch, _ func(int64) int64) { w.Contracts[0].Tranches[0].SLA = "" })
	f(contract.Uncovered, "is 99.7983 %, not below the 99.7 % promised", func(w *contract.Watch, _ func(int64) int64) { w.Contracts[0].SLAs[0].Target = 997_000 })
	f(contract.Uncovered, "not below", func(w *contract.Watch, _ func(int64) int64) { w.Contracts[0].SLAs[0].Target = 997_983 })
	f(contract.Claimable, "below", func(w *contract.Watch, _ func(int64) int64) { w.Contracts[0].SLAs[0].Target = 997_984 })
}

// TestSilentGPUsAreNotLateToo holds that a missing GPU is counted once, where
// what fell silent is still missing while others may be late.
func TestSilentGPUsAreNotLateToo(t *testing.T) {
	w := silentNode()
	at := func(k int64) int64 { return w.Presences[0].StartMs + k*minuteMs }
	w.AsOfMs = at(2000)
	w.Presences[0].EndMs = at(10) // given up after a day: at 1450
	w.Presences[1].StartMs, w.Presences[1].EndMs = at(1500), at(2000)
	tranche := &w.Contracts[0].Tranches[0]
	tranche.Steps = []contract.Step{{FromMs: at(0), GPUs: 1}, {FromMs: at(1500), GPUs: 2}}
	tranche.Delivery.GraceMs = 600 * minuteMs
	d := docket(t, w, contract.Month{Year: 2026, Month: time.March})
	var got []string
	for _, x := range d.Incidents {
		if x.Bucket == contract.Undelivered.String() {
			got = append(got, fmt.Sprintf("%s %d–%d", x.Kind, (x.From.UnixMilli()-at(0))/minuteMs, (x.To.UnixMilli()-at(0))/minuteMs))
		}
	}
	if want := []string{"fell_silent 1450–2000"}; !slices.Equal(got, want) || len(d.Minor) > 0 {
		t.Errorf("undelivered = %q, minor %+v, want %q", got, d.Minor, want)
	}
}

func TestOutageOfTheCollectorIsOurs(t *testing.T) {
	w := silentNode()
	at := func(k int64) int64 { return w.Presences[0].StartMs + k*minuteMs }
	w.Lives = []contract.Life{{FromMs: at(-10), ToMs: at(80)}, {FromMs: at(120), ToMs: at(600)}}
	var got []string
	for _, x := range docket(t, w, contract.Month{Year: 2026, Month: time.March}).Incidents {
		got = append(got, fmt.Sprintf("%s %s %d min", x.Kind, x.Class, x.DownMs/minuteMs))
	}
	// Of the 90 minutes, 50 count: 99.888 %.
	want := []string{"unreachable claimable 20 min", "collector_down ours 40 min", "unreachable claimable 30 min"}
	if !slices.Equal(got, want) {
		t.Errorf("incidents = %q, want %q", got, want)
	}
}

// TestMissingDataAloneIsNeverClaimable holds it for all random worlds: without a
// witness, no unobserved time is the provider's.
func TestMissingDataAloneIsNeverClaimable(t *testing.T) {
	forWorlds(t, 60, func(t *testing.T, r *rand.Rand, x *world) {
		alone := []func(*contract.Watch){
			func(w *contract.Watch) { w.Lives = nil },
			func(w *contract.Watch) { // no neighbour is known to be one
				for i := range w.Presences {
					w.Presences[i].Rack, w.Presences[i].Zone = "", ""
				}
			},
			func(w *contract.Watch) { // the collector was gone all the time
				w.Lives = []contract.Life{{FromMs: x.fromMs - 10, ToMs: x.fromMs - 5}}
			},
		}
		w := x.watch()
		w.Presences = slices.Clone(w.Presences)
		alone[r.IntN(len(alone))](&w)
		for _, i := range docket(t, w, x.month).Incidents {
			if i.Bucket == contract.Unobserved.String() && (i.Class == contract.Claimable || i.Class == contract.Uncovered || i.Owed != 0) {
				t.Errorf("%s of %s is %s: %s", i.Kind, i.Site.Node, i.Class, i.Rule)
			}
		}
	})
}

func TestFaultLiesWhereItGoesOn(t *testing.T) {
	w := silentNode()
	at := func(k int64) int64 { return w.Presences[0].StartMs + k*minuteMs }
	sick := func(k, unhealthy, healthy int64) contract.Stretch {
		return contract.Stretch{Unit: 1, FromMs: at(k), ToMs: at(k + 1), UnhealthyMs: unhealthy, HealthyMs: healthy, Fault: "xid_48"}
	}
	w.Stretches = append(w.Stretches[1:], sick(60, 20_000, 40_000), sick(61, minuteMs, 0), sick(62, 5_000, 50_000))
	var x contract.Incident
	for _, i := range docket(t, w, contract.Month{Year: 2026, Month: time.March}).Incidents {
		if i.Kind == contract.FatalXid {
			x = i
		}
	}
	type figures struct{ From, To, Edge, Down, GPU int64 }
	got := figures{x.From.UnixMilli() - at(60), x.To.UnixMilli() - at(60), x.EdgeMs, x.DownMs, x.GPUMs}
	// The last window also has five seconds that nobody observed: they are no
	// part of the fault.
	if want := (figures{40_000, 125_000, minuteMs, 85_000, 85_000}); got != want {
		t.Errorf("incident = %+v, want %+v", got, want)
	}
}

func TestIncidentIsOfOneMonth(t *testing.T) {
	w := silentNode()
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	shift := time.Date(2026, 3, 31, 23, 0, 0, 0, zone).UnixMilli() - w.Presences[0].StartMs - 60*minuteMs
	c := &w.Contracts[0]
	c.Zone = zone
	c.Tranches[0].Steps[0].FromMs += shift
	c.Tranches[0].Rates[0].FromMs += shift
	for i := range w.Presences {
		w.Presences[i].StartMs += shift
		w.Presences[i].EndMs += shift
	}
	for i := range w.Stretches {
		w.Stretches[i].FromMs += shift
		w.Stretches[i].ToMs += shift
	}
	w.Lives[0].FromMs += shift
	w.Lives[0].ToMs += shift
	w.AsOfMs += shift
	c.SLAs[0].Target, c.SLAs[0].Tiers[0].Below = contract.Whole, contract.Whole
	for month, want := range map[time.Month]string{
		time.March: "23:00–00:00 0.1346 % down, by 2026-04-15 00:00 PDT", // 60 of 44,580 minutes: the clock skips an hour
		time.April: "00:00–00:30 0.0695 % down, by 2026-05-15 00:00 PDT", // 30 of 43,200
	} {
		var got []string
		for _, x := range docket(t, w, contract.Month{Year: 2026, Month: month}).Incidents {
			if x.Site.Node == "n1" {
				got = append(got, fmt.Sprintf("%s–%s %s down, by %s", x.From.Format("15:04"), x.To.Format("15:04"),
					contract.Percent(contract.Whole-x.Claim.Uptime), x.Claim.Deadline.Format("2006-01-02 15:04 MST")))
			}
		}
		if diff := cmp.Diff(got, []string{want}); diff != "" {
			t.Errorf("%s (-got +want):\n%s", month, diff)
		}
	}
}

func TestPercentIsExact(t *testing.T) {
	f := func(millionths int64, want string) {
		t.Helper()
		if got := contract.Percent(millionths); got != want {
			t.Errorf("percent(%d) = %q, want %q", millionths, got, want)
		}
	}
	f(0, "0 %")
	f(1, "0.0001 %")
	f(999_500, "99.95 %")
	f(1_000_000, "100 %")
}

func TestCourseSaysHowManyStood(t *testing.T) {
	w := silentNode()
	at := func(k int64) int64 { return w.Presences[0].StartMs + k*minuteMs }
	w.Presences[1].StartMs = at(30)
	w.Contracts[0].Tranches[0].Steps = append(w.Contracts[0].Tranches[0].Steps, contract.Step{FromMs: at(100), GPUs: 5})
	placed := contract.Place(w.Contracts, w.Presences, w.AsOfMs)
	got := contract.Course(w.Contracts, placed, 0, 0, at(10), at(200))
	want := []contract.Standing{{FromMs: at(10), ToMs: at(30), Contracted: 2, Stood: 1}, {FromMs: at(30), ToMs: at(100), Contracted: 2, Stood: 2},
		{FromMs: at(100), ToMs: at(200), Contracted: 5, Stood: 2}}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("course (-got +want):\n%s", diff)
	}
}

func TestReachIsThatOfThePromises(t *testing.T) {
	f := func(p contract.SLAPeriod, wantFrom, wantTo string) {
		t.Helper()
		c := contract.Contract{Zone: time.UTC, SLAs: []contract.SLA{{Period: p}}}
		from, to := contract.Reach([]contract.Contract{c}, contract.Month{Year: 2026, Month: time.August}, 1<<60)
		if got := time.UnixMilli(from).UTC().Format(time.DateOnly) + " " + time.UnixMilli(to).UTC().Format(time.DateOnly); got != wantFrom+" "+wantTo {
			t.Errorf("reach of %s = %s, want %s %s", p, got, wantFrom, wantTo)
		}
	}
	f(contract.SLAByMonth, "2026-08-01", "2026-09-01")
	f(contract.SLAByQuarter, "2026-07-01", "2026-10-01")
	f(contract.SLAByYear, "2026-01-01", "2027-01-01")
}
