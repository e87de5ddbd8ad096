package contract

// Commitment is a spend commitment: so much money to be spent with the cloud
// within a term. Amounts are in the contract's currency.
type Commitment struct {
	ID    string // unique within the contract, among its tranches too
	Title string
	// CloudID is the cloud's own id, as its exports have it in
	// ContractCommitmentId or CommitmentDiscountId; empty is ID.
	CloudID string
	Model   CommitmentModel
	// Basis is the cost that draws the commitment down.
	Basis         CostBasis
	FromMs, EndMs int64 // half-open; days and months are those of the contract's zone
	Shortfall     ShortfallRule
	// Total is what a pool commits to over the whole term. Floors are the
	// least amounts for parts of the term, by time and disjoint: yearly or
	// monthly minimums. What is paid for a missed floor counts toward the
	// total. Both are for the Discontinuous model.
	Total  Money
	Floors []Floor
	// CarryExcess lets what was drawn beyond a floor count toward the next.
	CarryExcess bool
	// PerInterval is what a Continuous commitment commits to in each Interval
	// of the term, counted from FromMs; what an interval leaves is lost.
	PerInterval Money
	Interval    Interval
	// Eligible says which charges of the contract's provider draw it down, on
	// the dimensions of SpendDimensions; the zero value is all of them.
	Eligible Applicability
	// OtherPerDay is the most that can be drawn in a day beside the contracted
	// capacity; it raises the ceiling that makes a commitment infeasible.
	OtherPerDay Money
	// Source names the file and line that the commitment was read from.
	Source string
}

// Floor is the least amount that part of a term must see drawn.
type Floor struct {
	FromMs, ToMs int64
	Amount       Money
}

// CommitmentModel says whether what is unused stays. The values are those of
// FOCUS's ContractCommitmentModel.
type CommitmentModel string

// A pool is drawn down at will; a continuous commitment is used or lost in each
// interval.
const (
	Discontinuous CommitmentModel = "Discontinuous"
	Continuous    CommitmentModel = "Continuous"
)

// CostBasis names the cost of a FOCUS row that draws a commitment down.
type CostBasis string

// The four costs of FOCUS. Most agreements count after discounts: contracted.
const (
	ListCost       CostBasis = "list"
	ContractedCost CostBasis = "contracted"
	BilledCost     CostBasis = "billed"
	EffectiveCost  CostBasis = "effective"
)

// ShortfallRule says what becomes of what was committed and not drawn.
type ShortfallRule string

// TrueUp makes the difference payable; Forfeit means that it was paid before
// and is lost.
const (
	TrueUp  ShortfallRule = "true-up"
	Forfeit ShortfallRule = "forfeit"
)

// Interval is how often a Continuous commitment starts anew.
type Interval string

// Hours and days are spans of the contract's zone; months, quarters and years
// are calendar spans counted from the start of the term.
const (
	Hourly    Interval = "hourly"
	Daily     Interval = "daily"
	Monthly   Interval = "monthly"
	Quarterly Interval = "quarterly"
	Annual    Interval = "annual"
)

// Intervals lists them all.
var Intervals = []Interval{Hourly, Daily, Monthly, Quarterly, Annual}

// SpendDimensions are the columns of a FOCUS cost row that a commitment's
// Eligible can name.
var SpendDimensions = []string{
	"ServiceProviderName", "HostProviderName", "InvoiceIssuerName", "BillingAccountId", "SubAccountId", "RegionId",
	"ServiceCategory", "ServiceSubcategory", "ServiceName", "SkuId", "SkuMeter", "PricingCategory",
	"ChargeCategory", "ChargeClass", "ChargeFrequency", "ChargeDescription",
	"CommitmentDiscountId", "CommitmentDiscountCategory", "CommitmentDiscountStatus",
	"CapacityReservationId", "CapacityReservationStatus", "ResourceType", "InvoiceId",
}
