package contract_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
)

func quantity(t *testing.T, name string) contract.Quantity {
	t.Helper()
	q, err := contract.ParseQuantity(name)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestExplainNamesTheLargestContributions(t *testing.T) {
	f := func(name string, n int, want ...string) {
		t.Helper()
		x, err := contract.Explain(quantity(t, name), n, workedBy(t, ""), workedBy(t, "team"), workedBy(t, "node"))
		if err != nil {
			t.Error(err)
			return
		}
		var got []string
		for _, list := range x.Lists {
			for _, c := range list.List {
				got = append(got, fmt.Sprintf("%s: %s %s %d s %s", list.By, c.Kind, c.Name, c.Ms/1000, c.Cost))
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	f("busy", 1,
		"tranche: group h100 53400 s 37.083334", "day: group 2026-10-01 53400 s 37.083334",
		"team: group search 27000 s 18.750000", "team: others  12000 s 8.333334", "team: unattributed  14400 s 10.000000",
		"node: group n1 27000 s 18.750000", "node: others  26400 s 18.333334")
	f("healthy", 9,
		"tranche: group h100 72600 s 50.416667", "day: group 2026-10-01 72600 s 50.416667",
		"team: group search 27000 s 18.750000", "team: group ads 24000 s 16.666667", "team: unattributed  21600 s 15.000000",
		"node: group n1 27000 s 18.750000", "node: group n2 24000 s 16.666667", "node: group n3 21600 s 15.000000")
	f("unmeasured", 9)
}

func TestExplainRefusesReportsThatDiffer(t *testing.T) {
	rep := workedBy(t, "team")
	rep.Contracts[0].Total.Groups[0].Buckets[contract.Busy]++
	if _, err := contract.Explain(quantity(t, "busy"), 3, rep); !errors.Is(err, contract.ErrMoved) {
		t.Errorf("error %v, want that the data moved", err)
	}
	rep.Contracts = nil
	if _, err := contract.Explain(quantity(t, "busy"), 3, rep); err == nil || err.Error() != "explain busy: the report has 0 contracts, not one" {
		t.Errorf("error %v", err)
	}
}

// TestExplanationsAddUp holds that the lists of random reports add up, and have
// as many parts as were asked for, of any quantity.
func TestExplanationsAddUp(t *testing.T) {
	forFleets(t, 100, func(t *testing.T, r *rand.Rand, f *fleet) {
		f.by = pick(r, contract.Bys...)
		_, rep, err := f.report()
		if err != nil {
			t.Errorf("Build: %v", err)
			return
		}
		rep.Contracts = rep.Contracts[:1]
		q, n := pick(r, contract.Quantities...), r.IntN(4)
		x, err := contract.Explain(q, n, rep)
		if err != nil {
			t.Errorf("Explain: %v", err)
			return
		}
		for _, list := range x.Lists {
			groups := 0
			for i, c := range list.List {
				if c.Kind == contract.OfGroup {
					groups++
				}
				if i > 0 && c.Kind == contract.OfGroup && c.Ms > list.List[i-1].Ms {
					t.Errorf("%s by %s: %s is after something smaller", q.Name, list.By, c.Name)
				}
			}
			if groups > n {
				t.Errorf("%s by %s: %d parts, want at most %d", q.Name, list.By, groups, n)
			}
		}
	})
}
