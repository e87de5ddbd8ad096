// Package prom shows the newest look at a node's GPUs to Prometheus.
//
// It renders what was read before and never touches the driver: a scrape costs
// the same while a GPU hangs. A GPU that does not answer keeps its identity, its
// state and its integrals, and loses its readings: old values are not served.
package prom

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// DefaultMaxAge is how old a frame may be before it speaks for no GPU any more.
const DefaultMaxAge = 30 * time.Second

// maxHolders bounds the holder series of one GPU. gpu_holders has the number
// of all.
const maxHolders = 32

// Snapshot is the newest frame and what belongs to it.
type Snapshot struct {
	Frame metric.Frame
	Node  usage.Node
	// Totals holds each GPU's integrals by UUID; they are served whatever the
	// GPU's condition.
	Totals map[string][]metric.Reading
	// Holders holds who has each GPU, by UUID. Present and empty is nobody,
	// absent is unknown.
	Holders map[string][]usage.Holder
}

// Options says what to show. Snapshot is required.
type Options struct {
	// Snapshot returns the newest snapshot, which nobody changes afterwards. It
	// is called for each scrape, concurrently, and must not wait.
	Snapshot func() Snapshot
	// MaxAge is how old a frame may be; 0 means DefaultMaxAge.
	MaxAge time.Duration
	Now    func() time.Time
}

// Exporter is a prometheus.Collector. Make one with New.
type Exporter struct {
	o     Options
	descs descs
}

// New returns an exporter to be registered.
func New(o Options) *Exporter {
	if o.MaxAge <= 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Exporter{o: o}
}

// Describe announces nothing: which series there are depends on what the GPUs
// can say, and client_golang takes a part of them for all.
func (e *Exporter) Describe(chan<- *prometheus.Desc) {}

// Collect sends the newest snapshot. It may be called concurrently.
func (e *Exporter) Collect(ch chan<- prometheus.Metric) {
	s := e.o.Snapshot()
	out := sink{ch: ch}
	node(out, s)
	stale := e.o.Now().Sub(s.Frame.Wall) > e.o.MaxAge
	seen := make(map[string]bool, len(s.Frame.Looks))
	for i := range s.Frame.Looks {
		l := &s.Frame.Looks[i]
		if seen[l.GPU.UUID] {
			continue // a series that is there twice would fail the whole scrape
		}
		seen[l.GPU.UUID] = true
		e.gpu(out, s, l, stale)
	}
}

// gpu sends everything about one GPU.
func (e *Exporter) gpu(out sink, s Snapshot, l *metric.Look, stale bool) {
	uuid, index := l.GPU.UUID, strconv.Itoa(l.GPU.Index)
	g := l.GPU
	out.gauge(gpuInfo, 1, uuid, index, metric.Model(g.Name), g.Name, g.Serial, g.PCI, g.VBIOS, s.Frame.Driver.Version)
	condition, reason := l.Condition, l.Reason
	if stale {
		condition, reason = metric.Unobserved, metric.ReasonNotSampled
	}
	for i := range s.Totals[l.GPU.UUID] {
		e.reading(out, &s.Totals[l.GPU.UUID][i], uuid, index)
	}
	switch condition {
	case metric.Good:
		out.gauge(gpuUp, 1, uuid, index)
	case metric.Lost:
		out.gauge(gpuUp, 0, uuid, index)
		out.gauge(gpuLost, 1, uuid, index, reason)
		return
	default:
		out.gauge(gpuUp, 0, uuid, index)
		out.gauge(gpuUnobserved, 1, uuid, index, reason)
		return
	}
	for i := range l.Readings {
		e.reading(out, &l.Readings[i], uuid, index)
	}
	if hs, known := s.Holders[l.GPU.UUID]; known {
		holders(out, hs, uuid, index)
	}
}

func (e *Exporter) reading(out sink, r *metric.Reading, uuid, index string) {
	kind := prometheus.GaugeValue
	if r.Desc.Kind == metric.Counter {
		kind = prometheus.CounterValue
	}
	d := e.descs.of(r.Desc)
	if r.Desc.Label == "" {
		out.send(d, kind, r.Value, uuid, index)
		return
	}
	out.send(d, kind, r.Value, uuid, index, r.Desc.LabelValue)
}

// holders sends who has a GPU, each once.
func holders(out sink, hs []usage.Holder, uuid, index string) {
	seen := make(map[usage.Holder]bool, len(hs))
	for _, h := range hs {
		// Two names may differ in bad bytes only, and are one series then.
		h.Group, h.Name, h.Part = clean(h.Group), clean(h.Name), clean(h.Part)
		if !h.Held() || seen[h] {
			continue
		}
		seen[h] = true
		if len(seen) <= maxHolders {
			out.gauge(gpuHolderInfo, 1, uuid, index, string(h.Basis), h.Kind, h.Group, h.Name, h.Part)
		}
	}
	out.gauge(gpuHolders, float64(len(seen)), uuid, index)
}

// node sends what is about the node as a whole.
func node(out sink, s Snapshot) {
	c := s.Node.Cloud
	out.gauge(nodeInfo, 1, s.Node.Name, c.Provider, c.Account, c.Region, c.Zone, c.InstanceType, c.InstanceID,
		c.Reservation, c.Cluster, c.Rack, s.Node.Agent)
	d := s.Frame.Driver
	if !d.Up {
		out.gauge(driverUp, 0)
		out.gauge(driverDown, 1, d.Reason)
		return
	}
	out.gauge(driverUp, 1)
	out.gauge(driverInfo, 1, d.Version, d.NVML)
}
