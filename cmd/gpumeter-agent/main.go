// Command gpumeter-agent meters the GPUs of one node.
package main

import (
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

func newRoot() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gpumeter-agent",
		Short: "Meter the GPUs of this node",
		Long: `gpumeter-agent samples every GPU of this node through the NVIDIA driver,
meters what each did for whom, and sends the records to a collector. It needs
the driver library and nothing else: no DCGM, no nvidia-smi, no root.`,
		Example: `  # meter this node for a collector, from now on
  sudo gpumeter-agent up --join https://gpumeter.example:9410 --token-file agent.token

  # what keeps it from being metered, if anything does
  gpumeter-agent doctor

  # meter this node, serve /metrics on loopback, keep records on the node
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
	cmd.AddCommand(newRun(), newUp(), newDown(), newWorker(), newPause(), newResume(), newStatus(), newScan(), newDoctor(), newMetrics(), newProbe(), newMan(cmd))
	return cmd
}
