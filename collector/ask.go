package collector

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// Ask says which report is wanted. At most one of Month, Since and the pair
// From, To is given; without any it is the month to date.
type Ask struct {
	Month string // "2026-10", in each contract's billing calendar
	// From and To are dates ("2026-10-01": midnight in each contract's billing
	// time zone) or times (RFC 3339). To is exclusive; empty is now.
	From, To string
	Since    time.Duration // so long back from now
	Contract string        // its id; empty is all
	// Revision is that of a closed month: a number from 0, LatestRevision or
	// ClosedRevision; empty is the latest there is, if any.
	Revision string
	By       contract.By // what to break it down by; empty is nothing
	// Top is how many groups a breakdown has one by one in each list; zero is
	// DefaultTop, AllGroups all.
	Top int
}

// DefaultTop is how many groups are listed where nobody says; AllGroups lists
// them all.
const (
	DefaultTop = 20
	AllGroups  = -1
)

// AskError says what is wrong with an Ask.
type AskError struct{ Problem string }

// Error returns the problem, one sentence that names the parameter.
func (e *AskError) Error() string { return e.Problem }

func badAsk(format string, args ...any) error { return &AskError{fmt.Sprintf(format, args...)} }

// maxPeriod bounds a report: its size follows its days.
const maxPeriod = 5 * 366 * 24 * time.Hour

// ParseAsk reads an Ask from the parameters of a URL: period (see
// Ask.ParsePeriod) or month, from, to, since; contract, revision, by, top. The
// error is an *AskError.
func ParseAsk(q url.Values) (Ask, error) {
	var a Ask
	fields := map[string]*string{"month": &a.Month, "from": &a.From, "to": &a.To, "contract": &a.Contract, "since": new(string),
		"period": new(string), "revision": &a.Revision, "by": new(string), "top": new(string)}
	for key, values := range q {
		f, ok := fields[key]
		switch {
		case !ok:
			return a, badAsk("unknown parameter %q: want period, month, from, to, since, contract, revision, by or top", key)
		case len(values) > 1:
			return a, badAsk("%s is given %d times", key, len(values))
		}
		*f = values[0]
	}
	var err error
	if s := *fields["since"]; s != "" {
		if a.Since, err = ParseSince(s); err != nil {
			return a, err
		}
	}
	if s := *fields["period"]; s != "" {
		if a, err = a.ParsePeriod(s); err != nil {
			return a, err
		}
	}
	if a.Top, err = ParseTop(*fields["top"]); err != nil {
		return a, err
	}
	a.By = contract.By(*fields["by"])
	return a, a.Check()
}

// ParseTop reads a number of groups, or "all"; empty is zero. The error is an
// *AskError.
func ParseTop(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	if s == "all" {
		return AllGroups, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1e6 {
		return 0, badAsk("top %q is neither a number from 1 nor \"all\"", s)
	}
	return n, nil
}

// Values is the inverse of ParseAsk.
func (a Ask) Values() url.Values {
	q := url.Values{}
	for key, v := range map[string]string{"month": a.Month, "from": a.From, "to": a.To, "contract": a.Contract, "revision": a.Revision, "by": string(a.By)} {
		if v != "" {
			q.Set(key, v)
		}
	}
	if a.Since != 0 {
		q.Set("since", a.Since.String())
	}
	switch {
	case a.Top > 0:
		q.Set("top", strconv.Itoa(a.Top))
	case a.Top == AllGroups:
		q.Set("top", "all")
	}
	return q
}

var daysPart = regexp.MustCompile(`^(\d{1,4})d(.*)$`)

// ParseSince reads a span such as "7d", "12h" or "1d12h". The error is an
// *AskError.
func ParseSince(s string) (time.Duration, error) {
	var days time.Duration
	rest := s
	if m := daysPart.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[1])
		days, rest = time.Duration(n)*24*time.Hour, m[2]
	}
	var d time.Duration
	if rest != "" || days == 0 {
		var err error
		if d, err = time.ParseDuration(rest); err != nil || d < 0 {
			return 0, badAsk("since %q is not a span of time such as 7d or 12h", s)
		}
	}
	if d > maxPeriod || days+d > maxPeriod || days+d < time.Minute {
		return 0, badAsk("since %q is not between a minute and five years", s)
	}
	return days + d, nil
}

// orMonth returns a with the current month in it if no period is given.
func (a Ask) orMonth(zone *time.Location, now time.Time) Ask {
	if a.Month == "" && a.From == "" && a.Since == 0 {
		a.Month = settled(now).In(zone).Format("2006-01")
	}
	return a
}

