// Package contract is the vocabulary and the arithmetic of the ledger: what
// was bought, which GPUs stood for it, and what became of every contracted
// GPU-millisecond.
//
// Place and Build are pure functions. Everything that a customer may dispute
// is computed there, in integers, and nowhere else.
package contract

import "time"

// Contract is an agreement with a cloud.
type Contract struct {
	ID       string
	Title    string
	Provider string // "aws", "azure", "google", "oracle", "coreweave", …
	Currency string // ISO 4217
	// Zone is the billing time zone: days and months begin in it.
	Zone *time.Location
	// CutOff is how long after the end of a billing period late data still
	// belongs to it; zero is DefaultCutOff.
	CutOff   time.Duration
	Tranches []Tranche
	// SLAs are the promises of uptime that tranches name.
	SLAs []SLA
	// Notices are what is excused of downtime.
	Notices []Notice
	// Commitments are the spend commitments of the agreement.
	Commitments []Commitment
	// Source names the file and line that the contract was read from.
	Source string
}

// Tranche is capacity: so many GPUs of a model from a date, with a ramp.
type Tranche struct {
	ID       string // unique within the contract
	Model    string // "H100", as metric.Model spells it
	Accepts  []Substitute
	Delivery Delivery
	SLA      string // id in Contract.SLAs; empty is none
	// Prepaid says that the capacity is paid in advance, which some promises
	// exclude.
	Prepaid  bool
	Scope    Scope
	Priority int    // lower is filled first
	Steps    []Step // by time, at least one; the first is the start
	EndMs    int64  // exclusive
	Rates    []Rate // by time, disjoint; may leave time without a price
}

// Step says how many GPUs are contracted from a time on.
type Step struct {
	FromMs int64
	GPUs   int
}

// Rate is a price over a half-open span of time.
type Rate struct {
	FromMs, ToMs int64
	// PerGPUHour and OveragePerGPUHour are in micro-units of the currency.
	// Overage is known only if HasOverage: no price is not a price of zero.
	PerGPUHour        Money
	OveragePerGPUHour Money
	HasOverage        bool
	// ListPerGPUHour is the provider's public price at that time, for
	// comparison; known only if HasList.
	ListPerGPUHour Money
	HasList        bool
	// MonthMs is the length of the calendar month that the rate is of, where
	// months are billed as BilledHours each, however long they are; zero where
	// hours are billed as they are.
	MonthMs int64
}

// BilledHours is how many hours a month has where all are billed alike.
const BilledHours = 730

// Scope says which GPUs can count toward a tranche. An empty list matches
// everything; a list matches if any of its entries does; all lists must match.
// Provider is the contract's. Pins name GPUs by UUID or nodes by name: a
// tranche with pins takes pinned GPUs only. Rules say what lists cannot, on
// the dimensions that a Presence has; the lists must match as well.
type Scope struct {
	Accounts     []string
	Regions      []string
	Reservations []string
	Pins         []string
	Rules        Applicability
}

// DefaultCutOff is how long data may come late where a contract does not say.
const DefaultCutOff = 72 * time.Hour

// ClosesMs returns when a billing period that ends at endMs is closed: what
// comes later is a correction.
func (c *Contract) ClosesMs(endMs int64) int64 {
	cutOff := c.CutOff
	if cutOff == 0 {
		cutOff = DefaultCutOff
	}
	return endMs + cutOff.Milliseconds()
}

// StartMs returns when the tranche's first step begins.
func (t *Tranche) StartMs() int64 { return t.Steps[0].FromMs }

// GPUsAt returns how many GPUs are contracted at a time.
func (t *Tranche) GPUsAt(ms int64) int {
	n := 0
	if ms >= t.EndMs {
		return 0
	}
	for _, s := range t.Steps {
		if s.FromMs > ms {
			break
		}
		n = s.GPUs
	}
	return n
}

// Presence is a span of time in which one GPU stood in one node, as far as
// its records tell: from the start of the first to the end of the last.
// Silence of up to Decommission in between belongs to it.
type Presence struct {
	// Unit is the store's number for this GPU in this node under this cloud
	// identity; sums are asked for by Unit.
	Unit           int64
	GPU            string // UUID
	Model          string
	Node           string
	Provider       string
	Account        string
	Region         string
	Zone           string
	Reservation    string
	InstanceType   string
	InstanceID     string
	Cluster        string
	NodePool       string
	Rack           string // or the NVLink domain
	StartMs, EndMs int64
	// Goodbye says that the end is confirmed: a goodbye event followed the
	// last record.
	Goodbye bool
}

// Decommission is how long a silent GPU still counts as standing there,
// unobserved. What follows is undelivered, unconfirmed.
const Decommission = 24 * time.Hour
