package contract

import "strings"

// Applicability says what a tranche or a spend commitment applies to, in the
// grammar of FOCUS 1.4 (ContractCommitmentApplicability): what the inclusions
// take, less what the exclusions take. Values are compared without regard to
// case. The zero value applies to everything.
type Applicability struct {
	// Global says that there are no inclusions by intent; Complex that the
	// agreement's rule cannot be written down here: then nothing is known to
	// apply, but what a tranche pins. Both are never true.
	Global, Complex bool
	// Eligibility is the part that counts of what applies, where no rule says more.
	Eligibility Eligibility
	IncludeAny  bool // inclusions are joined by Or; else by And
	Inclusions  []Rule
	ExcludeAll  bool // exclusions are joined by And; else by Or
	Exclusions  []Rule
}

// Rule is one condition on a dimension of a GPU or of a cost row.
type Rule struct {
	Dimension   string // a FOCUS column, or x_… of ours
	Operator    Operator
	Values      []string
	Eligibility Eligibility // of inclusions only
}

// Operator compares a dimension with values. Its values are FOCUS's.
type Operator string

// The operators of FOCUS 1.4. Those with Not hold where the others do not; a
// dimension that is not known is in no list and exists not.
const (
	In            Operator = "In"
	NotIn         Operator = "NotIn"
	StartsWith    Operator = "StartsWith"
	NotStartsWith Operator = "NotStartsWith"
	EndsWith      Operator = "EndsWith"
	Contains      Operator = "Contains"
	NotContains   Operator = "NotContains"
	Exists        Operator = "Exists"
	DoesNotExist  Operator = "DoesNotExist"
)

// Operators lists them all.
var Operators = []Operator{In, NotIn, StartsWith, NotStartsWith, EndsWith, Contains, NotContains, Exists, DoesNotExist}

// Wildcard is the only value of a rule that any known dimension meets.
const Wildcard = "*"

// Eligibility is the part that counts of what a rule takes, in millionths of its
// cost and of its usage. Known is false where nothing was said.
type Eligibility struct {
	Known       bool
	Cost, Usage int64
}

// Whole is the share of what counts in full.
const Whole = 1_000_000

// Of returns the share of a thing that applies, and whether it applies at all.
// The function says the thing's value of a dimension; empty is unknown. A
// share that a matching inclusion states goes before the top one; where Or
// lets several match, the highest counts; where nothing is said, the whole.
// What an exclusion takes does not apply at all, as FOCUS has it.
func (a *Applicability) Of(value func(dimension string) string) (Eligibility, bool) {
	if a.Complex {
		return Eligibility{}, false
	}
	stated, ok := matches(a.Inclusions, a.IncludeAny, value)
	if len(a.Inclusions) > 0 && !ok {
		return Eligibility{}, false
	}
	if _, out := matches(a.Exclusions, !a.ExcludeAll, value); out {
		return Eligibility{}, false
	}
	for _, s := range []Eligibility{stated, a.Eligibility} {
		if s.Known {
			return s, true
		}
	}
	return Eligibility{true, Whole, Whole}, true
}

// matches joins rules by Or or by And, and returns the highest share that the
// matching ones state.
func matches(rules []Rule, or bool, value func(string) string) (highest Eligibility, ok bool) {
	n := 0
	for i := range rules {
		if !rules[i].Holds(value(rules[i].Dimension)) {
			continue
		}
		n++
		if s := rules[i].Eligibility; s.Known {
			highest = Eligibility{true, max(highest.Cost, s.Cost), max(highest.Usage, s.Usage)}
		}
	}
	return highest, n > 0 && (or || n == len(rules))
}

// Holds says whether a value meets the rule; empty is unknown.
func (r *Rule) Holds(value string) bool {
	positive, negated := negations[r.Operator]
	if !negated {
		positive = r.Operator
	}
	return r.any(positive, value) != negated
}

// negations gives the operator that each negative one denies.
var negations = map[Operator]Operator{NotIn: In, NotStartsWith: StartsWith, NotContains: Contains, DoesNotExist: Exists}

func (r *Rule) any(op Operator, value string) bool {
	if value == "" {
		return false
	}
	if op == Exists {
		return true
	}
	value = strings.ToLower(value)
	for _, v := range r.Values {
		v = strings.ToLower(v)
		switch {
		case v == Wildcard && (op == In || op == Contains),
			op == In && v == value,
			op == StartsWith && strings.HasPrefix(value, v),
			op == EndsWith && strings.HasSuffix(value, v),
			op == Contains && strings.Contains(value, v):
			return true
		}
	}
	return false
}
