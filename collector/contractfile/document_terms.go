package contractfile

// applicabilityEntry is FOCUS's object, in FOCUS's words, so that what an
// export says can be put in as it is.
type applicabilityEntry struct {
	Line       int          // where the mapping begins
	Global     scalar       `yaml:"IsGlobalScope"`
	Complex    scalar       `yaml:"IsComplexScope"`
	Eligible   portionEntry `yaml:"Applicability" item:"an applicability"`
	Include    scalar       `yaml:"InclusionOperator"`
	Inclusions []ruleEntry  `yaml:"Inclusions" item:"an inclusion"`
	Exclude    scalar       `yaml:"ExclusionOperator"`
	Exclusions []ruleEntry  `yaml:"Exclusions" item:"an exclusion"`
}

type ruleEntry struct {
	Line      int          // where the mapping begins
	Dimension scalar       `yaml:"Dimension" need:"true"`
	Operator  scalar       `yaml:"Operator" need:"true"`
	Values    []scalar     `yaml:"Values" need:"true" filled:"true"`
	Eligible  portionEntry `yaml:"Applicability" item:"an applicability"`
}

type portionEntry struct {
	Line  int    // where the mapping begins
	Cost  scalar `yaml:"Cost"`
	Usage scalar `yaml:"Usage"`
}

type commitmentEntry struct {
	Line        int                // where the mapping begins
	ID          scalar             `yaml:"id" need:"true"`
	Title       scalar             `yaml:"title"`
	CloudID     scalar             `yaml:"cloud_id"`
	Model       scalar             `yaml:"model"`
	Basis       scalar             `yaml:"basis"`
	Start       scalar             `yaml:"start" need:"true"`
	End         scalar             `yaml:"end" need:"true"`
	Shortfall   scalar             `yaml:"shortfall"`
	Total       scalar             `yaml:"total"`
	Floors      []floorEntry       `yaml:"floors" item:"a floor"`
	CarryExcess scalar             `yaml:"carry_excess"`
	PerInterval scalar             `yaml:"per_interval"`
	Interval    scalar             `yaml:"interval"`
	Eligible    applicabilityEntry `yaml:"eligible" item:"eligibility rules"`
	OtherPerDay scalar             `yaml:"other_per_day"`
}

type floorEntry struct {
	Line   int    // where the mapping begins
	From   scalar `yaml:"from" need:"true"`
	To     scalar `yaml:"to"`
	Amount scalar `yaml:"amount" need:"true"`
}

type slaEntry struct {
	Line     int         // where the mapping begins
	ID       scalar      `yaml:"id" need:"true"`
	Title    scalar      `yaml:"title"`
	Target   scalar      `yaml:"target_percent" need:"true"`
	Scope    scalar      `yaml:"scope" need:"true"`
	Period   scalar      `yaml:"period"`
	Tiers    []tierEntry `yaml:"tiers" item:"a credit tier"`
	Cap      scalar      `yaml:"cap_percent"`
	Excludes []scalar    `yaml:"excludes"`
	Degraded scalar      `yaml:"counts_degraded"`
	Claim    claimEntry  `yaml:"claim" item:"a claim rule"`
}

type noticeEntry struct {
	Line  int        // where the mapping begins
	ID    scalar     `yaml:"id" need:"true"`
	Title scalar     `yaml:"title"`
	Kind  scalar     `yaml:"kind" need:"true"`
	From  scalar     `yaml:"from" need:"true"`
	To    scalar     `yaml:"to" need:"true"`
	Scope scopeEntry `yaml:"scope" item:"a scope"`
}

type tierEntry struct {
	Line   int    // where the mapping begins
	Below  scalar `yaml:"below_percent" need:"true"`
	Credit scalar `yaml:"credit_percent" need:"true"`
}

type claimEntry struct {
	Line     int      // where the mapping begins
	From     scalar   `yaml:"from"`
	Months   scalar   `yaml:"months"`
	Days     scalar   `yaml:"days"`
	Subject  scalar   `yaml:"subject"`
	Evidence []scalar `yaml:"evidence"`
}
