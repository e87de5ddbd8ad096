package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/collector/focus"
	"github.com/gpumeter/gpumeter/collector/focus/parquet"
)

func newFocus() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "focus",
		Short: "Read what clouds bill, and write what was bought, in FOCUS",
		Example: `  gpumeter focus import --data /var/lib/gpumeter export-part-*.csv.gz
  gpumeter focus list --data /var/lib/gpumeter
  gpumeter focus export --commitments --contracts contracts.yaml > commitments.csv`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFocusImport(), newFocusList(), newFocusExport())
	return cmd
}

// focusImportArgs is what `gpumeter focus import` is asked.
type focusImportArgs struct {
	Data    string
	Output  string
	Options focus.Options
}

func newFocusImport() *cobra.Command {
	var a focusImportArgs
	cmd := &cobra.Command{
		Use:   "import FILE… --data DIR",
		Short: "Import FOCUS exports of a cloud",
		Long: `import reads Cost and Usage exports (FOCUS 1.0 to 1.4) and Contract Commitment
exports (1.3, 1.4): .csv, .csv.gz or .parquet. A collector may run meanwhile.

The files that are given together are one delivery: all of it is imported or
none. It replaces what was imported before of the same account and billing
period, because clouds send a month again and again until it is closed: give
all parts of an export at once. The same files twice change nothing.`,
		Example: `  gpumeter focus import --data /var/lib/gpumeter export-part-*.csv.gz
  gpumeter focus import --data /var/lib/gpumeter --feed subscription-7 costs.parquet
  gpumeter focus import --data /var/lib/gpumeter --add 2026-10-07.csv`,
		Args: someArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.Options.Now = time.Now()
			a.Options.Parquet = func(path string, columns []string) (focus.Rows, error) {
				f, err := parquet.Open(cmd.Context(), path, columns)
				if err != nil {
					return nil, err
				}
				return f, nil
			}
			r, err := focus.NewFolder(a.Data).Import(args, a.Options)
			if err != nil {
				return err
			}
			return writeImport(cmd.OutOrStdout(), r, a.Output)
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.Data, "data", "", "data folder of the collector (required)")
	f.StringVar(&a.Options.Feed, "feed", "", "name of the export, where several of one account do not replace each other")
	f.BoolVar(&a.Options.Complete, "complete", false, "nothing more will come for these bills, also where their metered charges end before the last day of a period that is over")
	f.BoolVar(&a.Options.Add, "add", false, "add to what was imported of the same billing period, instead of replacing it")
	f.StringVar(&a.Options.Provider, "provider", "", "whose export it is, as in the contract file (default: what the rows say)")
	outputFlag(cmd, &a.Output)
	mustRequire(cmd, "data")
	return cmd
}

// someArgs wants at least one argument.
func someArgs(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError{fmt.Errorf("%s wants at least one argument: %s", cmd.CommandPath(), name)}
		}
		return nil
	}
}

func newFocusList() *cobra.Command {
	var data, format string
	cmd := &cobra.Command{
		Use:   "list --data DIR",
		Short: "List what was imported",
		Example: `  gpumeter focus list --data /var/lib/gpumeter
  gpumeter focus list --data /var/lib/gpumeter -o csv`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ledger, err := focus.NewFolder(data).Load()
			if err != nil {
				return err
			}
			return writeDeliveries(cmd.OutOrStdout(), deliveries(ledger), format)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "data folder of the collector (required)")
	mustRequire(cmd, "data")
	outputFlag(cmd, &format)
	return cmd
}

// delivery is what list says of one import.
type delivery struct {
	Import  string    `json:"import"`
	At      time.Time `json:"imported_at"`
	Feed    string    `json:"feed"`
	Files   int       `json:"files"`
	Charges int       `json:"charges"`
	Bills   int       `json:"bills"`
	// InForce is how many of the bills no later import has replaced.
	InForce     int `json:"bills_in_force"`
	Commitments int `json:"commitments"`
}

func deliveries(l *focus.Ledger) []delivery {
	counts := map[string]int{}
	for i := range l.Bills {
		counts[l.Bills[i].Source]++
	}
	out := []delivery{}
	for _, d := range l.Deliveries {
		out = append(out, delivery{d.Name, d.ImportedAt, d.Feed, len(d.Files), d.Charges, len(d.Bills), counts[d.Name], len(d.Stated)})
	}
	return out
}

func writeDeliveries(w io.Writer, list []delivery, format string) error {
	if format == "json" {
		return writeIndented(w, list)
	}
	rows := [][]string{{"import", "at", "feed", "files", "charges", "bills", "in force", "commitments"}}
	for _, d := range list {
		rows = append(rows, []string{d.Import, d.At.Format(time.RFC3339), d.Feed, strconv.Itoa(d.Files), strconv.Itoa(d.Charges),
			strconv.Itoa(d.Bills), strconv.Itoa(d.InForce), strconv.Itoa(d.Commitments)})
	}
	if format == "csv" {
		rows[0][1], rows[0][6] = "imported_at", "bills_in_force"
		return csv.NewWriter(w).WriteAll(rows)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.ToUpper(strings.Join(rows[0], "\t")))
	for i, row := range rows[1:] {
		row[1] = minute(list[i].At)
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func newFocusExport() *cobra.Command {
	var contracts string
	var commitments bool
	cmd := &cobra.Command{
		Use:   "export --commitments --contracts FILE",
		Short: "Write what was bought as FOCUS 1.4 Contract Commitment rows",
		Long: `export writes the tranches and the spend commitments of a contract file as
FOCUS 1.4 Contract Commitment rows, CSV, for other FinOps tools: one row for
each step of a ramp and for each floor. What FOCUS has no column for is in x_
columns.`,
		Example: "  gpumeter focus export --commitments --contracts contracts.yaml > commitments.csv",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !commitments {
				return usageError{errors.New("say what to export: --commitments")}
			}
			return exportCommitments(cmd.OutOrStdout(), contracts)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&commitments, "commitments", false, "export the commitments")
	f.StringVar(&contracts, "contracts", "", "contract file (required)")
	mustRequire(cmd, "contracts")
	return cmd
}

func exportCommitments(w io.Writer, path string) error {
	contracts, err := contractfile.Load(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return focus.WriteCommitments(w, contracts, focus.ExportOptions{Now: time.Now(), Updated: info.ModTime()})
}
