package contract

import "time"

// Midnight returns when the calendar date of d begins in a zone; d's own zone
// and time of day do not matter beyond its date. Where clocks go back over
// midnight it is the first of the two midnights; where they skip it, the
// moment of the skip. The days of a report begin at it.
func Midnight(d time.Time, zone *time.Location) time.Time {
	return time.UnixMilli(dayStart(d.Year(), d.Month(), d.Day(), zone)).In(zone)
}
