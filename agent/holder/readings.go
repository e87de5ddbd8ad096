package holder

import (
	"slices"

	"github.com/gpumeter/gpumeter/metric"
)

// sourceDescs are the metrics of one source.
type sourceDescs struct {
	source     string
	up, errors *metric.Desc
}

// The metrics of asking for holders.
var (
	kubeletDescs  = newSourceDescs("kubelet")
	slurmDescs    = newSourceDescs("slurm")
	labelsDescs   = newSourceDescs("pod-labels")
	unmatchedDesc = &metric.Desc{Name: "gpumeter.holder.unmatched",
		Help: "Devices that the kubelet gave to pods and that match no GPU of this node. While there are any, nobody says that a GPU without a pod is free."}
)

func newSourceDescs(source string) *sourceDescs {
	labels := []metric.Label{{Name: "source", Value: source}}
	return &sourceDescs{
		source: source,
		up: &metric.Desc{Name: "gpumeter.holder.source.up", Labels: labels,
			Help: "1 while this source of holders answers, 0 when it has not for so long that what it said counts no more: 30 seconds, of the labels of pods 15 minutes. Absent where there is no such source."},
		errors: &metric.Desc{Name: "gpumeter.holder.source.errors", Labels: labels, Kind: metric.Counter,
			Help: "Times that a source of holders was asked in vain."},
	}
}

// Descs lists the metrics that Readings may have.
func Descs() []*metric.Desc {
	return []*metric.Desc{kubeletDescs.up, slurmDescs.up, labelsDescs.up, kubeletDescs.errors, slurmDescs.errors, labelsDescs.errors, unmatchedDesc}
}

// Readings returns how asking for holders goes, as readings of the node.
func (f *Finder) Readings() []metric.Reading {
	out := slices.Concat(f.pods.readings(), f.jobs.readings(), f.labels.readings())
	if _, _, ok := f.pods.newest(); ok {
		f.mu.Lock()
		defer f.mu.Unlock()
		out = append(out, metric.Reading{Desc: unmatchedDesc, Value: float64(f.unmatched())})
	}
	return out
}
