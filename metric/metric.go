// Package metric is the vocabulary of what a GPU says: metrics, readings,
// looks and frames, in base units.
//
// What a GPU cannot say is absent from a look. Absent is never zero: there is
// no sentinel value anywhere in this package.
package metric

// Unit is the base unit of a metric's values, in the spelling that
// Prometheus uses as a name suffix. The empty unit is a plain count.
type Unit string

// Base units. Values are never scaled: memory is bytes, not MiB; power is
// watts, not milliwatts; a share of time is 0–1, not percent.
const (
	Count   Unit = ""
	Ratio   Unit = "ratio"
	Bytes   Unit = "bytes"
	Seconds Unit = "seconds"
	Joules  Unit = "joules"
	Watts   Unit = "watts"
	Celsius Unit = "celsius"
	Hertz   Unit = "hertz"
)

// Kind says how values of a metric behave over time.
type Kind uint8

const (
	// Gauge is a value that goes up and down.
	Gauge Kind = iota
	// Counter only grows, except when the driver or the GPU restarts it at zero.
	Counter
)

// String returns the Prometheus word for the kind.
func (k Kind) String() string {
	if k == Counter {
		return "counter"
	}
	return "gauge"
}

// Desc describes one metric, once. Everything that names metrics (exporters,
// documentation, dashboards' name checks) is derived from it. A Desc is a
// package-level value that nobody changes; readings point at it.
type Desc struct {
	// Name is dotted and singular, thing before property, without unit or
	// vendor: "gpu.memory.used".
	Name string
	Unit Unit
	Kind Kind
	Help string
	// Label and LabelValue tell apart the rows that share a Name, such as
	// reason="hw_thermal". Both are empty for a metric of one row.
	Label, LabelValue string
	// Names elsewhere; empty where that dialect has no such metric.
	OTel, DCGM, DCGMOld string
}

// Key returns the name with its label, unique among all rows of a table:
// "gpu.throttle{reason=hw_thermal}".
func (d *Desc) Key() string {
	if d.Label == "" {
		return d.Name
	}
	return d.Name + "{" + d.Label + "=" + d.LabelValue + "}"
}

// Reading is one value of one metric of one GPU.
type Reading struct {
	Desc  *Desc
	Value float64
}
