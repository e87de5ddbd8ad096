package prom

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

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

// descs makes each Prometheus description once. The first help text of a name
// stands for all its rows, as the format has one per name.
type descs struct {
	mu    sync.RWMutex // guards what follows
	known map[*metric.Desc]*prometheus.Desc
	help  map[string]string
}

func (x *descs) of(p *exporters.Point) *prometheus.Desc {
	x.mu.RLock()
	d := x.known[p.Desc]
	x.mu.RUnlock()
	if d != nil {
		return d
	}
	return x.add(p)
}

func (x *descs) add(p *exporters.Point) *prometheus.Desc {
	x.mu.Lock()
	defer x.mu.Unlock()
	if d := x.known[p.Desc]; d != nil {
		return d
	}
	if x.known == nil {
		x.known, x.help = map[*metric.Desc]*prometheus.Desc{}, map[string]string{}
	}
	name := Name(p.Desc)
	if _, ok := x.help[name]; !ok {
		x.help[name] = p.Desc.Help
	}
	d := prometheus.V2.NewDesc(name, x.help[name], prometheus.UnconstrainedLabels(names(p)), nil, prometheus.WithUnit(string(p.Desc.Unit)))
	x.known[p.Desc] = d
	return d
}

// names returns the label names of a point. All points of one Desc have the
// same.
func names(p *exporters.Point) []string {
	var out []string
	if p.GPU != nil {
		out = append(out, labelUUID, labelIndex)
	}
	if p.Instance != nil {
		out = append(out, labelInstance)
	}
	for _, l := range p.Desc.Labels {
		out = append(out, l.Name)
	}
	for _, l := range p.Extra {
		out = append(out, l.Name)
	}
	return out
}
