package collector

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Forms of a period that are one word: a year, a quarter, a month, a day.
var (
	yearForm    = regexp.MustCompile(`^(\d{4})$`)
	quarterForm = regexp.MustCompile(`^(\d{4})-Q([1-4])$`)
	monthForm   = regexp.MustCompile(`^\d{4}-\d{2}$`)
	dayForm     = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	backForm    = regexp.MustCompile(`^\d+[dhms]`)
)

// ParsePeriod returns a with the period of s in it: a month (2026-10), a day
// (2026-10-03), a quarter (2026-Q4), a year (2026), FROM/TO and FROM/ in dates
// or times, or so long back from now (7d, 12h). It replaces no period that a has:
// then, and where s is none of these, the error is an *AskError.
func (a Ask) ParsePeriod(s string) (Ask, error) {
	if a.Month != "" || a.From != "" || a.To != "" || a.Since != 0 {
		return a, badAsk("period is given together with month, since, from or to: want one of them")
	}
	if from, to, isSpan := strings.Cut(s, "/"); isSpan {
		a.From, a.To = from, to
		if from == "" {
			return a, badAsk("period %q has no begin: want FROM/TO", s)
		}
		return a, nil
	}
	switch {
	case monthForm.MatchString(s):
		a.Month = s
	case dayForm.MatchString(s):
		day, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return a, badAsk("period %q is not a day of the calendar", s)
		}
		a.From, a.To = s, day.AddDate(0, 0, 1).Format(time.DateOnly)
	case quarterForm.MatchString(s):
		m := quarterForm.FindStringSubmatch(s)
		year, _ := strconv.Atoi(m[1])
		quarter, _ := strconv.Atoi(m[2])
		a.From, a.To = months(year, 3*quarter-2, 3)
	case yearForm.MatchString(s):
		year, _ := strconv.Atoi(s)
		a.From, a.To = months(year, 1, 12)
	case backForm.MatchString(s):
		since, err := ParseSince(s)
		if err != nil {
			return a, err
		}
		a.Since = since
	default:
		return a, badAsk("period %q is none of 2026-10, 2026-10-03, 2026-Q4, 2026, FROM/TO, 7d", s)
	}
	return a, nil
}

// months returns the dates on which so many months begin and end.
func months(year, month, n int) (from, to string) {
	first := time.Date(year, time.Month(month), 1, 0, 0, 0, 0, time.UTC)
	return first.Format(time.DateOnly), first.AddDate(0, n, 0).Format(time.DateOnly)
}

// spanOf names the span between two dates: a day, a quarter or a year by its
// name, others by both.
func spanOf(from, to string) string {
	day, err := time.Parse(time.DateOnly, from)
	if err != nil {
		return from + " to " + to
	}
	quarter := (int(day.Month()) + 2) / 3
	switch {
	case to == day.AddDate(0, 0, 1).Format(time.DateOnly):
		return from
	case from[4:] == "-01-01" && to == day.AddDate(1, 0, 0).Format(time.DateOnly):
		return from[:4]
	case day.Day() == 1 && int(day.Month()) == 3*quarter-2 && to == day.AddDate(0, 3, 0).Format(time.DateOnly):
		return from[:4] + "-Q" + strconv.Itoa(quarter)
	}
	return from + " to " + to
}
