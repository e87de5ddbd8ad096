package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// agentUnit is the unit that the package installs.
const agentUnit = "gpumeter-agent.service"

// systemdRuns is a folder that is there where systemd is in charge: sd_booted(3).
// Tests have another.
var systemdRuns = "/run/systemd/system"

// unit is a unit of systemd.
type unit struct {
	name    string
	running string // a folder that is there where systemd runs
	why     string // it is not installed
}

// startLimit is how long systemd may take: a unit that is stopped has 15 seconds,
// and the first look at GPUs that sleep takes some more.
const startLimit = 3 * time.Minute

// installed reports whether systemd runs here and has the unit; else why says
// what is not there.
func (u *unit) installed(ctx context.Context) bool {
	if _, err := os.Stat(u.running); err != nil {
		u.why = "systemd is not in charge here"
		return false
	}
	if u.ask(ctx, "cat", u.name) != nil {
		u.why = "the package gpumeter-agent is not installed"
		return false
	}
	return true
}

// active reports whether the unit runs now.
func (u *unit) active(ctx context.Context) bool {
	return u.ask(ctx, "is-active", "--quiet", u.name) == nil
}

// enabled reports whether the unit starts with the machine.
func (u *unit) enabled(ctx context.Context) bool {
	return u.ask(ctx, "is-enabled", "--quiet", u.name) == nil
}

// ask calls systemctl. An error has what it said.
func (u *unit) ask(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("systemctl %s: %w", strings.Join(args, " "), err)
	if said := strings.Join(strings.Fields(string(out)), " "); said != "" {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// start enables the unit, and starts it, anew if its settings changed.
func (a *upArgs) start(ctx context.Context, changed bool) error {
	var verbs []string
	if !a.unit.enabled(ctx) {
		verbs = append(verbs, "enable")
	}
	switch active := a.unit.active(ctx); {
	case !active:
		verbs = append(verbs, "start")
	case changed:
		verbs = append(verbs, "restart")
	}
	for _, verb := range verbs {
		if err := a.call(ctx, verb); err != nil {
			return err
		}
	}
	switch {
	case a.dryRun && a.taken == 0:
		fmt.Fprintln(a.out, "nothing would change")
		return nil
	case a.dryRun:
		return nil
	case len(verbs) == 0:
		fmt.Fprintln(a.out, "nothing had to be changed")
	}
	if !a.unit.active(ctx) {
		return errors.New("start " + a.unit.name + ": it has ended again (journalctl -u " + a.unit.name + " says why)")
	}
	fmt.Fprintln(a.out, "\nThis node is metered, now and after each start. To see that:")
	a.next("  systemctl status " + a.unit.name + "\n")
	return nil
}
