package contract

import "time"

// SpendSchema names the JSON form of a SpendReport. A field that changes
// meaning or goes away makes it v2; new fields do not.
const SpendSchema = "gpumeter.spend/v1"

// SpendReport is what became of every spend commitment as of a moment. Its
// JSON form is published: see docs/spend.md.
type SpendReport struct {
	Schema      string            `json:"schema"`
	AsOf        time.Time         `json:"as_of"`
	Commitments []CommitmentSpend `json:"commitments"`
	// Expiries are the ends that are ahead, the next one first.
	Expiries []Expiry `json:"expiries"`
	// Bills are the bills that were imported, by account.
	Bills []BillState `json:"bills"`
}

// Figure is an amount and where it comes from.
type Figure struct {
	Amount Money `json:"amount"`
	// Basis says it in words: "billed", "metered", "contract file", or the
	// calculation with its operands.
	Basis string `json:"basis"`
}

// Of what a drawn amount is made.
const (
	BasisContract = "contract file"
	BasisBilled   = "billed"
	BasisMetered  = "metered: delivered GPU time × rate"
	BasisBoth     = "billed; metered where no bill is imported"
	BasisNone     = "no bill is imported and nothing metered"
)

// CommitmentSpend is one commitment. A figure that cannot be told is absent.
type CommitmentSpend struct {
	Contract   string          `json:"contract"`
	Commitment string          `json:"commitment"`
	Title      string          `json:"title,omitempty"`
	Provider   string          `json:"provider"`
	Currency   string          `json:"currency"`
	Zone       string          `json:"billing_timezone"`
	Model      CommitmentModel `json:"model"`
	CostBasis  CostBasis       `json:"cost_basis"`
	Rule       ShortfallRule   `json:"shortfall_rule"`
	From       time.Time       `json:"from"`
	To         time.Time       `json:"to"` // exclusive
	Status     SpendStatus     `json:"status"`
	Committed  Figure          `json:"committed"`
	// Through is up to when the drawn amount is known; ElapsedMs of TermMs have
	// passed by then.
	Through   time.Time `json:"drawn_through"`
	ElapsedMs int64     `json:"elapsed_ms"`
	TermMs    int64     `json:"term_ms"`
	// Drawn is Billed + Metered, where anything is known.
	Drawn   *Figure `json:"drawn,omitempty"`
	Billed  Money   `json:"billed"`
	Metered Money   `json:"metered"`
	// Gaps are spans before Through with neither bill nor metering: what was
	// drawn in them is not in Drawn.
	Gaps []Gap `json:"gaps"`
	// Left says what was left out of Drawn that may belong to it.
	Left      []LeftOut `json:"left_out"`
	Remaining *Figure   `json:"remaining,omitempty"`
	// Required is what has to be drawn each day from Through to the end.
	Required *Figure      `json:"required_per_day,omitempty"`
	Forecast []Projection `json:"forecast"`
	// Spread are the least and the most of what the rates of 7, 28 and 90 days
	// come to at the end.
	Spread *Spread `json:"spread,omitempty"`
	// Scheduled is what the contracted capacity comes to if all of it is
	// delivered and paid from Through on.
	Scheduled *Projection `json:"scheduled,omitempty"`
	// Infeasible is the first day on which the rest can no longer be drawn.
	Infeasible *Infeasible `json:"infeasible,omitempty"`
	// Shortfall is what will be missing, or is: of it, Late was not drawn
	// because capacity came late.
	Shortfall *Figure `json:"shortfall,omitempty"`
	Late      *Figure `json:"shortfall_caused_by_late_delivery,omitempty"`
	// BilledUnused is what bills say was left of the commitment.
	BilledUnused Money        `json:"billed_unused"`
	Floors       []FloorState `json:"floors,omitempty"`
	Use          *Use         `json:"use,omitempty"` // of a continuous commitment
	// Stated is what the cloud's own list of commitments says of this one.
	Stated []Stated `json:"stated,omitempty"`
}

// SpendStatus says how a commitment does.
type SpendStatus string

