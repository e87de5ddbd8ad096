package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/agent/nvml"
)

// newWorker returns the command that the agent starts itself with: the only
// process that opens the driver.
func newWorker() *cobra.Command {
	return &cobra.Command{
		Use:    "worker",
		Short:  "Read the driver for the agent that started this process",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return nvml.RunWorker(cmd.Context(), os.Stdin, os.Stdout, nvml.WorkerConfig{})
		},
	}
}
