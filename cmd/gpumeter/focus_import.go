package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/gpumeter/gpumeter/collector/focus"
	"github.com/gpumeter/gpumeter/contract"
)

// imported is what import answers, in JSON.
type imported struct {
	Import string    `json:"import"`
	At     time.Time `json:"imported_at"`
	// Known says that these files were imported before, and nothing changed.
	Known    bool           `json:"known"`
	Charges  int            `json:"charges"`
	Replaced int            `json:"bills_replaced"`
	Bills    []importedBill `json:"bills"`
	// Commitments are the cloud's own ids of those that it states.
	Commitments []string `json:"commitments"`
}

type importedBill struct {
	Provider string    `json:"provider"`
	Account  string    `json:"account"`
	Currency string    `json:"currency"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	CoversTo time.Time `json:"covers_to"`
	// Partial says that the period is over and its charges do not go to its end.
	Partial bool           `json:"partial"`
	Billed  contract.Money `json:"billed"`
}

func importedOf(r focus.Result) imported {
	d := r.Delivery
	out := imported{d.Name, d.ImportedAt, r.Known, d.Charges, r.Replaced, []importedBill{}, []string{}}
	for i := range d.Bills {
		b := &d.Bills[i]
		at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
		out.Bills = append(out.Bills, importedBill{b.Provider, b.Account, b.Currency, at(b.FromMs), at(b.ToMs), at(b.CoversToMs), b.ToMs <= d.ImportedAt.UnixMilli() && b.CoversToMs < b.ToMs, billed(b)})
	}
	for _, s := range d.Stated {
		out.Commitments = append(out.Commitments, s.ID)
	}
	return out
}

// billed is the billed cost of a bill's charges together.
func billed(b *contract.Bill) contract.Money {
	var sum contract.Money
	for i := range b.Charges {
		sum += b.Charges[i].Costs.Amount[2]
	}
	return sum
}

// importCSV writes a row for each bill.
func importCSV(w io.Writer, d imported) error {
	rows := [][]string{{"import", "known", "provider", "account", "currency", "from", "to", "covers_to", "billed"}}
	for _, b := range d.Bills {
		rows = append(rows, []string{d.Import, strconv.FormatBool(d.Known), b.Provider, b.Account, b.Currency,
			b.From.Format(time.RFC3339), b.To.Format(time.RFC3339), b.CoversTo.Format(time.RFC3339), b.Billed.String()})
	}
	return csv.NewWriter(w).WriteAll(rows)
}

// writeImport says what an import understood, so that a wrong account or
// period is seen.
func writeImport(w io.Writer, r focus.Result, format string) error {
	d := r.Delivery
	switch format {
	case "json":
		return writeIndented(w, importedOf(r))
	case "csv":
		return importCSV(w, importedOf(r))
	}
	if r.Known {
		_, err := fmt.Fprintf(w, "nothing changed: these files were imported at %s as %s\n", minute(d.ImportedAt), d.Name)
		return err
	}
	rows := 0
	for _, f := range d.Files {
		rows += f.Rows
	}
	fmt.Fprintf(w, "imported %s: %s, %s, %s, %s replaced\n",
		d.Name, counted(rows, "row"), counted(d.Charges, "charge"), counted(len(d.Stated), "commitment"), counted(r.Replaced, "bill"))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(d.Bills) > 0 {
		fmt.Fprintln(t, "CLOUD\tACCOUNT\tCURRENCY\tBILLING PERIOD\tCOVERS TO\tBILLED")
	}
	for i := range d.Bills {
		b := &d.Bills[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s to %s\t%s\t%s\n", b.Provider, b.Account, b.Currency,
			day(b.FromMs), day(b.ToMs), minute(time.UnixMilli(b.CoversToMs)), billed(b).Figure())
	}
	for _, s := range d.Stated {
		fmt.Fprintf(t, "%s\tcommitment %s\t%s\t%s to %s\t%s\t%s\n", s.Provider, s.ID, s.Currency, day(s.FromMs), day(s.ToMs), s.Status, s.Cost.Figure())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, b := range importedOf(r).Bills {
		if b.Partial {
			fmt.Fprintf(w, "%s: its charges go to %s only; the rest of the period counts as not imported (--complete says that nothing more will come)\n", b.Account, minute(b.CoversTo))
		}
	}
	return nil
}

func day(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateOnly) }
