// Program bench runs the benchmarks that a figure is held to and prints one
// table: what was measured, what it is held to, and what the bare engine takes
// for the same rows in the same run. It judges nothing: on another machine, or a
// busy one, the figures are others.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

// usageExit is the exit code for a mistake in the command line.
const usageExit = 2

func main() {
	narrow := flag.String("run", "", "only what matches this expression, by its name in the table")
	plot := flag.String("plot", "", "measure how the report grows instead, and draw it into this SVG file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	only, err := regexp.Compile(*narrow)
	if err != nil || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "bench: want -run EXPRESSION or -plot FILE:", err)
		os.Exit(usageExit)
	}
	if *plot != "" {
		err = runPlot(ctx, *plot, os.Stdout)
	} else {
		err = runTable(ctx, only, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// runTable measures the rows that match and prints them. A row that could not
// be measured says so, and the others are measured all the same; so are those
// that were when ctx ended.
func runTable(ctx context.Context, only *regexp.Regexp, out io.Writer) error {
	var wanted []row
	for _, r := range rows {
		if only.MatchString(r.name) {
			wanted = append(wanted, r)
		}
	}
	if len(wanted) == 0 {
		return fmt.Errorf("no row matches %q", only)
	}
	m := thisMachine(ctx)
	results := map[run]result{}
	var failed error
	for i, r := range wanted {
		if _, ok := results[r.run]; ok || ctx.Err() != nil {
			continue
		}
		fmt.Fprintf(os.Stderr, "%d of %d  %s\n", i+1, len(wanted), r.run)
		got, err := r.run.measure(ctx)
		failed = errors.Join(failed, err)
		results[r.run] = got
	}
	return errors.Join(printTable(out, m, wanted, results), failed, ctx.Err())
}
