package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/focus"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// spendArgs is what `gpumeter spend` is asked.
type spendArgs struct {
	source
	Output string
	Ask    collector.SpendAsk
}

func newSpend() *cobra.Command {
	var a spendArgs
	cmd := &cobra.Command{
		Use:   "spend",
		Short: "How far spend commitments are drawn, and where they will end",
		Long: `spend lays what was billed (gpumeter focus import) against the spend
commitments of the contract file, and what was metered where no bill is
imported: drawn, remaining, the rate that is required, where the rates of the
last 7, 28 and 90 days lead, and what part of a shortfall late delivery caused.
Every amount says what it is made of.`,
		Example: `  gpumeter spend
  gpumeter spend --contract aws-edp -o markdown
  gpumeter spend --at 2026-10-01 -o csv
  gpumeter spend --data /var/lib/gpumeter --contracts contracts.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rep, err := a.fetch(cmd.Context())
			if err != nil {
				return err
			}
			return writeSpend(cmd.OutOrStdout(), rep, a.Output)
		},
	}
	a.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&a.Ask.Contract, "contract", "", "one contract only")
	f.StringVar(&a.Ask.At, "at", "", "as of a date (2026-10-01) or a time (default: now)")
	outputFlag(cmd, &a.Output, "markdown")
	return cmd
}

func (a *spendArgs) fetch(ctx context.Context) (contract.SpendReport, error) {
	if err := a.mustHaveContracts(); err != nil {
		return contract.SpendReport{}, err
	}
	if a.Data != "" {
		return a.openData(ctx)
	}
	return a.askCollector(ctx)
}

// openData reports from a data folder that nobody holds. A folder with imports
// and without a store is good: then nothing is metered.
func (a *spendArgs) openData(ctx context.Context) (rep contract.SpendReport, err error) {
	contracts, err := a.contracts()
	if err != nil {
		return rep, err
	}
	ledger, err := focus.NewFolder(a.Data).Load()
	if err != nil {
		return rep, err
	}
	opened := false
	err = a.open(ctx, false, func(st *duckdb.DB) error {
		opened = true
		rep, err = collector.Spend(ctx, st, contracts, ledger, a.Ask, time.Now())
		return err
	})
	if !opened && errors.Is(err, fs.ErrNotExist) && len(ledger.Deliveries) > 0 {
		rep, err = collector.Spend(ctx, nil, contracts, ledger, a.Ask, time.Now())
		return rep, askError(err)
	}
	return rep, err
}

// askCollector asks the collector's API.
func (a *spendArgs) askCollector(ctx context.Context) (rep contract.SpendReport, err error) {
	if _, err := a.ask(ctx, "/api/v1/spend", a.Ask.Values(), &rep); err != nil {
		return rep, err
	}
	if err := a.reads(rep.Schema, contract.SpendSchema); err != nil {
		return rep, err
	}
	return rep, inZones(&rep)
}

// inZones puts times back into the billing zones, which JSON keeps as offsets.
func inZones(r *contract.SpendReport) error {
	zones := map[string]*time.Location{}
	for i := range r.Commitments {
		s := &r.Commitments[i]
		zone, err := time.LoadLocation(s.Zone)
		if err != nil {
			return fmt.Errorf("contract %q: %w", s.Contract, err)
		}
		zones[s.Contract] = zone
		times := []*time.Time{&s.From, &s.To, &s.Through}
		for k := range s.Gaps {
			times = append(times, &s.Gaps[k].From, &s.Gaps[k].To)
		}
		for k := range s.Floors {
			times = append(times, &s.Floors[k].From, &s.Floors[k].To)
		}
		for _, t := range times {
			*t = t.In(zone)
		}
	}
	for i := range r.Expiries {
		if zone := zones[r.Expiries[i].Contract]; zone != nil {
			r.Expiries[i].At = r.Expiries[i].At.In(zone)
		}
	}
	return nil
}

func writeSpend(w io.Writer, rep contract.SpendReport, format string) error {
	switch format {
	case "json":
		return report.SpendJSON(w, rep)
	case "csv":
		return report.SpendCSV(w, rep)
	case "markdown":
		return report.SpendMarkdown(w, rep)
	}
	return report.SpendText(w, rep, textOptions(w))
}
