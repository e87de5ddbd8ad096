package contract

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gpumeter/gpumeter/usage"
)

// By is what a report is broken down by; empty is by nothing.
type By string

// ByCloud to ByNode group the time of a GPU by where it stands. ByHolder and
// ByTeam group it by who held it.
const (
	ByCloud   By = "cloud"
	ByAccount By = "account"
	ByRegion  By = "region"
	ByModel   By = "model"
	ByNode    By = "node"
	ByHolder  By = "holder"
	ByTeam    By = "team"
)

// Bys are all that a report can be broken down by.
var Bys = []By{ByCloud, ByAccount, ByRegion, ByModel, ByNode, ByHolder, ByTeam}

// ParseBy reads one of Bys.
func ParseBy(s string) (By, error) {
	if by := By(s); slices.Contains(Bys, by) {
		return by, nil
	}
	names := make([]string, len(Bys))
	for i, by := range Bys {
		names[i] = string(by)
	}
	last := len(names) - 1
	return "", fmt.Errorf("by %q is not %s or %s", s, strings.Join(names[:last], ", "), names[last])
}

// Held reports whether b looks at who held a GPU, which only records tell, and
// not at where it stands.
func (b By) Held() bool { return b == ByHolder || b == ByTeam }

// unattributed is the group of what has none.
const unattributed = ""

// ofPresence returns the group of a GPU's time, but by node, which Machines
// name. What counts toward a contract
// is of the contract's cloud, also where the GPU does not know its own; c is
// nil where there is none.
func (b By) ofPresence(p *Presence, c *Contract) string {
	switch b {
	case ByCloud:
		if c != nil {
			return c.Provider
		}
		return p.Provider
	case ByAccount:
		return p.Account
	case ByRegion:
		return p.Region
	case ByModel:
		return p.Model
	}
	return unattributed
}

// ofUndelivered returns the group of time that no GPU stood for: what the
// contract says of all GPUs that could have.
func (b By) ofUndelivered(c *Contract, t *Tranche) string {
	switch b {
	case ByCloud:
		return c.Provider
	case ByModel:
		return t.Model
	case ByAccount:
		return only(t.Scope.Accounts)
	case ByRegion:
		return only(t.Scope.Regions)
	}
	return unattributed
}

func only(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return unattributed
}

// TeamLabel is the label of a holder that names its team.
const TeamLabel = "team"

// Group returns the group of what a holder had; empty is none. A holder is a
// pod, a job, a container or a user; its containers or steps are one with it.
// A team is what the label says, else the namespace or account.
func (b By) Group(h usage.Holder) string {
	switch {
	case !h.Held():
		return unattributed
	case b == ByTeam && h.Label(TeamLabel) != "":
		return h.Label(TeamLabel)
	case b == ByTeam:
		return h.Group
	}
	name := h.Kind + " "
	if h.Group != "" {
		name += h.Group + "/"
	}
	return name + h.Name
}
