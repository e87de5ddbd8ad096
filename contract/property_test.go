package contract_test

import (
	"flag"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
)

var (
	seed   = flag.Uint64("seed", 0, "seed of the random fleets; 0 draws one")
	fleets = flag.Int("fleets", 300, "how many random fleets are compared with the slow calculation; make torture has 10,000")
)

// forFleets calls f for many random fleets and prints the seed of one that
// fails.
func forFleets(t *testing.T, n int, f func(t *testing.T, r *rand.Rand, x *fleet)) {
	t.Helper()
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	for i := range uint64(n) {
		r := rand.New(rand.NewPCG(from+i, 1))
		f(t, r, newFleet(r))
		if t.Failed() {
			t.Fatalf("fleet %d: again with -seed %d", i, from+i)
		}
	}
}

func TestPlaceAndBuildAgreeWithSlowCalculation(t *testing.T) {
	forFleets(t, *fleets, func(t *testing.T, r *rand.Rand, f *fleet) {
		if r.IntN(3) > 0 {
			f.by = pick(r, contract.Bys...)
		}
		if err := contract.ValidateAll(f.contracts); err != nil {
			t.Fatalf("the fleet is not valid: %v", err)
		}
		p, got, err := f.report()
		if err != nil {
			t.Errorf("Build: %v", err)
			return
		}
		s := newSlow(f.contracts, f.presences, f.fromMs, f.nowMs)
		comparePlacements(t, s, p)
		l := &ledger{slow: s, periods: f.periods, stray: f.stray, by: f.by, outages: f.outages}
		want := l.report(f.records, 7, time.UnixMilli(f.nowMs))
		for i := range got.Uncontracted { // the words are tested by themselves
			got.Uncontracted[i].Near = ""
		}
		if d := cmp.Diff(want, got, sameInstant); d != "" {
			t.Errorf("report (-slow +Build):\n%s", d)
		}
	})
}

var sameInstant = cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })

// comparePlacements lays the spans of Place on the grid.
func comparePlacements(t *testing.T, s *slow, p contract.Placements) {
	t.Helper()
	got := make([][]outcome, len(s.gpus))
	for g := range got {
		got[g] = make([]outcome, s.steps)
	}
	for i, x := range p.List {
		if x.FromMs >= x.ToMs || (i > 0 && p.List[i-1].GPU == x.GPU && p.List[i-1].ToMs > x.FromMs) {
			t.Errorf("placement %+v is empty or overlaps the one before it", x)
		}
		if (x.Fate == contract.Uncontracted) != (x.Near != "") {
			t.Errorf("placement %+v: nearest tranche named wrongly", x)
		}
		for k := int((x.FromMs - s.fromMs) / gridMs); s.at(k) < x.ToMs; k++ {
			got[slices.Index(s.gpus, x.GPU)][k] = outcome{true, x.Unit, x.Fate, ref{x.Contract, x.Tranche}, p.Groups[x.Group]}
		}
	}
	if !reflect.DeepEqual(s.seat, got) { // first: cmp.Diff takes its time
		t.Errorf("placements (-slow +Place):\n%s", cmp.Diff(s.seat, got, cmp.AllowUnexported(outcome{}, ref{})))
	}
	compareVacancies(t, "vacancies", s, s.missing, p.Vacancies)
	compareVacancies(t, "graces", s, s.late, p.Graces)
}

func compareVacancies(t *testing.T, what string, s *slow, want map[ref][]int, vacancies []contract.Vacancy) {
	t.Helper()
	got := map[ref][]int{}
	for _, r := range s.order {
		got[r] = make([]int, s.steps)
	}
	for _, v := range vacancies {
		for k := int((v.FromMs - s.fromMs) / gridMs); s.at(k) < v.ToMs; k++ {
			if k >= 0 {
				got[ref{v.Contract, v.Tranche}][k] += v.GPUs
			}
		}
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("%s (-slow +Place):\n%s", what, cmp.Diff(want, got, cmp.AllowUnexported(ref{})))
	}
}

// The random fleets are worth their time only if they get everywhere.
func TestFleetsReachEveryCase(t *testing.T) {
	seen := map[string]int{}
	see := func(what string, yes bool) {
		if yes {
			seen[what]++
		} else {
			seen[what] += 0
		}
	}
	forFleets(t, 600, func(t *testing.T, _ *rand.Rand, f *fleet) {
		p := contract.Place(f.contracts, f.presences, f.nowMs)
		plan := contract.NewPlan(f.contracts, p, f.periods, f.stray)
		a := answer(plan.Query(), f.records)
		see("straddle", len(a.Straddles) > 0)
		see("sum", len(a.Sums) > 0)
		see("vacancy", len(p.Vacancies) > 0)
		see("grace", len(p.Graces) > 0)
		fates := map[contract.Fate]int{}
		for i, x := range p.List {
			fates[x.Fate]++
			see("substitute placed", x.Fate == contract.Placed && p.Groups[x.Group].Model != f.contracts[x.Contract].Tranches[x.Tranche].Model)
			see("substitute over", x.Fate == contract.Overage && p.Groups[x.Group].Model != f.contracts[x.Contract].Tranches[x.Tranche].Model)
			see("scope rule named", strings.Contains(x.Near, " is not In ") || strings.Contains(x.Near, " is excluded: "))
			if i > 0 && p.List[i-1].GPU == x.GPU && p.List[i-1].ToMs == x.FromMs {
				before := p.List[i-1]
				see("seat lost", before.Fate == contract.Placed && x.Fate == contract.Overage)
				see("seat found", before.Fate == contract.Overage && x.Fate == contract.Placed)
				see("seat kept under another unit", before.Fate == contract.Placed && x.Fate == contract.Placed &&
					before.Unit != x.Unit && before.Contract == x.Contract && before.Tranche == x.Tranche)
			}
		}
		see("overage", fates[contract.Overage] > 0)
		see("uncontracted", fates[contract.Uncontracted] > 0)
		_, rep, err := f.report()
		if err != nil {
			t.Errorf("Build: %v", err)
		}
		for _, s := range rep.Contracts {
			see("price", s.Total.Cost.Contracted > 0)
			see("unpriced", s.Total.Cost.UnpricedMs > 0)
			see("down with its node or rack", s.Total.Buckets[contract.Unhealthy] > s.Total.UnhealthyAloneMs)
			for _, l := range s.Tranches {
				see("substitute priced", len(l.Substitutes) > 0 && l.Substitutes[0].Cost > 0)
			}
			see("unconfirmed", s.Total.UnconfirmedMs > 0)
			see("overage priced", s.Total.Cost.Overage > 0)
		}
	})
	for what, n := range seen {
		if n == 0 {
			t.Errorf("no fleet has a %s", what)
		}
	}
}

