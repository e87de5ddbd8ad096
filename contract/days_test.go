package contract

import (
	"testing"
	"time"
	_ "time/tzdata" // for a machine without zones
)

func TestDaysFollowTheZone(t *testing.T) {
	f := func(zone, from string, hours ...float64) {
		t.Helper()
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		start, err := time.ParseInLocation(time.DateTime, from, loc)
		if err != nil {
			t.Fatal(err)
		}
		var span float64
		for _, n := range hours {
			span += n
		}
		days := daysOf(start.UnixMilli(), start.UnixMilli()+int64(span*hourMs), loc)
		if len(days) != len(hours) {
			t.Errorf("%s from %s: days %+v, want %d", zone, from, days, len(hours))
			return
		}
		at := start.UnixMilli()
		for i, d := range days {
			if d.fromMs != at || float64(d.toMs-d.fromMs) != hours[i]*hourMs {
				t.Errorf("%s from %s: day %s lasts from %s for %g hours, want %g", zone, from, d.date,
					time.UnixMilli(d.fromMs).In(loc), float64(d.toMs-d.fromMs)/hourMs, hours[i])
			}
			at = d.toMs
		}
	}
	f("UTC", "2026-10-01 00:00:00", 24, 24, 24)
	f("UTC", "2026-10-01 22:30:00", 1.5, 24, 0.25)
	f("UTC", "2028-02-28 00:00:00", 24, 24, 24) // leap year
	// Days that are over: of those to come governments change their minds.
	f("America/Los_Angeles", "2024-03-09 00:00:00", 24, 23, 24) // spring forward
	f("America/Los_Angeles", "2024-11-02 00:00:00", 24, 25, 24) // fall back
	f("Australia/Lord_Howe", "2024-10-05 00:00:00", 24, 23.5, 24)
	f("Asia/Kathmandu", "2026-10-03 00:00:00", 24, 24)
	f("Africa/Cairo", "2024-04-25 00:00:00", 24, 23, 24)     // there is no midnight
	f("Africa/Cairo", "2024-10-30 00:00:00", 24, 25, 24)     // 23:00 comes twice
	f("America/Havana", "2024-11-02 00:00:00", 24, 25, 24)   // midnight comes twice
	f("America/St_Johns", "2010-11-06 00:00:00", 24, 25, 24) // 00:01 falls back to yesterday
	f("America/Sao_Paulo", "2018-11-03 00:00:00", 24, 23, 24)
	f("Pacific/Apia", "2011-12-29 00:00:00", 24, 24, 24) // the 30th was skipped
}

func TestDaysAreNamedByDate(t *testing.T) {
	loc, err := time.LoadLocation("Pacific/Apia")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2011, 12, 29, 12, 0, 0, 0, loc).UnixMilli()
	days := daysOf(start, start+36*hourMs, loc)
	if len(days) != 2 || days[0].date != "2011-12-29" || days[1].date != "2011-12-31" {
		t.Errorf("days %+v, want the 29th and the 31st", days)
	}
	if days := daysOf(start, start, loc); days != nil {
		t.Errorf("days of no time: %+v", days)
	}
}

func TestMidnightIsOfTheDateInTheZone(t *testing.T) {
	cairo, err := time.LoadLocation("Africa/Cairo")
	if err != nil {
		t.Fatal(err)
	}
	got := Midnight(time.Date(2024, 4, 26, 23, 59, 0, 0, time.UTC), cairo)
	if got.Format(time.RFC3339) != "2024-04-26T01:00:00+03:00" {
		t.Errorf("Midnight = %s, want the moment at which clocks skip it", got)
	}
}

// Every day begins where the one before it ends, at the first moment of its
// date, in every zone and around every change of clocks.
func TestDaysStartWithTheirDate(t *testing.T) {
	for _, zone := range []string{"UTC", "America/Los_Angeles", "Europe/Berlin", "Asia/Tehran", "Africa/Cairo", "America/Havana",
		"Australia/Lord_Howe", "Asia/Beirut", "America/Asuncion", "Asia/Kathmandu", "Pacific/Auckland", "America/Santiago"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Date(2015, 1, 1, 0, 0, 0, 0, loc).UnixMilli()
		at := from
		for _, d := range daysOf(from, time.Date(2030, 1, 1, 0, 0, 0, 0, loc).UnixMilli(), loc) {
			first, before := time.UnixMilli(d.fromMs).In(loc), time.UnixMilli(d.fromMs-1).In(loc)
			if d.fromMs != at || first.Format(time.DateOnly) != d.date || before.Format(time.DateOnly) >= d.date {
				t.Fatalf("%s: day %s begins at %s, after %s", zone, d.date, first, before)
			}
			at = d.toMs
		}
	}
}
