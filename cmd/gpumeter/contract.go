package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/contract"
)

func newContract() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "contract",
		Short: "Check contract files",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newValidate(), newSchema())
	return cmd
}

func newValidate() *cobra.Command {
	return &cobra.Command{
		Use:     "validate FILE",
		Short:   "Say whether a contract file can be used, and what it says",
		Example: "  gpumeter contract validate contracts.yaml",
		Args:    oneArg("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			contracts, err := contractfile.Load(args[0])
			if err != nil {
				return err
			}
			return writeContracts(cmd.OutOrStdout(), contracts)
		},
	}
}

// writeContracts shows what was understood, so that a date in the wrong zone
// is seen.
func writeContracts(w io.Writer, contracts []contract.Contract) error {
	plural := "s"
	if len(contracts) == 1 {
		plural = ""
	}
	fmt.Fprintf(w, "ok: %d contract%s\n", len(contracts), plural)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CONTRACT\tTRANCHE\tMODEL\tFROM\tTO\tGPUS\tPER GPU-HOUR")
	for i := range contracts {
		c := &contracts[i]
		for j := range c.Tranches {
			tr := &c.Tranches[j]
			last := tr.Steps[len(tr.Steps)-1].GPUs
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", c.ID, tr.ID, tr.Model, at(tr.StartMs(), c.Zone), at(tr.EndMs, c.Zone), last, rates(c, tr))
		}
	}
	return t.Flush()
}

func at(ms int64, zone *time.Location) string {
	return time.UnixMilli(ms).In(zone).Format("2006-01-02 15:04 MST")
}

func rates(c *contract.Contract, t *contract.Tranche) string {
	switch len(t.Rates) {
	case 0:
		return "no rate"
	case 1:
		return t.Rates[0].PerGPUHour.String() + " " + c.Currency
	}
	return fmt.Sprintf("%d rates", len(t.Rates))
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of contract files",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(contractfile.Schema())
			return err
		},
	}
}

// oneArg wants exactly one argument.
func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("%s wants one argument: %s", cmd.CommandPath(), name)}
		}
		return nil
	}
}
