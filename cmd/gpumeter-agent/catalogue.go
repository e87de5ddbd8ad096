package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gpumeter/gpumeter/agent"
	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/agent/host"
	"github.com/gpumeter/gpumeter/agent/kmsg"
	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/influx"
	"github.com/gpumeter/gpumeter/exporters/otlp"
	"github.com/gpumeter/gpumeter/exporters/prom"
	"github.com/gpumeter/gpumeter/metric"
)

// entry is one metric as its users look it up: all the rows of one name.
type entry struct {
	Name       string   `json:"name"`
	Prometheus string   `json:"prometheus"`
	Kind       string   `json:"kind"`
	Unit       string   `json:"unit,omitempty"`
	Labels     []string `json:"labels,omitempty"` // "reason: power, thermal"
	Group      string   `json:"group,omitempty"`
	Help       string   `json:"help"`
	Sources    []string `json:"sources,omitempty"`
	OTel       []string `json:"otel,omitempty"`
	DCGM       []string `json:"dcgm,omitempty"` // both generations
}

// chapter is the metrics of one subject.
type chapter struct {
	Title   string  `json:"title"`
	Metrics []entry `json:"metrics"`
}

// catalogue is everything that the agent says, from the tables it is read from.
func catalogue() []chapter {
	return []chapter{
		{"What the driver says of a GPU", ofRows(nvml.Table)},
		{"What the driver says of a MIG instance", ofRows(nvml.InstanceTable)},
		{"Time integrals of a GPU", ofDescs(meter.Descs(), "the meter")},
		{"Identity and state", ofDescs(slices.Concat(exporters.State(), agent.Descs()), "the agent")},
		{"The node itself", ofDescs(host.Descs(), "the kernel")},
		{"The agent's own health", ofDescs(slices.Concat(kmsg.Descs(), holder.Descs(), otlp.Descs(), influx.Descs(), healthDescs()), "the agent")},
	}
}

func ofRows(rows []nvml.Row) []entry {
	var out []entry
	for i := range rows {
		out = addRow(out, &rows[i].Desc, rows[i].Source.String())
	}
	return out
}

func ofDescs(descs []*metric.Desc, source string) []entry {
	var out []entry
	for _, d := range descs {
		out = addRow(out, d, source)
	}
	return out
}

// addRow adds a row to the entry of its name.
func addRow(to []entry, d *metric.Desc, source string) []entry {
	i := slices.IndexFunc(to, func(e entry) bool { return e.Name == d.Name })
	if i < 0 {
		i = len(to)
		to = append(to, entry{Name: d.Name, Prometheus: prom.Name(d), Kind: d.Kind.String(), Unit: string(d.Unit), Group: d.Group, Help: d.Help})
	}
	e := &to[i]
	e.Sources = addOnce(e.Sources, source)
	e.DCGM = addOnce(addOnce(e.DCGM, d.DCGMOld), d.DCGM)
	e.OTel = addOnce(e.OTel, d.OTel.Name)
	for n, l := range d.Labels {
		if n == len(e.Labels) {
			e.Labels = append(e.Labels, l.Name+": ")
		}
		e.Labels[n] = addValue(e.Labels[n], l.Value)
	}
	return to
}

// addValue adds a value to "reason: power, thermal", once.
func addValue(label, value string) string {
	name, list, _ := strings.Cut(label, ": ")
	if list == "" {
		return name + ": " + value
	}
	if slices.Contains(strings.Split(list, ", "), value) {
		return label
	}
	return label + ", " + value
}

func addOnce(to []string, s string) []string {
	if s == "" || slices.Contains(to, s) {
		return to
	}
	return append(to, s)
}

// brief shortens a long list of label values: links are numbered, and nobody
// reads the numbers.
func brief(label string) string {
	name, list, _ := strings.Cut(label, ": ")
	values := strings.Split(list, ", ")
	if len(values) <= maxListed {
		return label
	}
	return fmt.Sprintf("%s: %s … %s", name, values[0], values[len(values)-1])
}

// maxListed is how many values of a label are listed.
const maxListed = 16
