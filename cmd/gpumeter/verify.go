package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// errChanged is why verify ends with a status that is not zero.
var errChanged = errors.New("what is kept is not what was stored")

func newVerify() *cobra.Command {
	var a booksArgs
	var head string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Find any changed byte of what a collector keeps",
		Long: `verify reads all that a collector keeps and says what is not what was stored:
which batch of which agent, which document. It walks each agent's chain of
hashes, holds every batch, with its records and events, against the digest that
was made when it was stored, reads the ledger of closed months, and holds the
store to the batches that each of them was made of. It ends with status 1 if
anything was changed.

Asked with --url, the collector reads its own, in the background; what it found
is good for an hour. A collector that somebody has taken over can answer
anything: with --data, this program reads the folder of one that does not run.

Whoever can write the folder could make all digests and the ledger anew. --head
holds the ledger against a SHA-256 that was kept elsewhere: close, periods and
the report of a closed month print it.`,
		Example: `  gpumeter verify --data /var/lib/gpumeter
  gpumeter verify --data /var/lib/gpumeter --head 4f1c…
  gpumeter verify --url https://collector:9410`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := a.verify(cmd.Context(), head)
			if err != nil {
				return err
			}
			if err := writeVerified(cmd.OutOrStdout(), v, a.Output); err != nil {
				return err
			}
			if len(v.Findings) > 0 {
				return fmt.Errorf("%w: %d findings", errChanged, len(v.Findings))
			}
			return nil
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&head, "head", "", "SHA-256 of an entry of the ledger that must be there")
	return cmd
}

// verify reads a data folder, or has a collector read its own.
func (a *booksArgs) verify(ctx context.Context, head string) (v collector.Verified, err error) {
	if a.Data != "" {
		err = a.open(ctx, false, func(st *duckdb.DB, _ *collector.Books, _ []contract.Contract) error {
			v, err = collector.Verify(ctx, st, head, time.Now())
			return err
		})
		return v, err
	}
	q := url.Values{}
	if head != "" {
		q.Set("head", head)
	}
	for {
		var now collector.Verification
		if _, err := a.ask(ctx, "/api/v1/verify", q, &now); err != nil {
			return v, err
		}
		if now.Last != nil {
			return *now.Last, nil
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(askAgain):
		}
	}
}

// askAgain is how often a collector that reads is asked whether it is done.
const askAgain = 2 * time.Second

func writeVerified(w io.Writer, v collector.Verified, format string) error {
	switch format {
	case "json":
		return writeIndented(w, v)
	case "csv":
		return findingsCSV(w, v.Findings)
	}
	for _, f := range v.Findings {
		fmt.Fprintf(w, "%s: %s\n", f.Where, f.Problem)
	}
	s := cmp.Or(v.Store, &store.Audited{})
	fmt.Fprintf(w, "read, as of %s: %s batches with %s records and %s events, %s batches kept aside, %s documents, %s signs of life\n",
		minute(v.AsOf), contract.Grouped(s.Batches), contract.Grouped(s.Records), contract.Grouped(s.Events), contract.Grouped(s.Aside), contract.Grouped(s.Documents), contract.Grouped(s.Lives))
	if v.Ledger.Days > 0 {
		fmt.Fprintf(w, "closed days: %d, with each time that one was written\n", v.Ledger.Days)
	}
	fmt.Fprintf(w, "ledger: %d entries, %d parts, made of %s runs of batches", v.Ledger.Entries, v.Ledger.Parts, contract.Grouped(int64(v.Ledger.Runs)))
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
		{s.Pruned, "records were pruned: their hour records and what else is left of them is held by digests of their own"},
		{int64(v.Ledger.Pruned), "runs of batches that closed months were made of are not whole any more, because of that"},
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
