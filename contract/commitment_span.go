package contract

import (
	"cmp"
	"slices"
	"time"
)

// timeSpan is a half-open span of time.
type timeSpan struct{ fromMs, toMs int64 }

// Committed is what the whole term commits to: the total of a pool, or all the
// intervals together. For a pool without a total it is the sum of its floors.
// The error is of amounts beyond what Money holds.
func (c *Contract) Committed(m *Commitment) (Money, error) {
	if m.Model == Continuous {
		return mulDiv(m.PerInterval, int64(len(c.intervals(m))), 1)
	}
	if m.Total != 0 {
		return m.Total, nil
	}
	return m.floors()
}

// floors is the sum of the floors.
func (m *Commitment) floors() (Money, error) {
	var sum Money
	for _, f := range m.Floors {
		var err error
		if sum, err = add(sum, f.Amount); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// cloudID is the id that the cloud's exports name the commitment by.
func (m *Commitment) cloudID() string {
	if m.CloudID != "" {
		return m.CloudID
	}
	return m.ID
}

// maxIntervals bounds the intervals of a term: hours for fifty years.
const maxIntervals = 50 * 366 * 24

// intervals cuts the term of a continuous commitment; the last interval ends
// with the term. Days and longer intervals are those of the contract's zone.
func (c *Contract) intervals(m *Commitment) []timeSpan {
	var out []timeSpan
	start := c.local(m.FromMs)
	for at, n := m.FromMs, 1; at < m.EndMs && n <= maxIntervals; n++ {
		next := min(m.Interval.after(start, n).UnixMilli(), m.EndMs)
		if next <= at { // a date that clocks or months skip
			continue
		}
		out = append(out, timeSpan{at, next})
		at = next
	}
	return out
}

// after is n intervals after a start, in the start's zone. A month that has no
// such day ends with its last one: from the 31st on, the ends of months.
func (i Interval) after(start time.Time, n int) time.Time {
	months := 0
	switch i {
	case Hourly:
		return start.Add(time.Duration(n) * time.Hour)
	case Daily:
		return start.AddDate(0, 0, n)
	case Monthly:
		months = n
	case Quarterly:
		months = 3 * n
	case Annual:
		months = 12 * n
	}
	first := time.Date(start.Year(), start.Month(), 1, start.Hour(), start.Minute(), start.Second(), start.Nanosecond(), start.Location())
	last := first.AddDate(0, months+1, -1).Day()
	return first.AddDate(0, months, min(start.Day(), last)-1)
}

// union joins spans that touch or overlap, in order of time.
func union(spans []timeSpan) []timeSpan {
	spans = slices.DeleteFunc(slices.Clone(spans), func(s timeSpan) bool { return s.fromMs >= s.toMs })
	slices.SortFunc(spans, timeSpan.compare)
	var out []timeSpan
	for _, s := range spans {
		if n := len(out); n > 0 && s.fromMs <= out[n-1].toMs {
			out[n-1].toMs = max(out[n-1].toMs, s.toMs)
			continue
		}
		out = append(out, s)
	}
	return out
}

// without cuts a union of spans out of one span.
func (s timeSpan) without(spans []timeSpan) []timeSpan {
	if s.ms() == 0 {
		return nil
	}
	var out []timeSpan
	at := s.fromMs
	for _, x := range spans {
		if x.toMs <= at || x.fromMs >= s.toMs {
			continue
		}
		if at < x.fromMs {
			out = append(out, timeSpan{at, x.fromMs})
		}
		at = x.toMs
	}
	if at < s.toMs {
		out = append(out, timeSpan{at, s.toMs})
	}
	return out
}

// clip is the part of the span within another.
func (s timeSpan) clip(o timeSpan) timeSpan {
	return timeSpan{max(s.fromMs, o.fromMs), min(s.toMs, o.toMs)}
}

func (s timeSpan) ms() int64 { return max(0, s.toMs-s.fromMs) }

// compare orders spans by their begin, then by their end.
func (s timeSpan) compare(o timeSpan) int {
	return cmp.Or(cmp.Compare(s.fromMs, o.fromMs), cmp.Compare(s.toMs, o.toMs))
}
