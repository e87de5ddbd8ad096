package otlp

import (
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/gpumeter/gpumeter/exporters"
)

// states are the values of hw.state that we tell, in the conventions' words
// and one of ours: what is not observed is neither well nor ill.
var states = []string{
	semconv.HwStateOk.Value.AsString(),
	semconv.HwStateDegraded.Value.AsString(),
	semconv.HwStatePredictedFailure.Value.AsString(),
	semconv.HwStateFailed.Value.AsString(),
	stateUnobserved,
}

const stateUnobserved = "unobserved"

// signs say which state a GPU that answers is in when a metric of it is not 0.
// Degraded goes before a failure that is only predicted.
var signs = map[string]string{
	"gpu.recovery.action":             semconv.HwStateDegraded.Value.AsString(),
	"gpu.row_remap.failure":           semconv.HwStateDegraded.Value.AsString(),
	"gpu.memory.unrepairable":         semconv.HwStateDegraded.Value.AsString(),
	"gpu.row_remap.pending":           semconv.HwStatePredictedFailure.Value.AsString(),
	"gpu.page_retirement.pending":     semconv.HwStatePredictedFailure.Value.AsString(),
	"gpu.ecc.sram.threshold_exceeded": semconv.HwStatePredictedFailure.Value.AsString(),
}

// status gathers from a GPU's points which state it is in. The zero status has
// seen none.
type status struct {
	known    bool // its gpu.up was seen
	up, lost bool
	degraded bool
	pending  bool
}

func (s *status) note(p *exporters.Point) {
	switch p.Desc {
	case exporters.Up:
		s.known, s.up = true, p.Value == 1
	case exporters.Lost:
		s.lost = true
	}
	if p.Value == 0 || p.Instance != nil {
		return
	}
	switch signs[p.Desc.Name] {
	case semconv.HwStateDegraded.Value.AsString():
		s.degraded = true
	case semconv.HwStatePredictedFailure.Value.AsString():
		s.pending = true
	}
}

// state returns the one that the GPU is in.
func (s *status) state() string {
	switch {
	case s.lost:
		return semconv.HwStateFailed.Value.AsString()
	case !s.up:
		return stateUnobserved
	case s.degraded:
		return semconv.HwStateDegraded.Value.AsString()
	case s.pending:
		return semconv.HwStatePredictedFailure.Value.AsString()
	}
	return semconv.HwStateOk.Value.AsString()
}
