package contract

import (
	"fmt"
	"strings"
	"time"
)

// What says what an incident is, for people: "whole rack down", "Xid 79".
func (x *Incident) What() string {
	switch {
	case x.Kind == UnitDown:
		return "whole " + string(x.DownUnit) + " down"
	case x.Kind == FatalXid:
		return Words(x.Cause)
	case x.Cause != "" && (x.Kind == NotObserved || x.Kind == MemoryFault):
		return Words(string(x.Kind)) + " (" + Words(x.Cause) + ")"
	}
	return Words(string(x.Kind))
}

// Lasted says for how long: "1h30m", "60h, still".
func (x *Incident) Lasted() string {
	out := Lasting(x.To.Sub(x.From).Round(time.Second))
	if x.Open {
		out += ", still"
	}
	return out
}

// ClaimBy says until when it can be claimed; a dash where nothing can.
func (x *Incident) ClaimBy() string {
	c := x.Claim
	switch {
	case x.Class != Claimable:
		return "–"
	case c == nil:
		return "not stated"
	case c.Deadline == nil && x.Open:
		return "after its end"
	case c.Deadline == nil:
		return "not stated"
	case c.Expired:
		return "expired " + c.Deadline.Format(time.DateOnly)
	}
	return c.Deadline.Format(momentLayout)
}

// Unmetered says in a sentence what was contracted before anybody looked, and
// cannot be claimed; empty is nothing.
func (d *Docket) Unmetered() string {
	var ms int64
	var order []string
	worth := map[string]Money{}
	for i := range d.Incidents {
		x := &d.Incidents[i]
		if x.Kind != BeforeMetering {
			continue
		}
		if _, ok := worth[x.Currency]; !ok {
			order = append(order, x.Currency)
		}
		ms, worth[x.Currency] = ms+x.GPUMs, worth[x.Currency]+x.Amount
	}
	if len(order) == 0 || d.MeteredSince == nil {
		return ""
	}
	for i, c := range order {
		order[i] = worth[c].Figure() + " " + c
	}
	return fmt.Sprintf("Nothing was metered before %s: %s GPU-hours contracted until then, worth %s, cannot be claimed.",
		d.MeteredSince.Format(momentLayout), Hours(ms), strings.Join(order, " and "))
}

// momentLayout writes a moment for people.
const momentLayout = "2006-01-02 15:04 MST"

// Title says what a class means.
func (c Class) Title() string {
	return map[Class]string{
		Claimable: "Claimable",
		Uncovered: "The provider's, but not covered",
		Unknown:   "Unknown: not proved, or not known whose",
		Ours:      "Ours",
	}[c]
}

// Lasting writes a span of time without what is zero: "26h30m", "2h".
func Lasting(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
