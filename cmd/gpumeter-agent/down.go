package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// downArgs is what `gpumeter-agent down` is asked.
type downArgs struct {
	steps
	at    installed
	purge bool
	made  string // the state folder that systemd makes
}

func newDown() *cobra.Command {
	a := downArgs{steps: steps{unit: unit{name: agentUnit, running: systemdRuns}}, made: defaultState}
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Undo what up did: meter this node no more",
		Long: `down stops the unit, so that it does not start with the machine any more either,
and puts the settings back as they were before the first up: what others set in
that file stays. The token and the authority that up wrote are removed.

The state folder stays, with the spool: records in it that no collector has are
sent after the next up. With --purge it is removed. The package stays too.

To the collector the node falls silent: its GPUs are unobserved, and undelivered,
unconfirmed, after 24 hours.`,
		Example: `  # this node is given back
  sudo gpumeter-agent down

  # say what would be done
  gpumeter-agent down --dry-run

  # leave nothing behind, not even records that no collector has
  sudo gpumeter-agent down --purge && sudo apt-get purge gpumeter-agent`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.out = cmd.OutOrStdout()
			return a.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.at.env, "env-file", defaultEnv, "settings of the installed agent, as up wrote them")
	f.BoolVar(&a.purge, "purge", false, "remove the state folder too: records that no collector has are lost")
	f.BoolVar(&a.dryRun, "dry-run", false, "say what would be done, and do nothing")
	return cmd
}

// run undoes what there is to undo. The unit stops first: what it was told is
// true to its end.
func (a *downArgs) run(ctx context.Context) error {
	if !a.unit.installed(ctx) {
		fmt.Fprintf(a.out, "There is nothing to undo: %s (an agent in the foreground ends with Ctrl-C, and its state folder is yours to delete).\n", a.unit.why)
		return nil
	}
	state := a.state()
	now, err := readSettings(a.at.env)
	if err != nil {
		return err
	}
	before, remove := restore(now)
	if a.unit.enabled(ctx) || a.unit.active(ctx) {
		if err := a.call(ctx, "disable", "--now"); err != nil {
			return err
		}
	}
	if err := a.putBack(now, before); err != nil {
		return err
	}
	for _, name := range remove {
		if err := a.remove(a.at.beside(name)); err != nil {
			return err
		}
	}
	if a.purge {
		if err := a.purgeState(ctx, state); err != nil {
			return err
		}
	}
	a.tell(state)
	return nil
}

// state is the folder of the spool, by the settings as far as they can be read.
func (a *downArgs) state() string {
	var c config
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.flags(f)
	at := a.at
	if _, err := at.load(&c, f); err != nil {
		return a.made
	}
	return c.State
}

func (a *downArgs) putBack(now, before []byte) error {
	switch {
	case now == nil || bytes.Equal(now, before) && before != nil:
		return nil
	case before == nil:
		return a.remove(a.at.env)
	}
	return a.write(&change{a.at.env, before, 0o644, "the settings from before"})
}

// purgeState has systemd remove the folder, which it made.
func (a *downArgs) purgeState(ctx context.Context, state string) error {
	if state != a.made {
		return nil // tell says that it stays
	}
	if _, err := os.Stat(state); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return a.call(ctx, "clean", "--what=state")
}

// tell says what is so from now on, and what is kept where.
func (a *downArgs) tell(state string) {
	if a.taken == 0 {
		fmt.Fprintln(a.out, "nothing had to be undone")
	} else if !a.dryRun {
		fmt.Fprintln(a.out, "\nThis node is not metered any more: to the collector its GPUs are unobserved from now on, and undelivered, unconfirmed, after 24 hours.")
	}
	var kept []string
	for _, name := range []string{a.at.env, a.at.beside(fileName), a.at.beside(tokenName), a.at.beside(caName)} {
		if _, err := os.Stat(name); err == nil && !a.gone[name] {
			kept = append(kept, name)
		}
	}
	if len(kept) > 0 {
		fmt.Fprintf(a.out, "Kept, because up did not write it: %s.\n", strings.Join(kept, ", "))
	}
	switch _, err := os.Stat(state); {
	case errors.Is(err, fs.ErrNotExist) || a.purge && state == a.made:
	case a.purge:
		fmt.Fprintf(a.out, "Kept, because the settings named it: %s, with the spool. It is yours to delete.\n", state)
	default:
		fmt.Fprintf(a.out, "Kept: %s, with the spool. What of it no collector has is sent after the next up; --purge removes it.\n", state)
	}
}
