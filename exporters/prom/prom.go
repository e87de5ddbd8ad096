// Package prom shows the newest look at a node's GPUs to Prometheus.
//
// It renders what was read before and never touches the driver: a scrape costs
// the same while a GPU hangs.
package prom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gpumeter/gpumeter/exporters"
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
	o    Options
	rows rows
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
	p := page{rows: &e.rows}
	for pt := range exporters.Points(&s, e.o.Now(), e.o.MaxAge) {
		ch <- p.series(&pt)
	}
}
