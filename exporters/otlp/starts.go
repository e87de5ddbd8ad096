package otlp

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// forget is after how long a counter that is not seen any more is forgotten.
const forget = time.Hour

// starts knows when each cumulative series began. The zero starts has seen
// none.
type starts struct {
	series map[seriesKey]*origin
}

type seriesKey struct {
	name       string
	attributes attribute.Distinct
}

type origin struct {
	start, seen time.Time
	value       float64
}

// of returns when a series began that has a value at a time. known is when it
// stood at zero, the zero time where nobody knows.
func (s *starts) of(key seriesKey, value float64, at, known time.Time) time.Time {
	o := s.series[key]
	switch {
	case o == nil:
		o = &origin{start: at}
		if !known.IsZero() {
			o.start = known
		}
		if s.series == nil {
			s.series = map[seriesKey]*origin{}
		}
		s.series[key] = o
	case value < o.value:
		// It was reset after the last point: all that it has was gained since.
		o.start = o.seen
	}
	if o.start.After(at) {
		o.start = at // the wall clock was set back
	}
	o.seen, o.value = at, value
	return o.start
}

// prune forgets what was not seen for long.
func (s *starts) prune(at time.Time) {
	for key, o := range s.series {
		if at.Sub(o.seen) > forget {
			delete(s.series, key)
		}
	}
}
