package prom

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
)

// Labels of GPU series. They are identity and nothing else: what can change
// while the GPU runs is a value or stands on an info series.
const (
	labelUUID     = "uuid"
	labelIndex    = "gpu"
	labelInstance = "gpu_instance" // the driver's id, of what is about a MIG instance
)

// series is one value. Its label pairs may be shared with other series, and
// nobody changes them.
type series struct {
	row     *row
	value   float64
	metric  dto.Metric
	gauge   dto.Gauge // one of the two is pointed to by metric
	counter dto.Counter
}

// Desc implements prometheus.Metric.
func (s *series) Desc() *prometheus.Desc { return s.row.desc }

// Write implements prometheus.Metric. It may be called concurrently.
func (s *series) Write(m *dto.Metric) error {
	m.Label, m.Gauge, m.Counter = s.metric.Label, s.metric.Gauge, s.metric.Counter
	return nil
}

// slab is how many series are allocated at once.
const slab = 256

// page makes the series of one scrape.
type page struct {
	rows *rows
	free []series

	// Points come subject by subject, so one remembered subject is enough.
	gpu      *metric.GPU
	instance *metric.Instance
	subject  []*dto.LabelPair
}

func (p *page) series(pt *exporters.Point) *series {
	if len(p.free) == 0 {
		p.free = make([]series, slab)
	}
	s := &p.free[0]
	p.free = p.free[1:]
	s.row, s.value = p.rows.of(pt.Desc), pt.Value
	s.metric.Label = p.labels(pt, s.row)
	if s.row.kind == dto.MetricType_COUNTER {
		s.counter.Value, s.metric.Counter = &s.value, &s.counter
	} else {
		s.gauge.Value, s.metric.Gauge = &s.value, &s.gauge
	}
	return s
}

// labels returns the labels of a point in the order of their names. Empty ones
// are left out: for Prometheus they are the same as none.
func (p *page) labels(pt *exporters.Point, r *row) []*dto.LabelPair {
	if pt.GPU != p.gpu || pt.Instance != p.instance {
		p.gpu, p.instance, p.subject = pt.GPU, pt.Instance, subject(pt)
	}
	if len(r.labels) == 0 && len(pt.Extra) == 0 {
		return p.subject
	}
	out := make([]*dto.LabelPair, 0, len(p.subject)+len(r.labels)+len(pt.Extra))
	out = append(append(out, p.subject...), r.labels...)
	for _, l := range pt.Extra {
		if l.Value != "" {
			out = append(out, pair(l.Name, l.Value))
		}
	}
	slices.SortFunc(out, func(a, b *dto.LabelPair) int { return cmp.Compare(*a.Name, *b.Name) })
	return out
}

// subject returns the labels that say what a point is of, in the order of
// their names; none for the node.
func subject(pt *exporters.Point) []*dto.LabelPair {
	if pt.GPU == nil {
		return nil
	}
	out := []*dto.LabelPair{pair(labelIndex, strconv.Itoa(pt.GPU.Index))}
	if pt.Instance != nil {
		out = append(out, pair(labelInstance, strconv.Itoa(pt.Instance.ID)))
	}
	return append(out, pair(labelUUID, pt.GPU.UUID))
}

func pair(name, value string) *dto.LabelPair {
	value = clean(value)
	return &dto.LabelPair{Name: &name, Value: &value}
}
