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

// row is what all series of one metric.Desc have in common.
type row struct {
	desc    *prometheus.Desc
	counter bool
	labels  []*dto.LabelPair // those of the Desc; nobody changes them
}

// rows makes each row once, and one description for all rows of a name: the
// format has one help text for a name, and the first one stands.
type rows struct {
	mu    sync.RWMutex // guards what follows
	known map[*metric.Desc]*row
	named map[string]*prometheus.Desc
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
		x.known, x.named = map[*metric.Desc]*row{}, map[string]*prometheus.Desc{}
	}
	name := Name(d)
	if x.named[name] == nil {
		// No label names: they are no part of what the registry holds us to.
		x.named[name] = prometheus.V2.NewDesc(name, d.Help, prometheus.UnconstrainedLabels(nil), nil, prometheus.WithUnit(string(d.Unit)))
	}
	r := &row{desc: x.named[name], counter: d.Kind == metric.Counter}
	for _, l := range d.Labels {
		r.labels = append(r.labels, pair(l.Name, l.Value))
	}
	x.known[d] = r
	return r
}