// A commitment is on track while the rate that is required is at most the
// recent one, at risk up to a quarter above it, and short beyond; infeasible
// if even all contracted capacity cannot draw the rest.
const (
	SpendFuture     SpendStatus = "not begun"
	SpendUnknown    SpendStatus = "unknown"
	SpendMet        SpendStatus = "met"
	SpendOnTrack    SpendStatus = "on track"
	SpendAtRisk     SpendStatus = "at risk"
	SpendShort      SpendStatus = "short"
	SpendInfeasible SpendStatus = "infeasible"
	SpendEnded      SpendStatus = "ended short"
	SpendRunning    SpendStatus = "running" // a continuous commitment within its term
	SpendOver       SpendStatus = "ended"   // and after it
)

// Gap is a span of time of which nothing is known.
type Gap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"` // exclusive
}

// LeftOut is what could not be counted, and why: a number of charges, or
// metered time.
type LeftOut struct {
	Reason  string `json:"reason"`
	Charges int    `json:"charges,omitempty"`
}

// Projection is what goes on at some rate until the end comes to.
type Projection struct {
	Name string `json:"name"` // "7d", "28d", "90d", "to date" or "scheduled"
	// Drawn is what was drawn over the Days that the rate is of.
	Drawn     Figure `json:"drawn"`
	Days      int64  `json:"days,omitempty"`
	PerDay    Figure `json:"per_day"`
	AtEnd     Figure `json:"at_end"`
	Shortfall Figure `json:"shortfall"`
	// Late is the part of Shortfall that would not be there if all capacity had
	// come on time; absent where nothing is metered.
	Late *Figure `json:"shortfall_caused_by_late_delivery,omitempty"`
}

// Spread is a range of amounts.
type Spread struct {
	Least Money  `json:"least"`
	Most  Money  `json:"most"`
	Basis string `json:"basis"`
}

// Infeasible is a day and why.
type Infeasible struct {
	Date  string `json:"date"`
	Basis string `json:"basis"`
}

// FloorState is one floor of a pool.
type FloorState struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Amount Money     `json:"amount"`
	Drawn  Money     `json:"drawn"`
	// Carried came over from the floor before.
	Carried Money `json:"carried"`
	// Missing is what is not reached yet, or was not.
	Missing Money  `json:"missing"`
	State   string `json:"state"` // "met", "missed", "open" or "ahead"
}

// Use is how far a continuous commitment is used. Used + Unused is what was
// committed to over the intervals that are over; Overage came on top.
type Use struct {
	Used    Figure `json:"used"`
	Unused  Figure `json:"unused"`
	Overage Figure `json:"overage"`
	// Intervals is how many are over; 0 where the cloud's rows say it.
	Intervals int `json:"intervals"`
}

// Expiry is an end that is ahead.
type Expiry struct {
	Contract string    `json:"contract"`
	Kind     string    `json:"kind"` // "commitment", "floor" or "tranche"
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Days     int64     `json:"days"` // whole days until then
	// AtStake is what is still to be drawn by then; absent if not known.
	AtStake *Figure `json:"at_stake,omitempty"`
	// Currency is that of AtStake.
	Currency string `json:"currency"`
}

// BillState is one bill that was imported.
type BillState struct {
	Provider string    `json:"provider"`
	Account  string    `json:"account"`
	Currency string    `json:"currency"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	CoversTo time.Time `json:"covers_to"`
	// Partial says that the period is over, and that no bill of it covers all of
	// it: the rest is not known to be nothing.
	Partial   bool   `json:"partial"`
	Charges   int    `json:"charges"`
	Source    string `json:"source"`
	Concerned bool   `json:"concerned"` // some commitment looks at it
}

// Stated is what a cloud says of a commitment, and whether the contract file
// agrees.
type Stated struct {
	Field    string `json:"field"`
	Cloud    string `json:"cloud"`
	Contract string `json:"contract"`
	Agrees   bool   `json:"agrees"`
	Source   string `json:"source"`
}
