package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gpumeter/gpumeter/collector/report"
)

var outputs = []string{"text", "json", "csv"}

// outputFlag adds -o to a command. What it was given is checked before the
// command runs.
func outputFlag(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVarP(format, "output", "o", "text", "text, json or csv")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
	cmd.PreRunE = func(*cobra.Command, []string) error {
		for _, o := range outputs {
			if *format == o {
				return nil
			}
		}
		return usageError{fmt.Errorf("output %q is not text, json or csv", *format)}
	}
}

// textOptions fits text to a terminal: colours and its width there, plain and
// 100 columns elsewhere.
func textOptions(w io.Writer) report.Options {
	o := report.Options{Width: 100}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return o
	}
	_, plain := os.LookupEnv("NO_COLOR")
	o.Color = !plain && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		o.Width = width
	}
	return o
}
