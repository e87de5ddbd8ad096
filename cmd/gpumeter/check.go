package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
)

// Exit codes of check, besides 0, 1 and 2.
const (
	codeFailed     = 3 // a condition holds
	codeIncomplete = 4 // none does, but the data do not tell for sure
)

type checkArgs struct {
	reportArgs
	FailIf []string
}

func newCheck() *cobra.Command {
	var a checkArgs
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Whether contracts are as they should be, for scripts",
		Long: `check compares shares of contracted time with limits, for each contract:
QUANTITY OPERATOR SHARE, where the quantity is a bucket or stage of the report,
the operator <, <=, > or >=, and the share 0 to 1 or 0% to 100%.

Exit codes:
  0  no condition holds
  1  something went wrong
  2  wrong usage
  3  a condition holds
  4  no condition holds, but nothing is stored or contracted in the period, or
     more than 2 % of a contract is unobserved or unmeasured`,
		Example: `  gpumeter check --fail-if 'delivered < 0.95'
  gpumeter check --period 24h --contract cw-h100 --fail-if 'delivered < 99%' --fail-if 'idle > 20%'
  gpumeter check --period 2026-10 --fail-if 'unhealthy > 0.5%' -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	a.flags(cmd)
	cmd.Flags().StringArrayVar(&a.FailIf, "fail-if", nil, "condition, such as 'delivered < 0.95'; may be given more than once")
	outputFlag(cmd, &a.Output)
	mustRequire(cmd, "fail-if")
	return cmd
}

func (a *checkArgs) run(ctx context.Context, w io.Writer) error {
	var conditions []contract.Condition
	for _, s := range a.FailIf {
		c, err := contract.ParseCondition(s)
		if err != nil {
			return usageError{err}
		}
		conditions = append(conditions, c)
	}
	rep, err := a.fetch(ctx)
	if errors.Is(err, collector.ErrNoData) {
		return codeError{err, codeIncomplete}
	}
	if err != nil {
		return err
	}
	v := report.Check(rep, conditions)
	if err := writeCheck(w, v, a.Output); err != nil {
		return err
	}
	switch {
	case v.Met > 0:
		return codeError{fmt.Errorf("conditions that hold: %d", v.Met), codeFailed}
	case v.Judged == 0:
		return codeError{errors.New("nothing is contracted in this period"), codeIncomplete}
	case v.Doubtful > 0:
		return codeError{fmt.Errorf("contracts of which too much is not known: %d", v.Doubtful), codeIncomplete}
	}
	return nil
}

func writeCheck(w io.Writer, v report.Checked, format string) error {
	switch format {
	case "json":
		return report.CheckJSON(w, v)
	case "csv":
		return report.CheckCSV(w, v)
	}
	return report.CheckText(w, v)
}
