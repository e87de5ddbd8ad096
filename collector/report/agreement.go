package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// Agreement is one tranche or spend commitment, and what it is worth.
type Agreement struct {
	Contract string    `json:"contract"`
	Provider string    `json:"provider"`
	Kind     string    `json:"kind"` // "capacity" or "spend"
	ID       string    `json:"id"`
	Model    string    `json:"model,omitempty"`
	From     time.Time `json:"from"` // in the billing time zone
	To       time.Time `json:"to"`   // exclusive
	// GPUs are those contracted at the end of the term.
	GPUs  int   `json:"gpus,omitempty"`
	GPUMs int64 `json:"contracted_gpu_ms,omitempty"`
	// UnpricedMs is the part of GPUMs without a rate; it is not in Value.
	UnpricedMs int64          `json:"unpriced_gpu_ms,omitempty"`
	Currency   string         `json:"currency"`
	Value      contract.Money `json:"value"`
	Source     string         `json:"source"`
	price      string
}

// Agreements lists what contracts hold, in their order. The contracts have
// passed contract.ValidateAll.
func Agreements(contracts []contract.Contract) ([]Agreement, error) {
	out := []Agreement{}
	for i := range contracts {
		c := &contracts[i]
		for j := range c.Tranches {
			x, err := capacity(c, &c.Tranches[j])
			if err != nil {
				return nil, fmt.Errorf("contract %q, tranche %q: %w", c.ID, c.Tranches[j].ID, err)
			}
			out = append(out, x)
		}
		for j := range c.Commitments {
			m := &c.Commitments[j]
			sum, err := c.Committed(m)
			if err != nil {
				return nil, fmt.Errorf("contract %q, commitment %q: %w", c.ID, m.ID, err)
			}
			out = append(out, Agreement{Contract: c.ID, Provider: c.Provider, Kind: "spend", ID: m.ID,
				From: local(c, m.FromMs), To: local(c, m.EndMs), Currency: c.Currency, Value: sum, Source: m.Source})
		}
	}
	return out, nil
}

func capacity(c *contract.Contract, t *contract.Tranche) (Agreement, error) {
	v, err := t.Value()
	out := Agreement{Contract: c.ID, Provider: c.Provider, Kind: "capacity", ID: t.ID, Model: t.Model,
		From: local(c, t.StartMs()), To: local(c, t.EndMs), GPUs: t.GPUsAt(t.EndMs - 1), GPUMs: v.GPUMs, UnpricedMs: v.UnpricedMs,
		Currency: c.Currency, Value: v.Amount, Source: c.Source}
	rates := t.AsAgreed()
	switch len(rates) {
	case 0:
		out.price = "no rate"
	case 1:
		out.price = rates[0].PerGPUHour.String() + " " + c.Currency
	default:
		out.price = fmt.Sprintf("%d rates", len(rates))
	}
	return out, err
}

func local(c *contract.Contract, ms int64) time.Time { return time.UnixMilli(ms).In(c.Zone) }

// AgreementsJSON writes the list for machines.
func AgreementsJSON(w io.Writer, list []Agreement) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(list); err != nil {
		return fmt.Errorf("write contracts as JSON: %w", err)
	}
	return nil
}

// AgreementsText writes the list for people.
func AgreementsText(w io.Writer, list []Agreement) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CONTRACT\tID\tWHAT\tFROM\tTO\tGPUS\tPER GPU-HOUR\tVALUE OF THE TERM")
	for i := range list {
		x := &list[i]
		what, gpus, price := x.Model, contract.Grouped(int64(x.GPUs)), x.price
		value := x.Value.Figure() + " " + x.Currency
		switch {
		case x.Kind == "spend":
			what, gpus, price = "spend", "", ""
		case x.UnpricedMs == x.GPUMs:
			value = "no price"
		case x.UnpricedMs > 0:
			value += " and " + contract.Hours(x.UnpricedMs) + " GPU-hours without a price"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.Contract, x.ID, what, minute(x.From), minute(x.To), gpus, price, value)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write contracts as text: %w", err)
	}
	return nil
}

func minute(t time.Time) string { return t.Format("2006-01-02 15:04 MST") }

// AgreementsCSV writes the list as one table, exact. Text that a spreadsheet
// would take for a formula is preceded by an apostrophe.
func AgreementsCSV(w io.Writer, list []Agreement) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"contract", "provider", "kind", "id", "model", "from", "to", "gpus", "contracted_gpu_ms", "unpriced_gpu_ms", "currency", "value", "source"})
	for i := range list {
		x := &list[i]
		count := func(n int64) string {
			if x.Kind == "spend" {
				return ""
			}
			return strconv.FormatInt(n, 10)
		}
		_ = c.Write([]string{safe(x.Contract), safe(x.Provider), x.Kind, safe(x.ID), safe(x.Model), x.From.Format(time.RFC3339), x.To.Format(time.RFC3339),
			count(int64(x.GPUs)), count(x.GPUMs), count(x.UnpricedMs), x.Currency, x.Value.String(), safe(x.Source)})
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write contracts as CSV: %w", err)
	}
	return nil
}
