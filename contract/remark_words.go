package contract

import (
	"fmt"
	"strings"
	"time"
)

// Sentence says a remark in plain words, and who can act.
func (m *Remark) Sentence() (text, who string) {
	hours := Hours(m.Ms) + " GPU-hours"
	if m.Priced && m.Cost != 0 {
		hours += ", " + m.Cost.Figure() + " " + m.Currency
	}
	where := m.Contract + "/" + m.Tranche
	of := Share(m.Ms, m.OfMs)
	switch m.Kind {
	case RemarkLate:
		return fmt.Sprintf("%s: %d %s were due on %s, and %s: %s undelivered (%s of what was contracted in that time).",
			where, m.GPUs, m.Model, date(m.From), untilWhen(m, "are not all there yet", "were not all there before"), hours, of), "provider"
	case RemarkShort:
		return fmt.Sprintf("%s: %s %s: %s undelivered (%s of what was contracted in that time).",
			where, m.Model, untilWhen(m, "have been missing since "+date(m.From), "were missing from "+date(m.From)+" to"), hours, of), "provider"
	case RemarkUnhealthy:
		return fmt.Sprintf("%s: %s stood there and could not be used for %s (%s of contracted).", where, m.Model, hours, of), "provider"
	case RemarkReplaced:
		return fmt.Sprintf("%s: %s replaced: %s.", m.Contract, plural(m.GPUs, m.Model+" was", m.Model+" were"), swaps(m.Swaps)), "provider"
	case RemarkSubstitute:
		return fmt.Sprintf("%s: %s stood for %s, as the contract accepts: %s.", where, m.Model, m.Group, hours), "provider"
	case RemarkSilent:
		return fmt.Sprintf("%s: no telemetry %s: %s unobserved (%s of what was contracted in that time), of which nobody knows what became.",
			where, untilWhen(m, "since "+date(m.From), "from "+date(m.From)+" to"), hours, of), "us"
	case RemarkUnmeasured:
		return fmt.Sprintf("%s: %s (%s of contracted) in which nobody can tell who held the GPUs or what they did.", where, hours, of), "us"
	case RemarkFree:
		return fmt.Sprintf("%s: %s (%s of contracted) were held by nobody.", where, hours, of), "platform"
	case RemarkHoarding:
		return fmt.Sprintf("%s: team %s computed nothing in %s of the GPU time that it held: %s idle.", m.Contract, m.Group, of, hours), "team"
	case RemarkStray:
		return fmt.Sprintf("%s of %s in no contract, for %s%s.", plural(m.GPUs, m.Model, m.Model), cloudOf(m.Group), hours, nearest(m.Near)), "platform"
	}
	return "", ""
}

// untilWhen says still if it is still so, and else until when it was.
func untilWhen(m *Remark, still, before string) string {
	if m.To.IsZero() {
		return still
	}
	return before + " " + date(m.To)
}

func date(t time.Time) string { return t.Format(time.DateOnly) }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func cloudOf(provider string) string {
	if provider == "" {
		return "an unknown cloud"
	}
	return provider
}

func nearest(near string) string {
	if near == "" {
		return ""
	}
	return "; nearest is " + near
}

// maxSwaps is how many replaced GPUs are named.
const maxSwaps = 3

func swaps(list []Swap) string {
	var out []string
	for i, s := range list {
		if i == maxSwaps {
			out = append(out, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		out = append(out, fmt.Sprintf("%.12s by %.12s in %s on %s", s.Old, s.New, s.Node, date(s.At)))
	}
	return strings.Join(out, ", ")
}
