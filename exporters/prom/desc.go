package prom

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/gpumeter/gpumeter/metric"
)

// Name returns the name under which Prometheus knows a metric:
// "gpu_memory_used_bytes", "gpu_energy_joules_total".
func Name(d *metric.Desc) string {
	name := strings.ReplaceAll(d.Name, ".", "_")
	if d.Unit != metric.Count {
		name += "_" + string(d.Unit)
	}
	if d.Kind == metric.Counter {
		name += "_total"
	}
	return name
}

// family is what all rows of one name have in common.
type family struct {
	index int // from 0, in the order in which names were met
	desc  *prometheus.Desc
	name  string
	help  string // the first row's: the format has one for a name
	unit  string // empty for none
	kind  dto.MetricType
}

// row is what all series of one metric.Desc have in common.
type row struct {
	*family
	labels []*dto.LabelPair // those of the Desc; nobody changes them
}

// rows makes each row and each family once. What it has made, nobody changes.
type rows struct {
	mu    sync.RWMutex // guards what follows
	known map[*metric.Desc]*row
	named map[string]*family
}

func (x *rows) of(d *metric.Desc) *row {
	x.mu.RLock()
	r := x.known[d]
	x.mu.RUnlock()
	if r != nil {
		return r
	}
	return x.add(d)
}

func (x *rows) add(d *metric.Desc) *row {
	x.mu.Lock()
	defer x.mu.Unlock()
	if r := x.known[d]; r != nil {
		return r
	}
	if x.known == nil {
		x.known, x.named = map[*metric.Desc]*row{}, map[string]*family{}
	}
	name := Name(d)
	if x.named[name] == nil {
		x.named[name] = newFamily(len(x.named), name, d)
	}
	r := &row{family: x.named[name]}
	for _, l := range d.Labels {
		r.labels = append(r.labels, pair(l.Name, l.Value))
	}
	x.known[d] = r
	return r
}

func newFamily(index int, name string, d *metric.Desc) *family {
	f := &family{index: index, name: name, help: d.Help, unit: string(d.Unit), kind: dto.MetricType_GAUGE}
	if d.Kind == metric.Counter {
		f.kind = dto.MetricType_COUNTER
	}
	// No label names: they are no part of what a registry holds us to.
	f.desc = prometheus.V2.NewDesc(name, f.help, prometheus.UnconstrainedLabels(nil), nil, prometheus.WithUnit(f.unit))
	return f
}

// empty returns the family without series, for one page.
func (f *family) empty() *dto.MetricFamily {
	out := &dto.MetricFamily{Name: &f.name, Help: &f.help, Type: &f.kind}
	if f.unit != "" {
		out.Unit = &f.unit
	}
	return out
}
