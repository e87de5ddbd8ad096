// Package prom shows the newest look at a node's GPUs to Prometheus.
//
// It renders what was read before and never touches the driver: a scrape costs
// the same while a GPU hangs.
package prom

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

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

// Exporter is a prometheus.Gatherer, to be given to Handler, and a
// prometheus.Collector, to be registered: one or the other. A registry checks
// each series again and again, which costs a third of a scrape; Gather trusts
// the tables, which tests hold to the format's rules. Make one with New.
type Exporter struct {
	o    Options
	rows rows
}

// New returns an exporter.
func New(o Options) *Exporter {
	if o.MaxAge <= 0 {
		o.MaxAge = exporters.DefaultMaxAge
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Exporter{o: o}
}

// Gather returns the newest snapshot, family by family in the order of their
// names. It may be called concurrently and never fails.
func (e *Exporter) Gather() ([]*dto.MetricFamily, error) {
	s := e.o.Snapshot()
	p := page{rows: &e.rows}
	var families []*dto.MetricFamily // by index
	for pt := range exporters.Points(&s, e.o.Now(), e.o.MaxAge) {
		m := p.series(&pt)
		for len(families) <= m.row.index {
			families = append(families, nil)
		}
		if families[m.row.index] == nil {
			families[m.row.index] = m.row.empty()
		}
		f := families[m.row.index]
		f.Metric = append(f.Metric, &m.metric)
	}
	families = slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return f == nil })
	slices.SortFunc(families, byName)
	return families, nil
}

func byName(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) }

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
