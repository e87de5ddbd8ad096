package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/contract"
)

// difference is what diff answers, in JSON.
type difference struct {
	Month string `json:"month"`
	// From and To are revisions.
	From  int                   `json:"from"`
	To    int                   `json:"to"`
	Lines []contract.Correction `json:"corrections"`
}

func newDiff() *cobra.Command {
	var a booksArgs
	var month, from, to string
	cmd := &cobra.Command{
		Use:   "diff MONTH",
		Short: "What one revision of a closed month says otherwise than another",
		Long: `diff lays two revisions of a closed month side by side and prints, for each
tranche, the difference of every bucket in GPU-hours and in money. What was
closed and the differences add up to the later revision, exactly.`,
		Example: `  gpumeter diff 2026-10
  gpumeter diff 2026-10 --from 0 --to 2 -o json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if month != "" {
				return noArgs(cmd, args)
			}
			return oneArg("MONTH")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if month == "" {
				month = args[0]
			}
			d, err := a.difference(cmd.Context(), month, from, to)
			if err != nil {
				return err
			}
			return writeDifference(cmd.OutOrStdout(), d, a.Output)
		},
	}
	f := cmd.Flags()
	f.StringVar(&month, "period", "", "the month, instead of the argument")
	f.StringVar(&from, "from", collector.ClosedRevision, "revision: a number, closed or latest")
	f.StringVar(&to, "to", collector.LatestRevision, "revision: a number, closed or latest")
	a.flags(cmd)
	return cmd
}

// difference compares two revisions of a month.
func (a *booksArgs) difference(ctx context.Context, month, from, to string) (difference, error) {
	d := difference{Month: month}
	for _, revision := range []string{from, to} {
		if err := (collector.Ask{Month: month, Revision: revision}).Check(); err != nil {
			return d, usageError{err}
		}
	}
	before, err := a.revision(ctx, month, from)
	if err != nil {
		return d, err
	}
	after, err := a.revision(ctx, month, to)
	if err != nil {
		return d, err
	}
	if d.Lines, err = contract.Correct(before, after); err != nil {
		return d, err
	}
	if d.From, err = revisionOf(before); err != nil {
		return d, err
	}
	d.To, err = revisionOf(after)
	return d, err
}

func revisionOf(rep contract.Report) (int, error) {
	if rep.Edition == nil || rep.Edition.Revision == nil {
		return 0, fmt.Errorf("the report of %s is of no revision: is the collector older than this program?", rep.Period)
	}
	return *rep.Edition.Revision, nil
}

func writeDifference(w io.Writer, d difference, format string) error {
	switch format {
	case "json":
		return writeIndented(w, d)
	case "csv":
		return differenceCSV(w, d)
	}
	fmt.Fprintf(w, "%s, revision %d against %d\n", d.Month, d.To, d.From)
	if len(d.Lines) == 0 {
		fmt.Fprintln(w, "no tranche differs")
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "CONTRACT\tTRANCHE\tBUCKET\tGPU-HOURS\tMONEY\t")
	for i := range d.Lines {
		for _, r := range differing(&d.Lines[i]) {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s %s\t\n", d.Lines[i].Contract, d.Lines[i].Tranche, r.name,
				signed(contract.Hours(r.ms), r.ms), signed(r.money.String(), int64(r.money)), d.Lines[i].Currency)
		}
	}
	return t.Flush()
}

// change is one figure of a line that differs.
type change struct {
	name  string
	ms    int64
	money contract.Money
}

// differing lists the buckets of a line that differ, what was contracted, which
// they add up to, and overage.
func differing(c *contract.Correction) []change {
	var out []change
	for b := range contract.Buckets {
		out = append(out, change{b.String(), c.Buckets[b], c.Cost.Buckets[b]})
	}
	out = append(out, change{"contracted", c.ContractedMs, c.Cost.Contracted}, change{"overage", c.OverageMs, c.Cost.Overage})
	kept := out[:0]
	for _, x := range out {
		if x.ms != 0 || x.money != 0 {
			kept = append(kept, x)
		}
	}
	return kept
}

func signed(text string, n int64) string {
	if n > 0 {
		return "+" + text
	}
	return text
}

func differenceCSV(w io.Writer, d difference) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"month", "from", "to", "contract", "tranche", "bucket", "gpu_ms", "cost", "currency"})
	for i := range d.Lines {
		for _, r := range differing(&d.Lines[i]) {
			_ = c.Write([]string{d.Month, strconv.Itoa(d.From), strconv.Itoa(d.To), d.Lines[i].Contract, d.Lines[i].Tranche, r.name,
				strconv.FormatInt(r.ms, 10), r.money.String(), d.Lines[i].Currency})
		}
	}
	c.Flush()
	return c.Error() // also of every Write
}