func TestReportAddsUp(t *testing.T) {
	forFleets(t, 200, func(t *testing.T, _ *rand.Rand, f *fleet) {
		p, got, err := f.report()
		if err != nil {
			t.Errorf("Build: %v", err)
			return
		}
		var counted int64
		for i, s := range got.Contracts {
			var tranches contract.Line
			for _, l := range append(slices.Clone(s.Tranches), s.Total) {
				checkLine(t, &l)
				if l.Tranche == "" {
					continue
				}
				tranches.ContractedMs += l.ContractedMs
				tranches.Buckets.Add(l.Buckets)
				tranches.Cost.Contracted += l.Cost.Contracted
				tranches.OverageMs += l.OverageMs
				counted += l.ContractedMs - l.Buckets[contract.Undelivered] + l.OverageMs
			}
			if tranches.ContractedMs != s.Total.ContractedMs || tranches.Buckets != s.Total.Buckets ||
				tranches.Cost.Contracted != s.Total.Cost.Contracted || tranches.OverageMs != s.Total.OverageMs {
				t.Errorf("contract %d: tranches do not add up to the total", i)
			}
		}
		for _, s := range got.Uncontracted {
			counted += s.Ms
			if s.Buckets.Total() != s.Ms {
				t.Errorf("uncontracted %+v: buckets are not its time", s)
			}
		}
		var stood int64
		for _, x := range p.List {
			period := f.stray
			if x.Fate != contract.Uncontracted {
				period = f.periods[x.Contract]
			}
			stood += max(0, min(x.ToMs, period.ToMs)-max(x.FromMs, period.FromMs))
		}
		if counted != stood {
			t.Errorf("placed, overage and uncontracted are %d GPU-ms of %d that stood", counted, stood)
		}
	})
}

func checkLine(t *testing.T, l *contract.Line) {
	t.Helper()
	if l.Buckets.Total() != l.ContractedMs {
		t.Errorf("line %q: buckets are %d of %d contracted", l.Tranche, l.Buckets.Total(), l.ContractedMs)
	}
	if l.Cost.Buckets.Total() != l.Cost.Contracted {
		t.Errorf("line %q: buckets cost %s of %s", l.Tranche, l.Cost.Buckets.Total(), l.Cost.Contracted)
	}
	var days contract.Day
	for _, d := range l.Days {
		if d.Buckets.Total() != d.ContractedMs {
			t.Errorf("line %q, %s: buckets are %d of %d contracted", l.Tranche, d.Date, d.Buckets.Total(), d.ContractedMs)
		}
		days.Buckets.Add(d.Buckets)
		days.OverageMs += d.OverageMs
		for b, m := range d.Cost {
			days.Cost[b] += m
		}
	}
	if days.Buckets != l.Buckets || days.Cost != l.Cost.Buckets || days.OverageMs != l.OverageMs {
		t.Errorf("line %q: days do not add up to the line", l.Tranche)
	}
	for b, v := range l.Buckets {
		if v < 0 || l.Cost.Buckets[b] < 0 {
			t.Errorf("line %q: %s is negative", l.Tranche, contract.Bucket(b))
		}
	}
}

func TestOrderOfInputsDoesNotMatter(t *testing.T) {
	forFleets(t, *fleets/3, func(t *testing.T, r *rand.Rand, f *fleet) {
		f.by = pick(r, append(contract.Bys, "")...)
		_, want, err := f.report()
		if err != nil {
			t.Errorf("Build: %v", err)
			return
		}
		g := f.clone()
		r.Shuffle(len(g.contracts), func(i, j int) {
			g.contracts[i], g.contracts[j] = g.contracts[j], g.contracts[i]
			g.periods[i], g.periods[j] = g.periods[j], g.periods[i]
		})
		g.presences = append(g.presences, g.presences[:r.IntN(len(g.presences)+1)]...) // said twice
		r.Shuffle(len(g.presences), func(i, j int) { g.presences[i], g.presences[j] = g.presences[j], g.presences[i] })
		g.outages = append(g.outages, g.outages...)
		r.Shuffle(len(g.outages), func(i, j int) { g.outages[i], g.outages[j] = g.outages[j], g.outages[i] })
		r.Shuffle(len(g.records), func(i, j int) { g.records[i], g.records[j] = g.records[j], g.records[i] })
		_, got, err := g.report()
		if err != nil {
			t.Errorf("Build after shuffling: %v", err)
			return
		}
		slices.SortFunc(got.Contracts, func(a, b contract.Statement) int { return strings.Compare(a.Contract, b.Contract) })
		if d := cmp.Diff(want, got, sameInstant); d != "" {
			t.Errorf("report changes with the order of inputs (-want +got):\n%s", d)
		}
	})
}
