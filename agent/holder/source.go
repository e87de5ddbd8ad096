package holder

import (
	"fmt"
	"time"
)

// Source says how one source of holders does.
type Source struct {
	// Name is "slurm", "kubelet", "pod-labels" or "processes".
	Name string `json:"name"`
	// State is one of the three below.
	State string `json:"state"`
	// Detail says more where the source does not work.
	Detail string `json:"detail,omitempty"`
}

// States of sources. A source that is absent is not there and is not missed; one
// that fails was there, or should be.
const (
	SourceWorks  = "works"
	SourceAbsent = "absent"
	SourceFails  = "fails"
)

// Sources returns how the sources do that this finder asks, in the order in
// which they are believed. It may be called concurrently.
func (f *Finder) Sources() []Source {
	var out []Source
	if f.jobs != nil {
		out = append(out, f.jobs.source())
	}
	if f.pods != nil {
		out = append(out, f.pods.source())
	}
	if f.labels != nil {
		out = append(out, f.labels.source())
	}
	processes := Source{Name: "processes", State: SourceWorks}
	if !f.seesAll {
		processes.State, processes.Detail = SourceAbsent, "this process sees those of its own container only (hostPID is off)"
	}
	return append(out, processes)
}

// source returns how asking goes.
func (p *poll[T]) source() Source {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := Source{Name: p.metrics.source, State: SourceWorks}
	switch {
	case !p.met && p.err == nil:
		out.State, out.Detail = SourceAbsent, "it was not asked yet"
	case !p.met:
		out.State, out.Detail = SourceAbsent, p.err.Error()
	case !p.good():
		out.State = SourceFails
		if p.err != nil {
			out.Detail = p.err.Error()
		}
	case p.failing:
		out.Detail = fmt.Sprintf("what it said %s ago still counts: %v", time.Since(p.asked).Truncate(time.Second), p.err)
	}
	return out
}
