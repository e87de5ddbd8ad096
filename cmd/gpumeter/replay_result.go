package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

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

// alone refuses a store that holds other records of these GPUs and this time:
// one GPU and one minute count once, so neither of the two would be whole.
func (r *replayed) alone(ctx context.Context, st *duckdb.DB, gpus map[string]bool, nodes string) error {
	ps, err := st.Presence(ctx)
	if err != nil {
		return err
	}
	for _, p := range ps {
		if gpus[p.GPU] && !strings.HasPrefix(p.Node, nodes) && p.StartMs < r.To.UnixMilli() && r.From.UnixMilli() < p.EndMs {
			return fmt.Errorf("GPU %q is on record there already, in node %q: give another --data", p.GPU, p.Node)
		}
	}
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
	var text bytes.Buffer
	r.text(&text)
	if r.Report != nil {
		text.WriteString("\n")
		if err := report.Text(&text, *r.Report, textOptions(w)); err != nil {
			return err
		}
	}
	_, err := text.WriteTo(w)
	return err
}

// text writes the figures for people.
func (r *replayed) text(w io.Writer) {
	fmt.Fprintf(w, "%s: %d GPUs, %s to %s\n", r.Trace, r.GPUsSampled, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	fmt.Fprintf(w, "  a sample each %.6g s stands for %.6g s at most; %d rows without utilisation skipped\n", r.IntervalSeconds, r.MaxHoldSeconds, r.RowsSkipped)
	fmt.Fprintf(w, "  observed  %15.3f GPU-seconds\n", r.ObservedGPUSeconds)
	fmt.Fprintf(w, "  busy      %15.3f GPU-seconds, %.4f %% of observed\n", r.BusyGPUSeconds, 100*r.BusyShare)
}

// csv writes the replay's own figures: one table. The report's is written by
// `gpumeter report --data`.
func (r *replayed) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	f := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	return c.WriteAll([][]string{
		{"trace", "from", "to", "interval_seconds", "max_hold_seconds", "gpus_sampled", "rows_skipped", "observed_gpu_seconds", "busy_gpu_seconds", "busy_share_of_observed"},
		{r.Trace, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), f(r.IntervalSeconds), f(r.MaxHoldSeconds), strconv.Itoa(r.GPUsSampled),
			strconv.Itoa(r.RowsSkipped), f(r.ObservedGPUSeconds), f(r.BusyGPUSeconds), f(r.BusyShare)},
	})
}
