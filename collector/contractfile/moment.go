package contractfile

import (
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// localForms are the times without an offset: they are meant in the
// contract's billing time zone.
var localForms = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"}

// moment reads a date, which stands for its first moment in the billing time
// zone, a local time, or a time with an offset (RFC 3339).
func (b build) moment(key string, s scalar) (int64, error) {
	if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
		return t.UnixMilli(), nil
	}
	if t, err := time.Parse(time.DateOnly, s.Value); err == nil {
		return contract.Midnight(t, b.zone).UnixMilli(), nil
	}
	for _, form := range localForms {
		if wall, err := time.Parse(form, s.Value); err == nil {
			return b.wallTime(key, s, wall)
		}
	}
	return 0, b.wrong(s.Line, "%s %q is neither a date (2026-10-01) nor a time (2026-10-01T12:00 or 2026-10-01T12:00:00Z)", key, clip(s.Value))
}

// local shows a moment in the billing time zone.
func (b build) local(ms int64) string { return time.UnixMilli(ms).In(b.zone).Format(time.RFC3339) }

// wallTime finds the one instant at which clocks in the zone show wall.
func (b build) wallTime(key string, s scalar, wall time.Time) (int64, error) {
	found := map[int64]bool{}
	for _, near := range []time.Duration{-36 * time.Hour, 36 * time.Hour} {
		_, offset := wall.Add(near).In(b.zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if _, there := at.In(b.zone).Zone(); there == offset {
			found[at.UnixMilli()] = true
		}
	}
	for ms := range found {
		if len(found) == 1 {
			return ms, nil
		}
	}
	problem := "does not exist"
	if len(found) > 1 {
		problem = "occurs twice"
	}
	return 0, b.wrong(s.Line, "%s %q %s in %s, where clocks change: add an offset, as in 2026-10-01T12:00:00+02:00", key, s.Value, problem, b.zone)
}
