package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/sim/fleet"
)

// simulateArgs is what `gpumeter simulate` is asked.
type simulateArgs struct {
	source
	Seed          uint64
	GPUs, Clouds  int
	Days, Minutes int
	Rate          int
	Outage        time.Duration
	Faults        int
	Connections   int
	Live          bool
	alone         bool // the collector runs in this process
}

func newSimulate() *cobra.Command {
	var a simulateArgs
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Send what a fleet's agents would, and compare with the truth",
		Long: `simulate makes up a fleet and sends what the agent of each node would have
metered up to two minutes ago: real batches, one request for each node and minute, over
HTTP, at a chosen rate. Some requests go wrong as they do in networks: cut off,
their answer lost, late. At the end it asks the collector for the report and
compares it, to the millisecond, with what it had made up.

Without --url it starts a collector of its own, with the embedded store in a
folder that is thrown away unless --data names one. A collector that is given
by --url should hold nothing else of the same time, and no contracts: what is
compared is the time of GPUs that no contract covers.

With --live the minutes are those to come: each is sent within the next one, as
agents do, and the report is asked for when the last is two minutes old.

With --outage, nobody reaches the collector for the last part of the span;
then all agents come back at once, and the time until it has everything is
printed.`,
		Example: `  gpumeter simulate --gpus 1000 --days 1
  gpumeter simulate --gpus 1000000 --minutes 10 --live --connections 2048
  gpumeter simulate --gpus 80000 --minutes 60 --outage 1h
  gpumeter simulate --gpus 500 --clouds 2 --minutes 30 --url http://127.0.0.1:9410`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.check(); err != nil {
				return usageError{err}
			}
			return a.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.URL, "url", "", "collector to send to; empty starts one")
	f.StringVar(&a.TokenFile, "token-file", "", "file with the bearer token, which must open reports too")
	f.StringVar(&a.CAFile, "ca-file", "", "file with the certificate authority of the collector")
	f.StringVar(&a.Data, "data", "", "folder for the store of the collector that is started, kept; it should be new")
	f.Uint64Var(&a.Seed, "seed", 1, "the fleet and its faults follow from it")
	f.IntVar(&a.GPUs, "gpus", fleet.DefaultGPUs, "about how many GPUs")
	f.IntVar(&a.Clouds, "clouds", fleet.Clouds, "in how many clouds, 1 to 5")
	f.IntVar(&a.Days, "days", 0, "how many days (default 1, without --minutes)")
	f.IntVar(&a.Minutes, "minutes", 0, "how many minutes, in place of or beyond --days")
	f.IntVar(&a.Rate, "rate", 0, "records a second; 0 is as fast as the collector takes them")
	f.BoolVar(&a.Live, "live", false, "send the minutes to come, each within the next")
	f.DurationVar(&a.Outage, "outage", 0, "so long before the end nobody reaches the collector")
	f.IntVar(&a.Faults, "faults", 5, "how many requests of 100 go wrong")
	f.IntVar(&a.Connections, "connections", 64, "how many requests are under way at a time")
	cmd.MarkFlagsMutuallyExclusive("url", "data")
	cmd.MarkFlagsMutuallyExclusive("live", "rate")
	cmd.MarkFlagsMutuallyExclusive("live", "outage")
	return cmd
}

// maxSimulated is the longest span that is made up.
const maxSimulated = 400 * 24 * time.Hour

func (a *simulateArgs) check() error {
	switch span := a.span(); {
	case a.Days < 0 || a.Minutes < 0 || span > maxSimulated:
		return fmt.Errorf("%d days and %d minutes: not between a minute and %d days", a.Days, a.Minutes, maxSimulated/(24*time.Hour))
	case a.Outage < 0 || a.Outage > span || a.Outage%time.Minute != 0:
		return fmt.Errorf("outage of %s: not whole minutes of the span of %s", a.Outage, span)
	case a.Faults < 0 || a.Faults > 100:
		return fmt.Errorf("%d requests of 100 cannot go wrong", a.Faults)
	case a.Rate < 0:
		return fmt.Errorf("rate of %d records a second is negative", a.Rate)
	case a.Connections < 1 || a.Connections > 10_000:
		return fmt.Errorf("%d connections: not between 1 and 10000", a.Connections)
	}
	return nil
}

// span is how much time is made up.
func (a *simulateArgs) span() time.Duration {
	if a.Days == 0 && a.Minutes == 0 {
		return 24 * time.Hour
	}
	return time.Duration(a.Days)*24*time.Hour + time.Duration(a.Minutes)*time.Minute
}

// storyBefore is how far back a fleet's story begins: all its nodes have come
// by then, and everything that goes wrong lies in any four weeks.
const storyBefore = 21 * 24 * time.Hour

// simulatedAgo is how long ago the span ends: a report says nothing yet of the
// last two minutes.
const simulatedAgo = 2 * time.Minute

// times are the span that is made up, asked for at a time.
func (a *simulateArgs) times(now time.Time) (from, to time.Time) {
	if a.Live {
		from = now.UTC().Truncate(time.Minute).Add(time.Minute)
		return from, from.Add(a.span())
	}
	to = now.Add(-simulatedAgo).UTC().Truncate(time.Minute)
	return to.Add(-a.span()), to
}

// run sends, compares and prints.
func (a *simulateArgs) run(ctx context.Context, out, errOut io.Writer) (err error) {
	from, to := a.times(time.Now())
	f, err := fleet.New(fleet.Config{Seed: a.Seed, GPUs: a.GPUs, Clouds: a.Clouds, Start: from.Add(-storyBefore)})
	if err != nil {
		return usageError{err}
	}
	if a.alone = a.URL == ""; a.alone {
		end, err := a.startCollector(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, end()) }()
	}
	s, err := newSimulation(a, f, from, to)
	if err != nil {
		return err
	}
	defer s.client.client.CloseIdleConnections()
	fmt.Fprintf(out, "fleet    %d GPUs on %d nodes, seed %d, %s to %s\n", f.GPUs(), f.Nodes(), a.Seed, from.Format(time.RFC3339), to.Format(time.RFC3339))
	p := newProgress(errOut, time.Now)
	p.begin("sending")
	before, err := a.costs(ctx)
	if err == nil {
		err = s.send(ctx, p.set)
	}
	if err != nil {
		p.breakOff()
		return err
	}
	p.end(fmt.Sprintf("%d records", s.truth.records))
	s.print(out)
	after, err := a.costs(ctx)
	if err != nil {
		return err
	}
	after.print(out, before)
	if err := rest(ctx, time.Until(to.Add(simulatedAgo))); err != nil {
		return err
	}
	return s.truth.compare(ctx, &a.source, from, to, out)
}

// startCollector starts a collector for the simulation to send to. end stops
// it and removes what was not to be kept.
func (a *simulateArgs) startCollector(ctx context.Context) (end func() error, err error) {
	dir, remove := a.Data, func() error { return nil }
	if dir == "" {
		if dir, err = os.MkdirTemp("", "gpumeter-simulate-"); err != nil {
			return nil, fmt.Errorf("make data folder: %w", err)
		}
		remove = func() error { return os.RemoveAll(dir) }
	}
	st, err := duckdb.Open(ctx, dir, duckdb.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	l, err := openLine(ctx, st, time.Now)
	if err != nil {
		return nil, errors.Join(err, st.Close(), remove())
	}
	a.URL = l.url
	return func() error { return errors.Join(l.close(), st.Close(), remove()) }, nil
}
