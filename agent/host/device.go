package host

import (
	"slices"
	"unicode/utf8"

	"github.com/gpumeter/gpumeter/metric"
)

// maxDevices bounds the devices of one kind, and with them the series: a node
// that runs a thousand containers has a thousand interfaces.
const maxDevices = 64

// devices has the descriptions of every device of one kind, each made once:
// those who show metrics may keep what they made of a description. It is for one
// goroutine.
type devices[T any] struct {
	rows  []row[T]
	descs map[string][]*metric.Desc
}

func newDevices[T any](rows []row[T]) *devices[T] {
	return &devices[T]{rows: rows, descs: map[string][]*metric.Desc{}}
}

// read returns the readings of the devices that are there, by name; of more
// than maxDevices, those that were there before.
func (d *devices[T]) read(there map[string]*T) []metric.Reading {
	names := make([]string, 0, len(there))
	for name := range there {
		if utf8.ValidString(name) { // an interface may be called anything
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := make([]metric.Reading, 0, min(len(names), maxDevices)*len(d.rows))
	for _, name := range names {
		for i, desc := range d.of(name, there) {
			out = append(out, metric.Reading{Desc: desc, Value: d.rows[i].value(there[name])})
		}
	}
	return out
}

// of returns the descriptions of a device in the order of the rows; nil if there
// is no room for it.
func (d *devices[T]) of(name string, there map[string]*T) []*metric.Desc {
	if descs := d.descs[name]; descs != nil {
		return descs
	}
	if len(d.descs) >= maxDevices && !d.forget(there) {
		return nil
	}
	descs := make([]*metric.Desc, len(d.rows))
	for i := range d.rows {
		descs[i] = named(d.rows[i].Desc, name)
	}
	d.descs[name] = descs
	return descs
}

// forget makes room by one device that is gone, if there is one.
func (d *devices[T]) forget(there map[string]*T) bool {
	for name := range d.descs {
		if there[name] == nil {
			delete(d.descs, name)
			return true
		}
	}
	return false
}

// named puts a device's name where a row leaves a label, here or in
// OpenTelemetry's words, without a value.
func named(d metric.Desc, name string) *metric.Desc {
	d.Labels = fill(d.Labels, name)
	d.OTel.Attributes = fill(d.OTel.Attributes, name)
	return &d
}

func fill(labels []metric.Label, value string) []metric.Label {
	out := slices.Clone(labels)
	for i := range out {
		if out[i].Value == "" {
			out[i].Value = value
		}
	}
	return out
}
