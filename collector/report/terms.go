package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/gpumeter/gpumeter/contract"
)

// Term is one thing that a contract says, in words.
type Term struct {
	Part  string `json:"part"` // "contract", "tranche", "commitment", "sla", "notice"
	ID    string `json:"id"`   // of the part
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Terms lists all that a contract says, as it was understood: with its
// defaults, and with moments in its billing time zone.
func Terms(c *contract.Contract) []Term {
	t := &terms{c: c}
	t.begin("contract", c.ID)
	t.add("title", c.Title)
	t.add("provider", c.Provider)
	t.add("currency", c.Currency)
	t.add("billing_timezone", c.Zone.String())
	t.addf("cut_off", "%s after the end of a billing period", span(c.ClosesMs(0)))
	t.add("source", c.Source)
	for i := range c.Tranches {
		t.tranche(&c.Tranches[i])
	}
	for i := range c.Commitments {
		t.commitment(&c.Commitments[i])
	}
	for i := range c.SLAs {
		t.sla(&c.SLAs[i])
	}
	for i := range c.Notices {
		t.notice(&c.Notices[i])
	}
	return t.list
}

// terms gathers what a contract says.
type terms struct {
	c        *contract.Contract
	part, id string
	list     []Term
}

func (t *terms) begin(part, id string) { t.part, t.id = part, id }

// add adds a term unless it says nothing.
func (t *terms) add(name, value string) {
	if value != "" {
		t.list = append(t.list, Term{t.part, t.id, name, value})
	}
}

func (t *terms) addf(name, format string, args ...any) { t.add(name, fmt.Sprintf(format, args...)) }

func (t *terms) at(ms int64) string { return minute(local(t.c, ms)) }

func (t *terms) money(m contract.Money) string { return m.String() + " " + t.c.Currency }

// TermsText writes the terms for people.
func TermsText(w io.Writer, list []Term) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var last Term
	for _, x := range list {
		if x.Part != last.Part || x.ID != last.ID {
			if last.Part != "" {
				fmt.Fprintln(t)
			}
			fmt.Fprintf(t, "%s %s\n", x.Part, x.ID)
			last = Term{}
		}
		name := x.Name
		if name == last.Name {
			name = ""
		}
		fmt.Fprintf(t, "  %s\t%s\n", name, x.Value)
		last = x
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write contract as text: %w", err)
	}
	return nil
}

// TermsJSON writes the terms for machines.
func TermsJSON(w io.Writer, list []Term) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(list); err != nil {
		return fmt.Errorf("write contract as JSON: %w", err)
	}
	return nil
}

// TermsCSV writes the terms as one table. Text that a spreadsheet would take
// for a formula is preceded by an apostrophe.
func TermsCSV(w io.Writer, list []Term) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"part", "id", "name", "value"})
	for _, x := range list {
		_ = c.Write([]string{x.Part, safe(x.ID), x.Name, safe(x.Value)})
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write contract as CSV: %w", err)
	}
	return nil
}
