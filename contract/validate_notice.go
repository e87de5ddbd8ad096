package contract

import (
	"fmt"
	"slices"
)

// checkNotices says what is wrong with the notices.
func (c *Contract) checkNotices() *FieldError {
	seen := map[string]bool{}
	for i := range c.Notices {
		check := noticeCheck{c, &c.Notices[i], i}
		if err := check.all(); err != nil {
			return err
		}
		if seen[c.Notices[i].ID] {
			return check.wrong("id", -1, "is used by an earlier notice of the contract")
		}
		seen[c.Notices[i].ID] = true
	}
	return nil
}

// noticeCheck checks one notice and names it in what it finds.
type noticeCheck struct {
	c *Contract
	n *Notice
	i int
}

func (v noticeCheck) wrong(field string, item int, problem string, args ...any) *FieldError {
	return &FieldError{
		ContractID: v.c.ID, Tranche: -1, Notice: v.i + 1, NoticeID: v.n.ID,
		Field: field, Item: item, Problem: fmt.Sprintf(problem, args...),
	}
}

func (v noticeCheck) all() *FieldError {
	n := v.n
	switch {
	case n.ID == "" || !tidy(n.ID):
		return v.wrong("id", -1, "is empty or not clean text")
	case !tidy(n.Title):
		return v.wrong("title", -1, "%q is not clean text", n.Title)
	case !slices.Contains([]SLAExclusion{ExcludeMaintenance, ExcludeCustomer, ExcludeForce}, n.Kind):
		return v.wrong("kind", -1, "%q is not maintenance, customer or force-majeure", n.Kind)
	case n.FromMs < 0 || n.ToMs > maxMs || n.FromMs%edgeMs != 0:
		return v.wrong("from", -1, "is not a whole 5 minutes between 1970 and 2100")
	case n.ToMs <= n.FromMs || n.ToMs%edgeMs != 0 || n.ToMs-n.FromMs > maxNotice.Milliseconds():
		return v.wrong("to", -1, "is not a whole 5 minutes after from, and at most 366 days")
	}
	for _, f := range []struct {
		name string
		list []string
	}{{"accounts", n.Scope.Accounts}, {"regions", n.Scope.Regions}, {"reservations", n.Scope.Reservations}, {"pins", n.Scope.Pins}} {
		for i, s := range f.list {
			if s == "" || !tidy(s) {
				return v.wrong(f.name, i, "%q is empty or not clean text", s)
			}
		}
	}
	if field, item, problem := n.Scope.Rules.problem(Dimensions()); problem != "" {
		return v.wrong(field, item, "%s", problem)
	}
	return nil
}
