// Package doctor says what stands in the way of a program, and what to do about
// it.
//
// What is looked at is gathered first, into facts. A check is a row of a table: a
// name, what is looked at, and a pure function of the facts. What could not be
// looked at is unknown, never well.
package doctor

import (
	"cmp"
	"slices"
)

// Level says how a thing is.
type Level uint8

// Levels, from the best to the worst.
const (
	Well    Level = iota
	Aside         // does not concern this machine
	Warning       // it works, and something is lost or will be
	Unknown       // could not be looked at
	Fault         // it does not work until somebody does something
)

var words = [...]string{"ok", "n/a", "warning", "unknown", "fault"}

// String returns the word for a level.
func (l Level) String() string { return words[min(l, Fault)] }

// MarshalText makes the word of it.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Finding is how one thing is.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	// What is a sentence that says how it is and what shows that, Remedy what to
	// do; empty where nothing is to be done.
	What   string `json:"what"`
	Remedy string `json:"remedy,omitempty"`
}

// Ok finds that all is well.
func Ok(what string) Finding { return Finding{Level: Well, What: what} }

// Leave finds that there is nothing to look at here.
func Leave(what string) Finding { return Finding{Level: Aside, What: what} }

// Warn finds what works, but not as it could.
func Warn(what, remedy string) Finding { return Finding{Level: Warning, What: what, Remedy: remedy} }

// Unsure finds that it could not be looked at.
func Unsure(what, remedy string) Finding { return Finding{Level: Unknown, What: what, Remedy: remedy} }

// Bad finds what does not work.
func Bad(what, remedy string) Finding { return Finding{Level: Fault, What: what, Remedy: remedy} }

// Check is one row of a table of checks of facts T.
type Check[T any] struct {
	Name string
	// Looks says what is looked at and how, for who reads the table.
	Looks string
	// Find says how it is: mostly one finding, several where there are several of
	// the thing. It changes nothing and asks nobody.
	Find func(*T) []Finding
}

// Run makes the findings of a table, in its order.
func Run[T any](table []Check[T], facts *T) Report {
	var r Report
	for _, c := range table {
		for _, f := range c.Find(facts) {
			f.Check = cmp.Or(f.Check, c.Name)
			r.Findings = append(r.Findings, f)
		}
	}
	return r
}

// Report is what was found.
type Report struct {
	Findings []Finding
}

// Count returns how many findings have a level.
func (r *Report) Count(l Level) int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// Worst returns the worst level found: Well also where nothing concerns this
// machine, and Unknown where nothing was looked at.
func (r *Report) Worst() Level {
	if len(r.Findings) == 0 {
		return Unknown // nothing was looked at
	}
	worst := slices.MaxFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(a.Level, b.Level) }).Level
	if worst == Aside {
		return Well
	}
	return worst
}

// Exit statuses of a doctor, besides 1 for an error and 2 for wrong usage.
const (
	StatusFault = 3
	StatusDoubt = 4
)

// Statuses documents them in a command's help.
const Statuses = `Exit status:
  0  nothing stands in the way
  1  something went wrong while looking
  2  wrong usage
  3  a fault: it does not work until it is remedied
  4  no fault, but a warning or something that could not be looked at`

// ExitCode returns what a program that found this ends with.
func (r *Report) ExitCode() int {
	switch r.Worst() {
	case Fault:
		return StatusFault
	case Unknown, Warning:
		return StatusDoubt
	}
	return 0
}
