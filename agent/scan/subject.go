package scan

import (
	"fmt"
	"math"
	"strconv"

	"github.com/gpumeter/gpumeter/metric"
)

// subject is one GPU under judgement.
type subject struct {
	look   *metric.Look
	report *Report
}

// value returns a reading of a GPU that answered. label is the value of the
// row's label, empty for a metric of one row. What the GPU did not say is not
// known.
func (s *subject) value(name, label string) (v float64, known bool) {
	return valueOf(s.look, name, label)
}

func valueOf(l *metric.Look, name, label string) (v float64, known bool) {
	if l.Condition != metric.Good {
		return 0, false
	}
	for i := range l.Readings {
		d := l.Readings[i].Desc
		if d.Name != name {
			continue
		}
		if len(d.Labels) == 0 && label == "" || len(d.Labels) == 1 && d.Labels[0].Value == label {
			return l.Readings[i].Value, true
		}
	}
	return 0, false
}

// busy is the utilisation from which a GPU is under load.
const busy = 0.5

// loaded reports whether the GPU is known to be under load.
func (s *subject) loaded() bool { return s.look.Util.Known && s.look.Util.Value >= busy }

// test is a condition on a GPU: it returns what shows that it holds, or nothing.
type test func(*subject) string

// above holds where a reading is greater than a limit.
func above(name, label string, limit float64) test {
	return func(s *subject) string {
		if v, known := s.value(name, label); known && v > limit {
			return key(name, label) + " is " + number(v)
		}
		return ""
	}
}

// is holds where a reading has one value.
func is(name string, want float64) test {
	return func(s *subject) string {
		if v, known := s.value(name, ""); known && v == want {
			return name + " is " + number(v)
		}
		return ""
	}
}

// below holds where a reading is less than another by more than a share of it.
func below(name, than string, slack float64) test {
	return func(s *subject) string {
		v, known := s.value(name, "")
		limit, limited := s.value(than, "")
		if known && limited && v < limit*(1-slack) {
			return fmt.Sprintf("%s is %s of %s", name, number(v), number(limit))
		}
		return ""
	}
}

// near holds where a temperature is within a few degrees of a limit.
func near(name, limitLabel string, degrees float64) test {
	return func(s *subject) string {
		v, known := s.value(name, "")
		limit, limited := s.value("gpu.temperature.limit", limitLabel)
		if known && limited && v > limit-degrees {
			return fmt.Sprintf("%s is %s °C, the limit %s °C", name, number(v), number(limit))
		}
		return ""
	}
}

// underLoad holds where a condition holds while the GPU is under load.
func underLoad(t test) test {
	return func(s *subject) string {
		if !s.loaded() {
			return ""
		}
		if evidence := t(s); evidence != "" {
			return evidence + fmt.Sprintf(" at %.0f %% utilisation", 100*s.look.Util.Value)
		}
		return ""
	}
}

func key(name, label string) string {
	if label == "" {
		return name
	}
	return name + "{" + label + "}"
}

// number prints a value without digits that say nothing.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}
