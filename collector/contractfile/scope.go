package contractfile

import "github.com/gpumeter/gpumeter/contract"

func (d decoder) scope(e *scopeEntry) (s contract.Scope, err error) {
	for _, f := range []struct {
		key  string
		from []scalar
		to   *[]string
	}{
		{"accounts", e.Accounts, &s.Accounts}, {"regions", e.Regions, &s.Regions},
		{"reservations", e.Reservations, &s.Reservations}, {"pin", e.Pins, &s.Pins},
	} {
		if *f.to, err = d.texts(f.key, f.from); err != nil {
			return s, err
		}
	}
	s.Rules, err = d.applicability(&e.Rules)
	return s, err
}

// applicability reads FOCUS's object.
func (d decoder) applicability(e *applicabilityEntry) (a contract.Applicability, err error) {
	if a.Global, err = d.yes("IsGlobalScope", e.Global); err != nil {
		return a, err
	}
	if a.Complex, err = d.yes("IsComplexScope", e.Complex); err != nil {
		return a, err
	}
	if a.IncludeAny, err = d.or("InclusionOperator", e.Include, false); err != nil {
		return a, err
	}
	any, err := d.or("ExclusionOperator", e.Exclude, true)
	if err != nil {
		return a, err
	}
	a.ExcludeAll = !any
	if a.Eligibility, err = d.eligibility(&e.Eligible); err != nil {
		return a, err
	}
	if a.Inclusions, err = each(e.Inclusions, d.rule); err != nil {
		return a, err
	}
	a.Exclusions, err = each(e.Exclusions, d.rule)
	return a, err
}

// or reads how rules are joined.
func (d decoder) or(key string, s scalar, absent bool) (bool, error) {
	switch {
	case s.Node == nil:
		return absent, nil
	case s.Value == "Or", s.Value == "And":
		return s.Value == "Or", nil
	}
	return false, d.wrong(s.Line, "%s %q is not And or Or", key, clip(s.Value))
}

func (d decoder) rule(e *ruleEntry) (r contract.Rule, err error) {
	var operator string
	if err = d.allTexts(named{"Dimension", e.Dimension, &r.Dimension}, named{"Operator", e.Operator, &operator}); err != nil {
		return r, err
	}
	r.Operator = contract.Operator(operator)
	if r.Values, err = d.texts("Values", e.Values); err != nil {
		return r, err
	}
	r.Eligibility, err = d.eligibility(&e.Eligible)
	return r, err
}

// eligibility reads the part that counts; what is not said counts in full.
func (d decoder) eligibility(e *portionEntry) (contract.Eligibility, error) {
	out := contract.Eligibility{Known: e.Line > 0, Cost: contract.Whole, Usage: contract.Whole}
	if !out.Known {
		return contract.Eligibility{}, nil
	}
	for _, f := range []struct {
		key  string
		from scalar
		to   *int64
	}{{"Cost", e.Cost, &out.Cost}, {"Usage", e.Usage, &out.Usage}} {
		if f.from.Node == nil {
			continue
		}
		var err error
		if *f.to, err = d.millionths(f.key, f.from); err != nil {
			return out, err
		}
		if *f.to > contract.Whole {
			return out, d.wrong(f.from.Line, "%s %q is not between 0 and 1", f.key, clip(f.from.Value))
		}
	}
	return out, nil
}
