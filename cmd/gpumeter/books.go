package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// booksArgs is where closed months are read from.
type booksArgs struct {
	source
	Output string
}

func (a *booksArgs) flags(cmd *cobra.Command) {
	a.source.flags(cmd)
	outputFlag(cmd, &a.Output)
}

// open opens the books of the data folder for f, with the contracts if there
// is a file.
func (a *booksArgs) open(ctx context.Context, write bool, f func(*duckdb.DB, *collector.Books, []contract.Contract) error) error {
	contracts, err := a.contracts()
	if err != nil {
		return err
	}
	return a.source.open(ctx, write, func(st *duckdb.DB) error { return f(st, collector.NewBooks(st), contracts) })
}

// periods lists the months.
func (a *booksArgs) periods(ctx context.Context) (list []collector.Standing, err error) {
	if a.Data != "" {
		err = a.open(ctx, false, func(_ *duckdb.DB, b *collector.Books, contracts []contract.Contract) error {
			list, err = b.Periods(ctx, contracts, time.Now())
			return err
		})
		return list, err
	}
	_, err = a.ask(ctx, "/api/v1/periods", nil, &list)
	return list, err
}

// revision reads a revision of a closed month.
func (a *booksArgs) revision(ctx context.Context, month, revision string) (rep contract.Report, err error) {
	ask := collector.Ask{Month: month, Revision: revision}
	if a.Data != "" {
		err = a.open(ctx, false, func(_ *duckdb.DB, b *collector.Books, contracts []contract.Contract) error {
			rep, err = b.Report(ctx, contracts, ask, time.Now())
			return err
		})
		return rep, err
	}
	_, err = a.source.ask(ctx, "/api/v1/report", ask.Values(), &rep)
	return rep, err
}

func newClose() *cobra.Command {
	var a booksArgs
	var month string
	var restate bool
	cmd := &cobra.Command{
		Use:   "close --data DIR --contracts FILE",
		Short: "Close the months of a data folder that are due",
		Long: `close does by hand what a collector does by itself: it closes the months whose
cut-off has passed, and writes a correction for each closed month that late
records have changed. It opens the data folder of a collector that does not run.

With --restate it computes a closed month again under the contracts as they are
now and places the GPUs anew. That is a new revision as well; nothing that was
closed is overwritten.`,
		Example: `  gpumeter close --data /var/lib/gpumeter --contracts contracts.yaml
  gpumeter close --data /var/lib/gpumeter --contracts contracts.yaml --period 2026-10
  gpumeter close --data /var/lib/gpumeter --contracts contracts.yaml --period 2026-10 --restate`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if restate && month == "" {
				return usageError{errors.New("--restate wants a --period")}
			}
			var m contract.Month
			if month != "" {
				var err error
				if m, err = contract.ParseMonth(month); err != nil {
					return usageError{err}
				}
			}
			ctx, now := cmd.Context(), time.Now()
			return a.open(ctx, true, func(_ *duckdb.DB, b *collector.Books, contracts []contract.Contract) error {
				made, err := closeMonths(ctx, b, contracts, m, restate, now)
				for _, e := range made {
					fmt.Fprintf(cmd.OutOrStdout(), "%s  revision %d  %-11s  entry %d  %s\n", e.Month, e.Revision, e.Kind, e.N, e.SHA256)
				}
				if err == nil && len(made) == 0 {
					fmt.Fprintln(cmd.OutOrStdout(), "nothing is due and nothing has changed")
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.Data, "data", "", "data folder (required)")
	f.StringVar(&a.Contracts, "contracts", "", "contract file (required)")
	monthFlags(cmd, &month, "this month only, 2026-10")
	f.BoolVar(&restate, "restate", false, "compute a closed month again under the contracts and placements of today")
	mustRequire(cmd, "data", "contracts")
	return cmd
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
