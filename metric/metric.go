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
	// BytesPerSecond is for rates that the driver gives no count of.
	BytesPerSecond Unit = "bytes_per_second"
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
	// Labels tell apart the rows that share a Name, such as reason="hw_thermal":
	// the same label names in the same order in all of them. Empty for a metric
	// of one row.
	Labels []Label
	// Group is empty for what is read by default, and else the word by which
	// the rows of one subject are asked for: "nvlink", "ecc".
	Group string
	// Names elsewhere; empty where that dialect has no such metric. DCGM is the
	// name since DCGM 4.6, DCGMOld the one before; where they do not differ
	// both have it.
	OTel          Alias
	DCGM, DCGMOld string
}

// Label is a name and a value that tell one series from another.
type Label struct{ Name, Value string }

// Alias is the name of a metric in OpenTelemetry's conventions, with the
// attributes that tell apart what has one name there and several here.
type Alias struct {
	Name       string
	Attributes []Label
}

// Key returns the name with its labels, unique among all rows of a table:
// "gpu.throttle{reason=hw_thermal}".
func (d *Desc) Key() string {
	if len(d.Labels) == 0 {
		return d.Name
	}
	key := d.Name
	sep := "{"
	for _, l := range d.Labels {
		key += sep + l.Name + "=" + l.Value
		sep = ","
	}
	return key + "}"
}

// Reading is one value of one metric of one subject: a GPU, an instance of a
// GPU, the node.
type Reading struct {
	Desc  *Desc
	Value float64
}
