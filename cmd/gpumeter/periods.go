package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/contract"
)

func newPeriods() *cobra.Command {
	var a booksArgs
	cmd := &cobra.Command{
		Use:   "periods",
		Short: "List the months, how final they are, and their revisions",
		Long: `periods lists each month that there is data of: open, provisional until the
cut-off of the contracts, closed. A closed month has revisions: 0 is the
closing, the others are what came later. Each has a SHA-256 that stands for
all of the ledger up to it; kept elsewhere, it is what verify --head wants.`,
		Example: `  gpumeter periods
  gpumeter periods --data /var/lib/gpumeter --contracts contracts.yaml -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := a.periods(cmd.Context())
			if err != nil {
				return err
			}
			return writePeriods(cmd.OutOrStdout(), list, a.Output)
		},
	}
	a.flags(cmd)
	return cmd
}

func writePeriods(w io.Writer, list []collector.Standing, format string) error {
	switch format {
	case "json":
		return writeIndented(w, list)
	case "csv":
		return periodsCSV(w, list)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MONTH\tSTATE\tCLOSES\tREVISION\tKIND\tAS OF\tENTRY\tSHA-256")
	for _, s := range list {
		fmt.Fprintf(t, "%s\t%s\t%s", s.Month, s.State, minute(s.ClosesAt))
		if len(s.Revisions) == 0 {
			fmt.Fprint(t, "\t\t\t\t\t\n")
		}
		for i, r := range s.Revisions {
			if i > 0 {
				fmt.Fprint(t, "\t\t")
			}
			fmt.Fprintf(t, "\t%d\t%s\t%s\t%d\t%s\n", r.Revision, r.Kind, minute(r.AsOf), r.Entry, r.SHA256)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range list {
		if n := len(s.Revisions); n > 0 && s.Revisions[n-1].UnplacedMs > 0 {
			fmt.Fprintf(w, "%s: %s GPU-hours stood there that its placements do not know of; close --restate places them\n",
				s.Month, contract.Hours(s.Revisions[n-1].UnplacedMs))
		}
	}
	return nil
}

func periodsCSV(w io.Writer, list []collector.Standing) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"month", "state", "closes_at", "revision", "kind", "as_of", "entry", "sha256", "report_sha256", "contracts_sha256", "unplaced_gpu_ms"})
	for _, s := range list {
		row := []string{s.Month, string(s.State), s.ClosesAt.Format(time.RFC3339)}
		if len(s.Revisions) == 0 {
			_ = c.Write(append(row, "", "", "", "", "", "", "", ""))
		}
		for _, r := range s.Revisions {
			_ = c.Write(append(row[:3:3], strconv.Itoa(r.Revision), string(r.Kind), r.AsOf.Format(time.RFC3339), strconv.Itoa(r.Entry),
				r.SHA256, r.Report, r.Terms, strconv.FormatInt(r.UnplacedMs, 10)))
		}
	}
	c.Flush()
	return c.Error() // also of every Write
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

func writeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
