package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// closeArgs is what `gpumeter close` is asked.
type closeArgs struct {
	booksArgs
	Month   string
	Restate bool
}

func newClose() *cobra.Command {
	var a closeArgs
	cmd := &cobra.Command{
		Use:   "close --data DIR --contracts FILE",
		Short: "Close the months of a data folder that are due",
		Long: `close does by hand what a collector does by itself: it closes the months whose
cut-off has passed, and writes a correction for each closed month that late
records have changed. It opens the data folder of a collector that does not run.

With --restate it computes a closed month again under the contracts as they are
now and places the GPUs anew. That is a new revision as well; nothing that was
closed is overwritten.

The SHA-256 of the last entry stands for all of the ledger and for what each
month was made of. Keep it elsewhere: verify --head wants it.`,
		Example: `  gpumeter close --data /var/lib/gpumeter --contracts contracts.yaml
  gpumeter close --data /var/lib/gpumeter --contracts contracts.yaml --period 2026-10
  gpumeter close --data /var/lib/gpumeter --contracts contracts.yaml --period 2026-10 --restate`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			made, err := a.run(cmd.Context())
			return errors.Join(writeClosed(cmd.OutOrStdout(), made, err == nil, a.Output), err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.Data, "data", "", "data folder (required)")
	f.StringVar(&a.Contracts, "contracts", "", "contract file (required)")
	monthFlags(cmd, &a.Month, "this month only, 2026-10")
	f.BoolVar(&a.Restate, "restate", false, "compute a closed month again under the contracts and placements of today")
	outputFlag(cmd, &a.Output)
	mustRequire(cmd, "data", "contracts")
	return cmd
}

// run returns what was added to the ledger, also before an error.
func (a *closeArgs) run(ctx context.Context) (made []ledger.Sealed, err error) {
	if a.Restate && a.Month == "" {
		return nil, usageError{errors.New("--restate wants a --period")}
	}
	var m contract.Month
	if a.Month != "" {
		if m, err = contract.ParseMonth(a.Month); err != nil {
			return nil, usageError{err}
		}
	}
	err = a.open(ctx, true, func(_ *duckdb.DB, b *collector.Books, contracts []contract.Contract) error {
		made, err = closeMonths(ctx, b, contracts, m, a.Restate, time.Now())
		return err
	})
	return made, err
}

// closeMonths returns what was added to the ledger, or, for a single month
// that was closed before, its latest revision.
func closeMonths(ctx context.Context, b *collector.Books, contracts []contract.Contract, m contract.Month, restate bool, now time.Time) ([]ledger.Sealed, error) {
	if m == (contract.Month{}) {
		return b.Settle(ctx, contracts, now)
	}
	e, err := b.Close(ctx, contracts, m, now)
	switch {
	case err != nil:
	case restate:
		e, err = b.Restate(ctx, contracts, m, now)
	default:
		e, err = b.Correct(ctx, m, now)
	}
	if err != nil {
		return nil, err
	}
	return []ledger.Sealed{e}, nil
}

// closedMonth is an entry that was made, in JSON.
type closedMonth struct {
	Month string `json:"month"`
	collector.Revision
}

// writeClosed says what was added to the ledger; done, that this is all.
func writeClosed(w io.Writer, made []ledger.Sealed, done bool, format string) error {
	if !done && len(made) == 0 {
		return nil
	}
	switch format {
	case "json":
		list := []closedMonth{}
		for _, e := range made {
			list = append(list, closedMonth{e.Month, collector.RevisionOf(e)})
		}
		return writeIndented(w, list)
	case "csv":
		rows := [][]string{{"month", "revision", "kind", "entry", "sha256"}}
		for _, e := range made {
			rows = append(rows, []string{e.Month, strconv.Itoa(e.Revision), string(e.Kind), strconv.Itoa(e.N), e.SHA256})
		}
		return csv.NewWriter(w).WriteAll(rows)
	}
	for _, e := range made {
		fmt.Fprintf(w, "%s  revision %d  %-11s  entry %d  head %s\n", e.Month, e.Revision, e.Kind, e.N, e.SHA256)
	}
	if len(made) == 0 {
		fmt.Fprintln(w, "nothing is due and nothing has changed")
	}
	return nil
}
