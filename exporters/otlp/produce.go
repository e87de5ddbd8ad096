package otlp

import (
	"context"
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
)

const scopeName = "github.com/gpumeter/gpumeter/exporters/otlp"

// producer is the SDK's metric.Producer: it turns the newest snapshot into
// metric data.
type producer struct {
	cfg         Config
	environment *resource.Resource

	mu     sync.Mutex // guards what follows
	starts starts
	last   time.Time // time of the points of the export before
}

// resource says whose the metrics are, as far as it is known now.
func (p *producer) resource() *resource.Resource {
	s := p.cfg.Snapshot()
	return resourceOf(&s.Node, p.environment)
}

// Produce returns what there is to show. It does not fail.
func (p *producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, now := p.cfg.Snapshot(), p.cfg.Now()
	b := builder{
		// Without the monotonic reading, which a step of the wall clock does not
		// move: what is compared has to be what is sent.
		at: exporters.Moment(&s, now, p.cfg.MaxAge).Round(0), known: p.known(&s), starts: &p.starts,
		driver: s.Frame.Driver.Version, index: map[string]int{}, instruments: map[*metric.Desc]instrument{},
	}
	for point := range exporters.Points(&s, now, p.cfg.MaxAge) {
		b.point(&point)
	}
	b.closeGPU()
	p.starts.prune(b.at)
	p.last = b.at
	return []metricdata.ScopeMetrics{{
		Scope:   instrumentation.Scope{Name: scopeName, Version: s.Node.Agent, SchemaURL: semconv.SchemaURL},
		Metrics: b.data(),
	}}, nil
}

// known returns the counters of which it is known when they stood at zero: the
// integrals at the agent's start, and errors at the last export, if they were
// not there then.
func (p *producer) known(s *exporters.Snapshot) map[*metric.Desc]time.Time {
	out := map[*metric.Desc]time.Time{exporters.Xids: p.last}
	for _, readings := range s.Totals {
		for i := range readings {
			out[readings[i].Desc] = p.cfg.Started.Round(0)
		}
	}
	return out
}

// series are the points of one name.
type series struct {
	instrument
	points []metricdata.DataPoint[float64]
	seen   map[attribute.Distinct]bool
}

// builder gathers points by name.
type builder struct {
	at     time.Time
	known  map[*metric.Desc]time.Time
	starts *starts
	driver string

	index       map[string]int // of series, by name
	series      []series
	instruments map[*metric.Desc]instrument

	// Of the subject whose points come now.
	gpu     *metric.GPU
	subject []attribute.KeyValue // attributes of gpu
	status  status

	scratch []attribute.KeyValue // reused
}

func (b *builder) point(p *exporters.Point) {
	if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
		return // a value that is none is absent
	}
	if p.GPU != b.gpu {
		b.closeGPU()
		b.gpu = p.GPU
		if p.GPU != nil {
			b.subject = gpuAttributes(b.subject[:0], p.GPU, b.driver)
		}
	}
	b.scratch = b.scratch[:0]
	if p.GPU != nil {
		b.status.note(p)
		b.scratch = append(b.scratch, b.subject...)
	}
	if p.Instance != nil {
		b.scratch = instanceAttributes(b.scratch, p.GPU, p.Instance)
	}
	b.scratch = pointAttributes(b.scratch, p)
	in, ok := b.instruments[p.Desc]
	if !ok {
		in = instrumentOf(p.Desc)
		b.instruments[p.Desc] = in
	}
	b.add(in, b.known[p.Desc], p.Value)
}

// closeGPU tells the state of the GPU whose points came last.
func (b *builder) closeGPU() {
	if b.gpu != nil && b.status.known {
		row, _ := conventional("hw.status")
		for _, state := range states {
			b.scratch = append(append(b.scratch[:0], b.subject...), semconv.HwStateKey.String(state))
			value := 0.0
			if state == b.status.state() {
				value = 1
			}
			b.add(row, time.Time{}, value)
		}
	}
	b.gpu, b.status = nil, status{}
}

// add takes a point with the attributes in scratch. A second one with the same
// attributes is left out: a receiver may refuse all for its sake.
func (b *builder) add(in instrument, known time.Time, value float64) {
	i, ok := b.index[in.name]
	if !ok {
		i = len(b.series)
		b.index[in.name] = i
		b.series = append(b.series, series{instrument: in, seen: map[attribute.Distinct]bool{}})
	}
	s := &b.series[i]
	set := attribute.NewSet(b.scratch...)
	if s.seen[set.Equivalent()] {
		return
	}
	s.seen[set.Equivalent()] = true
	point := metricdata.DataPoint[float64]{Attributes: set, Time: b.at, Value: value}
	if s.kind == counter {
		point.StartTime = b.starts.of(seriesKey{in.name, set.Equivalent()}, value, b.at, known)
	}
	s.points = append(s.points, point)
}

func (b *builder) data() []metricdata.Metrics {
	out := make([]metricdata.Metrics, 0, len(b.series))
	for i := range b.series {
		s := &b.series[i]
		m := metricdata.Metrics{Name: s.name, Description: s.help, Unit: s.unit}
		if s.kind == gauge {
			m.Data = metricdata.Gauge[float64]{DataPoints: s.points}
		} else {
			m.Data = metricdata.Sum[float64]{DataPoints: s.points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: s.kind == counter}
		}
		out = append(out, m)
	}
	return out
}
