package claim

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// ticket is the text for the provider's support, ready to be pasted. For an
// incident that is not claimable it says so in its first line.
func (b *Bundle) ticket() []byte {
	var out bytes.Buffer
	x, s := &b.Incident, b.sla()
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	if x.Class != contract.Claimable {
		line("NOT TO BE SENT AS IT IS: this incident is classed %s (%s).\n", x.Class, x.Rule)
	}
	line("Subject: %s", b.subject())
	line("")
	line("%s", b.opening())
	line("")
	field := func(name, value string) {
		if value != "" {
			line("%-18s %s", name+":", value)
		}
	}
	field("Contract", strings.Trim(x.Contract+" "+paren(b.Contract.Title), " "))
	field("Tranche", x.Tranche)
	field("Account", x.Site.Account)
	field("Region", x.Site.Region)
	field("Zone", x.Site.Zone)
	field("Reservation", x.Site.Reservation)
	field("Instance", strings.Trim(x.Site.InstanceID+" "+paren(x.Site.InstanceType), " "))
	field("Node", x.Site.Node)
	field("Rack", x.Site.Rack)
	field("GPUs", strings.Join(x.GPUs, ", "))
	field("At fault", strings.Join(x.DownBy, ", "))
	field("Begin (UTC)", x.From.UTC().Format(time.RFC3339))
	field("End (UTC)", b.end())
	field("Downtime", span(x.DownMs)+within(x.EdgeMs))
	field("Lost", contract.Hours(x.GPUMs)+" GPU-hours")
	field("At the rate paid", x.Amount.Figure()+" "+x.Currency)
	if c := x.Claim; c != nil {
		field("Promise", fmt.Sprintf("SLA %s: %s of each %s", c.SLA, contract.Percent(c.Target), scope(s)))
		field("Uptime", fmt.Sprintf("%s of %s, %s to %s", contract.Percent(c.Uptime), c.Subject, c.From.Format(time.DateOnly), c.To.Format(time.DateOnly)))
		field("Credit", fmt.Sprintf("%s of %s %s = %s %s", contract.Percent(c.Share), c.Charge.Figure(), x.Currency, c.Credit.Figure(), x.Currency))
	}
	field("Claimed", x.Owed.Figure()+" "+x.Currency)
	field("Why", x.Rule)
	line("")
	line("%s", b.attached())
	for _, w := range x.Witnesses {
		against := ""
		if w.Against {
			against = " (speaks against)"
		}
		line("Witness: %s %s%s", w.Who, w.Says, against)
	}
	if s != nil && x.Kind != contract.LateDelivery && x.Kind != contract.BeforeMetering {
		for _, e := range s.Claim.Evidence {
			line("Asked for by the agreement: %s", e)
		}
		for _, e := range s.Excludes {
			line("To be checked before sending: that it was not %s", strings.ReplaceAll(string(e), "-", " "))
		}
	}
	return out.Bytes()
}

func (b *Bundle) subject() string {
	if s := b.sla(); s != nil && s.Claim.Subject != "" && b.Incident.Claim != nil {
		return s.Claim.Subject
	}
	x := &b.Incident
	return fmt.Sprintf("%s: %s %s, %s", x.ID, x.What(), cmp.Or(x.Site.InstanceID, x.Site.Node, x.Tranche), x.From.UTC().Format(time.DateOnly))
}

func (b *Bundle) opening() string {
	switch b.Incident.Kind {
	case contract.LateDelivery:
		return "GPUs that we contracted were not delivered by their date. We ask that what was charged for\nthem be taken back."
	case contract.BeforeMetering:
		return "GPUs that we contracted are not on our record from their date on, as it begins later. We ask from\nwhen on they could be used."
	case contract.Unreachable:
		return "A node that we rent could not be reached. We ask for the credit that the agreement promises."
	case contract.UnitDown:
		return fmt.Sprintf("GPUs that we rent could not be used: they are delivered as a whole %s, in which others were at\nfault. We ask for the credit that the agreement promises.", b.Incident.DownUnit)
	}
	return "GPUs that we rent could not be used. We ask for the credit that the agreement promises."
}

// attached says what the bundle proves it with.
func (b *Bundle) attached() string {
	if b.Incident.Site.Node == "" {
		return "Evidence: timeline.csv says how many GPUs were contracted and how many stood, from when to\nwhen; terms.json has the terms, SHA256SUMS the sums of all files."
	}
	return "Evidence: metered on the node by an agent that runs beside the driver. The minute records,\nthe driver's events and the chain of hashes that they came in are attached: timeline.txt,\nrecords.csv, events.csv, chain.csv; terms.json has the terms, SHA256SUMS the sums of all files."
}

func (b *Bundle) end() string {
	if b.Incident.Open {
		return "not yet"
	}
	return b.Incident.To.UTC().Format(time.RFC3339)
}

func scope(s *contract.SLA) string {
	if s == nil {
		return "subject"
	}
	return string(s.Scope)
}

// within says how far off begin and end may be.
func within(ms int64) string {
	if ms == 0 {
		return ""
	}
	return fmt.Sprintf(" (begin and end within %s)", span(ms))
}

func paren(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// span writes milliseconds as a duration, without zeros at its end: "51h".
func span(ms int64) string { return contract.Lasting(time.Duration(ms) * time.Millisecond) }
