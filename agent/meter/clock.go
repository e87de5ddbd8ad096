package meter

import "time"

const (
	// stepMs is the smallest difference between wall and label clock that is
	// a step. Slew needs no care: the kernel slews CLOCK_BOOTTIME together
	// with CLOCK_REALTIME, so only steps part them.
	stepMs = 1000
	// backMs is the largest backward step that leaves the labels alone.
	backMs = 5 * 60 * 1000
)

// clock turns boot time into labels: label = anchor + boot. Labels of one
// agent never run backwards by less than backMs, because records with the same
// label would then count twice. After a small backward step the labels stay
// ahead of the wall clock, and offset says by how much.
type clock struct {
	anchorMs int64
	offset   int64 // wall − label, as last seen beyond stepMs
}

func (c *clock) anchor(bootMs int64, wall time.Time) {
	c.anchorMs, c.offset = wall.UnixMilli()-bootMs, 0
}

// label returns the Unix milliseconds of a boot time.
func (c *clock) label(bootMs int64) int64 { return c.anchorMs + bootMs }

// edge returns the boot time of the first window edge after bootMs.
func (c *clock) edge(bootMs, windowMs int64) int64 {
	l := c.label(bootMs)
	return (floorDiv(l, windowMs)+1)*windowMs - c.anchorMs
}

// step returns by how much the wall clock moved since it was last compared;
// 0 below stepMs.
func (c *clock) step(bootMs int64, wall time.Time) int64 {
	moved := wall.UnixMilli() - c.label(bootMs) - c.offset
	if moved > -stepMs && moved < stepMs {
		return 0
	}
	c.offset += moved
	return moved
}

// mustMove reports whether the labels have to follow the wall clock now.
// Forward always: the labels skip time. Backward only where it is so far that
// the labels would be wrong for long.
func (c *clock) mustMove() bool { return c.offset > 0 || c.offset < -backMs }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
