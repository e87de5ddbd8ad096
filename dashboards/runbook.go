package dashboards

import (
	"fmt"
	"strings"
)

// Runbook is the page of an alert, as Markdown. An alert of several windows
// has one page.
func Runbook(name string) string {
	var rules []Alert
	for _, a := range AllAlerts() {
		if a.Name == name {
			rules = append(rules, a)
		}
	}
	if len(rules) == 0 {
		return ""
	}
	a := &rules[0]
	var b strings.Builder
	fmt.Fprintf(&b, "<!-- Written by make dashboards from the alert's row in dashboards/alerts_*.go. -->\n# %s\n\n%s\n", name, a.Description)
	fmt.Fprintf(&b, "\n## What it means\n\n%s\n\n| severity | first | who can act | fires after | goes on for | expression |\n|---|---|---|---|---|---|\n", a.Means)
	for i := range rules {
		r := &rules[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | `%s` |\n", r.Severity, r.Action, r.Audience, orNone(r.For, "at once"), orNone(r.Keep, "–"), strings.ReplaceAll(r.Query(), "|", `\|`))
	}
	fmt.Fprintf(&b, "\n## How to see it\n\n%s\n\n    %s\n\n## What to do\n\n%s\n\n## What to claim\n\n%s\n", a.See, plain(a.Command), a.Do, a.Claim)
	return b.String()
}

func orNone(s, none string) string {
	if s == "" || s == "0m" {
		return none
	}
	return s
}

// plain writes a template as a person would: CONTRACT for the label contract.
func plain(template string) string {
	for {
		before, rest, ok := strings.Cut(template, "{{ $labels.")
		if !ok {
			return template
		}
		label, after, _ := strings.Cut(rest, " }}")
		template = before + strings.ToUpper(label) + after
	}
}
