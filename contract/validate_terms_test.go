package contract_test

import (
	"errors"
	"testing"

	"github.com/gpumeter/gpumeter/contract"
)

// withTerms adds what a good contract may say of delivery, scope and uptime.
func withTerms(c *contract.Contract) {
	c.SLAs = []contract.SLA{{
		ID: "node", Target: 995_000, Scope: contract.SLAPerNode, Period: contract.SLAByMonth, Cap: contract.Whole,
		Tiers:    []contract.CreditTier{{Below: 995_000, Credit: 100_000}, {Below: 990_000, Credit: 300_000}},
		Excludes: []contract.SLAExclusion{contract.ExcludeMaintenance},
		Claim:    contract.ClaimRule{From: contract.ClaimFromPeriod, Months: 2, Subject: "SLA Credit Request", Evidence: []string{"logs"}},
	}}
	for i := range c.Tranches {
		t := &c.Tranches[i]
		t.SLA, t.Accepts = "node", []contract.Substitute{{Model: "H200", Factor: contract.Whole}}
		t.Delivery = contract.Delivery{Unit: contract.DeliverNode, GPUsPerUnit: 8, GraceMs: 86_400_000}
		t.Scope.Rules = contract.Applicability{
			Inclusions: []contract.Rule{{Dimension: "RegionId", Operator: contract.StartsWith, Values: []string{"us-"}}},
			Exclusions: []contract.Rule{{Dimension: "x_NodePool", Operator: contract.Exists, Values: []string{"*"}}},
		}
	}
}

