// Command gpumeter-agent meters the GPUs of one node.
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
	cmd := newRoot()
	if err := cmd.ExecuteContext(ctx); err != nil {
		if !said(err) {
			fmt.Fprintln(os.Stderr, "gpumeter-agent:", err)
		}
		stop()
		os.Exit(exitCode(err))
	}
}

// usageError marks an error of how the command was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitCode is 2 for wrong usage and 1 for everything else, except where a
// command has a status of its own. Some errors of usage are cobra's own, and it
// gives them no type.
func exitCode(err error) int {
	var own exitError
	if errors.As(err, &own) {
		return own.status
	}
	var u usageError
	if errors.As(err, &u) {
		return 2
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
		Use:   "gpumeter-agent",
		Short: "Meter the GPUs of this node",
		Long: `gpumeter-agent samples every GPU of this node through the NVIDIA driver,
meters what each did for whom, and sends the records to a collector. It needs
the driver library and nothing else: no DCGM, no nvidia-smi, no root.`,
		Example: `  # meter this node, serve /metrics on loopback, keep records on the node
  gpumeter-agent run --state /var/lib/gpumeter

  # send the records to a collector
  gpumeter-agent run --config /etc/gpumeter/agent.yaml

  # look at this node once, and judge it
  gpumeter-agent scan

  # let go of the driver for an upgrade
  gpumeter-agent pause --for 20m`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	cmd.AddCommand(newRun(), newUp(), newWorker(), newPause(), newResume(), newStatus(), newScan(), newDoctor(), newMetrics(), newProbe(), newMan(cmd))
	return cmd
}
