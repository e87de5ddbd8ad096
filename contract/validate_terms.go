package contract

import (
	"fmt"
	"slices"
	"time"
)

// Limits of what makes sense in the terms of a contract.
const (
	maxGrace    = 366 * 24 * time.Hour
	maxCutOff   = 366 * 24 * time.Hour
	maxUnit     = 4096        // GPUs of a node or rack
	maxFactor   = 100 * Whole // of a substitute's price
	maxClaimDay = 3660
)

// checkTerms says what is wrong with the promises of uptime and the cut-off.
func (c *Contract) checkTerms() *FieldError {
	if c.CutOff < 0 || c.CutOff > maxCutOff {
		return c.wrong("cut-off", "is %s, not between nothing and 366 days", c.CutOff)
	}
	seen := map[string]bool{}
	for i := range c.SLAs {
		check := slaCheck{c, &c.SLAs[i], i}
		if err := check.all(); err != nil {
			return err
		}
		if seen[c.SLAs[i].ID] {
			return check.wrong("id", -1, "is used by an earlier SLA of the contract")
		}
		seen[c.SLAs[i].ID] = true
	}
	return c.checkNotices()
}

// slaCheck checks one SLA and names it in what it finds.
type slaCheck struct {
	c *Contract
	s *SLA
	i int
}

func (v slaCheck) wrong(field string, item int, problem string, args ...any) *FieldError {
	return &FieldError{
		ContractID: v.c.ID, Tranche: -1, SLA: v.i + 1, SLAID: v.s.ID,
		Field: field, Item: item, Problem: fmt.Sprintf(problem, args...),
	}
}

func (v slaCheck) all() *FieldError {
	s := v.s
	switch {
	case s.ID == "" || !tidy(s.ID):
		return v.wrong("id", -1, "is empty or not clean text")
	case !tidy(s.Title):
		return v.wrong("title", -1, "%q is not clean text", s.Title)
	case s.Target <= 0 || s.Target > Whole:
		return v.wrong("target", -1, "is not above 0 %% and at most 100 %%")
	case !slices.Contains([]SLAScope{SLAPerGPU, SLAPerNode, SLAPerCluster, SLAPerRegion}, s.Scope):
		return v.wrong("scope", -1, "%q is not gpu, node, cluster or region", s.Scope)
	case !slices.Contains([]SLAPeriod{SLAByMonth, SLAByQuarter, SLAByYear}, s.Period):
		return v.wrong("period", -1, "%q is not month, quarter or year", s.Period)
	case s.Cap <= 0 || s.Cap > Whole:
		return v.wrong("cap", -1, "is not above 0 %% and at most 100 %%")
	}
	for i, x := range s.Excludes {
		if !slices.Contains([]SLAExclusion{ExcludeMaintenance, ExcludeCustomer, ExcludeForce, ExcludeCapacity}, x) {
			return v.wrong("excludes", i, "%q is not maintenance, customer, force-majeure or prepaid-capacity", x)
		}
	}
	if err := v.tiers(); err != nil {
		return err
	}
	return v.claim()
}

func (v slaCheck) tiers() *FieldError {
	for i, t := range v.s.Tiers {
		above := CreditTier{Below: v.s.Target + 1}
		if i > 0 {
			above = v.s.Tiers[i-1]
		}
		switch {
		case t.Credit <= 0 || t.Credit > Whole:
			return v.wrong("tiers", i, "credits nothing or more than 100 %%")
		case t.Below <= 0 || t.Below >= above.Below:
			return v.wrong("tiers", i, "is not below the one before it: tiers go down from the target")
		case t.Credit < above.Credit:
			return v.wrong("tiers", i, "credits less than the one before it")
		}
	}
	return nil
}

func (v slaCheck) claim() *FieldError {
	r := &v.s.Claim
	switch {
	case r.From != "" && r.From != ClaimFromIncident && r.From != ClaimFromPeriod:
		return v.wrong("claim", -1, "is from %q, not from incident or period", r.From)
	case r.Months < 0 || r.Days < 0 || r.Months > maxClaimDay/30 || r.Days > maxClaimDay:
		return v.wrong("claim", -1, "is not within ten years")
	case (r.From == "") != (r.Months == 0 && r.Days == 0):
		return v.wrong("claim", -1, "needs both a start and a number of days or months")
	case !tidy(r.Subject):
		return v.wrong("claim", -1, "has a subject that is not clean text")
	}
	for _, text := range r.Evidence {
		if text == "" || !tidy(text) {
			return v.wrong("claim", -1, "has an entry of evidence that is empty or not clean text: %q", text)
		}
	}
	return nil
}
