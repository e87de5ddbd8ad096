package contract_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gpumeter/gpumeter/contract"
)

func TestRuleHolds(t *testing.T) {
	f := func(op contract.Operator, value string, want bool, values ...string) {
		t.Helper()
		r := contract.Rule{Dimension: "RegionId", Operator: op, Values: values}
		if got := r.Holds(value); got != want {
			t.Errorf("%q %s %q = %v", value, op, values, got)
		}
	}
	f(contract.In, "us-east-1", true, "eu", "US-EAST-1")
	f(contract.In, "us-east-1", false, "us-east")
	f(contract.In, "anything", true, "*")
	f(contract.In, "", false, "*")
	f(contract.NotIn, "us-east-1", false, "us-east-1")
	f(contract.NotIn, "", true, "us-east-1") // what is not known is in no list
	f(contract.StartsWith, "us-east-1", true, "US-")
	f(contract.StartsWith, "us-east-1", false, "east")
	f(contract.NotStartsWith, "us-east-1", true, "east")
	f(contract.EndsWith, "us-east-1", true, "-1")
	f(contract.EndsWith, "us-east-1", false, "-2")
	f(contract.Contains, "us-east-1", true, "EAST")
	f(contract.Contains, "x", true, "*")
	f(contract.NotContains, "us-east-1", false, "east", "west")
	f(contract.Exists, "x", true, "*")
	f(contract.Exists, "", false, "*")
	f(contract.DoesNotExist, "", true, "*")
	f(contract.DoesNotExist, "x", false, "*")
	f("Resembles", "x", false, "x")
}

func TestApplicabilityIsInclusionsLessExclusions(t *testing.T) {
	in := func(dimension string, values ...string) contract.Rule {
		return contract.Rule{Dimension: dimension, Operator: contract.In, Values: values}
	}
	quarter := func(r contract.Rule, cost int64) contract.Rule {
		r.Eligibility = contract.Eligibility{Known: true, Cost: cost, Usage: contract.Whole}
		return r
	}
	thing := map[string]string{"RegionId": "us-east-1", "ServiceName": "Marketplace"}
	f := func(a contract.Applicability, cost int64, ok bool) {
		t.Helper()
		got, applies := a.Of(func(d string) string { return thing[d] })
		if applies != ok || got.Cost != cost {
			t.Errorf("%+v applies %v at %d, want %v at %d", a, applies, got.Cost, ok, cost)
		}
	}
	east, west, market := in("RegionId", "us-east-1"), in("RegionId", "us-west-2"), in("ServiceName", "marketplace")
	f(contract.Applicability{}, contract.Whole, true)
	f(contract.Applicability{Global: true}, contract.Whole, true)
	f(contract.Applicability{Complex: true}, 0, false)
	f(contract.Applicability{Inclusions: []contract.Rule{east, market}}, contract.Whole, true)
	f(contract.Applicability{Inclusions: []contract.Rule{west, market}}, 0, false)
	f(contract.Applicability{IncludeAny: true, Inclusions: []contract.Rule{west, market}}, contract.Whole, true)
	f(contract.Applicability{Exclusions: []contract.Rule{west, market}}, 0, false)
	f(contract.Applicability{ExcludeAll: true, Exclusions: []contract.Rule{west, market}}, contract.Whole, true)
	f(contract.Applicability{ExcludeAll: true, Exclusions: []contract.Rule{east, market}}, 0, false)
	f(contract.Applicability{Inclusions: []contract.Rule{east}, Exclusions: []contract.Rule{market}}, 0, false)
	// What counts: the matching rule before the top; the highest of several.
	top := contract.Eligibility{Known: true, Cost: 900_000, Usage: contract.Whole}
	f(contract.Applicability{Eligibility: top}, 900_000, true)
	f(contract.Applicability{Eligibility: top, Inclusions: []contract.Rule{quarter(market, 250_000)}}, 250_000, true)
	f(contract.Applicability{Eligibility: top, IncludeAny: true, Inclusions: []contract.Rule{quarter(market, 250_000), quarter(east, 500_000), quarter(west, 700_000)}}, 500_000, true)
	f(contract.Applicability{Eligibility: top, Inclusions: []contract.Rule{market}}, 900_000, true)
	f(contract.Applicability{Inclusions: []contract.Rule{quarter(market, 0)}}, 0, true)
	// An exclusion ends it, whatever else would count.
	f(contract.Applicability{Eligibility: top, Exclusions: []contract.Rule{quarter(market, 250_000)}}, 0, false)
	f(contract.Applicability{Inclusions: []contract.Rule{quarter(east, 500_000)}, Exclusions: []contract.Rule{quarter(market, 250_000)}}, 0, false)
}

// TestApplicabilityAgreesWithATruthTable compares with rules as regular
// expressions, on random rules and GPUs.
func TestApplicabilityAgreesWithATruthTable(t *testing.T) {
	held := map[bool]int{}
	forFleets(t, 300, func(t *testing.T, r *rand.Rand, f *fleet) {
		for range 20 {
			a := randomRules(r)
			p := &f.presences[r.IntN(len(f.presences))]
			_, got := a.Of(p.Dimension)
			if want := slowScope(&a, p); got != want {
				t.Errorf("%+v of %+v = %v, want %v", a, p, got, want)
			}
			held[got]++
		}
	})
	if held[true] < 500 || held[false] < 500 {
		t.Errorf("applies %d times, and not %d times", held[true], held[false])
	}
}
