// Package exporters says what there is to show of a node's GPUs, whatever the
// dialect: its children put it into Prometheus's, OpenTelemetry's and
// InfluxDB's words.
//
// A GPU that does not answer keeps its identity, its state and its integrals,
// and loses its readings: old values are not shown.
package exporters

import (
	"time"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// DefaultMaxAge is how old a frame may be before it speaks for no GPU any more.
const DefaultMaxAge = 30 * time.Second

// Snapshot is the newest frame and what belongs to it. Nobody changes it.
type Snapshot struct {
	Frame metric.Frame
	Node  usage.Node
	// Totals holds each GPU's integrals by UUID; they are shown whatever the
	// GPU's condition.
	Totals map[string][]metric.Reading
	// Holders holds who has each GPU, by UUID. Present and empty is nobody,
	// absent is unknown.
	Holders map[string][]usage.Holder
	// Host holds what the node says of its CPUs, memory, disks and network.
	Host []metric.Reading
	// Xids counts the errors of each GPU and code since the agent's state began.
	Xids []XidCount
}

// XidCount is how often one error was reported about one GPU.
type XidCount struct {
	UUID     string // empty where no GPU could be told
	Code     int
	Count    uint64
	Last     time.Time // wall clock
	Severity metric.Severity
}

// Point is one value of one subject.
type Point struct {
	Desc  *metric.Desc
	Value float64
	// GPU and Instance say what the value is of. Both nil is the node; an
	// instance is always of a GPU.
	GPU      *metric.GPU
	Instance *metric.Instance
	// Extra are labels besides those of Desc, such as the reason of a state.
	Extra []metric.Label
}
