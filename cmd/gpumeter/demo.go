package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/gpumeter/gpumeter/cmd/internal/file"
	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/sim/fleet"
)

// demoArgs is what `gpumeter demo` is asked.
type demoArgs struct {
	Data     string
	Listen   string
	Seed     uint64
	GPUs     int
	NoAgents bool
	Simulate bool
	Fresh    bool
	given    func(flag string) bool
}

func newDemo() *cobra.Command {
	var a demoArgs
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole product on a simulated fleet",
		Long: `demo starts a collector with its embedded store, and in front of it a fleet
in five clouds: real agents on a simulated driver, and some hundred simulated
GPUs with four weeks of history. It prints the report for the month so far and
the address of the page, and runs until Ctrl-C. The next start goes on with
the same data.

On a machine with NVIDIA GPUs it meters those instead, with one real agent on
the real driver and nothing simulated.`,
		Example: `  gpumeter demo
  gpumeter demo --data /tmp/demo --seed 7 --fresh`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.given = cmd.Flags().Changed
			d := &demo{
				args: a, dir: a.Data, now: time.Now, out: cmd.OutOrStdout(), errOut: cmd.ErrOrStderr(), openStore: openDemoStore,
				machine: !a.Simulate && !a.NoAgents && hasDriver(), history: demoHistory,
			}
			return d.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.Data, "data", "demo-data", "folder for everything that the demo keeps")
	f.StringVar(&a.Listen, "listen", "127.0.0.1:9410", "address of the collector, on loopback")
	f.Uint64Var(&a.Seed, "seed", 1, "the simulated fleet follows from it")
	f.IntVar(&a.GPUs, "gpus", fleet.DefaultGPUs, "about how many GPUs are simulated")
	f.BoolVar(&a.NoAgents, "no-agents", false, "start no agents: the simulated fleet only")
	f.BoolVar(&a.Simulate, "simulate", false, "simulate a fleet although this machine has GPUs")
	f.BoolVar(&a.Fresh, "fresh", false, "throw the data folder's content away and start anew")
	return cmd
}

// demo is one run of the demo.
type demo struct {
	args        demoArgs
	dir         string
	now         func() time.Time
	out, errOut io.Writer
	openStore   func(ctx context.Context, dir string, log *slog.Logger) (store.Store, error)
	machine     bool          // meter this machine's GPUs
	history     time.Duration // how far back a new simulated fleet begins

	state    demoState
	progress *progress
	log      *slog.Logger
	server   *demoServer
	agents   demoAgents
}