// Check says whether the fields go together; Report looks into them. The error
// is an *AskError.
func (a Ask) Check() error {
	given := 0
	for _, is := range []bool{a.Month != "", a.From != "" || a.To != "", a.Since != 0} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return badAsk("month, since and from/to are given together: want one of them")
	case a.To != "" && a.From == "":
		return badAsk("to is given without from")
	case a.Since < 0 || a.Since > maxPeriod:
		return badAsk("since %s is not between a minute and five years", a.Since)
	case a.Revision != "" && a.Month == "":
		return badAsk("revision is given without month: only months are closed")
	case a.Revision != "" && a.By != "":
		return badAsk("revision and by are given together: a breakdown is no part of a closed month")
	case a.Top < AllGroups:
		return badAsk("top %d is below 1", a.Top)
	case a.Top != 0 && a.By == "":
		return badAsk("top is given without by: only groups are listed by what they cost")
	}
	if a.Month != "" {
		if _, err := contract.ParseMonth(a.Month); err != nil {
			return &AskError{err.Error()}
		}
	}
	if a.By != "" {
		if _, err := contract.ParseBy(string(a.By)); err != nil {
			return &AskError{err.Error()}
		}
	}
	return checkRevision(a.Revision)
}

// period is the span that is asked for in a billing time zone, not yet clipped
// to what is settled.
func (a Ask) period(zone *time.Location, now time.Time) (contract.Period, error) {
	from, to, err := a.bounds(zone, now)
	if err != nil {
		return contract.Period{}, err
	}
	switch {
	case !from.Before(to):
		return contract.Period{}, badAsk("the period ends at %s, not after it begins at %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
	case to.Sub(from) > maxPeriod:
		return contract.Period{}, badAsk("the period from %s to %s is longer than five years", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	return contract.Period{Name: a.name(), FromMs: from.UnixMilli(), ToMs: to.UnixMilli()}, nil
}

func (a Ask) bounds(zone *time.Location, now time.Time) (from, to time.Time, err error) {
	switch {
	case a.From != "":
		if from, err = moment("from", a.From, zone); err != nil {
			return from, to, err
		}
		if a.To == "" { // a future begin is no mistake of form: there is no data yet
			return from, latest(settled(now), from.Add(time.Minute)), nil
		}
		to, err = moment("to", a.To, zone)
		return from, to, err
	case a.Since != 0:
		to = settled(now)
		return to.Add(-a.Since).Truncate(time.Minute), to, nil
	}
	m, err := contract.ParseMonth(a.Month)
	if err != nil {
		return from, to, &AskError{err.Error()}
	}
	p := m.In(zone)
	return time.UnixMilli(p.FromMs).In(zone), time.UnixMilli(p.ToMs).In(zone), nil
}

// name is the period for people.
func (a Ask) name() string {
	switch {
	case a.Since != 0:
		return "last " + spanName(a.Since)
	case a.To != "":
		return spanOf(a.From, a.To)
	case a.From != "":
		return "since " + a.From
	}
	return a.Month
}

// spanName writes a span in the largest unit that it is whole in.
func spanName(d time.Duration) string {
	for _, u := range []struct {
		name string
		of   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if d%u.of == 0 {
			return fmt.Sprintf("%d%s", d/u.of, u.name)
		}
	}
	return d.String()
}

func moment(key, s string, zone *time.Location) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err == nil {
		t = contract.Midnight(t, zone)
	} else if t, err = time.Parse(time.RFC3339, s); err != nil {
		return t, badAsk("%s %q is neither a date (2026-10-01) nor a time (2026-10-01T12:00:00Z)", key, s)
	}
	if t.Year() < 1970 || t.Year() > 2099 {
		return t, badAsk("%s %q is not between 1970 and 2099", key, s)
	}
	return t, nil
}

// settleAfter is how long after its end a minute is taken to be complete: a
// window is closed, sent and committed well within it. Later records still
// count in the next report.
const settleAfter = 2 * time.Minute

// settled is the moment up to which a report goes.
func settled(now time.Time) time.Time { return now.Add(-settleAfter).Truncate(time.Minute) }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ErrNoData is why there is no report: nothing that is stored lies in the
// period. Errors that wrap it say what the store does hold.
var ErrNoData = errors.New("no data")

// ErrUnknownContract is wrapped by errors about a contract that the contract
// file does not have.
var ErrUnknownContract = errors.New("unknown contract")