func TestValidateNamesWhatIsWrongWithTerms(t *testing.T) {
	f := func(want, field string, item, sla int, with func(s *contract.SLA, t *contract.Tranche)) {
		t.Helper()
		cs := valid()
		withTerms(&cs[1])
		with(&cs[1].SLAs[0], &cs[1].Tranches[1])
		err := contract.ValidateAll(cs)
		var e *contract.FieldError
		if !errors.As(err, &e) || err.Error() != want {
			t.Errorf("ValidateAll = %v\nwant %s", err, want)
			return
		}
		if e.Contract != 1 || e.SLA != sla || e.Field != field || e.Item != item {
			t.Errorf("%v: contract %d, SLA %d, field %s %d; want 1, %d, %s %d", err, e.Contract, e.SLA, e.Field, e.Item, sla, field, item)
		}
	}
	type S = contract.SLA
	type T = contract.Tranche
	cs := valid()
	withTerms(&cs[0])
	if err := contract.ValidateAll(cs); err != nil {
		t.Fatalf("ValidateAll of good terms = %v", err)
	}

	f(`contract "two", SLA "": id is empty or not clean text`, "id", -1, 1, func(s *S, _ *T) { s.ID = "" })
	f(`contract "two", SLA "node": title "\x00" is not clean text`, "title", -1, 1, func(s *S, _ *T) { s.Title = "\x00" })
	f(`contract "two", SLA "node": target is not above 0 % and at most 100 %`, "target", -1, 1, func(s *S, _ *T) { s.Target = 1_000_001 })
	f(`contract "two", SLA "node": scope "rack" is not gpu, node, cluster or region`, "scope", -1, 1, func(s *S, _ *T) { s.Scope = "rack" })
	f(`contract "two", SLA "node": period "week" is not month, quarter or year`, "period", -1, 1, func(s *S, _ *T) { s.Period = "week" })
	f(`contract "two", SLA "node": cap is not above 0 % and at most 100 %`, "cap", -1, 1, func(s *S, _ *T) { s.Cap = 0 })
	f(`contract "two", SLA "node": excludes 1 "rain" is not maintenance, customer, force-majeure or prepaid-capacity`, "excludes", 0, 1, func(s *S, _ *T) { s.Excludes[0] = "rain" })
	f(`contract "two", SLA "node": tiers 2 is not below the one before it: tiers go down from the target`, "tiers", 1, 1, func(s *S, _ *T) { s.Tiers[1].Below = 995_000 })
	f(`contract "two", SLA "node": tiers 1 is not below the one before it: tiers go down from the target`, "tiers", 0, 1, func(s *S, _ *T) { s.Tiers[0].Below = 996_000 })
	f(`contract "two", SLA "node": tiers 2 credits less than the one before it`, "tiers", 1, 1, func(s *S, _ *T) { s.Tiers[1].Credit = 1 })
	f(`contract "two", SLA "node": tiers 1 credits nothing or more than 100 %`, "tiers", 0, 1, func(s *S, _ *T) { s.Tiers[0].Credit = 0 })
	f(`contract "two", SLA "node": claim is from "invoice", not from incident or period`, "claim", -1, 1, func(s *S, _ *T) { s.Claim.From = "invoice" })
	f(`contract "two", SLA "node": claim needs both a start and a number of days or months`, "claim", -1, 1, func(s *S, _ *T) { s.Claim.Months = 0 })
	f(`contract "two", SLA "node": claim is not within ten years`, "claim", -1, 1, func(s *S, _ *T) { s.Claim.Days = -1 })
	f(`contract "two", SLA "node": claim has an entry of evidence that is empty or not clean text: ""`, "claim", -1, 1, func(s *S, _ *T) { s.Claim.Evidence[0] = "" })

	f(`contract "two", tranche "y": sla "nodes" is not an SLA of the contract; did you mean "node"?`, "sla", -1, 0, func(_ *S, t *T) { t.SLA = "nodes" })
	f(`contract "two", tranche "y": accepts 1 is H100, which counts already`, "accepts", 0, 0, func(_ *S, t *T) { t.Accepts[0].Model = "H100" })
	f(`contract "two", tranche "y": accepts 2 is H200, which counts already`, "accepts", 1, 0, func(_ *S, t *T) { t.Accepts = append(t.Accepts, t.Accepts[0]) })
	f(`contract "two", tranche "y": accepts 1 has the model "", which is empty or not clean text`, "accepts", 0, 0, func(_ *S, t *T) { t.Accepts[0].Model = "" })
	f(`contract "two", tranche "y": accepts 1 has a price factor that is not between 0 and 100`, "accepts", 0, 0, func(_ *S, t *T) { t.Accepts[0].Factor = -1 })
	f(`contract "two", tranche "y": unit of delivery "pod" is not gpu, node or rack`, "unit of delivery", -1, 0, func(_ *S, t *T) { t.Delivery.Unit = "pod" })
	f(`contract "two", tranche "y": gpus per unit is said, although the unit of delivery is a GPU`, "gpus per unit", -1, 0, func(_ *S, t *T) { t.Delivery.Unit = "" })
	f(`contract "two", tranche "y": gpus per unit is 5000, not between 1 and 4096`, "gpus per unit", -1, 0, func(_ *S, t *T) { t.Delivery.GPUsPerUnit = 5000 })
	f(`contract "two", tranche "y": steps 2 has 17 GPUs: not whole units of 8`, "steps", 1, 0, func(_ *S, t *T) { t.Steps[1].GPUs = 17 })
	f(`contract "two", tranche "y": late grace is not whole 5 minutes, at most 366 days`, "late grace", -1, 0, func(_ *S, t *T) { t.Delivery.GraceMs = 1 })

	f(`contract "two", tranche "y": scope is both global and complex`, "scope", -1, 0, func(_ *S, t *T) { t.Scope.Rules.Global, t.Scope.Rules.Complex = true, true })
	f(`contract "two", tranche "y": scope is global and has inclusions`, "scope", -1, 0, func(_ *S, t *T) { t.Scope.Rules.Global = true })
	f(`contract "two", tranche "y": scope has an applicability: a GPU counts wholly or not at all`, "scope", -1, 0, func(_ *S, t *T) { t.Scope.Rules.Eligibility.Known = true })
	f(`contract "two", tranche "y": exclusions 1 has an applicability: a GPU counts wholly or not at all`, "exclusions", 0, 0, func(_ *S, t *T) { t.Scope.Rules.Exclusions[0].Eligibility.Known = true })
	f(`contract "two", tranche "y": inclusions 1 has the operator "Startswith", which is not one of In, NotIn, StartsWith, NotStartsWith, EndsWith, Contains, NotContains, Exists, DoesNotExist; did you mean "StartsWith"?`,
		"inclusions", 0, 0, func(_ *S, t *T) { t.Scope.Rules.Inclusions[0].Operator = "Startswith" })
	f(`contract "two", tranche "y": inclusions 1 has the dimension "RegionID", which is not one of ServiceProviderName, SubAccountId, RegionId, AvailabilityZone, CapacityReservationId, ResourceId, x_InstanceType, x_Cluster, x_NodePool, x_Rack, x_Node, x_GpuModel, x_GpuUuid; did you mean "RegionId"?`,
		"inclusions", 0, 0, func(_ *S, t *T) { t.Scope.Rules.Inclusions[0].Dimension = "RegionID" })
	f(`contract "two", tranche "y": inclusions 1 has no values`, "inclusions", 0, 0, func(_ *S, t *T) { t.Scope.Rules.Inclusions[0].Values = nil })
	f(`contract "two", tranche "y": inclusions 1 has the value "*", which StartsWith does not take`, "inclusions", 0, 0, func(_ *S, t *T) { t.Scope.Rules.Inclusions[0].Values[0] = "*" })
	f(`contract "two", tranche "y": exclusions 1 has the value "x": Exists takes "*" alone`, "exclusions", 0, 0, func(_ *S, t *T) { t.Scope.Rules.Exclusions[0].Values[0] = "x" })
	f(`contract "two", tranche "y": inclusions 1 has values beside "*", which stands alone`, "inclusions", 0, 0, func(_ *S, t *T) { t.Scope.Rules.Inclusions[0].Values = []string{"*", "us"} })
}

func TestNearestFindsWhatWasMeant(t *testing.T) {
	f := func(word, want string) {
		t.Helper()
		if got, ok := contract.Nearest(word, contract.Providers); got != want || ok != (want != "") {
			t.Errorf("Nearest(%q) = %q, %v; want %q", word, got, ok, want)
		}
	}
	f("aws", "aws")
	f("asw", "aws")
	f("awss", "aws")
	f("abc", "")
	f("Azure", "azure")
	f("azrue", "azure")
	f("googel", "google")
	f("gogle", "google")
	f("oralce", "oracle")
	f("corweave", "coreweave")
	f("dell", "")
	f("", "")
}
