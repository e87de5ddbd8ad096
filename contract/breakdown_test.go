package contract_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// workedBy is the worked example with holders: n1 is a pod's whose label names
// the team search, n2 a pod's in the namespace ads, n3 a user's, who has no
// group.
func workedBy(t *testing.T, by contract.By) contract.Report {
	t.Helper()
	contracts, presences, records := worked()
	for i := range records {
		r := &records[i]
		switch {
		case r.UnallocatedMs > 0:
			r.Holder = usage.Holder{Basis: usage.BasisKubelet}
		case r.Unit <= 8:
			r.Holder = usage.Holder{Basis: usage.BasisKubelet, Kind: "pod", Group: "ml", Name: "train-0", Labels: "cost=7,team=search"}
		case r.Unit <= 16:
			r.Holder = usage.Holder{Basis: usage.BasisKubelet, Kind: "pod", Group: "ads", Name: fmt.Sprint("rank-", r.Unit%2), Part: "main"}
		default:
			r.Holder = usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: "alice"}
		}
	}
	hour := contract.Period{Name: "2026-10-01T10", FromMs: h(10), ToMs: h(11)}
	plan := contract.NewPlanBy(contract.Grouping{By: by, Presences: presences}, contracts, contract.Place(contracts, presences, h(11)), []contract.Period{hour}, hour)
	rep, err := plan.Build(answer(plan.Query(), records), time.UnixMilli(h(11)).UTC())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// said writes parcels in GPU-seconds and money, for comparing.
func said(list []contract.Parcel) []string {
	var out []string
	for _, p := range list {
		s := fmt.Sprintf("%s %s:", p.Kind, p.Group)
		for b, ms := range p.Buckets {
			if ms != 0 {
				s += fmt.Sprintf(" %s %d", contract.Bucket(b), ms/1000)
			}
		}
		out = append(out, s+" = "+p.Cost.Contracted.String())
	}
	return out
}

func TestWorkedExampleByGroups(t *testing.T) {
	f := func(by contract.By, want ...string) {
		t.Helper()
		rep := workedBy(t, by)
		for name, got := range map[string][]contract.Parcel{
			"tranche": rep.Contracts[0].Tranches[0].Groups, "contract": rep.Contracts[0].Total.Groups, "report": rep.Breakdown.Currencies[0].Groups,
		} {
			if d := cmp.Diff(want, said(got)); d != "" {
				t.Errorf("%s of the %s (-want +got):\n%s", by, name, d)
			}
		}
	}
	// The micro-dollar that the exact parts of busy miss goes to ads.
	f("team", "group search: unhealthy 1800 busy 27000 = 20.000000", "group ads: idle 12000 busy 12000 = 16.666667",
		"unattributed : undelivered 7200 unobserved 4800 unallocated 7200 busy 14400 = 23.333333")
	f("holder", "group pod ml/train-0: unhealthy 1800 busy 27000 = 20.000000", "group user alice: busy 14400 = 10.000000",
		"group pod ads/rank-0: busy 12000 = 8.333334", "group pod ads/rank-1: idle 12000 = 8.333333",
		"unattributed : undelivered 7200 unobserved 4800 unallocated 7200 = 13.333333")
	f("node", "group n1: unhealthy 1800 busy 27000 = 20.000000", "group n2: unobserved 4800 idle 12000 busy 12000 = 20.000000",
		"group n3: unallocated 7200 busy 14400 = 15.000000", "unattributed : undelivered 7200 = 5.000000")
	all := "undelivered 7200 unobserved 4800 unhealthy 1800 unallocated 7200 idle 12000 busy 53400 = 60.000000"
	f("cloud", "group aws: "+all, "unattributed : = 0.000000")
	f("model", "group H100: "+all, "unattributed : = 0.000000")
	f("region", "group us-east-1: unobserved 4800 unhealthy 1800 unallocated 7200 idle 12000 busy 53400 = 55.000000", "unattributed : undelivered 7200 = 5.000000")
}

