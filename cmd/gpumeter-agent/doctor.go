package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
)

func newDoctor() *cobra.Command {
	var c config
	var at installed
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what keeps this node from being metered, and what to do about it",
		Long: `doctor looks at everything that "gpumeter-agent run" needs, with the settings of
the installed agent and the flags that are given, and says of each thing how it is
and what to do:

` + listChecks(nodeChecks) + `
It needs no running agent and changes nothing. It looks with the rights of
whoever calls it: a service of another user may see more or less. While an agent
is paused here, the driver is left alone. It takes up to 15 seconds.

` + doctor.Statuses,
		Example: `  # is this node ready to be metered?
  gpumeter-agent doctor

  # the same for a program
  gpumeter-agent doctor -o json | jq '.findings[] | select(.level == "fault")'

  # can it reach the collector, and will that take its token?
  gpumeter-agent doctor --collector https://gpumeter.example:9410 --token-file agent.token`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(doctor.Outputs, output) {
				return usageError{fmt.Errorf("output %q is not %s", output, strings.Join(doctor.Outputs, ", "))}
			}
			read, wrong := at.load(&c, cmd.Flags())
			return runDoctor(cmd.Context(), cmd.OutOrStdout(), nodeFacts{config: c, files: read, wrong: wrong}, output)
		},
	}
	c.flags(cmd.Flags())
	at.flags(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "text", strings.Join(doctor.Outputs, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(doctor.Outputs, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// listChecks lists what a table of checks looks at.
func listChecks[T any](table []doctor.Check[T]) string {
	var b strings.Builder
	for _, c := range table {
		fmt.Fprintf(&b, "  %-12s %s\n", c.Name, c.Looks)
	}
	return b.String()
}

// runDoctor looks, judges and writes; what was found is the program's exit
// status.
func runDoctor(ctx context.Context, w io.Writer, facts nodeFacts, output string) error {
	if facts.wrong == nil {
		if err := facts.look(ctx); err != nil {
			return err
		}
	}
	r := doctor.Run(nodeChecks, &facts)
	o := scanOptions(w)
	if err := doctor.Write(w, &r, output, doctor.Options{Color: o.Color, Width: o.Width}); err != nil {
		return err
	}
	if code := r.ExitCode(); code != 0 {
		return exitError{status: code}
	}
	return nil
}
