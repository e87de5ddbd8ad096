package contract

import "time"

// day is one calendar day in some zone, perhaps cut by the bounds of a period.
type day struct {
	date         string // "2026-10-31"
	fromMs, toMs int64
}

// daysOf cuts [fromMs, toMs) into the calendar days of a zone. Days are as
// long as the zone makes them: 23 or 25 hours where clocks change.
func daysOf(fromMs, toMs int64, zone *time.Location) []day {
	var out []day
	y, m, d := time.UnixMilli(fromMs).In(zone).Date()
	for at := fromMs; at < toMs; d++ {
		next := min(dayStart(y, m, d+1, zone), toMs)
		if next > at { // a date that the zone skipped has no time
			out = append(out, day{time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), at, next})
			at = next
		}
	}
	return out
}

// Midnight returns when the calendar date of d begins in a zone; d's own zone
// and time of day do not matter beyond its date. Where clocks go back over
// midnight it is the first of the two midnights; where they skip it, the
// moment of the skip. The days of a report begin at it.
func Midnight(d time.Time, zone *time.Location) time.Time {
	return time.UnixMilli(dayStart(d.Year(), d.Month(), d.Day(), zone)).In(zone)
}

// dayStart is Midnight in Unix milliseconds. time.Date does not say which of
// two midnights it returns, nor that a skipped one is not yesterday.
func dayStart(y int, m time.Month, d int, zone *time.Location) int64 {
	wall := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	before, after := offsetAt(wall.Add(-36*time.Hour), zone), offsetAt(wall.Add(36*time.Hour), zone)
	for _, offset := range []time.Duration{before, after} {
		if at := wall.Add(-offset); offsetAt(at, zone) == offset {
			return at.UnixMilli()
		}
	}
	skip, _ := wall.Add(-before).In(zone).ZoneBounds()
	return skip.UnixMilli()
}

func offsetAt(t time.Time, zone *time.Location) time.Duration {
	_, seconds := t.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}
