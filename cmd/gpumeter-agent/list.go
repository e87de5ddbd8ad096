package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newMetrics() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "metrics",
		Short: "List every metric that the agent has",
		Long: `metrics lists what the agent can say, with its name in Prometheus, in
OpenTelemetry and in dcgm-exporter, its unit, and where the driver has it. What
a GPU cannot say is absent: ` + "`gpumeter-agent scan`" + ` shows what this node's can.`,
		Example: `  gpumeter-agent metrics
  gpumeter-agent metrics -o csv > metrics.csv
  gpumeter-agent metrics -o json | jq '.[].metrics[] | select(.group == "nvlink")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return writeCatalogue(cmd.OutOrStdout(), catalogue(), output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, json, csv or markdown")
	return cmd
}

func writeCatalogue(w io.Writer, chapters []chapter, output string) error {
	switch output {
	case "table":
		return writeTable(w, chapters)
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(chapters)
	case "csv":
		return writeCSV(w, chapters)
	case "markdown":
		return writeMarkdown(w, chapters)
	}
	return usageError{fmt.Errorf("output %q is not table, json, csv or markdown", output)}
}

func writeTable(w io.Writer, chapters []chapter) error {
	for i, c := range chapters {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, c.Title)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, e := range c.Metrics {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", e.Prometheus, e.Kind, e.Group, e.Help)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func writeCSV(w io.Writer, chapters []chapter) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"subject", "name", "prometheus", "kind", "unit", "labels", "group", "otel", "dcgm", "source", "help"}}
	for _, c := range chapters {
		for _, e := range c.Metrics {
			rows = append(rows, []string{c.Title, e.Name, e.Prometheus, e.Kind, e.Unit, strings.Join(e.Labels, "; "), e.Group,
				strings.Join(e.OTel, " "), strings.Join(e.DCGM, " "), strings.Join(e.Sources, "; "), e.Help})
		}
	}
	return out.WriteAll(rows)
}

// writeMarkdown writes docs/metrics.md.
func writeMarkdown(w io.Writer, chapters []chapter) error {
	var b strings.Builder
	b.WriteString(`# Metrics

Everything that the agent says, from the tables it is read from
(` + "`gpumeter-agent metrics -o markdown`" + ` writes this page, and a test holds it current).

Values are in base units. What a GPU cannot say is absent, never zero. Metrics
with a group are read only when asked for, with ` + "`--metrics GROUP`" + `. Series of a GPU
have the labels ` + "`uuid`" + ` and ` + "`gpu`" + ` (its index), those of a MIG instance
` + "`gpu_instance`" + ` besides. In OpenTelemetry a metric without a name of the ` + "`hw.*`" + `
conventions has its own, dotted one; DCGM's are those of dcgm-exporter up to
4.8, then those of DCGM 4.6 where they differ ([exporting.md](exporting.md)).
`)
	for _, c := range chapters {
		fmt.Fprintf(&b, "\n## %s\n\n| metric | kind | labels | what it is | OpenTelemetry | dcgm-exporter | source |\n|---|---|---|---|---|---|---|\n", c.Title)
		for _, e := range c.Metrics {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", nameCell(e), e.Kind, cells(e.Labels, "; "), cell(e.Help),
				codes(e.OTel), codes(e.DCGM), cells(e.Sources, ", "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func nameCell(e entry) string {
	s := "`" + e.Prometheus + "`"
	if e.Group != "" {
		s += " (" + e.Group + ")"
	}
	return s
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func cells(list []string, sep string) string {
	short := make([]string, len(list))
	for i, s := range list {
		short[i] = cell(brief(s))
	}
	if len(short) > maxListed {
		short = append(short[:1], "…", short[len(short)-1])
	}
	return strings.Join(short, sep)
}

func codes(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, "`"+n+"`")
	}
	return strings.Join(out, " ")
}
