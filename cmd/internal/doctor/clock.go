package doctor

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Clock is what is known of this machine's clock.
type Clock struct {
	// Kept reports whether the kernel says that something keeps it in step.
	Kept bool
	// Trouble says why the kernel was not asked; empty if it was.
	Trouble string
}

// ReadClock asks the kernel. It sets nothing.
func ReadClock() Clock {
	var t unix.Timex // no mode: only read
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return Clock{Trouble: err.Error()}
	}
	return Clock{Kept: state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0}
}

// Differences between two clocks. Totals never depend on a clock; the label of a
// window does, and with it the day and the month that it counts for.
const (
	smallDifference = 5 * time.Second
	largeDifference = time.Minute
)

const setClock = "Start a time service: chrony or systemd-timesyncd (timedatectl set-ntp true)."

// Find says how the clock is, laid against the collector's where that answered.
func (c Clock) Find(a *Answer) Finding {
	if a != nil && a.HasOffset {
		off, doubt := a.Offset.Abs(), a.Doubt
		text := fmt.Sprintf("This clock is %s the collector's, to within %s.", ahead(a.Offset), Round(doubt))
		if off <= doubt {
			text = fmt.Sprintf("This clock agrees with the collector's, to within %s.", Round(off+doubt))
		}
		switch {
		case off-doubt > largeDifference:
			return Bad(text+" Records fall into wrong hours and days.", setClock+" If this clock is right, the collector's is wrong.")
		case off-doubt > smallDifference:
			return Warn(text, setClock+" If this clock is right, the collector's is wrong.")
		}
		if !c.Kept && c.Trouble == "" {
			return Ok(text + " The kernel does not say that a time service keeps it there.")
		}
		return Ok(text)
	}
	switch {
	case c.Trouble != "":
		return Unsure("The kernel does not say whether the clock is kept in step: "+c.Trouble+".", "Look at it with timedatectl.")
	case !c.Kept:
		return Warn("Nothing keeps this clock in step.", setClock)
	}
	return Ok("A time service keeps this clock in step.")
}

func ahead(d time.Duration) string {
	if d < 0 {
		return Round(-d) + " behind"
	}
	return Round(d) + " ahead of"
}

// Round prints a duration without digits that say nothing.
func Round(d time.Duration) string {
	switch {
	case d < time.Second:
		return max(d.Round(time.Millisecond), time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