func TestUndeliveredIsOfTheOneRegionThatTheScopeNames(t *testing.T) {
	lot := tranche("h100", 2, 0, 1)
	f := func(by contract.By, want string, scope contract.Scope) {
		t.Helper()
		lot.Scope = scope
		contracts := bought(lot)
		plan := contract.NewPlanBy(contract.Grouping{By: by}, contracts, contract.Placements{}, []contract.Period{span(0, 1)}, span(0, 1))
		rep, err := plan.Build(contract.Answer{}, t0)
		if err != nil {
			t.Fatal(err)
		}
		if got := rep.Contracts[0].Total.Groups[0].Group; got != want {
			t.Errorf("undelivered by %s is of %q, want %q", by, got, want)
		}
	}
	f("region", "us-east-1", contract.Scope{Regions: []string{"us-east-1"}})
	f("region", "", contract.Scope{Regions: []string{"us-east-1", "us-west-2"}})
	f("account", "111", contract.Scope{Accounts: []string{"111"}})
	f("account", "", contract.Scope{Regions: []string{"us-east-1"}})
}

// A micro-dollar that is left over goes to the larger group, then to the first
// by name, and only then to what has no group.
func TestMoneyOfEqualGroupsGoesByName(t *testing.T) {
	lot := tranche("h100", 3, 0, 1)
	lot.Rates = []contract.Rate{{FromMs: h(0), ToMs: h(1), PerGPUHour: 1}}
	presences := []contract.Presence{stood("a", "n", 0, 1, unit(1)), stood("b", "n", 0, 1, unit(2)), stood("c", "n", 0, 1, unit(3))}
	var records []contract.Straddle
	for i, name := range []string{"", "b", "a"} {
		r := busy(int64(i+1), 0, 1, hour/2)
		r.Holder.Group = name
		if name != "" {
			r.Holder.Kind = "pod"
		}
		records = append(records, r)
	}
	contracts := bought(lot)
	plan := contract.NewPlanBy(contract.Grouping{By: "team"}, contracts, contract.Place(contracts, presences, h(1)), []contract.Period{span(0, 1)}, span(0, 1))
	rep, err := plan.Build(answer(plan.Query(), records), t0)
	if err != nil {
		t.Fatal(err)
	}
	// Busy is 1.5 of 3 micro-dollars, of which unobserved, the first, has two.
	got := map[string]contract.Money{}
	for _, p := range rep.Contracts[0].Total.Groups {
		got[p.Group] = p.Cost.Buckets[contract.Busy]
	}
	want := map[string]contract.Money{"": 0, "a": 1, "b": 0}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("busy costs (-want +got):\n%s", d)
	}
}

// TestBreakdownChangesNothingElse holds that a report says the same of all
// else when it is broken down, and that its groups add up to that.
func TestBreakdownChangesNothingElse(t *testing.T) {
	forFleets(t, 150, func(t *testing.T, r *rand.Rand, f *fleet) {
		_, want, err := f.report()
		if err != nil {
			t.Errorf("Build: %v", err)
			return
		}
		f.by = pick(r, contract.Bys...)
		_, got, err := f.report()
		if err == nil {
			err = got.Top(r.IntN(4))
		}
		if err != nil {
			t.Errorf("Build by %s: %v", f.by, err)
			return
		}
		for i := range got.Contracts {
			for l := range got.Contracts[i].Tranches {
				checkGroups(t, &got.Contracts[i].Tranches[l])
			}
			checkGroups(t, &got.Contracts[i].Total)
		}
		for _, x := range got.Breakdown.Currencies {
			checkParcels(t, x.Currency, x.Total, x.Groups)
		}
		var strays contract.Parcel
		for _, s := range got.Uncontracted {
			strays.Buckets.Add(s.Buckets)
		}
		for _, p := range got.Breakdown.Uncontracted {
			for b, ms := range p.Buckets {
				strays.Buckets[b] -= ms
			}
		}
		if strays.Buckets != (contract.Time{}) {
			t.Errorf("groups of the uncontracted miss %v", strays.Buckets)
		}
		got.Breakdown = nil
		if d := cmp.Diff(want, got, sameInstant); d != "" {
			t.Errorf("report by %s (-without +got):\n%s", f.by, d)
		}
	})
}

// checkGroups holds a line against its groups, and takes them away.
func checkGroups(t *testing.T, l *contract.Line) {
	t.Helper()
	checkParcels(t, l.Tranche, contract.Parcel{Kind: "total", ContractedMs: l.ContractedMs, Buckets: l.Buckets, SMActiveMs: l.SMActiveMs,
		SMKnownMs: l.SMKnownMs, EnergyMJ: l.EnergyMJ, EnergyKnownMs: l.EnergyKnownMs, OverageMs: l.OverageMs, Cost: l.Cost}, l.Groups)
	l.Groups = nil
}

