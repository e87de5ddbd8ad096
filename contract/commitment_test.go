package contract

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// day0 is 2026-04-01 in UTC.
var day0 = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)

const dayMs = 86_400_000

// pool is a contract with a pool of 1,200 for a year.
func pool() Contract {
	return Contract{
		ID: "acme", Provider: "acme", Currency: "USD", Zone: time.UTC,
		Commitments: []Commitment{{
			ID: "spend", Model: Discontinuous, Basis: ContractedCost, Shortfall: TrueUp,
			FromMs: day0.UnixMilli(), EndMs: day0.AddDate(1, 0, 0).UnixMilli(), Total: 1_200 * micro,
		}},
	}
}

func TestCommitmentsAreChecked(t *testing.T) {
	f := func(want string, change func(*Commitment)) {
		t.Helper()
		c := pool()
		change(&c.Commitments[0])
		err := c.Validate()
		var wrong *FieldError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) || wrong.Commitment != 1 {
			t.Errorf("Validate = %v, want %q of commitment 1", err, want)
		}
	}
	c := pool()
	if err := c.Validate(); err != nil {
		t.Errorf("Validate = %v", err)
	}
	month := func(n int) int64 { return day0.AddDate(0, n, 0).UnixMilli() }
	f(`contract "acme", commitment "": id is empty`, func(m *Commitment) { m.ID = "" })
	f("basis \"\" is not", func(m *Commitment) { m.Basis = "" })
	f("shortfall \"maybe\" is not", func(m *Commitment) { m.Shortfall = "maybe" })
	f("model \"\" is not", func(m *Commitment) { m.Model = "" })
	f("end is 2026-04-01T00:00:00Z, not after the start", func(m *Commitment) { m.EndMs = m.FromMs })
	f("start is 1969", func(m *Commitment) { m.FromMs = -1 })
	f("total is missing", func(m *Commitment) { m.Total = 0 })
	f("interval is for the model", func(m *Commitment) { m.Interval = Daily })
	f("floors 2 begins before", func(m *Commitment) { m.Floors = []Floor{{month(0), month(2), 1}, {month(1), month(3), 1}} })
	f("floors 1 is empty or not within", func(m *Commitment) { m.Floors = []Floor{{month(-1), month(2), 1}} })
	f("add up to 1200.000001, more than", func(m *Commitment) { m.Floors = []Floor{{month(0), month(2), 1_200*micro + 1}} })
	f("carry excess is said without", func(m *Commitment) { m.CarryExcess = true })
	f("dimension \"Colour\"", func(m *Commitment) { m.Eligible.Inclusions = []Rule{{Dimension: "Colour", Operator: Exists}} })
	f("total is for the model Discontinuous", func(m *Commitment) { m.Model = Continuous })
	f("per interval is missing", func(m *Commitment) { m.Model, m.Total = Continuous, 0 })
	f("interval \"\" is not hourly", func(m *Commitment) { m.Model, m.Total, m.PerInterval = Continuous, 0, 1 })
	f("nine trillion", func(m *Commitment) { m.Model, m.Total, m.PerInterval, m.Interval = Continuous, 0, 1<<62, Monthly })
}

func TestCommitmentSharesIdsWithTranches(t *testing.T) {
	c := pool()
	c.Commitments = append(c.Commitments, c.Commitments[0])
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "id is used by an earlier tranche or commitment") {
		t.Errorf("Validate = %v", err)
	}
}

func TestCommittedIsTotalOrFloorsOrIntervals(t *testing.T) {
	f := func(want Money, change func(*Commitment)) {
		t.Helper()
		c := pool()
		change(&c.Commitments[0])
		if got, err := c.Committed(&c.Commitments[0]); err != nil || got != want {
			t.Errorf("Committed = %s, %v; want %s", got, err, want)
		}
	}
	f(1_200*micro, func(*Commitment) {})
	f(7, func(m *Commitment) { m.Total, m.Floors = 0, []Floor{{Amount: 3}, {Amount: 4}} })
	f(365*24*5, func(m *Commitment) { m.Model, m.PerInterval, m.Interval = Continuous, 5, Hourly })
	f(365*5, func(m *Commitment) { m.Model, m.PerInterval, m.Interval = Continuous, 5, Daily })
	f(12*5, func(m *Commitment) { m.Model, m.PerInterval, m.Interval = Continuous, 5, Monthly })
	f(4*5, func(m *Commitment) { m.Model, m.PerInterval, m.Interval = Continuous, 5, Quarterly })
	f(5, func(m *Commitment) { m.Model, m.PerInterval, m.Interval = Continuous, 5, Annual })
}

// The largest commitments that are known fit, to the last micro-unit.
func TestCommittedHoldsTheLargest(t *testing.T) {
	c := pool()
	m := &c.Commitments[0]
	m.Total = 250_000_000_000 * micro
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if got, err := c.Committed(m); err != nil || got.Figure() != "250,000,000,000.00" {
		t.Errorf("Committed = %s, %v", got, err)
	}
}

func TestIntervalsFollowTheCalendarAndTheZone(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	f := func(from, to string, i Interval, want ...string) {
		t.Helper()
		c := Contract{Zone: zone}
		parse := func(s string) int64 {
			at, err := time.ParseInLocation(time.DateOnly, s, zone)
			if err != nil {
				t.Fatal(err)
			}
			return at.UnixMilli()
		}
		var got []string
		for _, s := range c.intervals(&Commitment{FromMs: parse(from), EndMs: parse(to), Interval: i}) {
			got = append(got, c.local(s.toMs).Format("2006-01-02T15"))
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s of %s to %s end at %v, want %v", i, from, to, got, want)
		}
	}
	f("2026-01-31", "2026-05-15", Monthly, "2026-02-28T00", "2026-03-31T00", "2026-04-30T00", "2026-05-15T00")
	f("2026-01-31", "2027-01-01", Quarterly, "2026-04-30T00", "2026-07-31T00", "2026-10-31T00", "2027-01-01T00")
	f("2024-02-29", "2026-06-01", Annual, "2025-02-28T00", "2026-02-28T00", "2026-06-01T00")
	f("2026-03-07", "2026-03-10", Daily, "2026-03-08T00", "2026-03-09T00", "2026-03-10T00")
	c := Contract{Zone: zone}
	from := time.Date(2026, 3, 8, 0, 0, 0, 0, zone)
	if n := len(c.intervals(&Commitment{FromMs: from.UnixMilli(), EndMs: from.AddDate(0, 0, 1).UnixMilli(), Interval: Hourly})); n != 23 {
		t.Errorf("the day on which clocks go forward has %d hours, want 23", n)
	}
}
