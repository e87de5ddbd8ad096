// Command gpumeter is the collector and everything that people ask it: what
// was bought, what was delivered, what was used.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/cmd/internal/command"
)

// version is set by the build.
var version = "dev"

func main() { os.Exit(command.Run(newRoot())) }

// usageError marks an error of how the command was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// ExitStatus is that of wrong usage.
func (e usageError) ExitStatus() int { return command.Usage }

// codeError marks an error with an exit code of its own.
type codeError struct {
	error
	code int
}

func (e codeError) Unwrap() error { return e.error }

// ExitStatus is the code.
func (e codeError) ExitStatus() int { return e.code }

func newRoot() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gpumeter",
		Short: "The independent meter for the GPUs you rent",
		Long: `gpumeter follows every GPU-hour that you bought from a cloud:
contracted, delivered, observed, healthy, allocated, busy. Agents on the nodes
meter, a collector keeps, and a report lays the result against the contracts.`,
		Example: `  # see the whole product on a simulated fleet
  gpumeter demo

  # run a collector
  gpumeter collector --data /var/lib/gpumeter --contracts contracts.yaml

  # ask it for this month
  gpumeter report --url http://127.0.0.1:9410`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.AddCommand(newCollector(), newReport(), newExplain(), newCheck(), newSpend(), newFocus(), newContract(), newClaim(), newPeriods(), newDiff(), newClose(), newVerify(), newStore(), newReplay(), newExport(), newDemo(), newSimulate(), newDoctor(), newMan(cmd))
	return cmd
}

// noArgs refuses arguments, as an error of usage.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%q is not an argument of %s", args[0], cmd.CommandPath())}
	}
	return nil
}

// mustRequire marks flags that the command has as required.
func mustRequire(cmd *cobra.Command, names ...string) {
	for _, n := range names {
		// It fails only for a flag that does not exist, and then in every test.
		cobra.CheckErr(cmd.MarkFlagRequired(n))
	}
}
