package contract

import (
	"strings"
	"time"
)

// DocketSchema names the JSON form of a Docket. A field that changes meaning or
// goes away makes it v2; new fields do not.
const DocketSchema = "gpumeter.claims/v1"

// Docket is what went wrong with contracted GPUs over one month of each
// contract's billing calendar, and what can be claimed for it.
//
// For each tranche, the GPU-ms of the incidents of a bucket and what Minor says
// of it add up to that bucket of the month's report, exactly where no record
// is cut by the edge of a placement.
type Docket struct {
	Schema string    `json:"schema"`
	AsOf   time.Time `json:"as_of"` // nothing after this moment is in it
	Period string    `json:"period"`
	// MeteredSince is when anybody first looked, where incidents lie before.
	MeteredSince *time.Time `json:"metered_since,omitempty"`
	Incidents    []Incident `json:"incidents"` // by begin, contract, tranche, node, kind, cause
	Minor        []Minor    `json:"minor"`     // by contract and tranche, where there is any
}

// Minor is lost time of a tranche that makes no incident.
type Minor struct {
	Contract string `json:"contract"`
	Tranche  string `json:"tranche"`
	// GapsMs is unobserved in pieces shorter than MinGap.
	GapsMs int64 `json:"short_gaps_gpu_ms"`
	// GraceMs is undelivered, of GPUs that may still be late.
	GraceMs int64 `json:"within_grace_gpu_ms"`
}

// Rules by which lost time becomes incidents.
const (
	// JoinGap is the longest time between two spans of the same kind and cause,
	// of one node or tranche, that are one incident.
	JoinGap = 10 * time.Minute
	// MinGap is the shortest unobserved time that is an incident: what is lost
	// by restarts of agents and collectors is Minor.
	MinGap = 5 * time.Minute
)

// Incident is a stretch of time in which contracted GPUs of one node were lost
// for one cause, or a tranche lacked GPUs. It lies within one billing month:
// what lasts longer is an incident of each month, as charges and credits are.
type Incident struct {
	// ID follows from contract, tranche, node, kind, cause and begin. Late data
	// that moves the begin makes it another incident.
	ID       string       `json:"id"`
	Contract string       `json:"contract"`
	Tranche  string       `json:"tranche"`
	Kind     IncidentKind `json:"kind"`
	// Cause is the reason on record: "xid_79", "driver_hang"; empty if none is.
	Cause  string `json:"cause,omitempty"`
	Bucket string `json:"bucket"`
	// Site says where the node stands; zero for what concerns a tranche.
	Site Site `json:"site"`
	// GPUs are those that were lost, by UUID; Most is how many at a time.
	GPUs []string `json:"gpus"`
	Most int      `json:"most_gpus"`
	// DownUnit says, of a unit that was down, whether it is the node or the rack;
	// DownBy which GPUs in it were at fault, by UUID. Their own time is in
	// incidents of its own.
	DownUnit DeliveryUnit `json:"down_unit,omitempty"`
	DownBy   []string     `json:"down_by,omitempty"`
	From     time.Time    `json:"from"`
	To       time.Time    `json:"to"` // exclusive
	// Notice is the notice that lies over it, of a kind that the promise excludes.
	Notice string `json:"notice,omitempty"`
	// Open says that it lasts at AsOf.
	Open bool `json:"open"`
	// EdgeMs is how far From and To may be off: the windows that they lie in.
	EdgeMs int64 `json:"edges_within_ms"`
	// DownMs is the time in which any of the GPUs was lost; GPUMs counts each.
	DownMs int64 `json:"down_ms"`
	GPUMs  int64 `json:"lost_gpu_ms"`
	// Amount is GPUMs at the committed rate; UnpricedMs is the part without one.
	Currency   string    `json:"currency"`
	Zone       string    `json:"billing_timezone"`
	Amount     Money     `json:"amount"`
	UnpricedMs int64     `json:"unpriced_gpu_ms"`
	Witnesses  []Witness `json:"witnesses"`
	Class      Class     `json:"class"`
	// Rule is the sentence that decided the class.
	Rule string `json:"rule"`
	// Owed is what can be claimed for it: the credit of the promise, or for a
	// late delivery the amount.
	Owed  Money  `json:"owed"`
	Claim *Claim `json:"claim,omitempty"`
}

// Site is where a node stands, as far as its agent knew. Empty is unknown.
type Site struct {
	Node         string `json:"node,omitempty"`
	Provider     string `json:"provider,omitempty"`
	Account      string `json:"account,omitempty"`
	Region       string `json:"region,omitempty"`
	Zone         string `json:"zone,omitempty"`
	Cluster      string `json:"cluster,omitempty"`
	Rack         string `json:"rack,omitempty"`
	Reservation  string `json:"reservation,omitempty"`
	InstanceType string `json:"instance_type,omitempty"`
	InstanceID   string `json:"instance_id,omitempty"`
	Model        string `json:"model,omitempty"`
}

// Machine is the node that the site is.
func (s *Site) Machine() Machine {
	return Machine{s.Node, s.Provider, s.Account, s.Region, s.Cluster}
}

