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
)

func forWorlds(t *testing.T, n int, f func(t *testing.T, r *rand.Rand, x *world)) {
	t.Helper()
	for seed := range uint64(n) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 11))
			f(t, r, newWorld(r))
		})
	}
}

func docket(t *testing.T, w contract.Watch, m contract.Month) contract.Docket {
	t.Helper()
	d, err := contract.Incidents(&w, m)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestIncidentsAgreeWithSlowDerivation(t *testing.T) {
	forWorlds(t, 200, func(t *testing.T, _ *rand.Rand, x *world) {
		w := x.watch()
		got := docket(t, w, x.month)
		var want []*wantIncident
		for _, i := range newSlowClaims(x, &w).incidents() {
			if i.month == x.month.String() {
				want = append(want, i)
			}
		}
		if len(got.Incidents) != len(want) {
			t.Errorf("%d incidents, want %d", len(got.Incidents), len(want))
		}
		for _, i := range want {
			j := slices.IndexFunc(got.Incidents, func(o contract.Incident) bool {
				return o.Contract == x.contracts[i.c].ID && o.Tranche == x.contracts[i.c].Tranches[i.t].ID && siteIn(x, &w, o.Site) == i.node &&
					o.Notice == i.notice &&
					o.Kind == i.kind && o.Cause == i.cause && o.From.UnixMilli() == x.at(i.from)
			})
			if j < 0 {
				t.Errorf("%s is missing", i)
				continue
			}
			compareIncident(t, x, &got.Incidents[j], i)
		}
	})
}

// siteIn is the node of an incident, as slowMachine tells nodes apart; nothing
// of a tranche's.
func siteIn(x *world, w *contract.Watch, s contract.Site) [5]string {
	if s.Node == "" {
		return [5]string{}
	}
	slow := slowClaims{world: x, seen: w.Presences}
	return slow.machine(contract.Presence{Node: s.Node, Provider: s.Provider, Account: s.Account, Region: s.Region, Cluster: s.Cluster})
}

func compareIncident(t *testing.T, x *world, got *contract.Incident, want *wantIncident) {
	t.Helper()
	type figures struct {
		To     time.Time
		GPUs   []string
		DownBy []string
		Most   int
		DownMs int64
		GPUMs  int64
		Amount contract.Money
		Class  contract.Class
	}
	g := figures{got.To.UTC(), got.GPUs, got.DownBy, got.Most, got.DownMs, got.GPUMs, got.Amount, got.Class}
	w := figures{time.UnixMilli(x.at(want.to)).UTC(), append([]string{}, want.gpus...), want.downBy, want.most,
		int64(want.down) * minuteMs, int64(want.gpuMin) * minuteMs, contract.Money(want.micro), want.class}
	if diff := cmp.Diff(g, w); diff != "" {
		t.Errorf("%s: %s (-got +want):\n%s", want, got.Rule, diff)
	}
	if off := int64(got.Owed) - want.owed; off < 0 || off > 3 {
		t.Errorf("%s: owed %s, want %d micro-units", want, got.Owed, want.owed)
	}
}

// TestIncidentsAddUpToTheReport holds that no lost time is in two incidents, or
// in none.
func TestIncidentsAddUpToTheReport(t *testing.T) {
	forWorlds(t, 60, func(t *testing.T, _ *rand.Rand, x *world) {
		w := x.watch()
		d := docket(t, w, x.month)
		periods := make([]contract.Period, len(x.contracts))
		for i := range x.contracts {
			periods[i] = x.month.In(x.contracts[i].Zone)
			periods[i].ToMs = max(periods[i].FromMs, min(periods[i].ToMs, w.AsOfMs))
		}
		placed := contract.Place(x.contracts, w.Presences, w.AsOfMs)
		placed = contract.Ground(x.contracts, placed, w.Presences, contract.Outages(w.Stretches))
		plan := contract.NewPlan(x.contracts, placed, periods, contract.Period{FromMs: x.fromMs, ToMs: w.AsOfMs})
		rep, err := plan.Build(answer(plan.Query(), x.records()), time.UnixMilli(w.AsOfMs))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, i := range d.Incidents {
			got[i.Contract+"/"+i.Tranche+" "+i.Bucket] += i.GPUMs
		}
		for _, m := range d.Minor {
			got[m.Contract+"/"+m.Tranche+" unobserved"] += m.GapsMs
			got[m.Contract+"/"+m.Tranche+" undelivered"] += m.GraceMs
		}
		for _, s := range rep.Contracts {
			for _, l := range s.Tranches {
				for _, b := range []contract.Bucket{contract.Undelivered, contract.Unobserved, contract.Unhealthy} {
					if k := s.Contract + "/" + l.Tranche + " " + b.String(); got[k] != l.Buckets[b] {
						t.Errorf("%s: incidents have %d GPU-ms, the report %d", k, got[k], l.Buckets[b])
					}
				}
			}
		}
	})
}

func TestOrderAndRepetitionChangeNoIncident(t *testing.T) {
	forWorlds(t, 30, func(t *testing.T, r *rand.Rand, x *world) {
		w := x.watch()
		want := docket(t, w, x.month)
		o := contract.Watch{Contracts: w.Contracts, AsOfMs: w.AsOfMs}
		o.Presences, o.Stretches = shuffled(r, w.Presences), shuffled(r, w.Stretches)
		o.Events, o.Lives = shuffled(r, w.Events), shuffled(r, w.Lives)
		if diff := cmp.Diff(docket(t, o, x.month), want); diff != "" {
			t.Errorf("in another order, and twice (-got +want):\n%s", diff)
		}
	})
}

// shuffled returns a list in another order, with some of it twice.
func shuffled[T any](r *rand.Rand, list []T) []T {
	out := append(slices.Clone(list), list[:len(list)/2]...)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// TestWorldsReachEveryCase keeps the random worlds worth their time.
func TestWorldsReachEveryCase(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 11))
		x := newWorld(r)
		for _, i := range docket(t, x.watch(), x.month).Incidents {
			seen[string(i.Kind)+" "+string(i.Class)]++
			if i.Notice != "" {
				seen["notice "+string(i.Class)]++
			}
			if strings.Contains(i.Rule, "prepaid") {
				seen["prepaid "+string(i.Class)]++
			}
			if i.Claim != nil && i.Claim.Incidents > 1 {
				seen["shared"]++
			}
			seen["whole "+string(i.DownUnit)]++
			if i.Claim != nil && i.Claim.Expired {
				seen["expired"]++
			}
		}
	}
	for _, k := range []string{"unreachable claimable", "unreachable uncovered", "unreachable unknown", "unreachable ours", "collector_down ours",
		"not_observed ours", "not_observed unknown", "unit_down claimable", "whole node", "whole rack", "unit_down uncovered", "xid claimable", "xid uncovered", "gpu_lost claimable", "unhealthy uncovered",
		"before_metering unknown", "late_delivery claimable", "fell_silent unknown", "departed unknown", "shared", "expired", "notice uncovered", "notice ours", "notice unknown", "prepaid uncovered"} {
		if seen[k] == 0 {
			t.Errorf("no random world has %q: %v", k, seen)
		}
	}
}
