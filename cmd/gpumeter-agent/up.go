package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
)

// upArgs is what `gpumeter-agent up` is asked.
type upArgs struct {
	steps
	join      string
	config    config
	token, ca string // that were given, and not those of before
	at        installed
	given     *pflag.FlagSet
}

// notKept are flags of up that are no settings, or are kept elsewhere: the token
// and the authority as files beside the settings.
var notKept = []string{"join", "collector", "token-file", "ca-file", "env-file", "config", "dry-run"}

func newUp() *cobra.Command {
	a := upArgs{at: installed{makes: true}, steps: steps{unit: unit{name: agentUnit, running: systemdRuns}}}
	cmd := &cobra.Command{
		Use:   "up --join URL",
		Short: "Meter this node for a collector, from now on",
		Long: `up asks the collector whether it takes the token, looks at this node as doctor
does, and only then writes anything. Where the package is installed and systemd
runs, it keeps the settings where the unit reads them, and enables and starts the
unit. Elsewhere it runs the agent in the foreground, and writes nothing besides
the agent's own state.

Every flag of run may be given with it, and is kept too. What was kept before, and
is not given, stays as it is. Called again, it changes what is different, and
starts the agent anew only then. gpumeter-agent down undoes it.`,
		Example: `  # the package is installed: meter this node from now on
  sudo gpumeter-agent up --join https://gpumeter.example:9410 --token-file agent.token

  # say what would be done
  gpumeter-agent up --join https://gpumeter.example:9410 --token-file agent.token --dry-run

  # a collector whose certificate nobody else knows, on a cloud that does not say its name
  sudo gpumeter-agent up --join https://10.0.0.5:9410 --token-file agent.token --ca-file ca.crt \
    --cloud-provider coreweave --cloud-account example-labs --cloud-region us-east-04

  # nothing is installed: in the foreground, until Ctrl-C
  gpumeter-agent up --join https://gpumeter.example:9410 --token-file agent.token --state ~/gpumeter`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.given, a.out = cmd.Flags(), cmd.OutOrStdout()
			return a.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	a.config.flags(f)
	a.at.flags(f)
	f.StringVar(&a.join, "join", "", "URL of the collector, https://HOST[:PORT]")
	f.BoolVar(&a.dryRun, "dry-run", false, "say what would be done, and do nothing")
	_ = f.MarkHidden("collector") // it is --join here
	return cmd
}

// run joins, or says in one sentence why not, and then nothing was changed.
func (a *upArgs) run(ctx context.Context) error {
	if a.join == "" {
		return usageError{errors.New("which collector? Name it with --join https://HOST[:PORT]")}
	}
	if err := a.given.Set("collector", a.join); err != nil {
		return usageError{err}
	}
	a.token, a.ca = a.config.TokenFile, a.config.CAFile
	settings, err := a.settings()
	if err != nil {
		return err
	}
	read, err := a.at.load(&a.config, a.given)
	if err != nil {
		return err
	}
	facts := nodeFacts{config: a.config, files: read}
	if err := facts.look(ctx); err != nil {
		return err
	}
	installed := a.unit.installed(ctx)
	report := doctor.Run(nodeChecks, &facts)
	if err := decisive(&report, installed); err != nil {
		return err
	}
	var changes []change
	if installed {
		if changes, err = a.plan(settings); err != nil {
			return err
		}
	}
	if err := a.tell(&report); err != nil {
		return err
	}
	if !installed {
		return a.foreground(ctx)
	}
	for i := range changes {
		if err := a.write(&changes[i]); err != nil {
			return err
		}
	}
	return a.start(ctx, len(changes) > 0)
}

// settings are the variables that are kept.
func (a *upArgs) settings() ([]setting, error) {
	out, err := given(a.given, notKept...)
	if err != nil {
		return nil, usageError{err}
	}
	out = append(out, variable("collector", a.join))
	if a.ca != "" {
		out = append(out, variable("ca-file", a.at.beside(caName)))
	}
	slices.SortFunc(out, func(x, y setting) int { return strings.Compare(x.name, y.name) })
	return out, nil
}

// needed are the checks whose faults keep an agent from starting, or from
// sending.
var needed = []string{"settings", "metrics", "collector", "token", "state"}

// decisive returns the first fault that is one. The state folder of an installed
// agent is made by systemd.
func decisive(r *doctor.Report, installed bool) error {
	for _, f := range r.Findings {
		ours := slices.Contains(needed, f.Check) && (!installed || f.Check != "state")
		if f.Level == doctor.Fault && ours {
			return fmt.Errorf("nothing was changed: %s %s", doctor.Plain(f.What), doctor.Plain(f.Remedy))
		}
	}
	return nil
}

// tell says that the collector is there, and what is not well and not decisive.
func (a *upArgs) tell(r *doctor.Report) error {
	var rest doctor.Report
	for _, f := range r.Findings {
		switch {
		case f.Level > doctor.Aside:
			rest.Findings = append(rest.Findings, f)
		case f.Check == "collector" || f.Check == "token":
			fmt.Fprintln(a.out, doctor.Plain(f.What))
		}
	}
	if len(rest.Findings) == 0 {
		return nil
	}
	fmt.Fprintf(a.out, "Something is not as it could be; the agent runs all the same:\n\n")
	o := scanOptions(a.out)
	if err := doctor.Write(a.out, &rest, "text", doctor.Options{Color: o.Color, Width: o.Width}); err != nil {
		return err
	}
	fmt.Fprintln(a.out)
	return nil
}

// plan returns the files that differ from what they should be, those first that
// others name. The settings hold no secrets.
func (a *upArgs) plan(settings []setting) ([]change, error) {
	old, err := readSettings(a.at.env)
	if err != nil {
		return nil, err
	}
	if a.token != "" {
		if settings, err = a.freeToken(settings, old); err != nil {
			return nil, err
		}
	}
	env := putSettings(remember(old, settings, a.own()), settings)
	want := []change{{path: a.at.env, content: env, mode: 0o644, what: "the settings"}}
	for _, copied := range []struct {
		from, to, what string
		mode           fs.FileMode
	}{
		{a.ca, a.at.beside(caName), "the collector's authority", 0o644},
		{a.token, a.at.beside(tokenName), "the token", 0o600},
	} {
		if copied.from == "" {
			continue
		}
		text, err := os.ReadFile(copied.from)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", copied.what, err)
		}
		want = slices.Insert(want, 0, change{copied.to, text, copied.mode, copied.what})
	}
	var out []change
	for _, c := range want {
		same, err := c.done()
		if err != nil {
			return nil, err
		}
		if !same {
			out = append(out, c)
		}
	}
	return out, nil
}

