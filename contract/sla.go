package contract

import "time"

// SLA is what a provider promises of the uptime of what it rents out, and
// what it credits when that fails. Shares are in millionths: 99.9 % is
// 999,000.
type SLA struct {
	ID    string // unique within the contract; tranches name it
	Title string
	// Target is the least uptime of one Scope within one Period.
	Target int64
	Scope  SLAScope
	Period SLAPeriod
	// Tiers are the credits, from the highest Below to the lowest; the last
	// that the uptime is below counts.
	Tiers []CreditTier
	// Cap bounds what is credited within a period, as a share of its charge;
	// Whole where the agreement states none.
	Cap int64
	// Excludes names what never counts as downtime.
	Excludes []SLAExclusion
	// CountsDegraded says that a GPU which can be reached but not used counts
	// as down. Most agreements count connectivity alone.
	CountsDegraded bool
	Claim          ClaimRule
}

// SLAScope is what uptime is measured of.
type SLAScope string

// A promise is about each GPU, each node (instance), each cluster, or all of
// a region.
const (
	SLAPerGPU     SLAScope = "gpu"
	SLAPerNode    SLAScope = "node"
	SLAPerCluster SLAScope = "cluster"
	SLAPerRegion  SLAScope = "region"
)

// SLAPeriod is the time over which uptime is measured: calendar spans of the
// contract's zone.
type SLAPeriod string

// Nearly every agreement measures by month.
const (
	SLAByMonth   SLAPeriod = "month"
	SLAByQuarter SLAPeriod = "quarter"
	SLAByYear    SLAPeriod = "year"
)

// CreditTier credits a share of the period's charge when uptime is below.
type CreditTier struct{ Below, Credit int64 }

// SLAExclusion names a cause of downtime that is not the provider's.
type SLAExclusion string

// The causes that agreements exclude.
const (
	ExcludeMaintenance SLAExclusion = "maintenance" // announced
	ExcludeCustomer    SLAExclusion = "customer"    // caused by us
	ExcludeForce       SLAExclusion = "force-majeure"
	ExcludeCapacity    SLAExclusion = "prepaid-capacity" // AWS Capacity Blocks and the like
)

// ClaimRule says until when a credit can be claimed, and how.
type ClaimRule struct {
	// From is the moment that Days and Months are counted from, in the
	// contract's zone, months first.
	From         ClaimFrom
	Months, Days int
	// Subject is the subject line that the provider wants of the ticket.
	Subject string
	// Evidence names what must come with the claim, in the agreement's words.
	Evidence []string
}

// ClaimFrom is where a claim's time begins.
type ClaimFrom string

// A claim's time runs from the end of the incident, or from the end of the
// billing period (the calendar month) in which the incident ended.
const (
	ClaimFromIncident ClaimFrom = "incident"
	ClaimFromPeriod   ClaimFrom = "period"
)

// Deadline returns the first moment at which an incident that ended can no
// longer be claimed. It is false where the agreement states none.
func (r ClaimRule) Deadline(incidentEnd time.Time, zone *time.Location) (time.Time, bool) {
	if r.From == "" {
		return time.Time{}, false
	}
	from := incidentEnd.In(zone)
	if r.From == ClaimFromPeriod {
		last := from.Add(-time.Millisecond) // an incident that ends with a month belongs to it
		from = Midnight(time.Date(last.Year(), last.Month()+1, 1, 0, 0, 0, 0, zone), zone)
	}
	return from.AddDate(0, r.Months, r.Days), true
}

// Credit returns the share of the period's charge that an uptime earns, both
// in millionths; zero where the promise was kept.
func (s *SLA) Credit(uptime int64) int64 {
	var credit int64
	if uptime < s.Target {
		for _, t := range s.Tiers {
			if uptime < t.Below {
				credit = t.Credit
			}
		}
	}
	return min(credit, s.Cap)
}
