package contract

import (
	"fmt"
	"time"
)

// Words are the notes on a commitment for people: its terms first, then how far
// it is and what must be known beside the figures.
func (s *CommitmentSpend) Words() []string {
	out := []string{fmt.Sprintf("%s to %s; %s, counted in %s cost; what is missing: %s", Moment(s.From), Moment(s.To), s.Model.Words(), s.CostBasis, s.Rule)}
	if s.Drawn != nil {
		line := fmt.Sprintf("through %s: %s of the term has passed, %s of what is committed is drawn",
			Moment(s.Through), Share(s.ElapsedMs, s.TermMs), Share(int64(s.Drawn.Amount), int64(s.Committed.Amount)))
		if s.Model == Continuous {
			line = fmt.Sprintf("through %s: %s of the term has passed", Moment(s.Through), Share(s.ElapsedMs, s.TermMs))
		}
		out = append(out, line)
	} else if s.Status == SpendUnknown {
		out = append(out, "nothing is known: "+BasisNone)
	}
	if u := s.Use; u != nil {
		out = append(out, fmt.Sprintf("used: %s of what was committed (used ÷ (used + unused))", Share(int64(u.Used.Amount), int64(u.Used.Amount+u.Unused.Amount))))
	}
	if i := s.Infeasible; i != nil {
		out = append(out, fmt.Sprintf("cannot be drawn any more from %s on: %s", i.Date, i.Basis))
	}
	for _, g := range s.Gaps {
		out = append(out, fmt.Sprintf("nothing is known from %s to %s: drawn is at least what is said", Moment(g.From), Moment(g.To)))
	}
	return append(out, s.doubts()...)
}

// doubts are what was left out, and where the cloud says otherwise.
func (s *CommitmentSpend) doubts() []string {
	var out []string
	for _, l := range s.Left {
		if l.Charges == 0 {
			out = append(out, l.Reason)
			continue
		}
		out = append(out, fmt.Sprintf("%s left out: %s", Counted(l.Charges, "charge"), l.Reason))
	}
	for _, x := range s.Stated {
		if !x.Agrees {
			out = append(out, fmt.Sprintf("the cloud's own list says %s %s, the contract file %s (%s)", x.Field, x.Cloud, x.Contract, x.Source))
		}
	}
	return out
}

// Words says what a model means.
func (m CommitmentModel) Words() string {
	if m == Continuous {
		return "used or lost in each interval"
	}
	return "a pool"
}

// Counted writes a number with its noun.
func Counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Grouped(int64(n)) + " " + noun + "s"
}

// Moment writes a time with its zone, without what is zero.
func Moment(at time.Time) string {
	form := "2006-01-02 15:04"
	if at.Second() != 0 || at.Nanosecond() != 0 {
		form = "2006-01-02 15:04:05.999"
	}
	zone := at.Location().String()
	if zone == "UTC" || zone == "" {
		return at.UTC().Format(form) + " UTC"
	}
	return at.Format(form) + " " + zone
}
