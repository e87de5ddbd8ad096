package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/gpumeter/gpumeter/agent/scan"
)

// scanFlags are the settings of `gpumeter-agent scan`.
type scanFlags struct {
	output, nvml, kmsg string
	wait               time.Duration
	cloud              cloudConfig
	expected           int
}

var scanOutputs = []string{"table", "json"}

// maxScanWait bounds --wait.
const maxScanWait = 10 * time.Minute

func newScan() *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "scan",
		Short: "Look at this node's GPUs once and judge them",
		Long: `scan looks at every GPU of this node for a few seconds, reads the kernel's log
of this boot, counts the GPUs on the PCI bus, and asks the cloud's metadata
service what instance this is and so how many GPUs it should have. It says what
is wrong with which GPU, what shows that, and what to do about it.

It needs no running agent, no state folder and no root. Without root the kernel's
log is mostly not readable: errors from before the scan are then not seen. It
changes nothing, and a driver that hangs does not hang it: it ends within 15
seconds, or within 6 seconds after --wait.

Exit status:
  0  healthy
  1  warning: something to do at the next opportunity
  2  critical: take a GPU or the node out of service
  3  unknown: could not look at everything, or was called wrongly`,
		Example: `  # this node's GPUs, and what is wrong with them
  gpumeter-agent scan

  # everything that the GPUs say, for a program
  gpumeter-agent scan -o json | jq '.findings[] | [.level, .gpu, .what]'

  # in the prolog of a batch system: no job on a node that is critical
  gpumeter-agent scan > /run/scan.txt; test $? -ne 2`,
		Args: func(cmd *cobra.Command, args []string) error { return unknownStatus(cobra.NoArgs(cmd, args)) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.validate(); err != nil {
				return unknownStatus(err)
			}
			return runScan(cmd.Context(), cmd.OutOrStdout(), &f)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return unknownStatus(err) })
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "table or json")
	cmd.Flags().StringVar(&f.nvml, "nvml", "", "absolute path of libnvidia-ml.so.1 (default: where the driver puts it)")
	cmd.Flags().DurationVar(&f.wait, "wait", 3*time.Second, "how long to look, up to 10m; GPUs that sleep may need more")
	cmd.Flags().StringVar(&f.kmsg, "kmsg", "auto", "the kernel's log: auto, off or a path")
	cmd.Flags().StringVar(&f.cloud.Ask, "cloud", cloudAuto, "who is asked where the node stands, and so how many GPUs it should have: auto or off")
	cmd.Flags().IntVar(&f.expected, "expected-gpus", 0, "how many GPUs this node should have; 0 is as many as its instance type has, where that is known")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(scanOutputs, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (f *scanFlags) validate() error {
	switch {
	case !slices.Contains(scanOutputs, f.output):
		return fmt.Errorf("output %q is not %s", f.output, strings.Join(scanOutputs, " or "))
	case f.nvml != "" && !filepath.IsAbs(f.nvml):
		return fmt.Errorf("nvml %q is not an absolute path", f.nvml)
	case f.wait < 0 || f.wait > maxScanWait:
		return fmt.Errorf("wait %s is not between 0s and %s", f.wait, maxScanWait)
	}
	return cmp.Or(f.cloud.validate(), checkExpected(f.expected))
}

// runScan looks, judges and writes; the verdict is the program's exit status.
func runScan(ctx context.Context, w io.Writer, f *scanFlags) error {
	in, err := look(ctx, f)
	if err != nil {
		return unknownStatus(err)
	}
	r := scan.Judge(in)
	if f.output == "json" {
		err = scan.JSON(w, &r)
	} else {
		err = scan.Text(w, &r, scanOptions(w))
	}
	if err != nil {
		return unknownStatus(fmt.Errorf("write the report: %w", err))
	}
	if code := r.Verdict.ExitCode(); code != 0 {
		return exitError{status: code}
	}
	return nil
}

// scanOptions fits text to a terminal: colours and its width there, plain and
// 100 columns elsewhere.
func scanOptions(w io.Writer) scan.Options {
	o := scan.Options{Width: 100}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return o
	}
	_, without := os.LookupEnv("NO_COLOR")
	o.Color = !without && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		o.Width = width
	}
	return o
}

// exitError ends the program with a status of its own. Without an error in it
// everything is said already.
type exitError struct {
	status int
	error
}

func (e exitError) Error() string {
	if e.error == nil {
		return ""
	}
	return e.error.Error()
}

func (e exitError) Unwrap() error { return e.error }

// ExitStatus is the status.
func (e exitError) ExitStatus() int { return e.status }

// unknownStatus gives an error, if there is one, the status of what could not be
// looked at: a monitor must not take a wrong flag for a broken GPU.
func unknownStatus(err error) error {
	if err == nil {
		return nil
	}
	return exitError{scan.Unknown.ExitCode(), err}
}
