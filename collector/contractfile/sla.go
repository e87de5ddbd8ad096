package contractfile

import "github.com/gpumeter/gpumeter/contract"

// sla reads a promise of uptime. Without a period it is measured by month,
// without a cap all of the period's charge may be credited.
func (b build) sla(e *slaEntry) (s contract.SLA, err error) {
	scope, period := "", string(contract.SLAByMonth)
	err = b.allTexts(named{"id", e.ID, &s.ID}, named{"title", e.Title, &s.Title}, named{"scope", e.Scope, &scope}, named{"period", e.Period, &period})
	if err != nil {
		return s, err
	}
	s.Scope, s.Period, s.Cap = contract.SLAScope(scope), contract.SLAPeriod(period), contract.Whole
	if s.Target, err = b.percent("target_percent", e.Target); err != nil {
		return s, err
	}
	if e.Cap.Node != nil {
		if s.Cap, err = b.percent("cap_percent", e.Cap); err != nil {
			return s, err
		}
	}
	if s.Tiers, err = each(e.Tiers, b.tier); err != nil {
		return s, err
	}
	excludes, err := b.texts("excludes", e.Excludes)
	for _, x := range excludes {
		s.Excludes = append(s.Excludes, contract.SLAExclusion(x))
	}
	if err != nil {
		return s, err
	}
	if s.CountsDegraded, err = b.yes("counts_degraded", e.Degraded); err != nil {
		return s, err
	}
	s.Claim, err = b.claim(&e.Claim)
	return s, err
}

// notice reads what is excused of downtime.
func (b build) notice(e *noticeEntry) (n contract.Notice, err error) {
	var kind string
	if err = b.allTexts(named{"id", e.ID, &n.ID}, named{"title", e.Title, &n.Title}, named{"kind", e.Kind, &kind}); err != nil {
		return n, err
	}
	n.Kind = contract.SLAExclusion(kind)
	if n.FromMs, err = b.moment("from", e.From); err != nil {
		return n, err
	}
	if n.ToMs, err = b.moment("to", e.To); err != nil {
		return n, err
	}
	n.Scope, err = b.scope(&e.Scope)
	return n, err
}

func (b build) tier(e *tierEntry) (t contract.CreditTier, err error) {
	if t.Below, err = b.percent("below_percent", e.Below); err != nil {
		return t, err
	}
	t.Credit, err = b.percent("credit_percent", e.Credit)
	return t, err
}

func (b build) claim(e *claimEntry) (r contract.ClaimRule, err error) {
	var from string
	if err = b.allTexts(named{"from", e.From, &from}, named{"subject", e.Subject, &r.Subject}); err != nil {
		return r, err
	}
	r.From = contract.ClaimFrom(from)
	if r.Months, err = b.whole("months", e.Months); err != nil {
		return r, err
	}
	if r.Days, err = b.whole("days", e.Days); err != nil {
		return r, err
	}
	r.Evidence, err = b.texts("evidence", e.Evidence)
	return r, err
}
