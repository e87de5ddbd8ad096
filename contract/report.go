package contract

import (
	"encoding/json"
	"time"
)

// Schema names the JSON form of a Report. A field that changes meaning or goes
// away makes it v2; new fields do not.
const Schema = "gpumeter.report/v1"

// Report is what became of every contract over a period. Its JSON form is
// published: see docs/report.md.
type Report struct {
	Schema string    `json:"schema"`
	AsOf   time.Time `json:"as_of"` // nothing after this moment is in it
	// Period is what was asked for: "2026-10", or an explicit span.
	Period string `json:"period"`
	// Edition is there if Period is a whole month.
	Edition      *Edition    `json:"edition,omitempty"`
	Contracts    []Statement `json:"contracts"`
	Uncontracted []Stray     `json:"uncontracted"`
	// Breakdown is there if the report was asked to be broken down.
	Breakdown *Breakdown `json:"breakdown,omitempty"`
	// Remarks are what stands out, contract by contract.
	Remarks []Remark `json:"remarks,omitempty"`
	Quality Quality  `json:"quality"`
	// Stored is the JSON form of a closed month, as it was stored; nil if the
	// report was computed now.
	Stored []byte `json:"-"`
}

// Statement is one contract over one period of its billing calendar.
type Statement struct {
	Contract string    `json:"contract"`
	Title    string    `json:"title,omitempty"`
	Provider string    `json:"provider"`
	Currency string    `json:"currency"`
	Zone     string    `json:"billing_timezone"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"` // exclusive
	Tranches []Line    `json:"tranches"`
	Total    Line      `json:"total"`
}

// InZone is a time on the clocks of a billing zone, of which the JSON forms keep
// the offset only; in UTC where this machine does not know the zone.
func InZone(at time.Time, zone string) time.Time {
	if z, err := time.LoadLocation(zone); err == nil {
		return at.In(z)
	}
	return at.UTC()
}

// Line is the ledger of one tranche, or of all of a contract.
//
// Buckets.Total() == ContractedMs, exactly; for the priced part,
// Cost.Buckets.Total() == Cost.Contracted, exactly.
type Line struct {
	Tranche      string  `json:"tranche,omitempty"` // empty on a total
	Model        string  `json:"model,omitempty"`
	GPUs         int     `json:"gpus"` // contracted at the end of the period
	ContractedMs int64   `json:"contracted_gpu_ms"`
	Buckets      Time    `json:"buckets_gpu_ms"`
	Stages       []Stage `json:"stages"`
	// UnconfirmedMs is the part of Undelivered that follows the silence of
	// GPUs that never said goodbye: not claimable until it is confirmed.
	UnconfirmedMs int64 `json:"undelivered_unconfirmed_gpu_ms"`
	// GraceMs is the part of Undelivered within the grace of the steps that
	// added the GPUs: not late yet. It may be unconfirmed as well.
	GraceMs int64 `json:"undelivered_within_grace_gpu_ms"`
	// UnhealthyAloneMs is the time for which GPUs were unhealthy themselves.
	// Unhealthy is more where a node or rack is good only as a whole.
	UnhealthyAloneMs int64 `json:"unhealthy_alone_gpu_ms"`
	// Substitutes are the accepted models that stood for the one bought; a
	// total has none.
	Substitutes []Substituted `json:"substitutes,omitempty"`
	// SMActiveMs is the integral of SM activity over SMKnownMs of the time.
	SMActiveMs int64 `json:"sm_active_gpu_ms"`
	SMKnownMs  int64 `json:"sm_known_gpu_ms"`
	EnergyMJ   int64 `json:"energy_mj"`
	// EnergyKnownMs is the GPU time that EnergyMJ is of.
	EnergyKnownMs int64       `json:"energy_known_gpu_ms"`
	OverageMs     int64       `json:"overage_gpu_ms"`
	Utilisation   Utilisation `json:"utilisation"`
	Cost          Cost        `json:"cost"`
	// Groups are there if the report is broken down; they add up to the line.
	Groups []Parcel `json:"groups,omitempty"`
	Days   []Day    `json:"days,omitempty"`
}