// own names the files beside the settings that up writes and down removes: not
// one that stood there and was given by its own name.
func (a *upArgs) own() []string {
	var out []string
	for _, f := range []struct{ from, name string }{{a.ca, caName}, {a.token, tokenName}} {
		if f.from != "" && !sameFile(f.from, a.at.beside(f.name)) {
			out = append(out, f.name)
		}
	}
	return out
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}

// freeToken makes sure that the agent takes the token that the unit gives it: what
// names another file goes before that.
func (a *upArgs) freeToken(settings []setting, env []byte) ([]setting, error) {
	before, err := parseSettings(a.at.env, env)
	if err != nil {
		return nil, err
	}
	own := variable("token-file", "")
	if slices.ContainsFunc(before, func(s setting) bool { return s.name == own.name && s.value != "" }) {
		settings = append(settings, own)
	}
	var c config
	none := pflag.NewFlagSet("", pflag.ContinueOnError)
	if err := c.load(a.at.file, none); err == nil && c.TokenFile != "" {
		return nil, fmt.Errorf("nothing was changed: %s names a token_file, which the agent would take instead: take that line out", a.at.file)
	}
	return settings, nil
}

// foreground runs the agent here.
func (a *upArgs) foreground(ctx context.Context) error {
	if a.dryRun {
		fmt.Fprintf(a.out, "would run the agent in the foreground: %s\n", a.unit.why)
		return nil
	}
	fmt.Fprintf(a.out, "The agent runs in the foreground, until Ctrl-C: %s. Another terminal shows what it does:\n", a.unit.why)
	a.next("", a.told()...)
	return run(ctx, a.config)
}

// next says how to see what the agent does. The doctor of an agent without a unit
// is told what that was told.
func (a *upArgs) next(more string, told ...string) {
	state := ""
	if a.config.State != defaultState {
		state = " --state " + doctor.Word(a.config.State)
	}
	asked := state
	if len(told) > 0 {
		asked = " " + strings.Join(told, " ")
	}
	fmt.Fprintf(a.out, "  gpumeter-agent status%s   # the GPUs, and who says where the node stands\n  gpumeter-agent doctor%s   # whether anything stands in the way\n%s", state, asked, more)
	if len(a.config.Listen) > 0 && a.config.WebConfig == "" {
		fmt.Fprintf(a.out, "  curl http://%s/metrics\n", a.config.Listen[0])
	}
	fmt.Fprintf(a.out, "Its first records reach the collector when the minute is over, and are in its report two minutes later.\n")
}

// told are the flags that were given, each a word for a shell.
func (a *upArgs) told() []string {
	var out []string
	a.given.Visit(func(f *pflag.Flag) {
		if f.Name != "join" && f.Name != "dry-run" { // the flag collector has what join had
			out = append(out, doctor.Word("--"+f.Name+"="+valueOf(f)))
		}
	})
	return out
}
