package claim

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// JSON writes a docket in its published form.
func JSON(w io.Writer, d contract.Docket) error {
	text, err := encode(d)
	if err == nil {
		_, err = w.Write(text)
	}
	if err != nil {
		return fmt.Errorf("write claims as JSON: %w", err)
	}
	return nil
}

// CSV writes a docket as one table, with a row for each incident. Amounts and
// times in ms are exact. A cell that does not apply is empty.
func CSV(w io.Writer, d contract.Docket) error {
	rows := [][]string{{"id", "period", "contract", "tranche", "class", "kind", "cause", "bucket", "node", "instance_id", "region", "zone", "rack",
		"gpus", "from", "to", "open", "edges_within_ms", "down_ms", "lost_gpu_ms", "currency", "amount", "unpriced_gpu_ms", "owed",
		"sla", "uptime_millionths", "target_millionths", "deadline", "expired", "rule", "down_by", "notice"}}
	for i := range d.Incidents {
		x := &d.Incidents[i]
		row := []string{x.ID, d.Period, x.Contract, x.Tranche, string(x.Class), string(x.Kind), x.Cause, x.Bucket, x.Site.Node, x.Site.InstanceID,
			x.Site.Region, x.Site.Zone, x.Site.Rack, fmt.Sprint(x.Most), x.From.Format(time.RFC3339), x.To.Format(time.RFC3339), fmt.Sprint(x.Open),
			fmt.Sprint(x.EdgeMs), fmt.Sprint(x.DownMs), fmt.Sprint(x.GPUMs), x.Currency, x.Amount.String(), fmt.Sprint(x.UnpricedMs), x.Owed.String()}
		sla := []string{"", "", "", "", ""}
		if c := x.Claim; c != nil {
			sla = []string{c.SLA, fmt.Sprint(c.Uptime), fmt.Sprint(c.Target), "", fmt.Sprint(c.Expired)}
			if c.Deadline != nil {
				sla[3] = c.Deadline.Format(time.RFC3339)
			}
		}
		rows = append(rows, append(append(row, sla...), x.Rule, strings.Join(x.DownBy, " "), x.Notice))
	}
	text, err := table(rows)
	if err == nil {
		_, err = w.Write(text)
	}
	if err != nil {
		return fmt.Errorf("write claims as CSV: %w", err)
	}
	return nil
}

// headings of the table for people.
var headings = []string{"ID", "CONTRACT", "WHAT", "WHERE", "FROM", "LASTED", "GPUS", "GPU-HOURS", "AMOUNT", "OWED", "CLAIM BY"}

// cells are an incident's for people.
func cells(x *contract.Incident) []string {
	return []string{x.ID, x.Contract + "/" + x.Tranche, x.What(), cmp.Or(x.Site.Node, "–"), x.From.Format("2006-01-02 15:04 MST"), x.Lasted(),
		fmt.Sprint(x.Most), contract.Hours(x.GPUMs), x.Amount.Figure() + " " + x.Currency, x.Owed.Figure(), x.ClaimBy()}
}

// Text writes a docket for people: a table for each class, and under it the
// rules that decided.
func Text(w io.Writer, d contract.Docket) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "Incidents of %s, as of %s\n", d.Period, d.AsOf.UTC().Format("2006-01-02 15:04 MST"))
	sections(d, func(c contract.Class, list []*contract.Incident) {
		fmt.Fprintf(&out, "\n%s: %s\n\n", c.Title(), summary(list))
		t := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, strings.Join(headings, "\t"))
		for _, x := range list {
			fmt.Fprintln(t, strings.Join(cells(x), "\t"))
		}
		_ = t.Flush() // into memory
		fmt.Fprintln(&out)
		rules(&out, list)
	})
	if len(d.Incidents) == 0 {
		fmt.Fprintln(&out, "\nNo incident.")
	}
	unmetered(&out, &d)
	for _, m := range d.Minor {
		fmt.Fprintf(&out, "\n%s/%s: besides, %s GPU-hours unobserved in gaps shorter than %s, %s undelivered within the grace.\n",
			m.Contract, m.Tranche, contract.Hours(m.GapsMs), span(contract.MinGap.Milliseconds()), contract.Hours(m.GraceMs))
	}
	return written(w, out.Bytes(), "text")
}

// unmetered writes what was contracted before anybody looked, if anything was.
func unmetered(w io.Writer, d *contract.Docket) {
	if says := d.Unmetered(); says != "" {
		fmt.Fprintf(w, "\n%s\n", says)
	}
}

// rules writes what decided, once for all that it decided.
func rules(w io.Writer, list []*contract.Incident) {
	const inLine = 5
	ids := map[string][]string{}
	var order []string
	for _, x := range list {
		if ids[x.Rule] == nil {
			order = append(order, x.Rule)
		}
		ids[x.Rule] = append(ids[x.Rule], x.ID)
	}
	for _, rule := range order {
		var lines []string
		for part := range slices.Chunk(ids[rule], inLine) {
			lines = append(lines, "  "+strings.Join(part, ", "))
		}
		fmt.Fprintf(w, "%s: %s\n", strings.Join(lines, ",\n"), rule)
	}
}

// Markdown writes the same for a page or a ticket.
func Markdown(w io.Writer, d contract.Docket) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Incidents of %s\n\nAs of %s.\n", d.Period, d.AsOf.UTC().Format("2006-01-02 15:04 MST"))
	sections(d, func(c contract.Class, list []*contract.Incident) {
		fmt.Fprintf(&out, "\n## %s\n\n%s.\n\n", c.Title(), summary(list))
		line := func(cells []string) {
			for _, s := range cells {
				fmt.Fprintf(&out, "| %s ", strings.ReplaceAll(s, "|", `\|`))
			}
			fmt.Fprintln(&out, "|")
		}
		line(append(headings[:len(headings):len(headings)], "RULE"))
		fmt.Fprintln(&out, strings.Repeat("|---", len(headings)+1)+"|")
		for _, x := range list {
			line(append(cells(x), x.Rule))
		}
	})
	if len(d.Incidents) == 0 {
		fmt.Fprintln(&out, "\nNo incident.")
	}
	unmetered(&out, &d)
	return written(w, out.Bytes(), "Markdown")
}

func written(w io.Writer, text []byte, form string) error {
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write claims as %s: %w", form, err)
	}
	return nil
}

// sections calls f for each class that has incidents.
func sections(d contract.Docket, f func(contract.Class, []*contract.Incident)) {
	for _, c := range contract.Classes {
		var list []*contract.Incident
		for i := range d.Incidents {
			if d.Incidents[i].Class == c {
				list = append(list, &d.Incidents[i])
			}
		}
		if len(list) > 0 {
			f(c, list)
		}
	}
}

// summary adds up incidents, money by currency.
func summary(list []*contract.Incident) string {
	var ms int64
	var order []string
	amount, owed := map[string]contract.Money{}, map[string]contract.Money{}
	for _, x := range list {
		ms += x.GPUMs
		if _, ok := amount[x.Currency]; !ok {
			order = append(order, x.Currency)
		}
		amount[x.Currency] += x.Amount
		owed[x.Currency] += x.Owed
	}
	plural := "s"
	if len(list) == 1 {
		plural = ""
	}
	out := fmt.Sprintf("%d incident%s, %s GPU-hours", len(list), plural, contract.Hours(ms))
	for _, c := range order {
		out += fmt.Sprintf(", worth %s %s", amount[c].Figure(), c)
		if owed[c] > 0 {
			out += fmt.Sprintf(" (%s owed)", owed[c].Figure())
		}
	}
	return out
}
