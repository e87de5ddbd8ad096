// Command gpumeter is the collector and everything that people ask it: what
// was bought, what was delivered, what was used.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks for an orderly end; a second one ends at once.
	context.AfterFunc(ctx, stop)
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "gpumeter:", err)
		stop()
		os.Exit(exitCode(err))
	}
}

// usageError marks an error of how the command was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// codeError marks an error with an exit code of its own.
type codeError struct {
	error
	code int
}

func (e codeError) Unwrap() error { return e.error }

// exitCode is 2 for wrong usage, a code that an error has for itself, and 1
// for everything else. Some errors of usage
// are cobra's own, and it gives them no type.
func exitCode(err error) int {
	var u usageError
	if errors.As(err, &u) {
		return 2
	}
	var c codeError
	if errors.As(err, &c) {
		return c.code
	}
	for _, cobras := range []string{"required flag(s)", "unknown command", "if any flags in the group"} {
		if strings.HasPrefix(err.Error(), cobras) {
			return 2
		}
	}
	return 1
}

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
	cmd.AddCommand(newCollector(), newReport(), newExplain(), newCheck(), newSpend(), newFocus(), newContract(), newClaim(), newPeriods(), newDiff(), newClose(), newVerify(), newStore(), newReplay(), newExport(), newDemo(), newSimulate(), newMan(cmd))
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
