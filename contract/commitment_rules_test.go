package contract_test

import (
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

func TestValidateNamesWhatIsWrongWithEligibleCharges(t *testing.T) {
	f := func(want string, a contract.Applicability) {
		t.Helper()
		c := contract.Contract{ID: "c", Provider: "aws", Currency: "USD", Zone: time.UTC, Commitments: []contract.Commitment{{
			ID: "m", Model: contract.Discontinuous, Basis: contract.BilledCost, Shortfall: contract.TrueUp, FromMs: h(0), EndMs: h(10), Total: 1, Eligible: a}}}
		err := c.Validate()
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("Validate = %v\nwant %s", err, want)
		}
	}
	rule := contract.Rule{Dimension: "RegionId", Operator: contract.In, Values: []string{"x"}, Eligibility: contract.Eligibility{Known: true, Cost: 250_000}}
	f("", contract.Applicability{Inclusions: []contract.Rule{rule}})
	f(`contract "c", commitment "m": eligible exclusions: number 1 has an applicability: nothing of what is excluded counts, and a part that counts is said of an inclusion`,
		contract.Applicability{Exclusions: []contract.Rule{rule}})
	rule.Operator = "in"
	f(`contract "c", commitment "m": eligible exclusions: number 1 has the operator "in", which is not one of In, NotIn, StartsWith, NotStartsWith, EndsWith, Contains, NotContains, Exists, DoesNotExist; did you mean "In"?`,
		contract.Applicability{Exclusions: []contract.Rule{rule}})
	f(`contract "c", commitment "m": eligible is both global and complex`, contract.Applicability{Global: true, Complex: true})
}
