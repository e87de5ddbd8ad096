package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
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