// Claim is what a promise of uptime makes of an incident that counts toward it.
// Charge, uptime and credit are of the whole period; where the promise is for
// each GPU and several were lost, Charge is theirs together, and the uptime that
// of the worst.
type Claim struct {
	SLA     string    `json:"sla"`
	Subject string    `json:"subject"` // what uptime is of: "node n1"
	From    time.Time `json:"period_from"`
	To      time.Time `json:"period_to"`
	// Uptime, Target and Share are in millionths; Share is the part of Charge
	// that is credited.
	Uptime int64 `json:"uptime_millionths"`
	Target int64 `json:"target_millionths"`
	Share  int64 `json:"credit_millionths"`
	// Charge is what the subject costs in the period, as far as it is past.
	Charge Money `json:"charge"`
	// Credit is the credit of the period, of which Incident.Owed is the part
	// that goes by this incident's downtime; Incidents says among how many.
	Credit    Money `json:"credit"`
	Incidents int   `json:"incidents"`
	// Deadline is the first moment at which it is too late; absent where the
	// contract states none, or the incident has to end first.
	Deadline *time.Time `json:"deadline,omitempty"`
	Expired  bool       `json:"expired,omitempty"`
}

// Witness is something besides the missing records that speaks for or against
// an incident.
type Witness struct {
	Who  string `json:"who"` // "collector", "rack", "zone", "node", "agent"
	Says string `json:"says"`
	// Against says that it speaks against the provider being at fault.
	Against bool `json:"against,omitempty"`
}

// Class says whose an incident is.
type Class string

// An incident is claimable if the contract's terms make the provider owe
// something for it. It is uncovered if it is the provider's, but the terms do
// not count it, or not enough of it: degraded, but not covered.
const (
	Claimable Class = "claimable"
	Uncovered Class = "uncovered"
	Ours      Class = "ours"
	Unknown   Class = "unknown"
)

// Classes lists the classes in the order of what can be had.
var Classes = []Class{Claimable, Uncovered, Unknown, Ours}

// IncidentKind names what happened.
type IncidentKind string

// Kinds of incidents.
const (
	Unreachable    IncidentKind = "unreachable"     // nothing was heard of the node
	CollectorDown  IncidentKind = "collector_down"  // nothing was heard, and nobody listened
	NotObserved    IncidentKind = "not_observed"    // the node was heard, the GPU not seen
	GPULost        IncidentKind = "gpu_lost"        // off the bus, or no longer listed
	FatalXid       IncidentKind = "xid"             // a driver error that ends work on the GPU
	MemoryFault    IncidentKind = "memory"          // uncorrected ECC, row remapping failed
	ResetRequired  IncidentKind = "reset_required"  // the driver asks for a reset or more
	MissingSibling IncidentKind = "missing_sibling" // the node has fewer GPUs than it should
	UnitDown       IncidentKind = "unit_down"       // good by itself, in a node or rack that is good only as a whole
	OtherFault     IncidentKind = "unhealthy"       // unhealthy for another reason, or none on record
	BeforeMetering IncidentKind = "before_metering" // GPUs of the ramp, before anybody looked whether they stand
	LateDelivery   IncidentKind = "late_delivery"   // GPUs of the ramp that never came
	Departed       IncidentKind = "departed"        // GPUs that stood, said goodbye and have no successor
	FellSilent     IncidentKind = "fell_silent"     // GPUs silent for longer than Decommission, without a goodbye
)

// faultKinds says what kind of incident a fault's reason makes.
var faultKinds = map[string]IncidentKind{
	"gpu_lost":          GPULost,
	"gpu_gone":          GPULost,
	"ecc_uncorrected":   MemoryFault,
	"row_remap_failure": MemoryFault,
	"recovery_action":   ResetRequired,
	"missing_sibling":   MissingSibling,
}

func kindOfFault(reason string) IncidentKind {
	if k, ok := faultKinds[reason]; ok {
		return k
	}
	if strings.HasPrefix(reason, "xid_") {
		return FatalXid
	}
	return OtherFault
}

// blame says whose a cause of unobserved time is, and why.
type blame struct {
	class Class
	rule  string
}

// blames are the reasons, as records give them, that say why a GPU was not
// seen although its agent ran. None of them proves a fault of the provider.
var blames = map[string]blame{
	"paused":            {Ours, "our agent was paused"},
	"agent_down":        {Ours, "our agent was not running"},
	"no_driver":         {Ours, "the driver library is not installed on our node"},
	"driver_mismatch":   {Ours, "our driver's library and kernel module differ"},
	"no_permission":     {Ours, "our agent may not open the GPU"},
	"worker_exit":       {Ours, "our agent's worker was being replaced"},
	"not_sampled":       {Ours, "our agent did not look in time"},
	"elsewhere":         {Ours, "the GPU is given to a virtual machine, or not to be seen from the agent's container"},
	"driver_not_loaded": {Unknown, "the driver was not loaded, and nothing says why"},
	"driver_hang":       {Unknown, "the driver hung, without evidence of a fault of the GPU"},
	"driver_error":      {Unknown, "the driver answered with an error that says nothing of the GPU"},
	"never_seen":        {Unknown, "the GPU has not answered since the agent started"},
	"suspended":         {Unknown, "the node slept, and nothing says who sent it to sleep"},
}

func blameOf(reason string) blame {
	if b, ok := blames[reason]; ok {
		return b
	}
	if reason == "" {
		return blame{Unknown, "the node was heard, and the GPU is not on its record"}
	}
	return blame{Unknown, "the GPU was not observed, which by itself proves nothing"}
}

// bucketOf returns the bucket that an incident's time is in.
func (k IncidentKind) bucketOf() Bucket {
	switch k {
	case BeforeMetering, LateDelivery, Departed, FellSilent:
		return Undelivered
	case Unreachable, CollectorDown, NotObserved:
		return Unobserved
	}
	return Unhealthy
}
