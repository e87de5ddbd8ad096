package contract

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// Condition compares the share that a quantity has of contracted time:
// "delivered < 0.95", or the same as "delivered < 95%".
type Condition struct {
	Quantity Quantity
	Op       string // <, <=, > or >=
	share    *big.Rat
	text     string // of the share, as it was written
}

var conditionForm = regexp.MustCompile(`^\s*([a-z]+)\s*(<=|>=|<|>)\s*([0-9]{1,3}(?:\.[0-9]{1,9})?)\s*(%?)\s*$`)

// ParseCondition reads a condition.
func ParseCondition(s string) (Condition, error) {
	m := conditionForm.FindStringSubmatch(s)
	if m == nil {
		return Condition{}, fmt.Errorf("condition %.80q is not of the form delivered < 0.95", s)
	}
	f, err := ParseQuantity(m[1])
	if err != nil {
		return Condition{}, fmt.Errorf("condition %q: %w", s, err)
	}
	share, ok := new(big.Rat).SetString(m[3])
	if !ok {
		return Condition{}, fmt.Errorf("condition %q: %q is not a number", s, m[3])
	}
	if m[4] != "" {
		share.Quo(share, big.NewRat(100, 1))
	}
	if share.Cmp(big.NewRat(1, 1)) > 0 {
		return Condition{}, fmt.Errorf("condition %q: a share is not above 1 (or 100%%)", s)
	}
	return Condition{f, m[2], share, m[3] + m[4]}, nil
}

// String writes the condition in its plain form.
func (c *Condition) String() string {
	return strings.Join([]string{c.Quantity.Name, c.Op, c.text}, " ")
}

// Met reports whether the condition holds of a line, exactly; it holds of no
// line of which nothing is contracted.
func (c *Condition) Met(l *Line) bool {
	if l.ContractedMs <= 0 {
		return false
	}
	switch n := big.NewRat(c.Quantity.Ms(l.Buckets), l.ContractedMs).Cmp(c.share); c.Op {
	case "<":
		return n < 0
	case "<=":
		return n <= 0
	case ">":
		return n > 0
	default:
		return n >= 0
	}
}

// Doubtful reports whether so much of a line is not known that its shares
// should not be trusted: more than a fiftieth of contracted time is unobserved
// or unmeasured.
func (l *Line) Doubtful() bool {
	unknown := l.Buckets[Unobserved] + l.Buckets[Unmeasured]
	return unknown > l.ContractedMs/50
}
