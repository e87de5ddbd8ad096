package contract_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/contract"
)

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

// TestClosedAndCorrectionsAddUpToTheTruth closes random fleets with a part of
// their records, lets the rest arrive in two parts, and adds the corrections to
// what was closed: tranche by tranche it is the report of all records.
func TestClosedAndCorrectionsAddUpToTheTruth(t *testing.T) {
	moved := 0
	forFleets(t, 200, func(t *testing.T, r *rand.Rand, f *fleet) {
		placed := contract.Place(f.contracts, f.presences, f.nowMs)
		plan := contract.NewPlan(f.contracts, placed, f.periods, f.stray)
		windows := map[[3]int64]int{} // the records of a window come together
		revision := func(upTo int) contract.Report {
			var here []contract.Straddle
			for _, x := range f.records {
				w := [3]int64{x.Unit, x.StartMs, x.EndMs}
				if _, ok := windows[w]; !ok {
					windows[w] = r.IntN(20)
				}
				if windows[w] < upTo {
					here = append(here, x)
				}
			}
			out, err := plan.Build(answer(plan.Query(), here), time.UnixMilli(f.nowMs))
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		revisions := []contract.Report{revision(18), revision(19), revision(20)}
		sum := map[[2]string]contract.Correction{}
		for i := 1; i < len(revisions); i++ {
			lines, err := contract.Correct(revisions[i-1], revisions[i])
			if err != nil {
				t.Fatal(err)
			}
			moved += len(lines)
			for _, c := range lines {
				if c.Buckets.Total() != c.ContractedMs || c.Cost.Buckets.Total() != c.Cost.Contracted {
					t.Errorf("a correction does not add up: %+v", c)
				}
				at := [2]string{c.Contract, c.Tranche}
				sum[at] = plus(sum[at], c)
			}
		}
		for i, s := range revisions[0].Contracts {
			for j := range s.Tranches {
				got := plus(lineAs(&s.Tranches[j]), sum[[2]string{s.Contract, s.Tranches[j].Tranche}])
				if want := lineAs(&revisions[2].Contracts[i].Tranches[j]); got != want {
					t.Errorf("%s/%s: closed + corrections (-truth +sum):\n%s", s.Contract, s.Tranches[j].Tranche, cmp.Diff(want, got))
				}
			}
		}
		if back, err := contract.Correct(revisions[2], revisions[2]); err != nil || len(back) != 0 {
			t.Errorf("a report differs from itself: %+v, %v", back, err)
		}
	})
	if moved < 25 {
		t.Errorf("only %d lines were corrected: the test shows little", moved)
	}
}

// lineAs is what of a line can be added up, as a correction of nothing.
func lineAs(l *contract.Line) contract.Correction {
	return contract.Correction{
		ContractedMs: l.ContractedMs, Buckets: l.Buckets, UnconfirmedMs: l.UnconfirmedMs, GraceMs: l.GraceMs, UnhealthyAloneMs: l.UnhealthyAloneMs, SMActiveMs: l.SMActiveMs,
		SMKnownMs: l.SMKnownMs, EnergyMJ: l.EnergyMJ, EnergyKnownMs: l.EnergyKnownMs, OverageMs: l.OverageMs, Cost: l.Cost,
	}
}

// plus adds every number of two corrections by reflection, so that it knows no
// field that Correct could have forgotten as well.
func plus(a, b contract.Correction) contract.Correction {
	var add func(x, y reflect.Value)
	add = func(x, y reflect.Value) {
		switch x.Kind() {
		case reflect.Struct:
			for i := range x.NumField() {
				add(x.Field(i), y.Field(i))
			}
		case reflect.Array:
			for i := range x.Len() {
				add(x.Index(i), y.Index(i))
			}
		case reflect.Int64:
			x.SetInt(x.Int() + y.Int())
		}
	}
	add(reflect.ValueOf(&a).Elem(), reflect.ValueOf(b))
	a.Contract, a.Tranche, a.Currency = "", "", ""
	return a
}

// TestCorrectSeesEveryNumberOfALine holds that a new sum of Line is added to
// Correction too.
func TestCorrectSeesEveryNumberOfALine(t *testing.T) {
	correction := reflect.TypeFor[contract.Correction]()
	notSums := []string{"GPUs", "Tranche", "Model", "Stages", "Utilisation", "Days", "Groups", "Substitutes"}
	line := reflect.TypeFor[contract.Line]()
	for i := range line.NumField() {
		f := line.Field(i)
		if slices.Contains(notSums, f.Name) {
			continue
		}
		if g, ok := correction.FieldByName(f.Name); !ok || g.Type != f.Type || g.Tag != f.Tag {
			t.Errorf("Line.%s has no like in Correction", f.Name)
		}
	}
}

// TestCorrectTakesEveryNumber compares a line that has every number with one
// that has none, and back.
func TestCorrectTakesEveryNumber(t *testing.T) {
	var l contract.Line
	n := int64(0)
	fill(reflect.ValueOf(&l).Elem(), &n)
	report := func(lines ...contract.Line) contract.Report {
		return contract.Report{Contracts: []contract.Statement{{Contract: "acme", Currency: "USD", Tranches: lines}}}
	}
	for sign, sides := range map[int64][2]contract.Report{1: {report(), report(l)}, -1: {report(l), report()}} {
		got, err := contract.Correct(sides[0], sides[1])
		if err != nil || len(got) != 1 {
			t.Fatalf("corrections = %+v, %v", got, err)
		}
		// Three times the line, less the other side, is two or four of it.
		sum := plus(plus(plus(lineAs(&l), lineAs(&l)), lineAs(&l)), got[0])
		expected := contract.Correction{}
		for range 3 + sign {
			expected = plus(expected, lineAs(&l))
		}
		if sum != expected {
			t.Errorf("sign %d (-want +got):\n%s", sign, cmp.Diff(expected, sum))
		}
	}
}

func TestCorrectComparesOnlyWhatCanBeCompared(t *testing.T) {
	report := func(period, currency string, tranches ...string) contract.Report {
		s := contract.Statement{Contract: "acme", Currency: currency}
		for i, id := range tranches {
			l := contract.Line{Tranche: id, ContractedMs: int64(i + 1), Cost: contract.Cost{Contracted: 5}}
			l.Buckets[contract.Busy], l.Cost.Buckets[contract.Busy] = l.ContractedMs, 5
			s.Tranches = append(s.Tranches, l)
		}
		return contract.Report{Period: period, Contracts: []contract.Statement{s}}
	}
	a := report("2026-10", "USD", "b", "a")
	got, err := contract.Correct(a, report("2026-10", "USD", "b", "c"))
	if err != nil || len(got) != 2 || got[0].Tranche != "a" || got[0].ContractedMs != -2 || got[0].Cost.Buckets[contract.Busy] != -5 ||
		got[1].Tranche != "c" || got[1].ContractedMs != 2 || got[1].Currency != "USD" {
		t.Errorf("corrections = %+v, %v", got, err)
	}
	for want, to := range map[string]contract.Report{
		"of two periods":     report("2026-11", "USD", "a"),
		"was USD and is EUR": report("2026-10", "EUR", "a"),
	} {
		if _, err := contract.Correct(a, to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v, want one with %q", err, want)
		}
	}
}
