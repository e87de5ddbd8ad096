package focus

import (
	"encoding/json"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// scopeObject is a ContractCommitmentApplicability object.
type scopeObject struct {
	IsGlobalScope     bool
	IsComplexScope    bool
	Applicability     *shareObject `json:",omitempty"`
	InclusionOperator string       `json:",omitempty"`
	Inclusions        []scopeRule  `json:",omitempty"`
	ExclusionOperator string       `json:",omitempty"`
	Exclusions        []scopeRule  `json:",omitempty"`
}

type scopeRule struct {
	Dimension     string
	Operator      contract.Operator
	Values        []string     `json:",omitempty"`
	Applicability *shareObject `json:",omitempty"`
}

// shareObject has decimals between 0 and 1.
type shareObject struct{ Cost, Usage json.Number }

func (o *scopeObject) text() (string, error) {
	b, err := json.Marshal(o)
	return string(b), err
}

// applicability writes a scope in the grammar that it is kept in.
func applicability(a *contract.Applicability) scopeObject {
	return scopeObject{
		IsGlobalScope: len(a.Inclusions) == 0 && !a.Complex, IsComplexScope: a.Complex,
		Applicability:     share(a.Eligibility),
		InclusionOperator: operator(len(a.Inclusions), a.IncludeAny), Inclusions: scopeRules(a.Inclusions),
		ExclusionOperator: operator(len(a.Exclusions), !a.ExcludeAll), Exclusions: scopeRules(a.Exclusions),
	}
}

func operator(rules int, or bool) string {
	switch {
	case rules == 0:
		return ""
	case or:
		return "Or"
	}
	return "And"
}

func scopeRules(rules []contract.Rule) []scopeRule {
	var out []scopeRule
	for _, r := range rules {
		out = append(out, scopeRule{r.Dimension, r.Operator, r.Values, share(r.Eligibility)})
	}
	return out
}

func share(e contract.Eligibility) *shareObject {
	if !e.Known {
		return nil
	}
	return &shareObject{millionths(e.Cost), millionths(e.Usage)}
}

// millionths writes a share as a decimal: 250,000 is 0.25.
func millionths(n int64) json.Number {
	s := contract.Money(n).String()
	return json.Number(strings.TrimSuffix(strings.TrimRight(s, "0"), "."))
}

// trancheScope writes the scope of a tranche: its lists and its rules must all
// hold. Rules of which any may hold cannot be joined with lists that all must
// hold: such a scope is complex.
func trancheScope(c *contract.Contract, t *contract.Tranche) scopeObject {
	o := applicability(&t.Scope.Rules)
	lists := []scopeRule{{Dimension: "ServiceProviderName", Operator: contract.In, Values: []string{c.Provider}}}
	models := []string{t.Model}
	for _, a := range t.Accepts {
		models = append(models, a.Model)
	}
	lists = append(lists, scopeRule{Dimension: "x_GpuModel", Operator: contract.In, Values: models})
	for _, l := range []struct {
		dimension string
		values    []string
	}{{"SubAccountId", t.Scope.Accounts}, {"RegionId", t.Scope.Regions}, {"CapacityReservationId", t.Scope.Reservations}, {"x_GpuOrNode", t.Scope.Pins}} {
		if len(l.values) > 0 {
			lists = append(lists, scopeRule{Dimension: l.dimension, Operator: contract.In, Values: l.values})
		}
	}
	if o.IsComplexScope || o.InclusionOperator == "Or" && len(o.Inclusions) > 1 {
		return scopeObject{IsComplexScope: true}
	}
	o.IsGlobalScope = false
	o.InclusionOperator, o.Inclusions = "And", append(lists, o.Inclusions...)
	return o
}
