package holder

import (
	"slices"

	"github.com/gpumeter/gpumeter/agent/holder/kubelet"
	"github.com/gpumeter/gpumeter/metric"
)

// matching is how many of the kubelet's devices match no GPU of this node.
type matching struct {
	stale     bool   // a GPU or an instance came or went
	seq       uint64 // the kubelet's answer that it is about
	unmatched int
}

// unmatched counts the devices of the kubelet's newest answer that match no GPU.
// f.mu is held.
func (f *Finder) unmatched() int {
	uses, seq, _ := f.pods.newest()
	if f.match.stale || f.match.seq != seq {
		f.match = matching{seq: seq}
		for _, u := range uses {
			if !f.matches(u.Device) {
				f.match.unmatched++
			}
		}
	}
	return f.match.unmatched
}

func (f *Finder) matches(d kubelet.Device) bool {
	for _, x := range f.gpus {
		if held(&x.looked, d) != "" {
			return true
		}
	}
	return false
}

// held returns the UUID of what a device is on the GPU of a look: of the GPU, or
// of one of its compute instances; empty if it is not there, or could be several.
func held(l *metric.Look, d kubelet.Device) string {
	switch {
	case d.UUID != "" && d.UUID == l.GPU.UUID, d.Node != "" && d.Node == l.GPU.Device:
		if d.Part == nil {
			return l.GPU.UUID
		}
		return partOf(l, d.Part)
	case d.UUID == "":
		return ""
	}
	for i := range l.Instances {
		for k := range l.Instances[i].Compute {
			if l.Instances[i].Compute[k].UUID == d.UUID {
				return d.UUID
			}
		}
	}
	return ""
}

// partOf finds the one compute instance that fits.
func partOf(l *metric.Look, p *kubelet.Part) string {
	uuid := ""
	for i := range l.Instances {
		in := &l.Instances[i]
		if p.Instance >= 0 && p.Instance != in.ID || p.Profile != "" && p.Profile != in.Profile {
			continue
		}
		for _, c := range in.Compute {
			if p.Compute >= 0 && p.Compute != c.ID {
				continue
			}
			if uuid != "" {
				return "" // nothing is guessed
			}
			uuid = c.UUID
		}
	}
	return uuid
}

// sameShape reports whether two looks at a GPU show the same instances.
func sameShape(a, b *metric.Look) bool {
	return a.GPU.Device == b.GPU.Device && a.MIG == b.MIG && slices.EqualFunc(a.Instances, b.Instances, func(x, y metric.Instance) bool {
		return x.ID == y.ID && x.Profile == y.Profile && slices.EqualFunc(x.Compute, y.Compute, func(v, w metric.ComputeInstance) bool {
			return v.ID == w.ID && v.UUID == w.UUID
		})
	})
}
