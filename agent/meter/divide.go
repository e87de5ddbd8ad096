package meter

import (
	"math"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// lot is what one holder has of a healthy span. The lots of a span add up to
// it exactly. They are in nanoseconds: rounding to milliseconds waits for the
// end of the window.
type lot struct {
	holder   usage.Holder
	rest     rest
	ns       int64
	util, sm metric.Share // of ns
}

// lots divides a span among those who hold the GPU: by compute slices where it
// is divided and the instances' holders are asked for, equally among several
// holders of the same thing.
func (m *Meter) lots(s span) []lot {
	l := s.look
	all := lot{ns: s.ms() * 1_000_000, util: l.Util, sm: l.SMActive}
	if l.MIG && m.cfg.Parts != nil {
		return m.instanceLots(l, all)
	}
	hs, known := m.holders(l)
	return m.among(nil, all, hs, known)
}

// instanceLots divides a lot among the instances of a GPU and, for the slices
// that are in none of them, nobody: nothing can run there.
func (m *Meter) instanceLots(l *metric.Look, all lot) []lot {
	if len(l.Instances) == 0 && !l.Util.Known {
		// The driver does not say what instances there are.
		return m.among(nil, all, nil, false)
	}
	weights := instanceWeights(l)
	var out []lot
	left := all.ns
	for i, ns := range apportion(all.ns, weights) {
		if i == len(l.Instances) {
			break
		}
		left -= ns
		out = m.computeLots(out, l, &l.Instances[i], lot{ns: ns, util: within(l.Util, l.Instances[i].Util), sm: within(l.SMActive, l.Instances[i].SMActive)})
	}
	if left > 0 {
		out = m.among(out, lot{ns: left, util: metric.Share{Known: l.Util.Known}, sm: metric.Share{Known: l.SMActive.Known}}, nil, true)
	}
	return out
}

// within is the share of an instance, where that of its GPU is known: else the
// instance may not have been there all the time.
func within(gpu, instance metric.Share) metric.Share {
	if !gpu.Known {
		return metric.Share{}
	}
	return instance
}

// instanceWeights returns the compute slices of each instance of a GPU, and
// last those that are in no instance.
func instanceWeights(l *metric.Look) []int {
	var out []int
	of, used := 0, 0
	for i := range l.Instances {
		in := &l.Instances[i]
		of, used = max(of, in.Of), used+in.Slices
		out = append(out, max(in.Slices, 0))
	}
	return append(out, max(of-used, 0))
}

// computeLots divides what a GPU instance has among its compute instances: no
// other can use it.
func (m *Meter) computeLots(to []lot, l *metric.Look, in *metric.Instance, all lot) []lot {
	if len(in.Compute) == 0 {
		return m.among(to, all, nil, true)
	}
	weights := make([]int, len(in.Compute))
	for i := range in.Compute {
		weights[i] = max(in.Compute[i].Slices, 1)
	}
	for i, ns := range apportion(all.ns, weights) {
		hs, known := m.cfg.Parts(*l, in.Compute[i].UUID)
		all.ns = ns
		to = m.among(to, all, hs, known)
	}
	return to
}

// among divides a lot equally among its holders. A holder that is nobody says
// which source found none.
func (m *Meter) among(to []lot, all lot, holders []usage.Holder, known bool) []lot {
	if len(holders) == 0 {
		all.holder, all.rest = usage.Holder{Basis: usage.BasisNone}, restUnmeasured
		if known {
			all.holder, all.rest = usage.Holder{Basis: m.cfg.Basis}, restUnallocated
		}
		return append(to, all)
	}
	weights := make([]int, len(holders))
	for i := range weights {
		weights[i] = 1
	}
	for i, ns := range apportion(all.ns, weights) {
		all.holder, all.rest, all.ns = holders[i], restIdle, ns
		if !holders[i].Held() {
			all.rest = restUnallocated
		}
		to = append(to, all)
	}
	return to
}

// apportion divides an amount by weight; the parts add up to it, and none is
// off by more than one. Without any weight all of it is the last one's.
func apportion(total int64, weights []int) []int64 {
	var sum, upTo, done int64
	for _, w := range weights {
		sum += int64(w)
	}
	out := make([]int64, len(weights))
	for i, w := range weights {
		upTo += int64(w)
		end := total
		if sum > 0 {
			end = total * upTo / sum
		} else if i < len(weights)-1 {
			end = 0
		}
		out[i] = end - done
		done = end
	}
	return out
}

// activeNs is a share of ns. A share outside 0–1 is the driver's mistake and is
// held to the time there was.
func activeNs(u metric.Share, ns int64) int64 {
	v := min(max(u.Value, 0), 1)
	return int64(math.Round(v * float64(ns)))
}
