package exporters

import "time"

// Moment is the wall time of which the points of a snapshot speak: that of its
// frame, or now where the frame is too old to say anything.
func Moment(s *Snapshot, now time.Time, maxAge time.Duration) time.Time {
	if now.Sub(s.Frame.Wall) > maxAge {
		return now
	}
	return s.Frame.Wall
}