// Substituted is what an accepted model did in place of the one bought. Ms is
// part of the line's buckets, Cost of its contracted cost.
type Substituted struct {
	Model     string `json:"model"`
	Ms        int64  `json:"gpu_ms"`
	OverageMs int64  `json:"overage_gpu_ms"`
	Cost      Money  `json:"cost"`
}

// Stage is a running total of buckets.
type Stage struct {
	Name string `json:"stage"`
	Ms   int64  `json:"gpu_ms"`
}

// Utilisation is busy time over contracted time, with its bounds: what cannot
// be seen may have been busy or not. All three are 0–1; Known is false where
// nothing was contracted.
type Utilisation struct {
	Known       bool    `json:"known"`
	Denominator string  `json:"denominator"` // "contracted"
	Busy        float64 `json:"busy"`
	Lower       float64 `json:"lower"`
	Upper       float64 `json:"upper"`
}

// Cost is the money of a Line. UnpricedMs is contracted time without a rate;
// it is in no amount. OverageUnpricedMs likewise.
type Cost struct {
	Contracted        Money   `json:"contracted"`
	Buckets           Amounts `json:"buckets"`
	UnpricedMs        int64   `json:"unpriced_gpu_ms"`
	Overage           Money   `json:"overage"`
	OverageUnpricedMs int64   `json:"overage_unpriced_gpu_ms"`
}

// Day is one day of a Line in the contract's billing zone. The days of a line
// add up to the line, in time and in money.
type Day struct {
	Date         string  `json:"date"`
	ContractedMs int64   `json:"contracted_gpu_ms"`
	Buckets      Time    `json:"buckets_gpu_ms"`
	Cost         Amounts `json:"cost"`
	OverageMs    int64   `json:"overage_gpu_ms"`
}

// Stray is GPU time that no contract covers.
type Stray struct {
	Provider string `json:"provider"` // empty is unknown
	Account  string `json:"account"`
	Region   string `json:"region"`
	Model    string `json:"model"`
	GPUs     int    `json:"gpus"` // distinct
	Ms       int64  `json:"gpu_ms"`
	Buckets  Time   `json:"buckets_gpu_ms"`
	Near     string `json:"nearest,omitempty"` // the nearest tranche, and the rule that failed
}

// Quality says how far the data behind a report can be trusted.
type Quality struct {
	GPUs int `json:"gpus"` // distinct GPUs present in the period
	// OverlapRecords were left out because another agent owns their time.
	OverlapRecords int64 `json:"overlap_records"`
	Conflicts      int64 `json:"conflicts"`   // batches kept aside, ever
	Quarantined    int64 `json:"quarantined"` // batches that could not be accepted, ever
	// RecordedSince is when the first record of any GPU begins, where something
	// was contracted before: it counts as undelivered, though nobody looked. Else
	// nil.
	RecordedSince *time.Time `json:"recorded_since,omitempty"`
}

// MarshalJSON writes the time by bucket name.
func (t Time) MarshalJSON() ([]byte, error) { return marshalBuckets(t[:]) }

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Time) UnmarshalJSON(b []byte) error { return unmarshalBuckets(b, t[:]) }

// MarshalJSON writes the amounts by bucket name.
func (a Amounts) MarshalJSON() ([]byte, error) { return marshalBuckets(a[:]) }

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Amounts) UnmarshalJSON(b []byte) error { return unmarshalBuckets(b, a[:]) }

// MarshalJSON writes the amount as a decimal number with six decimals.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Money) UnmarshalJSON(b []byte) error {
	s, negative := string(b), false
	if len(s) > 0 && s[0] == '-' {
		s, negative = s[1:], true
	}
	v, err := ParseMoney(s)
	if negative {
		v = -v
	}
	*m = v
	return err
}

func marshalBuckets[T any](v []T) ([]byte, error) {
	out := []byte{'{'}
	for b := range Buckets {
		if b > 0 {
			out = append(out, ',')
		}
		out = append(out, '"')
		out = append(out, b.String()...)
		out = append(out, `":`...)
		x, err := json.Marshal(v[b])
		if err != nil {
			return nil, err
		}
		out = append(out, x...)
	}
	return append(out, '}'), nil
}

func unmarshalBuckets[T any](data []byte, v []T) error {
	var m map[string]T
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	for b := range Buckets {
		v[b] = m[b.String()]
	}
	return nil
}
