package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/agent/trace"
	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// replayArgs is what `gpumeter replay` is asked.
type replayArgs struct {
	Trace     string
	Contracts string
	Data      string
	Model     string
	Interval  time.Duration
	Window    time.Duration
	Output    string
	Cloud     usage.Cloud
}

func newReplay() *cobra.Command {
	var a replayArgs
	cmd := &cobra.Command{
		Use:   "replay --trace FILE --data DIR",
		Short: "Meter a recorded utilisation trace, and report on it",
		Long: `replay runs a recorded trace through the whole line in virtual time: meter,
spool, HTTP, store, report. The trace is CSV (or CSV.gz) with the columns

  time,gpu,utilization_percent,memory_used_bytes

in Unix seconds, text, percent and bytes. An empty utilisation means "not
sampled". A sample stands for the time until the next one of its GPU, at most
three intervals; the last one for one interval. The rest is unobserved.`,
		Example: `  gpumeter replay --trace trace.csv.gz --data /tmp/replay -o json
  gpumeter replay --trace trace.csv --contracts contracts.yaml --data /tmp/replay \
    --cloud aws --account 123456789012 --region us-east-1 --model H100`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			res, err := replay(cmd.Context(), a, newProgress(cmd.ErrOrStderr(), time.Now))
			if err != nil {
				return err
			}
			return res.write(cmd.OutOrStdout(), a.Output)
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.Trace, "trace", "", "trace to replay, CSV or CSV.gz (required)")
	f.StringVar(&a.Data, "data", "", "folder for the store; replaying the same trace into it again changes nothing (required)")
	f.StringVar(&a.Contracts, "contracts", "", "contract file to report against")
	f.StringVar(&a.Cloud.Provider, "cloud", "", "provider of the traced GPUs")
	f.StringVar(&a.Cloud.Account, "account", "", "account of the traced GPUs")
	f.StringVar(&a.Cloud.Region, "region", "", "region of the traced GPUs")
	f.StringVar(&a.Model, "model", "", "model of the traced GPUs")
	f.DurationVar(&a.Interval, "interval", 0, "sampling interval of the trace (default: its median step)")
	f.DurationVar(&a.Window, "window", time.Minute, "length of a window, 10s to 5m, a divisor of one hour")
	outputFlag(cmd, &a.Output)
	mustRequire(cmd, "trace", "data")
	return cmd
}

// replay runs the trace through the line.
func replay(ctx context.Context, a replayArgs, p *progress) (*replayed, error) {
	if a.Window < 10*time.Second || a.Window > 5*time.Minute || time.Hour%a.Window != 0 {
		return nil, usageError{fmt.Errorf("window %s is not between 10s and 5m, or does not divide an hour", a.Window)}
	}
	if err := a.checkIdentity(); err != nil {
		return nil, usageError{err}
	}
	var contracts []contract.Contract
	if a.Contracts != "" {
		var err error
		if contracts, err = contractfile.Load(a.Contracts); err != nil {
			return nil, err
		}
	}
	tr, err := trace.Open(a.Trace)
	if err != nil {
		return nil, err
	}
	if err := setInterval(tr, a); err != nil {
		return nil, err
	}
	st, err := duckdb.Open(ctx, a.Data, duckdb.Options{})
	if err != nil {
		return nil, err
	}
	res, err := meterTrace(ctx, a, tr, st, p)
	if err == nil && a.Contracts != "" {
		err = res.report(ctx, st, contracts)
	}
	return res, errors.Join(err, st.Close())
}

// checkIdentity says whether a collector would take the identity given by flags.
func (a replayArgs) checkIdentity() error {
	if err := (usage.Node{Name: "trace", Cloud: a.Cloud}).Check(); err != nil {
		return err
	}
	// The model stands in the inventory, under the same rule.
	if err := (usage.Node{Name: "trace", Driver: a.Model}).Check(); err != nil {
		return fmt.Errorf("model %q: %w", a.Model, err)
	}
	return nil
}

// maxInterval bounds the time between two samples.
const maxInterval = 24 * time.Hour

func setInterval(tr *trace.Trace, a replayArgs) error {
	switch {
	case a.Interval < 0:
		return usageError{fmt.Errorf("interval %s is negative", a.Interval)}
	case a.Interval > 0:
		tr.Interval = a.Interval
	case tr.Interval == 0:
		return fmt.Errorf("%s: no GPU has two samples, so the interval is unknown: give --interval", a.Trace)
	}
	if tr.Interval < time.Millisecond || tr.Interval > maxInterval {
		return usageError{fmt.Errorf("interval %s is not between 1ms and %s", tr.Interval, maxInterval)}
	}
	return nil
}
