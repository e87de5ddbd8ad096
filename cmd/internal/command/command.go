// Package command runs a program's commands: until a signal, with one line about
// what went wrong, and a status that says what kind of thing that was.
package command

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

// Statuses that every command has.
const (
	Failed = 1
	Usage  = 2
)

// Run runs the command that the arguments name, and returns what the program is
// to end with. The first signal asks for an orderly end; a second one ends at
// once. An error without words has said everything already.
func Run(root *cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, root.Name()+": "+text)
	}
	return Status(err)
}

// statused is an error with a status of its own. The name of its method is none
// of another program's error.
type statused interface {
	error
	ExitStatus() int
}

// cobras are how cobra's errors of usage begin: it gives them no type.
var cobras = []string{"required flag(s)", "unknown command", "if any flags in the group"}

// Status returns the status that an error, or the first that it wraps, has for
// itself in a method ExitStatus, Usage for wrong usage, and Failed for everything
// else.
func Status(err error) int {
	if own, ok := errors.AsType[statused](err); ok {
		return own.ExitStatus()
	}
	for _, begin := range cobras {
		if strings.HasPrefix(err.Error(), begin) {
			return Usage
		}
	}
	return Failed
}
