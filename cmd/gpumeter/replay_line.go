package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/trace"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// meterTrace runs the trace's GPUs, some hundred to a node, down the line.
func meterTrace(ctx context.Context, a replayArgs, tr *trace.Trace, st *duckdb.DB, p *progress) (*replayed, error) {
	gpus := sortedGPUs(tr)
	res := &replayed{
		Schema: replaySchema, Trace: a.Trace, GPUsSampled: len(gpus), RowsSkipped: tr.Skipped,
		IntervalSeconds: tr.Interval.Seconds(), MaxHoldSeconds: tr.Hold().Seconds(),
	}
	from, to := tr.Extent()
	res.From, res.To = from.Truncate(time.Minute), to.Add(time.Minute-1).Truncate(time.Minute)
	id, err := traceID(a, tr.Interval)
	if err != nil {
		return nil, err
	}
	of := make(map[string]bool, len(gpus))
	for _, g := range gpus {
		of[g] = true
	}
	if err := res.alone(ctx, st, of, nodePrefix(id)); err != nil {
		return nil, fmt.Errorf("%s: %w", a.Data, err)
	}
	l, err := openLine(ctx, st, time.Now)
	if err != nil {
		return nil, err
	}
	p.begin(fmt.Sprintf("metering %d GPUs", len(gpus)))
	for n := 0; n < len(gpus) && err == nil; n += gpusPerNode {
		some := gpus[n:min(n+gpusPerNode, len(gpus))]
		node := usage.Node{Name: fmt.Sprintf("%s%d", nodePrefix(id), n/gpusPerNode), Cloud: a.Cloud, Agent: version}
		err = l.play(ctx, filepath.Join(a.Data, "replay", id, strconv.Itoa(n/gpusPerNode)), node, playing{a, tr, some})
		p.set(float64(n+len(some)) / float64(len(gpus)))
	}
	p.end("done")
	if err = errors.Join(err, l.close()); err != nil {
		return nil, err
	}
	return res, res.total(ctx, st, of)
}

// nodePrefix begins the names of a replay's nodes.
func nodePrefix(id string) string { return "trace-" + id[:8] + "-" }

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
	})
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