// run runs the demo until ctx ends; that is no error. Everything that it
// started has ended when it returns.
func (d *demo) run(ctx context.Context) (err error) {
	lock, err := holdDemo(d.dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if d.args.Fresh {
		if err := freshDemo(d.dir); err != nil {
			return err
		}
	}
	if err := d.openState(); err != nil {
		return err
	}
	logFile, err := os.OpenFile(filepath.Join(d.dir, demoLogFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer logFile.Close()
	d.log = slog.New(slog.NewTextHandler(logFile, nil))
	d.progress = newProgress(d.errOut, d.now)
	return d.serve(ctx)
}

// openState goes on with what the folder holds, or begins.
func (d *demo) openState() error {
	s, ok, err := readDemoState(d.dir)
	if err != nil {
		return err
	}
	if !ok {
		s = demoState{Machine: true, Started: d.now().UTC()}
		if !d.machine {
			s = newDemoState(d.args.Seed, d.args.GPUs, d.now(), d.history)
		}
	}
	switch {
	case s.Machine != d.machine && s.Machine:
		return fmt.Errorf("data folder %s holds what was metered on real GPUs (give --data another folder)", d.dir)
	case s.Machine != d.machine:
		return fmt.Errorf("data folder %s holds a simulated fleet, and this machine has GPUs (give --simulate, or --data another folder)", d.dir)
	case !s.Machine && d.args.given("seed") && s.Seed != d.args.Seed, !s.Machine && d.args.given("gpus") && s.GPUs != d.args.GPUs:
		return usageError{fmt.Errorf("data folder %s was begun with --seed %d --gpus %d (--fresh starts anew)", d.dir, s.Seed, s.GPUs)}
	}
	d.state = s
	return nil
}

// serve runs the collector, and in front of it either of the two demos.
func (d *demo) serve(ctx context.Context) (err error) {
	var f *fleet.Fleet
	if !d.machine {
		if f, err = d.prepare(); err != nil {
			return err
		}
	}
	if err := d.state.write(d.dir); err != nil {
		return err
	}
	d.progress.begin("starting the collector")
	st, err := d.openStore(ctx, d.dir, d.log)
	if err != nil {
		return err
	}
	if d.server, err = d.startServer(ctx, st); err != nil {
		return err
	}
	d.progress.end(d.server.url)
	defer func() {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil // Ctrl-C is how a demo ends
		}
		d.progress.breakOff()
		err = errors.Join(err, d.server.stop())
	}()

	// What is in front of the collector ends before it.
	runCtx, cancel := context.WithCancel(ctx)
	defer d.agents.wait.Wait()
	defer cancel()
	if d.machine {
		return d.meterMachine(runCtx)
	}
	return d.simulate(runCtx, f)
}

// prepare makes up the fleet and writes its contracts, unless they are there.
func (d *demo) prepare() (*fleet.Fleet, error) {
	f, err := d.state.fleet()
	if err != nil {
		return nil, usageError{err}
	}
	name := filepath.Join(d.dir, demoContractsFile)
	if !missingFile(name) {
		return f, nil
	}
	text, err := demoContracts(demoTerms{
		Headline: "The contracts of gpumeter demo, written at its first start.",
		Agents:   !d.args.NoAgents, live: d.state.Started, start: d.state.Segments[0].From, fleet: f,
	})
	if err != nil {
		return nil, err
	}
	return f, file.Replace(name, text, 0o600)
}

// simulate shows the simulated fleet.
func (d *demo) simulate(ctx context.Context, f *fleet.Fleet) error {
	if err := d.startNodes(ctx); err != nil {
		return err
	}
	d.state.use(d.server.store.ID())
	poster := &demoPoster{url: d.server.url, client: &http.Client{}}
	defer poster.client.CloseIdleConnections()
	feed := &demoFeed{
		fleet: f, state: &d.state, save: func() error { return d.state.write(d.dir) },
		seqs: d.server.store.Seqs, post: poster.post, now: d.now, log: d.log,
	}
	d.progress.begin("writing the fleet's history")
	if err := feed.catchUp(ctx, d.progress.set); err != nil {
		return err
	}
	// The story has a collector that ran all the time, as it has agents: else no
	// silence in it could be told from its own.
	life := contract.Life{FromMs: d.state.Segments[0].From.UnixMilli(), ToMs: d.now().UnixMilli()}
	if err := d.server.store.Beat(ctx, life); err != nil {
		return err
	}
	d.progress.end(fmt.Sprintf("%d records of %d GPUs", feed.sent, f.GPUs()))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return feed.live(ctx) })
	g.Go(func() error { return d.show(ctx) })
	return g.Wait()
}

// show prints the report for the month so far; in its first minutes, that of
// the last week.
func (d *demo) show(ctx context.Context) error {
	rep, err := d.server.Report(ctx, collector.Ask{})
	if errors.Is(err, collector.ErrNoData) {
		rep, err = d.server.Report(ctx, collector.Ask{Since: 7 * 24 * time.Hour})
	}
	if err != nil {
		return err
	}
	if err := d.print(rep); err != nil {
		return err
	}
	d.farewell("Everything above is simulated: accounts, prices and GPUs are examples.")
	return nil
}

// farewell says where everything is.
func (d *demo) farewell(what string) {
	fmt.Fprintf(d.out, `
%[1]s

  page       %[2]s/
  report     %[7]s report --url %[2]s, --by team, holder or node
  and also   %[7]s claim list, spend, explain, check: each with --url %[2]s
  contracts  %[3]s (edit it: the collector reads it again)
  logs       %[4]s, %[5]s
  end        Ctrl-C; the next start goes on with %[6]s, --fresh starts anew
`, what, d.server.url, filepath.Join(d.dir, demoContractsFile), filepath.Join(d.dir, demoLogFile),
		filepath.Join(d.dir, demoAgentsFolder, "*", "agent.log"), d.dir, os.Args[0])
}

// startNodes starts the real agents on simulated drivers.
func (d *demo) startNodes(ctx context.Context) error {
	if d.args.NoAgents {
		return nil
	}
	d.progress.begin("starting the agents")
	library, err := findSimulator()
	if err != nil {
		return err
	}
	for i := range demoNodes {
		a, err := d.node(i, library)
		if err != nil {
			return err
		}
		if err := d.startAgent(ctx, a); err != nil {
			return err
		}
	}
	d.progress.end(fmt.Sprintf("%d on simulated GPUs", len(demoNodes)))
	return nil
}

// startAgent starts an agent that ends when ctx does.
func (d *demo) startAgent(ctx context.Context, a demoAgent) error {
	program, err := findAgentProgram()
	if err != nil {
		return err
	}
	d.agents.program, d.agents.log, d.agents.errOut = program, d.log, d.errOut
	return d.agents.start(ctx, a)
}
