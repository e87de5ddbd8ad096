package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// verified is what verify answers, in JSON.
type verified struct {
	Store    store.Audited   `json:"store"`
	Ledger   ledger.Audit    `json:"ledger"`
	Findings []store.Finding `json:"findings"`
}

// errChanged is why verify ends with a status that is not zero.
var errChanged = errors.New("what is kept is not what was stored")

func newVerify() *cobra.Command {
	var a booksArgs
	var head string
	cmd := &cobra.Command{
		Use:   "verify --data DIR",
		Short: "Find any changed byte of what a collector keeps",
		Long: `verify reads all that a data folder keeps and says what is not what was stored:
which batch of which agent, which document. It walks each agent's chain of
hashes, holds every batch, with its records and events, against the digest that
was made when it was stored, and reads the ledger of closed months. It ends
with status 1 if anything was changed.

Whoever can write the folder could make all digests anew. --head holds the
ledger against a SHA-256 that was kept elsewhere: see gpumeter periods.`,
		Example: `  gpumeter verify --data /var/lib/gpumeter
  gpumeter verify --data /var/lib/gpumeter --head 4f1c…`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.open(ctx, false, func(st *duckdb.DB, _ *collector.Books, _ []contract.Contract) error {
				return verify(ctx, cmd.OutOrStdout(), st, head, a.Output)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.Data, "data", "", "data folder of a collector that does not run (required)")
	f.StringVar(&head, "head", "", "SHA-256 of an entry of the ledger that must be there")
	outputFlag(cmd, &a.Output)
	mustRequire(cmd, "data")
	return cmd
}

func verify(ctx context.Context, w io.Writer, st *duckdb.DB, head, format string) error {
	v := verified{Findings: []store.Finding{}}
	found := func(f store.Finding) { v.Findings = append(v.Findings, f) }
	var err error
	if v.Store, err = st.Audit(ctx, found); err != nil {
		return err
	}
	v.Ledger, err = ledger.Verify(ctx, st, head, func(document, problem string) { found(store.Finding{Where: "document " + document, Problem: problem}) })
	if err != nil {
		return err
	}
	if err := writeVerified(w, v, format); err != nil {
		return err
	}
	if len(v.Findings) > 0 {
		return fmt.Errorf("%w: %d findings", errChanged, len(v.Findings))
	}
	return nil
}

func writeVerified(w io.Writer, v verified, format string) error {
	switch format {
	case "json":
		return writeIndented(w, v)
	case "csv":
		return findingsCSV(w, v.Findings)
	}
	for _, f := range v.Findings {
		fmt.Fprintf(w, "%s: %s\n", f.Where, f.Problem)
	}
	s := v.Store
	fmt.Fprintf(w, "read %s batches with %s records and %s events, %s batches kept aside, %s documents, %s signs of life\n",
		contract.Grouped(s.Batches), contract.Grouped(s.Records), contract.Grouped(s.Events), contract.Grouped(s.Aside), contract.Grouped(s.Documents), contract.Grouped(s.Lives))
	fmt.Fprintf(w, "ledger: %d entries, %d parts", v.Ledger.Entries, v.Ledger.Parts)
	if v.Ledger.Head != "" {
		fmt.Fprintf(w, ", head %s", v.Ledger.Head)
	}
	fmt.Fprintln(w)
	for _, note := range []struct {
		n    int64
		text string
	}{
		{s.Missing, "batches are not there that a later one follows: dropped by their agent, or still on their way"},
		{s.Unchained, "batches name no batch before them: no agent sealed them in a chain"},
		{s.Unsealed, "rows were stored before digests were kept: nothing can be said of them"},
	} {
		if note.n > 0 {
			fmt.Fprintf(w, "note: %s %s\n", contract.Grouped(note.n), note.text)
		}
	}
	if len(v.Findings) == 0 {
		fmt.Fprintln(w, "nothing was changed")
	}
	return nil
}

func findingsCSV(w io.Writer, findings []store.Finding) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"where", "problem"})
	for _, f := range findings {
		_ = c.Write([]string{f.Where, f.Problem})
	}
	c.Flush()
	return c.Error() // also of every Write
}
