package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
)

// printTable writes the machine, and a line for each row.
func printTable(out io.Writer, m machine, wanted []row, results map[run]result) error {
	fmt.Fprintf(out, "%s\n\n", m)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tfigure\tunit\thold\t× bare")
	for _, r := range wanted {
		got := results[r.run]
		v, ok := got[r.part][r.metric]
		if !ok {
			_, unit := plain(0, r.metric)
			fmt.Fprintf(w, "%s\tnot measured\t%s\t%s\t\n", r.name, unit, r.hold)
			continue
		}
		v, unit := plain(v, r.metric)
		ratio := ""
		if bare := got[r.bare][r.metric]; r.bare != "" && bare > 0 {
			ratio = figure(got[r.part][r.metric] / bare)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.name, figure(v), unit, r.hold, ratio)
	}
	return w.Flush()
}

// plain is a figure as the table says it, and its unit.
func plain(v float64, metric string) (float64, string) {
	switch {
	case metric == "ns/op" && v >= 1e9:
		return v / 1e9, "s"
	case metric == "ns/op" && v >= 1e6:
		return v / 1e6, "ms"
	case metric == "ns/op":
		return v / 1e3, "µs"
	}
	if unit, ok := units[metric]; ok {
		return v, unit
	}
	return v, metric
}

// figure writes three digits that count, and whole numbers with commas.
func figure(v float64) string {
	if math.Abs(v) < 999.5 { // what is not rounded to 1,000
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
