package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// ExplainText writes an explanation for people.
func ExplainText(w io.Writer, x contract.Explanation, o Options) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	t := &text{o: o}
	t.line("%s", t.paint(bold, x.Contract+", "+x.Period+": "+x.Quantity))
	t.line("%s, data up to %s", bounds(x.From, x.To, x.Zone), moment(x.AsOf))
	t.blank()
	t.note("rule", "%s", x.Rule)
	if x.Actor != "" {
		t.note("who can act", "%s", x.Actor)
	}
	t.note("time", "%s, %s of %s contracted", hours(x.Whole.Ms), share(x.Whole.Ms, x.ContractedMs), hours(x.ContractedMs))
	t.explainMoney(&x)
	if len(x.Buckets) > 1 {
		t.contributions(&x, "bucket, of which it is the sum", x.Buckets)
	}
	for _, list := range x.Lists {
		t.contributions(&x, list.By, list.List)
	}
	t.blank()
	t.note("check", "each list adds up to %s and %s", together(contract.Grouped(x.Whole.Ms)+" GPU-ms"), together(x.Whole.Cost.String()+" "+x.Currency))
	if _, err := w.Write(t.out.Bytes()); err != nil {
		return fmt.Errorf("write explanation as text: %w", err)
	}
	return nil
}

func (t *text) explainMoney(x *contract.Explanation) {
	if x.UnpricedMs == x.ContractedMs {
		t.note("money", "the contract file has no rate for this period")
		return
	}
	t.note("money", "%s, %s of %s: the cost of each tranche and rate is rounded once, shared out over its buckets, and each bucket's over its parts",
		together(x.Whole.Cost.Figure()+" "+x.Currency), share(int64(x.Whole.Cost), int64(x.Contracted)), together(x.Contracted.Figure()+" "+x.Currency))
	if x.UnpricedMs > 0 {
		t.note("", "%s of contracted have no rate and are in no amount ~", hours(x.UnpricedMs))
	}
}

// contributions writes one list; one that is empty is left out.
func (t *text) contributions(x *contract.Explanation, by string, list []contract.Contribution) {
	if len(list) == 0 {
		return
	}
	t.blank()
	n := max(t.o.Width-47, 12)
	t.line("%s", t.paint(bold, fmt.Sprintf("  %-*s %14s %10s %17s", n, "by "+by, "GPU-hours", "of it", x.Currency)))
	for i := range list {
		c := &list[i]
		t.line("  %-*s %14s %10s %17s", n, middle(contributionName(c), n), contract.Hours(c.Ms), contract.Share(c.Ms, x.Whole.Ms), c.Cost.Figure())
	}
}

func contributionName(c *contract.Contribution) string {
	return groupName(&contract.Parcel{Kind: c.Kind, Group: c.Name, Others: c.Others})
}

// ExplainJSON writes an explanation for programs, see docs/report.md.
func ExplainJSON(w io.Writer, x contract.Explanation) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(x); err != nil {
		return fmt.Errorf("write explanation as JSON: %w", err)
	}
	return nil
}

// ExplainCSV writes the contributions as one table.
func ExplainCSV(w io.Writer, x contract.Explanation) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"contract", "period", "as_of", "quantity", "by", "group_kind", "group", "others", "gpu_hours", "gpu_ms", "currency", "cost"}) // c.Error has it
	add := func(by string, p *contract.Contribution) {
		others := ""
		if p.Kind == contract.OfOthers {
			others = strconv.Itoa(p.Others)
		}
		_ = c.Write([]string{safe(x.Contract), safe(x.Period), x.AsOf.Format(time.RFC3339), x.Quantity, by, string(p.Kind), safe(p.Name), others,
			decimalHours(p.Ms), strconv.FormatInt(p.Ms, 10), safe(x.Currency), p.Cost.String()})
	}
	add("", &x.Whole)
	for i := range x.Buckets {
		add("bucket", &x.Buckets[i])
	}
	for _, list := range x.Lists {
		for i := range list.List {
			add(list.By, &list.List[i])
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write explanation as CSV: %w", err)
	}
	return nil
}
