package command_test

import (
	"errors"
	"fmt"
	"os/exec"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/cmd/internal/command"
)

type own struct {
	error
	status int
}

func (e own) ExitStatus() int { return e.status }

func TestStatusIsTheErrorsOwn(t *testing.T) {
	f := func(err error, want int) {
		t.Helper()
		if got := command.Status(err); got != want {
			t.Errorf("%v has status %d, want %d", err, got, want)
		}
	}
	f(errors.New("open x: no such file"), command.Failed)
	f(own{errors.New("x"), 4}, 4)
	f(fmt.Errorf("ask: %w", own{errors.New("x"), 4}), 4)
	f(errors.Join(errors.New("y"), own{errors.New("x"), 4}), 4)
	f(own{own{errors.New("x"), 4}, 3}, 3)
	// Another program's status is not ours.
	err := exec.CommandContext(t.Context(), "sh", "-c", "exit 9").Run()
	f(fmt.Errorf("systemctl: %w", err), command.Failed)
}

// TestStatusKnowsCobrasErrors holds the words of the version that is used.
func TestStatusKnowsCobrasErrors(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"x", "--a", "1", "--b", "1"}, {"y"}} {
		root := &cobra.Command{Use: "root", SilenceErrors: true, SilenceUsage: true}
		cmd := &cobra.Command{Use: "x", Run: func(*cobra.Command, []string) {}}
		cmd.Flags().String("a", "", "")
		cmd.Flags().String("b", "", "")
		cmd.Flags().String("c", "", "")
		cmd.MarkFlagsMutuallyExclusive("a", "b")
		if len(args) == 1 {
			cobra.CheckErr(cmd.MarkFlagRequired("c"))
		}
		root.AddCommand(cmd)
		root.SetArgs(args)
		if err := root.Execute(); err == nil || command.Status(err) != command.Usage {
			t.Errorf("%v: %v has another status than that of wrong usage", args, err)
		}
	}
}
