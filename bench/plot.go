package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// point is a report that was measured.
type point struct {
	gpus, days            int
	seconds, bare, memory float64 // memory is in MiB, the most
}

// The reports of the plot: of a month by fleet, and of one fleet by span.
var (
	plotFleets = []int{1000, 10_000, 100_000}
	plotSpans  = []int{1, 30, 91, 365}
)

const (
	plotMonth = 30     // days of the reports by fleet
	plotFleet = 10_000 // GPUs of the reports by span
)

// runPlot measures, prints what the plot shows, and writes it if it is whole.
func runPlot(ctx context.Context, file string, out io.Writer) error {
	m := thisMachine(ctx)
	var points []point
	for _, gpus := range plotFleets {
		points = append(points, point{gpus: gpus, days: plotMonth})
	}
	for _, days := range plotSpans {
		if days != plotMonth {
			points = append(points, point{gpus: plotFleet, days: days})
		}
	}
	var failed error
	for i := range points {
		p := &points[i]
		r := run{"./collector", "Report", "3x", fmt.Sprintf("-gpus %d -days %d", p.gpus, p.days)}
		fmt.Fprintf(os.Stderr, "%d of %d  %s\n", i+1, len(points), r)
		got, err := r.measure(ctx)
		if err != nil {
			points, failed = points[:i], err
			break
		}
		p.seconds, p.memory, p.bare = got["whole"]["s/report"], got["whole"]["MiB-peak"], got["bare"]["s/report"]
	}
	if err := errors.Join(printPoints(out, m, points), failed); err != nil {
		return err
	}
	if err := os.WriteFile(file, draw(m, points), 0o644); err != nil {
		return fmt.Errorf("write plot: %w", err)
	}
	return nil
}

// printPoints writes the plot as a table.
func printPoints(out io.Writer, m machine, points []point) error {
	fmt.Fprintf(out, "%s\n\n", m)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "GPUs\tdays\thour records\treport, s\tbare SELECT, s\tmost memory, MiB\t")
	for _, p := range points {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t\n", figure(float64(p.gpus)), p.days, figure(float64(p.gpus*p.days*24)), figure(p.seconds), figure(p.bare), figure(p.memory))
	}
	return w.Flush()
}
