// Package prom shows the newest look at a node's GPUs to Prometheus.
//
// It renders what was read before and never touches the driver: a scrape costs
// the same while a GPU hangs.
package prom

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
)

// Options says what to show. Snapshot is required.
type Options struct {
	// Snapshot returns the newest snapshot, which nobody changes afterwards. It
	// is called for each scrape, concurrently, and must not wait.
	Snapshot func() exporters.Snapshot
	// MaxAge is how old a frame may be; 0 means exporters.DefaultMaxAge.
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
		o.MaxAge = exporters.DefaultMaxAge
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
	for p := range exporters.Points(&s, e.o.Now(), e.o.MaxAge) {
		ch <- e.metric(&p)
	}
}

func (e *Exporter) metric(p *exporters.Point) prometheus.Metric {
	kind := prometheus.GaugeValue
	if p.Desc.Kind == metric.Counter {
		kind = prometheus.CounterValue
	}
	d := e.descs.of(p)
	m, err := prometheus.NewConstMetric(d, kind, p.Value, values(p)...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}

// values returns the label values of a point, in the order of names.
func values(p *exporters.Point) []string {
	out := make([]string, 0, 8)
	if p.GPU != nil {
		out = append(out, clean(p.GPU.UUID), strconv.Itoa(p.GPU.Index))
	}
	if p.Instance != nil {
		out = append(out, strconv.Itoa(p.Instance.ID))
	}
	for _, l := range p.Desc.Labels {
		out = append(out, clean(l.Value))
	}
	for _, l := range p.Extra {
		out = append(out, clean(l.Value))
	}
	return out
}
