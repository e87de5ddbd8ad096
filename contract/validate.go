package contract

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of what makes sense. They keep every sum of GPU-milliseconds within
// 64 bits: a million GPUs for a century are 3.2e18.
const (
	maxGPUs = 1_000_000
	maxMs   = 4_102_444_800_000 // 2100-01-01
	maxText = 256
)

// edgeMs is what the times of a contract must be multiples of: windows are cut
// at whole 5 minutes, and a record must not be divided between two prices
// more often than it has to be.
const edgeMs = 300_000

// FieldError says what is wrong with one field of a contract. Its indices are
// for those who know where the contract was read from.
type FieldError struct {
	ContractID, TrancheID string
	Contract              int    // index in what ValidateAll was given; 0 from Validate
	Tranche               int    // index in the contract; -1 for the contract itself
	Field                 string // "id", "currency", "rates", "regions", …: in the words of the types
	Item                  int    // index in the field's list; -1 for the field itself
	Problem               string
	// Commitment is the number of the spend commitment that it is about, from 1;
	// 0 is none. CommitmentID is its id.
	Commitment   int
	CommitmentID string
	// SLA is the number of the SLA that it is about, from 1; 0 is none. SLAID
	// is its id.
	SLA   int
	SLAID string
	// Notice is the number of the notice that it is about, from 1; 0 is none.
	// NoticeID is its id.
	Notice   int
	NoticeID string
}

// Error returns one sentence that names contract, tranche and field.
func (e *FieldError) Error() string {
	s := fmt.Sprintf("contract %q", e.ContractID)
	if e.Tranche >= 0 {
		s += fmt.Sprintf(", tranche %q", e.TrancheID)
	}
	if e.Commitment > 0 {
		s += fmt.Sprintf(", commitment %q", e.CommitmentID)
	}
	if e.SLA > 0 {
		s += fmt.Sprintf(", SLA %q", e.SLAID)
	}
	if e.Notice > 0 {
		s += fmt.Sprintf(", notice %q", e.NoticeID)
	}
	s += ": " + e.Field
	if e.Item >= 0 {
		s += fmt.Sprintf(" %d", e.Item+1)
	}
	return s + " " + e.Problem
}

// ValidateAll says whether the contracts make sense, each by itself and
// together. It returns the first thing that is wrong, as a *FieldError.
func ValidateAll(contracts []Contract) error {
	seen := map[string]bool{}
	for i := range contracts {
		c := &contracts[i]
		err := c.validate()
		if err == nil && seen[c.ID] {
			err = c.wrong("id", "is used by an earlier contract")
		}
		if err != nil {
			err.Contract = i
			return err
		}
		seen[c.ID] = true
	}
	return nil
}

// Validate says whether the contract makes sense. It returns the first thing
// that is wrong, as a *FieldError.
func (c *Contract) Validate() error {
	if err := c.validate(); err != nil {
		return err
	}
	return nil
}

func (c *Contract) wrong(field, problem string, args ...any) *FieldError {
	return &FieldError{ContractID: c.ID, Tranche: -1, Field: field, Item: -1, Problem: fmt.Sprintf(problem, args...)}
}

