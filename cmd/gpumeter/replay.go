package main

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/trace"
	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/metric"
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

// replaySchema names the JSON form of a replayed trace.
const replaySchema = "gpumeter.replay/v1"

// replayed is the outcome of a replay.
type replayed struct {
	Schema             string           `json:"schema"`
	Trace              string           `json:"trace"`
	From               time.Time        `json:"from"`
	To                 time.Time        `json:"to"`
	IntervalSeconds    float64          `json:"interval_seconds"`
	MaxHoldSeconds     float64          `json:"max_hold_seconds"`
	GPUsSampled        int              `json:"gpus_sampled"`
	RowsSkipped        int              `json:"rows_skipped"`
	ObservedGPUSeconds float64          `json:"observed_gpu_seconds"`
	BusyGPUSeconds     float64          `json:"busy_gpu_seconds"`
	BusyShare          float64          `json:"busy_share_of_observed"`
	Report             *contract.Report `json:"report,omitempty"` // with --contracts
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
			res, err := replay(cmd.Context(), a, newDemoProgress(cmd.ErrOrStderr(), time.Now))
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
func replay(ctx context.Context, a replayArgs, p *demoProgress) (*replayed, error) {
	if a.Window < 10*time.Second || a.Window > 5*time.Minute || time.Hour%a.Window != 0 {
		return nil, usageError{fmt.Errorf("window %s is not between 10s and 5m, or does not divide an hour", a.Window)}
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

func setInterval(tr *trace.Trace, a replayArgs) error {
	switch {
	case a.Interval < 0:
		return usageError{fmt.Errorf("interval %s is negative", a.Interval)}
	case a.Interval > 0:
		tr.Interval = a.Interval
	case tr.Interval == 0:
		return fmt.Errorf("%s: no GPU has two samples, so the interval is unknown: give --interval", a.Trace)
	}
	return nil
}

// report lays the trace's time against the contracts.
func (r *replayed) report(ctx context.Context, st *duckdb.DB, contracts []contract.Contract) error {
	ask := collector.Ask{From: r.From.Format(time.RFC3339), To: r.To.Format(time.RFC3339)}
	rep, err := collector.Report(ctx, st, contracts, ask, r.To.Add(time.Hour))
	if err != nil {
		return err
	}
	r.Report = &rep
	return nil
}

// total adds up everything that the store holds of some GPUs over the trace.
func (r *replayed) total(ctx context.Context, st *duckdb.DB, gpus map[string]bool) error {
	ps, err := st.Presence(ctx)
	if err != nil {
		return err
	}
	q := contract.Query{Edges: []int64{r.From.UnixMilli(), r.To.UnixMilli()}}
	for _, p := range ps {
		if gpus[p.GPU] {
			q.Spans = append(q.Spans, contract.Span{Unit: p.Unit, FromMs: p.StartMs, ToMs: p.EndMs})
		}
	}
	ans, err := st.Sums(ctx, q)
	if err != nil {
		return err
	}
	var s usage.Sums
	for _, x := range ans.Sums {
		s.Add(x.Sums)
	}
	for _, x := range ans.Straddles {
		s.Add(x.Sums)
	}
	r.ObservedGPUSeconds, r.BusyGPUSeconds = float64(s.ObservedMs())/1000, float64(s.BusyMs)/1000
	if s.ObservedMs() > 0 {
		r.BusyShare = float64(s.BusyMs) / float64(s.ObservedMs())
	}
	return nil
}

func (r *replayed) write(w io.Writer, format string) error {
	switch format {
	case "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	case "csv":
		return r.csv(w)
	}
	fmt.Fprintf(w, "%s: %d GPUs, %s to %s\n", r.Trace, r.GPUsSampled, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	fmt.Fprintf(w, "  a sample each %.6g s stands for %.6g s at most; %d rows without utilisation skipped\n", r.IntervalSeconds, r.MaxHoldSeconds, r.RowsSkipped)
	fmt.Fprintf(w, "  observed  %15.3f GPU-seconds\n", r.ObservedGPUSeconds)
	fmt.Fprintf(w, "  busy      %15.3f GPU-seconds, %.4f %% of observed\n", r.BusyGPUSeconds, 100*r.BusyShare)
	if r.Report == nil {
		return nil
	}
	fmt.Fprintln(w)
	return report.Text(w, *r.Report, textOptions(w))
}

func (r *replayed) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	f := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	rows := [][]string{
		{"trace", "from", "to", "interval_seconds", "max_hold_seconds", "gpus_sampled", "rows_skipped", "observed_gpu_seconds", "busy_gpu_seconds"},
		{r.Trace, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), f(r.IntervalSeconds), f(r.MaxHoldSeconds), strconv.Itoa(r.GPUsSampled),
			strconv.Itoa(r.RowsSkipped), f(r.ObservedGPUSeconds), f(r.BusyGPUSeconds)},
	}
	if err := c.WriteAll(rows); err != nil {
		return err
	}
	if r.Report == nil {
		return nil
	}
	return report.CSV(w, *r.Report)
}

// meterTrace runs the trace's GPUs, some hundred to a node, down the line.
func meterTrace(ctx context.Context, a replayArgs, tr *trace.Trace, st *duckdb.DB, p *demoProgress) (*replayed, error) {
	gpus := sortedGPUs(tr)
	res := &replayed{
		Schema: replaySchema, Trace: a.Trace, GPUsSampled: len(gpus), RowsSkipped: tr.Skipped,
		IntervalSeconds: tr.Interval.Seconds(), MaxHoldSeconds: tr.Hold().Seconds(),
	}
	from, to := tr.Extent()
	res.From, res.To = from.Truncate(time.Minute), to.Add(time.Minute-1).Truncate(time.Minute)
	l, err := openLine(ctx, st, time.Now)
	if err != nil {
		return nil, err
	}
	id, err := traceID(a, tr.Interval)
	if err != nil {
		return nil, errors.Join(err, l.close())
	}
	p.begin(fmt.Sprintf("metering %d GPUs", len(gpus)))
	for n := 0; n < len(gpus) && err == nil; n += gpusPerNode {
		some := gpus[n:min(n+gpusPerNode, len(gpus))]
		node := usage.Node{Name: fmt.Sprintf("trace-%s-%d", id[:8], n/gpusPerNode), Cloud: a.Cloud, Agent: version}
		err = l.play(ctx, filepath.Join(a.Data, "replay", id, strconv.Itoa(n/gpusPerNode)), node, playing{a, tr, some})
		p.set(float64(n+len(some)) / float64(len(gpus)))
	}
	p.end("done")
	if err = errors.Join(err, l.close()); err != nil {
		return nil, err
	}
	of := make(map[string]bool, len(gpus))
	for _, g := range gpus {
		of[g] = true
	}
	return res, res.total(ctx, st, of)
}

// gpusPerNode bounds the records of one batch.
const gpusPerNode = 256

// playing is some GPUs of a trace, as one node.
type playing struct {
	args replayArgs
	tr   *trace.Trace
	gpus []string
}

// play runs one node's GPUs down the line.
func (l *line) play(ctx context.Context, dir string, node usage.Node, x playing) error {
	player := x.tr.Player(x.gpus, x.args.Model)
	s, err := l.openStation(ctx, dir, node, meter.Config{
		Window: x.args.Window, Interval: x.tr.Interval, Grace: player.Grace(),
		Holders: trace.Holders, Basis: usage.BasisMemory, BootID: "replay",
	}, meter.State{})
	if err != nil {
		return err
	}
	s.resume()
	if err := player.Frames(func(f metric.Frame) error { return s.observe(ctx, f) }); err != nil {
		return errors.Join(err, s.kill())
	}
	return s.finish(ctx)
}

// traceID names a replay: the same trace under the same identity and interval
// is the same replay.
func traceID(a replayArgs, interval time.Duration) (string, error) {
	f, err := os.Open(a.Trace)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", a.Trace, err)
	}
	fmt.Fprintf(h, "%+v %s %s %s", a.Cloud, a.Model, interval, a.Window)
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// sortedGPUs returns the GPUs of a trace by name.
func sortedGPUs(tr *trace.Trace) []string {
	out := make([]string, 0, len(tr.Samples))
	for g := range tr.Samples {
		out = append(out, g)
	}
	slices.Sort(out)
	return out
}
