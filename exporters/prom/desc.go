package prom

import (
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gpumeter/gpumeter/metric"
)

// Labels of every GPU series. They are identity and nothing else: what can
// change while the GPU runs is a value or stands on an info series.
const (
	labelUUID  = "uuid"
	labelIndex = "gpu"
)

// The series that do not come from a table of metrics.
var (
	nodeInfo = prometheus.NewDesc("gpumeter_node_info", "Where this node stands and under whose account. Empty is unknown.",
		[]string{"node", "cloud", "account", "region", "zone", "instance_type", "instance_id", "reservation", "cluster", "rack", "agent_version"}, nil)
	driverUp   = prometheus.NewDesc("gpumeter_driver_up", "1 if the driver library answers.", nil, nil)
	driverDown = prometheus.NewDesc("gpumeter_driver_down", "1 with the reason, while the driver library does not answer.",
		[]string{"reason"}, nil)
	driverInfo = prometheus.NewDesc("gpumeter_driver_info", "Version of the kernel driver and of its library.",
		[]string{"driver", "nvml"}, nil)

	gpuInfo = gpuDesc("gpu_info", "What this GPU is.", "model", "name", "serial", "pci", "vbios", "driver")
	gpuUp   = gpuDesc("gpu_up", "1 if the GPU answered at the last look, 0 if it is lost or not observed.")
	gpuLost = gpuDesc("gpu_lost", "1 while the driver says that the GPU is gone from the bus.", "reason")

	gpuUnobserved = gpuDesc("gpu_unobserved", "1 with the reason, while nothing is known of the GPU. Its readings are absent, not zero.", "reason")
	gpuHolders    = gpuDesc("gpu_holders", "How many holders the GPU has. Absent while no source knows.")
	gpuHolderInfo = gpuDesc("gpu_holder_info", "Who has the GPU, and how that is known.", "basis", "kind", "group", "name", "part")
)

func gpuDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{labelUUID, labelIndex}, labels...), nil)
}

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
	known map[row]*prometheus.Desc
	help  map[string]string
}

// row is what tells descriptions apart: rows of one name and label differ by
// the label's value only.
type row struct {
	name, label string
	unit        metric.Unit
	kind        metric.Kind
}

func (x *descs) of(d *metric.Desc) *prometheus.Desc {
	r := row{d.Name, d.Label, d.Unit, d.Kind}
	x.mu.RLock()
	p := x.known[r]
	x.mu.RUnlock()
	if p != nil {
		return p
	}
	return x.add(r, d)
}

func (x *descs) add(r row, d *metric.Desc) *prometheus.Desc {
	x.mu.Lock()
	defer x.mu.Unlock()
	if p := x.known[r]; p != nil {
		return p
	}
	if x.known == nil {
		x.known, x.help = map[row]*prometheus.Desc{}, map[string]string{}
	}
	name := Name(d)
	if _, ok := x.help[name]; !ok {
		x.help[name] = d.Help
	}
	labels := []string{labelUUID, labelIndex}
	if d.Label != "" {
		labels = append(labels, d.Label)
	}
	p := prometheus.V2.NewDesc(name, x.help[name], prometheus.UnconstrainedLabels(labels), nil, prometheus.WithUnit(string(d.Unit)))
	x.known[r] = p
	return p
}
