package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gpumeter/gpumeter/collector/report"
)

// outputFlag adds -o to a command, for text, JSON and CSV and whatever else it
// writes. What it was given is checked before the command runs.
func outputFlag(cmd *cobra.Command, format *string, more ...string) {
	outputs := append([]string{"text", "json", "csv"}, more...)
	last := len(outputs) - 1
	names := strings.Join(outputs[:last], ", ") + " or " + outputs[last]
	cmd.Flags().StringVarP(format, "output", "o", "text", names)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if !slices.Contains(outputs, *format) {
			return usageError{fmt.Errorf("output %q is not %s", *format, names)}
		}
		return nil
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
