package contract

import (
	"fmt"
	"slices"
	"strings"
)

// rules checks what lists of a scope cannot say. A GPU counts wholly or not at
// all.
func (v trancheCheck) rules() *FieldError {
	a := &v.t.Scope.Rules
	if a.Eligibility.Known {
		return v.wrong("scope", -1, "has an applicability: a GPU counts wholly or not at all")
	}
	if field, item, problem := a.problem(Dimensions()); problem != "" {
		return v.wrong(field, item, "%s", problem)
	}
	for i, r := range slices.Concat(a.Inclusions, a.Exclusions) {
		if r.Eligibility.Known {
			field, i := "inclusions", i
			if i >= len(a.Inclusions) {
				field, i = "exclusions", i-len(a.Inclusions)
			}
			return v.wrong(field, i, "has an applicability: a GPU counts wholly or not at all")
		}
	}
	return nil
}

// problem says what is wrong with the rules, and of which item of which field;
// an empty problem is none.
func (a *Applicability) problem(known []string) (field string, item int, problem string) {
	switch {
	case a.Global && a.Complex:
		return "scope", -1, "is both global and complex"
	case a.Global && len(a.Inclusions) > 0:
		return "scope", -1, "is global and has inclusions"
	}
	for i := range a.Inclusions {
		if p := a.Inclusions[i].problem(known); p != "" {
			return "inclusions", i, p
		}
	}
	for i := range a.Exclusions {
		if p := a.Exclusions[i].problem(known); p != "" {
			return "exclusions", i, p
		}
	}
	return "", 0, ""
}

func (r *Rule) problem(known []string) string {
	if !slices.Contains(known, r.Dimension) {
		return fmt.Sprintf("has the dimension %q, which is not one of %s%s", r.Dimension, strings.Join(known, ", "), orNearest(r.Dimension, known))
	}
	if !slices.Contains(Operators, r.Operator) {
		var names []string
		for _, o := range Operators {
			names = append(names, string(o))
		}
		return fmt.Sprintf("has the operator %q, which is not one of %s%s", r.Operator, strings.Join(names, ", "), orNearest(string(r.Operator), names))
	}
	if len(r.Values) == 0 {
		return "has no values"
	}
	exists := r.Operator == Exists || r.Operator == DoesNotExist
	for _, x := range r.Values {
		switch {
		case x == "" || !tidy(x):
			return fmt.Sprintf("has the value %q, which is empty or not clean text", x)
		case x == Wildcard && len(r.Values) > 1:
			return `has values beside "*", which stands alone`
		case x == Wildcard && !exists && r.Operator != In && r.Operator != Contains:
			return fmt.Sprintf(`has the value "*", which %s does not take`, r.Operator)
		case x != Wildcard && exists:
			return fmt.Sprintf(`has the value %q: %s takes "*" alone`, x, r.Operator)
		}
	}
	return ""
}