func checkParcels(t *testing.T, name string, total contract.Parcel, list []contract.Parcel) {
	t.Helper()
	sum, names := contract.Parcel{Kind: "total"}, map[string]bool{}
	for i, p := range list {
		slowAddParcel(&sum, &p)
		if key := string(p.Kind) + p.Group; names[key] || (p.Kind == "group") != (p.Group != "") {
			t.Errorf("%s: %s %q stands twice, or is none", name, p.Kind, p.Group)
		} else {
			names[key] = true
		}
		if p.Buckets.Total() != p.ContractedMs || p.Cost.Buckets.Total() != p.Cost.Contracted {
			t.Errorf("%s: %s %q does not add up: %+v", name, p.Kind, p.Group, p)
		}
		for b, ms := range p.Buckets {
			if ms < 0 || p.Cost.Buckets[b] < 0 {
				t.Errorf("%s: %s %q: %s is negative", name, p.Kind, p.Group, contract.Bucket(b))
			}
		}
		if last := i == len(list)-1; (p.Kind == "unattributed") != last {
			t.Errorf("%s: what is unattributed is not last: %v", name, said(list))
		}
	}
	if sum != total {
		t.Errorf("%s: groups are %+v\nof %+v", name, sum, total)
	}
}

func TestTopLeavesTheDearestGroups(t *testing.T) {
	rep := workedBy(t, "holder")
	if err := rep.Top(1); err != nil {
		t.Fatal(err)
	}
	want := []string{"group pod ml/train-0: unhealthy 1800 busy 27000 = 20.000000", "others : idle 12000 busy 26400 = 26.666667",
		"unattributed : undelivered 7200 unobserved 4800 unallocated 7200 = 13.333333"}
	for name, got := range map[string][]contract.Parcel{
		"tranche": rep.Contracts[0].Tranches[0].Groups, "contract": rep.Contracts[0].Total.Groups, "report": rep.Breakdown.Currencies[0].Groups,
	} {
		if d := cmp.Diff(want, said(got)); d != "" {
			t.Errorf("top of the %s (-want +got):\n%s", name, d)
		}
		if got[1].Others != 3 {
			t.Errorf("top of the %s: %d others, want 3", name, got[1].Others)
		}
	}
	if err := rep.Top(0); err != nil || len(rep.Contracts[0].Total.Groups) != 2 || rep.Contracts[0].Total.Groups[0].Others != 4 {
		t.Errorf("top 0 after top 1: %+v, %v", rep.Contracts[0].Total.Groups, err)
	}
}

func TestBuildRefusesAnAnswerAboutUnknownGroups(t *testing.T) {
	contracts := bought(tranche("h100", 1, 0, 1))
	presences := []contract.Presence{stood("a", "n", 0, 1, unit(1))}
	plan := contract.NewPlanBy(contract.Grouping{By: "team"}, contracts, contract.Place(contracts, presences, h(1)), []contract.Period{span(0, 1)}, span(0, 1))
	if plan.Query().By != "team" {
		t.Error("the query is not by team")
	}
	for _, group := range []int{-1, 0} {
		_, err := plan.Build(contract.Answer{Sums: []contract.Sum{{Group: group, Sums: usage.Sums{BusyMs: 1}}}}, t0)
		if want := fmt.Sprintf("a sum of group %d of 0", group); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("group %d: %v, want %q", group, err, want)
		}
	}
	plan = contract.NewPlanBy(contract.Grouping{By: "node"}, contracts, contract.Place(contracts, presences, h(1)), []contract.Period{span(0, 1)}, span(0, 1))
	if _, err := plan.Build(contract.Answer{}, t0); err == nil || !strings.Contains(err.Error(), "unit 1, which has no presence") {
		t.Errorf("a placement without its presence: %v", err)
	}
}

func TestParseBy(t *testing.T) {
	for _, by := range contract.Bys {
		if got, err := contract.ParseBy(string(by)); got != by || err != nil {
			t.Errorf("%q is %q, %v", by, got, err)
		}
	}
	const want = `by "teams" is not cloud, account, region, model, node, holder or team`
	if _, err := contract.ParseBy("teams"); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
