package contract

import (
	"fmt"
	"time"
)

// PeriodState says how final a period is.
type PeriodState string

// A period is open until it has ended in the billing calendar of every
// contract, and provisional until late data has had its time: the contract's
// cut-off. Then it is closed; what arrives later is a correction.
const (
	Open        PeriodState = "open"
	Provisional PeriodState = "provisional"
	Closed      PeriodState = "closed"
)

// Month is a calendar month, the period that books are kept in. All contracts
// close a month together, because they share the GPUs: a GPU that counted for
// one of them in what is closed cannot count for another later.
type Month struct {
	Year  int
	Month time.Month
}

// ParseMonth reads "2026-10".
func ParseMonth(s string) (Month, error) {
	t, err := time.Parse("2006-01", s)
	if err != nil || t.Year() < 1970 || t.Year() > 2099 {
		return Month{}, fmt.Errorf("month %q is not of the form 2026-10", s)
	}
	return Month{t.Year(), t.Month()}, nil
}

// MonthOf returns the month of a moment in a billing time zone.
func MonthOf(ms int64, zone *time.Location) Month {
	y, m, _ := time.UnixMilli(ms).In(zone).Date()
	return Month{y, m}
}

// String returns the month as ParseMonth reads it.
func (m Month) String() string { return m.first().Format("2006-01") }

// Next returns the month that follows.
func (m Month) Next() Month {
	t := m.first().AddDate(0, 1, 0)
	return Month{t.Year(), t.Month()}
}

// Before reports whether m is earlier than o.
func (m Month) Before(o Month) bool { return m.first().Before(o.first()) }

func (m Month) first() time.Time { return time.Date(m.Year, m.Month, 1, 0, 0, 0, 0, time.UTC) }

// In returns the month's span in a billing time zone.
func (m Month) In(zone *time.Location) Period {
	return Period{
		Name:   m.String(),
		FromMs: Midnight(m.first(), zone).UnixMilli(),
		ToMs:   Midnight(m.Next().first(), zone).UnixMilli(),
	}
}

// EndMs is when the month has ended for all contracts; without any, in UTC.
func (m Month) EndMs(contracts []Contract) int64 {
	return m.last(contracts, func(*Contract) time.Duration { return 0 })
}

// ClosesMs is when the month closes: when the last of the contracts has
// reached its cut-off.
func (m Month) ClosesMs(contracts []Contract) int64 {
	return m.last(contracts, func(c *Contract) time.Duration {
		if c.CutOff > 0 {
			return c.CutOff
		}
		return DefaultCutOff
	})
}

// last is the latest of the month's ends, each with what comes after it.
func (m Month) last(contracts []Contract, after func(*Contract) time.Duration) int64 {
	if len(contracts) == 0 {
		contracts = []Contract{{Zone: time.UTC}}
	}
	var out int64
	for i := range contracts {
		out = max(out, m.In(contracts[i].Zone).ToMs+after(&contracts[i]).Milliseconds())
	}
	return out
}

// StateAt says what state the month is in at a moment. Closed means that it
// is time to close: whether it was done is for the ledger to say.
func (m Month) StateAt(contracts []Contract, nowMs int64) PeriodState {
	switch {
	case nowMs < m.EndMs(contracts):
		return Open
	case nowMs < m.ClosesMs(contracts):
		return Provisional
	}
	return Closed
}

// Edition says which form of a month a report is: as it is known now, while
// the month is open or provisional, or a revision of the closed month.
type Edition struct {
	State PeriodState `json:"state"`
	// ClosesAt is when the month closes, or was to be closed.
	ClosesAt time.Time `json:"closes_at"`
	// Revision counts from 0, the closing; it is absent while nothing is closed.
	Revision *int `json:"revision,omitempty"`
	// Terms is the hash of the contracts in their canonical form.
	Terms string `json:"contracts_sha256"`
	// Head is the SHA-256 of the ledger's entry of the revision, known to who
	// reads the ledger: it stands for the entry, this report and all before it,
	// and so is in none of them.
	Head string `json:"-"`
}
