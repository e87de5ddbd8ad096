package contract

import "github.com/gpumeter/gpumeter/usage"

// Bucket is the one place each contracted GPU-millisecond falls into.
type Bucket int

// The seven buckets, in the order of the stages that they separate.
const (
	Undelivered Bucket = iota // no GPU stood for it
	Unobserved                // a placed GPU stood for it, no telemetry covers it
	Unhealthy                 // covered, GPU not usable
	Unallocated               // healthy, nobody held it
	Idle                      // held, no kernel running
	Unmeasured                // held or not, activity or holder not readable
	Busy                      // a kernel was running
	Buckets                   // how many there are
)

var bucketNames = [Buckets]string{"undelivered", "unobserved", "unhealthy", "unallocated", "idle", "unmeasured", "busy"}

// String returns the bucket's name as it stands in reports and labels.
func (b Bucket) String() string { return bucketNames[b] }

// Time holds GPU-milliseconds by bucket.
type Time [Buckets]int64

// Total is the sum of all buckets.
func (t Time) Total() int64 {
	var n int64
	for _, v := range t {
		n += v
	}
	return n
}

// Add adds o to t.
func (t *Time) Add(o Time) {
	for b, v := range o {
		t[b] += v
	}
}

// Amounts holds money by bucket.
type Amounts [Buckets]Money

// Total is the sum of all buckets.
func (a Amounts) Total() Money {
	var n Money
	for _, v := range a {
		n += v
	}
	return n
}

// Fate is what a present GPU counts as for a while.
type Fate int

// A GPU is placed in a tranche, matched but beyond what is contracted, or in
// no contract at all.
const (
	Placed Fate = iota
	Overage
	Uncontracted
)

// Placement says what one GPU counted toward over one span of time. The
// placements of one GPU do not overlap; together they cover its presences,
// each extended over the silence that still counts as standing there.
type Placement struct {
	Unit         int64 // the unit that the records of this span are under
	GPU          string
	FromMs, ToMs int64
	Fate         Fate
	// Contract and Tranche index the contracts given to Place; for
	// Uncontracted both are -1.
	Contract, Tranche int
	// Group indexes Placements.Groups.
	Group int
	// Down says that the node or rack that the GPU belongs to was not usable as
	// a whole: see Ground.
	Down bool
	// Near names, for an uncontracted GPU, the nearest tranche and the rule
	// that failed: `acme-aws/h100: region "us-west-2" is not in [us-east-1]`.
	// It is empty where there are no tranches at all.
	Near string
}

// Group is what uncontracted GPUs are reported by. Empty is unknown.
type Group struct{ Provider, Account, Region, Model string }

// Vacancy says that over a span of time a tranche lacked so many GPUs.
type Vacancy struct {
	Contract, Tranche int
	FromMs, ToMs      int64
	GPUs              int
}

// Placements is the outcome of Place. It is sorted: List by GPU and time,
// vacancies by tranche and time, Groups by their fields.
type Placements struct {
	List []Placement
	// Vacancies are of GPUs that had stood in the tranche and fell silent for
	// longer than Decommission without a goodbye: undelivered, unconfirmed.
	Vacancies []Vacancy
	// Graces are of GPUs that may be late: undelivered, within the grace of
	// the step that added them.
	Graces []Vacancy
	Groups []Group
}

// Sum is what a store added up for one key and slot, and for the holders of
// one group if the Query is by those: see Span.
type Sum struct {
	Key   int
	Slot  int
	Group int // indexes Answer.Groups; zero if the Query is not by holders
	usage.Sums
}

// Span asks for the sums of one unit over a half-open span of time. Sums of
// spans with the same Key are added together.
type Span struct {
	Unit         int64
	FromMs, ToMs int64
	Key          int
}

// Straddle is one record that a span edge or a slot edge cuts: it belongs to
// more than one key or slot, so that only Build may divide it.
type Straddle struct {
	Unit int64
	usage.Record
}

// Query asks a store for sums. Slots are the spans between neighbouring
// Edges (slot i is [Edges[i], Edges[i+1])); time outside of them is not asked
// for. Edges has at least two entries, ascending.
type Query struct {
	Spans []Span
	Edges []int64
	// By wants the sums apart for the holders of each By.Group; unless
	// By.Held, it changes nothing.
	By By
}

// Answer is what a store says to a Query: sums of the records that lie wholly
// inside one span and slot, and the records that do not but overlap one.
type Answer struct {
	Sums []Sum
	// Groups are those that Sums speak of, in no order; none unless the Query
	// is by holders.
	Groups    []string
	Straddles []Straddle
	// Overlaps counts records left out because another agent's record owns
	// their GPU and time.
	Overlaps int64
}
