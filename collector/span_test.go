package collector_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
)

func TestParsePeriod(t *testing.T) {
	f := func(s string, want collector.Ask) {
		t.Helper()
		got, err := collector.Ask{Contract: "c"}.ParsePeriod(s)
		want.Contract = "c"
		if err != nil || got != want || got.Check() != nil {
			t.Errorf("%s: %+v, %v, want %+v", s, got, err, want)
		}
	}
	f("2026-10", collector.Ask{Month: "2026-10"})
	f("2026-10-31", collector.Ask{From: "2026-10-31", To: "2026-11-01"})
	f("2026-Q4", collector.Ask{From: "2026-10-01", To: "2027-01-01"})
	f("2026-Q1", collector.Ask{From: "2026-01-01", To: "2026-04-01"})
	f("2026", collector.Ask{From: "2026-01-01", To: "2027-01-01"})
	f("2026-10-01/2026-10-08", collector.Ask{From: "2026-10-01", To: "2026-10-08"})
	f("2026-10-01T12:00:00Z/", collector.Ask{From: "2026-10-01T12:00:00Z"})
	f("1d12h", collector.Ask{Since: 36 * time.Hour})
	f("90m", collector.Ask{Since: 90 * time.Minute})
}

func TestParsePeriodSaysWhatIsWrong(t *testing.T) {
	f := func(a collector.Ask, s, want string) {
		t.Helper()
		_, err := a.ParsePeriod(s)
		var wrong *collector.AskError
		if !errors.As(err, &wrong) || wrong.Problem != want {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
	none := ` is none of 2026-10, 2026-10-03, 2026-Q4, 2026, FROM/TO, 7d`
	f(collector.Ask{}, "October", `period "October"`+none)
	f(collector.Ask{}, "2026-Q5", `period "2026-Q5"`+none)
	f(collector.Ask{}, "2026-W40", `period "2026-W40"`+none)
	f(collector.Ask{}, "2026-02-30", `period "2026-02-30" is not a day of the calendar`)
	f(collector.Ask{}, "/2026-10-01", `period "/2026-10-01" has no begin: want FROM/TO`)
	f(collector.Ask{}, "9999d", `since "9999d" is not between a minute and five years`)
	f(collector.Ask{Month: "2026-10"}, "2026-10", "period is given together with month, since, from or to: want one of them")
}

// TestPeriodsHaveNames holds that a report names a day, a quarter and a year as
// they were asked for.
func TestPeriodsHaveNames(t *testing.T) {
	contracts := fleetContracts(t)
	for _, s := range []string{"2026-10-03", "2026-Q4", "2026", "2026-10-02 to 2026-11-01", "2026-10", "last 7d", "since 2026-10-02"} {
		ask := map[string]string{"2026-10-02 to 2026-11-01": "2026-10-02/2026-11-01", "last 7d": "7d", "since 2026-10-02": "2026-10-02/"}[s]
		if ask == "" {
			ask = s
		}
		a, err := collector.Ask{}.ParsePeriod(ask)
		if err != nil {
			t.Fatal(err)
		}
		rep, err := collector.Report(t.Context(), newFleet(), contracts, a, fleetNow)
		if err != nil || rep.Period != s {
			t.Errorf("%s: the report is of %q, %v", ask, rep.Period, err)
		}
	}
}
