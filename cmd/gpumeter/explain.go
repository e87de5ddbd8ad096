package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
)

type explainArgs struct {
	reportArgs
	Bys []string
	N   int
}

func newExplain() *cobra.Command {
	var a explainArgs
	cmd := &cobra.Command{
		Use:   "explain CONTRACT BUCKET",
		Short: "What a figure of a contract is made of",
		Long: `explain says of a bucket or stage of a contract by which rule it comes about, of
what it is the sum, and what contributed most to it: tranches, days and, by
default, what the bucket is best broken down by: the node, and for held time
the team and the holder as well.`,
		Example: `  gpumeter explain cw-h100 idle --period 2026-10
  gpumeter explain cw-h100 unobserved --period 24h --by node -o csv`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{fmt.Errorf("%s wants a contract and a bucket, as in: explain cw-h100 idle", cmd.CommandPath())}
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) != 1 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return quantities(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), cmd.OutOrStdout(), args[0], args[1])
		},
	}
	a.flags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&a.Bys, "by", nil, "what to list contributions by, instead of the default: cloud to team, as in report; more than one with commas")
	f.IntVar(&a.N, "top", 10, "how many contributions of each kind one by one")
	_ = cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(bys(), cobra.ShellCompDirectiveNoFileComp))
	_ = f.MarkHidden("contract") // it is an argument here
	outputFlag(cmd, &a.Output)
	return cmd
}

func quantities() []string {
	names := make([]string, len(contract.Quantities))
	for i := range contract.Quantities {
		names[i] = contract.Quantities[i].Name
	}
	return names
}

func (a *explainArgs) run(ctx context.Context, w io.Writer, id, name string) error {
	if a.Ask.Contract != "" {
		return usageError{errors.New("--contract is given, but the contract is an argument of explain")}
	}
	if a.N < 1 {
		return usageError{fmt.Errorf("top %d is below 1", a.N)}
	}
	if err := a.mustHaveContracts(); err != nil {
		return err
	}
	q, err := contract.ParseQuantity(name)
	if err != nil {
		return usageError{err}
	}
	list := q.Contributors()
	if len(a.Bys) > 0 {
		list = nil
		for _, s := range a.Bys {
			by, err := contract.ParseBy(s)
			if err != nil {
				return usageError{err}
			}
			list = append(list, by)
		}
	}
	a.Ask.Contract = id
	x, err := a.explain(ctx, q, list)
	if err != nil {
		return err
	}
	switch a.Output {
	case "json":
		return report.ExplainJSON(w, x)
	case "csv":
		return report.ExplainCSV(w, x)
	}
	return report.ExplainText(w, x, textOptions(w))
}

// tries is how often explain asks again because records came in between.
const tries = 5

// explain asks for the same report by each of a list.
func (a *explainArgs) explain(ctx context.Context, q contract.Quantity, list []contract.By) (contract.Explanation, error) {
	if len(list) == 0 {
		list = []contract.By{""}
	}
	for n := 1; ; n++ {
		var reports []contract.Report
		for _, by := range list {
			a.By, a.Top = string(by), ""
			if by != "" {
				a.Top = "all"
			}
			rep, err := a.fetch(ctx)
			if err != nil {
				return contract.Explanation{}, err
			}
			reports = append(reports, rep)
		}
		x, err := contract.Explain(q, a.N, reports...)
		if !errors.Is(err, contract.ErrMoved) || n == tries {
			return x, err
		}
	}
}
