package contract

import (
	"fmt"
	"slices"
)

// checkCommitments says what is wrong with the spend commitments of a
// contract.
func (c *Contract) checkCommitments() *FieldError {
	taken := map[string]bool{}
	for i := range c.Tranches {
		taken[c.Tranches[i].ID] = true
	}
	for i := range c.Commitments {
		check := commitmentCheck{c, &c.Commitments[i], i}
		if err := check.all(); err != nil {
			return err
		}
		if taken[c.Commitments[i].ID] {
			return check.wrong("id", -1, "is used by an earlier tranche or commitment of the contract")
		}
		taken[c.Commitments[i].ID] = true
	}
	return nil
}

// commitmentCheck checks one commitment and names it in what it finds.
type commitmentCheck struct {
	c *Contract
	m *Commitment
	i int
}

func (v commitmentCheck) wrong(field string, item int, problem string, args ...any) *FieldError {
	return &FieldError{
		ContractID: v.c.ID, Tranche: -1, Commitment: v.i + 1, CommitmentID: v.m.ID,
		Field: field, Item: item, Problem: fmt.Sprintf(problem, args...),
	}
}

func (v commitmentCheck) all() *FieldError {
	m := v.m
	switch {
	case m.ID == "" || !tidy(m.ID):
		return v.wrong("id", -1, "is empty or not clean text")
	case !tidy(m.Title):
		return v.wrong("title", -1, "%q is not clean text", m.Title)
	case !tidy(m.CloudID):
		return v.wrong("cloud id", -1, "%q is not clean text", m.CloudID)
	case !slices.Contains(CostBases[:], m.Basis):
		return v.wrong("basis", -1, "%q is not list, contracted, billed or effective", m.Basis)
	case m.Shortfall != TrueUp && m.Shortfall != Forfeit:
		return v.wrong("shortfall", -1, "%q is not true-up or forfeit", m.Shortfall)
	case m.OtherPerDay < 0:
		return v.wrong("other per day", -1, "is negative")
	}
	if err := v.term(); err != nil {
		return err
	}
	if err := v.eligible(); err != nil {
		return err
	}
	switch m.Model {
	case Discontinuous:
		return v.pool()
	case Continuous:
		return v.continuous()
	}
	return v.wrong("model", -1, "%q is not %s or %s", m.Model, Discontinuous, Continuous)
}

func (v commitmentCheck) term() *FieldError {
	at := trancheCheck{c: v.c}.at
	for _, edge := range []struct {
		field string
		ms    int64
	}{{"start", v.m.FromMs}, {"end", v.m.EndMs}} {
		if edge.ms < 0 || edge.ms > maxMs {
			return v.wrong(edge.field, -1, "is %s, not between 1970 and 2100", at(edge.ms))
		}
	}
	if v.m.EndMs <= v.m.FromMs {
		return v.wrong("end", -1, "is %s, not after the start at %s", at(v.m.EndMs), at(v.m.FromMs))
	}
	return nil
}

// eligible wants rules that make sense, on dimensions that charges are kept
// with.
func (v commitmentCheck) eligible() *FieldError {
	for _, rules := range [][]Rule{v.m.Eligible.Inclusions, v.m.Eligible.Exclusions} {
		for i := range rules {
			if !slices.Contains(SpendDimensions, rules[i].Dimension) {
				return v.wrong("eligible", -1, "has the dimension %q, which charges are not kept with: want one of %v", rules[i].Dimension, SpendDimensions)
			}
		}
	}
	field, i, problem := v.m.Eligible.problem(SpendDimensions)
	switch {
	case problem == "":
		return v.parts()
	case i < 0:
		return v.wrong("eligible", -1, "%s", problem)
	}
	return v.wrong("eligible", -1, "%s: number %d %s", field, i+1, problem)
}

// parts wants no part of what is excluded: FOCUS ends where an exclusion holds,
// and takes the part that counts of inclusions only.
func (v commitmentCheck) parts() *FieldError {
	for i, r := range v.m.Eligible.Exclusions {
		if r.Eligibility.Known {
			return v.wrong("eligible", -1, "exclusions: number %d has an applicability: nothing of what is excluded counts, and a part that counts is said of an inclusion", i+1)
		}
	}
	return nil
}

func (v commitmentCheck) pool() *FieldError {
	m := v.m
	switch {
	case m.Interval != "" || m.PerInterval != 0:
		return v.wrong("interval", -1, "is for the model %s", Continuous)
	case m.Total < 0:
		return v.wrong("total", -1, "is negative")
	case m.CarryExcess && len(m.Floors) == 0:
		return v.wrong("carry excess", -1, "is said without floors to carry between")
	}
	for i, f := range m.Floors {
		switch {
		case f.Amount <= 0:
			return v.wrong("floors", i, "has no amount")
		case f.FromMs >= f.ToMs || f.FromMs < m.FromMs || f.ToMs > m.EndMs:
			return v.wrong("floors", i, "is empty or not within the term")
		case i > 0 && f.FromMs < m.Floors[i-1].ToMs:
			return v.wrong("floors", i, "begins before the one before it ends")
		}
	}
	sum, err := m.floors()
	switch {
	case err != nil:
		return v.wrong("floors", -1, "are more than nine trillion %s together", v.c.Currency)
	case m.Total == 0 && sum == 0:
		return v.wrong("total", -1, "is missing: a pool has a total, or floors that add up to it")
	case m.Total != 0 && sum > m.Total:
		return v.wrong("floors", -1, "add up to %s, more than the total of %s", sum, m.Total)
	}
	return nil
}

func (v commitmentCheck) continuous() *FieldError {
	m := v.m
	switch {
	case m.Total != 0 || len(m.Floors) > 0 || m.CarryExcess:
		return v.wrong("total", -1, "is for the model %s: a continuous commitment has an amount per interval", Discontinuous)
	case m.PerInterval <= 0:
		return v.wrong("per interval", -1, "is missing")
	case !slices.Contains(Intervals, m.Interval):
		return v.wrong("interval", -1, "%q is not hourly, daily, monthly, quarterly or annual", m.Interval)
	case len(v.c.intervals(m)) >= maxIntervals:
		return v.wrong("interval", -1, "makes more than %d intervals", maxIntervals)
	}
	if _, err := v.c.Committed(m); err != nil {
		return v.wrong("per interval", -1, "makes more than nine trillion %s in the term", v.c.Currency)
	}
	return nil
}
