package host

import (
	"context"

	"github.com/gpumeter/gpumeter/metric"
)

// source is one part of the node.
type source struct {
	name string // value of the label part
	// read returns what could be read, and an error if that is not everything.
	// It is called by one goroutine.
	read func(context.Context) ([]metric.Reading, error)
}

// sources lists the parts in the order in which readings come.
func sources(state string) []source {
	disks, nics, mounts := newDevices(diskRows), newDevices(networkRows), newDevices(filesystemRows)
	return []source{
		{"cpu", (&cpuTimes{}).read},
		{"load", readLoad},
		{"memory", readMemory},
		{"disk", func(ctx context.Context) ([]metric.Reading, error) { return readDisks(ctx, disks) }},
		{"network", func(ctx context.Context) ([]metric.Reading, error) { return readNetwork(ctx, nics) }},
		{"filesystem", func(ctx context.Context) ([]metric.Reading, error) { return readFilesystems(ctx, mounts, state) }},
	}
}

// Whether the parts can be read.
var (
	collectSuccess = metric.Desc{Name: "host.collect.success", Help: "1 if this part of the node was read in full at the last attempt, 0 if not or if the attempt does not return.",
		Labels: []metric.Label{{Name: "part"}}}
	collectLast = metric.Desc{Name: "host.collect.last.timestamp", Unit: metric.Seconds, Help: "When this part of the node was last read in full, in seconds since 1970.",
		Labels: []metric.Label{{Name: "part"}}}
)

// Descs lists everything that a Reader can say, once per name and fixed label:
// the values of the labels part, device, interface and path are empty.
func Descs() []*metric.Desc {
	out := make([]*metric.Desc, 0, 40)
	for i := range cpuRows {
		out = append(out, &cpuRows[i].Desc)
	}
	for i := range loadRows {
		out = append(out, &loadRows[i].Desc)
	}
	for i := range memoryRows {
		out = append(out, &memoryRows[i].Desc)
	}
	for i := range swapRows {
		out = append(out, &swapRows[i].Desc)
	}
	for i := range diskRows {
		out = append(out, &diskRows[i].Desc)
	}
	for i := range networkRows {
		out = append(out, &networkRows[i].Desc)
	}
	for i := range filesystemRows {
		out = append(out, &filesystemRows[i].Desc)
	}
	return append(out, &collectSuccess, &collectLast)
}

// row is one metric and where T, what gopsutil says, has it.
type row[T any] struct {
	metric.Desc
	value func(*T) float64
}

// read returns the rows' values in v.
func read[T any](rows []row[T], v *T) []metric.Reading {
	out := make([]metric.Reading, len(rows))
	for i := range rows {
		out[i] = metric.Reading{Desc: &rows[i].Desc, Value: rows[i].value(v)}
	}
	return out
}

// withLabels returns a description with other labels.
func withLabels(d metric.Desc, labels []metric.Label) *metric.Desc {
	d.Labels = labels
	return &d
}