func (c *Contract) validate() *FieldError {
	for _, check := range []func() *FieldError{c.checkNames, c.checkTerms, c.checkTranches, c.checkCommitments} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkNames says what is wrong with the contract's own fields.
func (c *Contract) checkNames() *FieldError {
	switch {
	case c.ID == "" || !tidy(c.ID):
		return c.wrong("id", "is empty or not clean text")
	case c.Provider == "" || !tidy(c.Provider):
		return c.wrong("provider", "%q is empty or not clean text", c.Provider)
	case !tidy(c.Title):
		return c.wrong("title", "%q is not clean text", c.Title)
	case currencyProblem(c.Currency) != "":
		return c.wrong("currency", "%q %s", c.Currency, currencyProblem(c.Currency))
	case c.Zone == nil:
		return c.wrong("zone", "is missing")
	case len(c.Tranches) == 0 && len(c.Commitments) == 0:
		return c.wrong("tranches", "are missing: a contract has at least one, or a spend commitment")
	}
	if name, ok := misnamed(c.Provider); ok {
		return c.wrong("provider", "%q is not how agents name a cloud; did you mean %q?", c.Provider, name)
	}
	return nil
}

// checkTranches checks each tranche, and that all together are no more than can
// be added up.
func (c *Contract) checkTranches() *FieldError {
	seen := map[string]bool{}
	var worth Money
	var ms int64
	for i := range c.Tranches {
		check := trancheCheck{c, &c.Tranches[i], i}
		if err := check.all(); err != nil {
			return err
		}
		if seen[c.Tranches[i].ID] {
			return check.wrong("id", -1, "is used by an earlier tranche of the contract")
		}
		seen[c.Tranches[i].ID] = true
		term := c.Tranches[i].contractedMs(0, maxMs)
		if ms > math.MaxInt64-term {
			return check.wrong("steps", -1, "make the contract more GPU time than there can be")
		}
		ms += term
		m, err := c.Tranches[i].worth()
		if err == nil {
			worth, err = add(worth, m)
		}
		if err != nil {
			return check.wrong("rates", -1, "make the contract worth more than nine trillion %s", c.Currency)
		}
	}
	return nil
}

// worth is what the whole term costs at most.
func (t *Tranche) worth() (Money, error) {
	var sum Money
	for i := range t.Rates {
		m, err := total(t.contractedMs(t.Rates[i].FromMs, t.Rates[i].ToMs), t.Rates[i].tariff(t.dearest(&t.Rates[i])))
		if err == nil {
			sum, err = add(sum, m)
		}
		if err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// trancheCheck checks one tranche and names it in what it finds.
type trancheCheck struct {
	c *Contract
	t *Tranche
	i int
}

func (v trancheCheck) wrong(field string, item int, problem string, args ...any) *FieldError {
	return &FieldError{ContractID: v.c.ID, TrancheID: v.t.ID, Tranche: v.i, Field: field, Item: item, Problem: fmt.Sprintf(problem, args...)}
}

func (v trancheCheck) all() *FieldError {
	switch {
	case v.t.ID == "" || !tidy(v.t.ID):
		return v.wrong("id", -1, "is empty or not clean text")
	case v.t.Model == "" || !tidy(v.t.Model):
		return v.wrong("model", -1, "%q is empty or not clean text", v.t.Model)
	}
	for _, check := range []func() *FieldError{v.steps, v.rates, v.scope, v.rules, v.accepts, v.delivery} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (v trancheCheck) steps() *FieldError {
	most := 0
	for i, s := range v.t.Steps {
		switch {
		case s.GPUs < 0 || s.GPUs > maxGPUs:
			return v.wrong("steps", i, "has %d GPUs: not between 0 and %d", s.GPUs, maxGPUs)
		case i > 0 && s.FromMs <= v.t.Steps[i-1].FromMs:
			return v.wrong("steps", i, "begins at %s, not after the one before it", v.at(s.FromMs))
		}
		if err := v.edge("steps", i, "begins", s.FromMs); err != nil {
			return err
		}
		most = max(most, s.GPUs)
	}
	n := len(v.t.Steps)
	switch {
	case most == 0:
		return v.wrong("steps", -1, "never have a GPU")
	case v.t.EndMs <= v.t.Steps[n-1].FromMs:
		return v.wrong("end", -1, "is %s, not after the last step at %s", v.at(v.t.EndMs), v.at(v.t.Steps[n-1].FromMs))
	}
	return v.edge("end", -1, "is", v.t.EndMs)
}

func (v trancheCheck) rates() *FieldError {
	for i, r := range v.t.Rates {
		switch {
		case r.FromMs >= r.ToMs:
			return v.wrong("rates", i, "ends at %s, not after it begins", v.at(r.ToMs))
		case i > 0 && r.FromMs < v.t.Rates[i-1].ToMs:
			return v.wrong("rates", i, "begins at %s, before the one before it ends at %s", v.at(r.FromMs), v.at(v.t.Rates[i-1].ToMs))
		case r.PerGPUHour < 0 || r.OveragePerGPUHour < 0 || r.ListPerGPUHour < 0:
			return v.wrong("rates", i, "has a negative price")
		case r.MonthMs != 0 && (r.MonthMs < 27*24*hourMs || r.MonthMs > 32*24*hourMs || max(r.PerGPUHour, r.OveragePerGPUHour) > math.MaxInt64/BilledHours):
			return v.wrong("rates", i, "is of no month, or costs too much in one")
		case !r.HasOverage && r.OveragePerGPUHour != 0:
			return v.wrong("rates", i, "has an overage price that is marked as not known")
		case !r.HasList && r.ListPerGPUHour != 0:
			return v.wrong("rates", i, "has a list price that is marked as not known")
		}
		if err := v.edge("rates", i, "begins", r.FromMs); err != nil {
			return err
		}
		if err := v.edge("rates", i, "ends", r.ToMs); err != nil {
			return err
		}
	}
	return nil
}

func (v trancheCheck) scope() *FieldError {
	for _, list := range []struct {
		field string
		items []string
	}{
		{"accounts", v.t.Scope.Accounts},
		{"regions", v.t.Scope.Regions},
		{"reservations", v.t.Scope.Reservations},
		{"pins", v.t.Scope.Pins},
	} {
		for i, s := range list.items {
			if s == "" || !tidy(s) {
				return v.wrong(list.field, i, "%q is empty or not clean text", s)
			}
		}
	}
	return nil
}

// edge checks one moment of the contract.
func (v trancheCheck) edge(field string, item int, verb string, ms int64) *FieldError {
	switch {
	case ms < 0 || ms > maxMs:
		return v.wrong(field, item, "%s at %s, not between 1970 and 2100", verb, v.at(ms))
	case ms%edgeMs != 0:
		return v.wrong(field, item, "%s at %s, not on a whole 5 minutes UTC: usage is metered in windows that are cut there", verb, v.at(ms))
	}
	return nil
}

func (v trancheCheck) at(ms int64) string {
	if ms%1000 != 0 {
		return v.c.local(ms).Format("2006-01-02T15:04:05.000Z07:00")
	}
	return v.c.local(ms).Format(time.RFC3339)
}

// tidy reports whether s is short valid UTF-8 without control characters or
// space at its ends.
func tidy(s string) bool {
	if len(s) > maxText || !utf8.ValidString(s) || strings.TrimSpace(s) != s {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}
