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
	beforeRun(cmd, func() error {
		if !slices.Contains(outputs, *format) {
			return fmt.Errorf("output %q is not %s", *format, names)
		}
		return nil
	})
}

// beforeRun checks something of how a command was called, after what is checked
// already.
func beforeRun(cmd *cobra.Command, check func() error) {
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if before != nil {
			if err := before(cmd, args); err != nil {
				return err
			}
		}
		if err := check(); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// eitherFlag refuses two flags that are given together, and says what is
// wanted.
func eitherFlag(cmd *cobra.Command, a, b, wanted string) {
	beforeRun(cmd, func() error {
		if cmd.Flags().Changed(a) && cmd.Flags().Changed(b) {
			return fmt.Errorf("--%s and --%s are given together: want %s", a, b, wanted)
		}
		return nil
	})
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
