package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
)

// reportArgs is what `gpumeter report` is asked.
type reportArgs struct {
	source
	spanFlags
	Output, By, Top string
	Ask             collector.Ask
}

func newReport() *cobra.Command {
	var a reportArgs
	cmd := &cobra.Command{
		Use:   "report",
		Short: "What became of every contracted GPU-hour",
		Long: `report asks a collector, or opens the data folder of one that does not run,
and lays what was metered against the contracts. Without a period it is the
month to date, in each contract's billing calendar.

With --by it is broken down: by the cloud, account, region, model or node of
the GPUs, or by the holder or team that had them. The groups add up to what was
contracted; what no group can be named for is unattributed.`,
		Example: `  gpumeter report
  gpumeter report --period 2026-10 --contract cw-h100
  gpumeter report --period 7d -o json
  gpumeter report --by team --top 10
  gpumeter report --data /var/lib/gpumeter --contracts contracts.yaml --period 2026-10-01/2026-10-08`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rep, err := a.fetch(cmd.Context())
			if err != nil {
				return err
			}
			return writeReport(cmd.OutOrStdout(), rep, a.Output)
		},
	}
	a.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&a.Ask.Revision, "revision", "", "of a closed month: a number, closed or latest (default latest)")
	f.StringVar(&a.By, "by", "", "break down by "+strings.Join(bys(), ", "))
	f.StringVar(&a.Top, "top", "", "with --by, how many groups one by one, or all (default 20)")
	_ = cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(bys(), cobra.ShellCompDirectiveNoFileComp))
	outputFlag(cmd, &a.Output, "markdown")
	return cmd
}

// flags are those that say where to ask, and for which period.
func (a *reportArgs) flags(cmd *cobra.Command) {
	a.source.flags(cmd)
	a.spanFlags.flags(cmd)
	cmd.Flags().StringVar(&a.Ask.Contract, "contract", "", "one contract only")
}

// bys names what a report can be broken down by.
func bys() []string {
	names := make([]string, len(contract.Bys))
	for i, by := range contract.Bys {
		names[i] = string(by)
	}
	return names
}

func (a *reportArgs) fetch(ctx context.Context) (contract.Report, error) {
	var err error
	if a.Ask, err = a.of(a.Ask); err != nil {
		return contract.Report{}, usageError{err}
	}
	if a.Ask.Top, err = collector.ParseTop(a.Top); err != nil {
		return contract.Report{}, usageError{err}
	}
	a.Ask.By = contract.By(a.By)
	if err := a.Ask.Check(); err != nil {
		return contract.Report{}, usageError{err}
	}
	if a.Data != "" {
		return a.openData(ctx)
	}
	return a.askCollector(ctx)
}

// openData reports from a data folder that nobody holds: of a closed month,
// what was closed.
func (a *reportArgs) openData(ctx context.Context) (rep contract.Report, err error) {
	contracts, err := a.contracts()
	if err != nil {
		return rep, err
	}
	err = a.open(ctx, false, func(st *duckdb.DB) error {
		rep, err = collector.NewBooks(st).Report(ctx, contracts, a.Ask, time.Now())
		return err
	})
	return rep, err
}

// askCollector asks the collector's API.
func (a *reportArgs) askCollector(ctx context.Context) (rep contract.Report, err error) {
	ans, err := a.ask(ctx, "/api/v1/report", a.Ask.Values(), &rep)
	if err != nil {
		return rep, err
	}
	if rep.Edition != nil && rep.Edition.Revision != nil {
		rep.Stored = ans.body // printed as it was closed
		rep.Edition.Head = ans.header.Get(collector.HeadHeader)
	}
	return rep, a.reads(rep.Schema, contract.Schema)
}

func writeReport(w io.Writer, rep contract.Report, format string) error {
	switch format {
	case "json":
		return report.JSON(w, rep)
	case "csv":
		return report.CSV(w, rep)
	case "markdown":
		return report.Markdown(w, rep)
	}
	return report.Text(w, rep, textOptions(w))
}
