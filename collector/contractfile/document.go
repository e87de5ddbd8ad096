package contractfile

import "go.yaml.in/yaml/v3"

// The structs of this file and of document_terms.go are the format: each field
// is a key, and decoder refuses every other. schema.json says the same to
// editors; a test holds the two together.

// scalar is a single value as it was written; nil where the key is absent.
type scalar struct{ *yaml.Node }

type document struct {
	Line      int             // where the mapping begins
	Contracts []contractEntry `yaml:"contracts" item:"a contract" need:"true"`
}

type contractEntry struct {
	Line        int               // where the mapping begins
	ID          scalar            `yaml:"id" need:"true"`
	Title       scalar            `yaml:"title"`
	Provider    scalar            `yaml:"provider" need:"true"`
	Currency    scalar            `yaml:"currency" need:"true"`
	Zone        scalar            `yaml:"billing_timezone" need:"true"`
	CutOff      scalar            `yaml:"cut_off"`
	Tranches    []trancheEntry    `yaml:"tranches" item:"a tranche"`
	Commitments []commitmentEntry `yaml:"commitments" item:"a commitment"`
	SLAs        []slaEntry        `yaml:"slas" item:"an SLA"`
	Notices     []noticeEntry     `yaml:"notices" item:"a notice"`
}

type trancheEntry struct {
	Line     int               // where the mapping begins
	ID       scalar            `yaml:"id" need:"true"`
	Model    scalar            `yaml:"model" need:"true"`
	Accepts  []substituteEntry `yaml:"accepts" item:"an accepted model" filled:"true"`
	Scope    scopeEntry        `yaml:"scope" item:"a scope"`
	Priority scalar            `yaml:"priority"`
	Unit     scalar            `yaml:"unit_of_delivery"`
	PerUnit  scalar            `yaml:"gpus_per_unit"`
	Grace    scalar            `yaml:"late_grace"`
	SLA      scalar            `yaml:"sla"`
	Prepaid  scalar            `yaml:"prepaid"`
	Start    scalar            `yaml:"start"`
	End      scalar            `yaml:"end" need:"true"`
	GPUs     scalar            `yaml:"gpus"`
	Ramp     []stepEntry       `yaml:"ramp" item:"a step of the ramp"`
	Rates    []rateEntry       `yaml:"rates" item:"a rate"`
	PerHour  scalar            `yaml:"per_gpu_hour"`
	Overage  scalar            `yaml:"overage_per_gpu_hour"`
	List     scalar            `yaml:"list_per_gpu_hour"`
	Hours    scalar            `yaml:"hours_per_month"`
}

type substituteEntry struct {
	Line   int    // where the mapping begins
	Model  scalar `yaml:"model" need:"true"`
	Factor scalar `yaml:"price_factor"`
}

type scopeEntry struct {
	Line         int                // where the mapping begins
	Accounts     []scalar           `yaml:"accounts" filled:"true"`
	Regions      []scalar           `yaml:"regions" filled:"true"`
	Reservations []scalar           `yaml:"reservations" filled:"true"`
	Pins         []scalar           `yaml:"pin" filled:"true"`
	Rules        applicabilityEntry `yaml:"rules" item:"scope rules"`
}

type stepEntry struct {
	Line int    // where the mapping begins
	From scalar `yaml:"from" need:"true"`
	GPUs scalar `yaml:"gpus" need:"true"`
}

type rateEntry struct {
	Line    int    // where the mapping begins
	From    scalar `yaml:"from"`
	To      scalar `yaml:"to"`
	PerHour scalar `yaml:"per_gpu_hour" need:"true"`
	Overage scalar `yaml:"overage_per_gpu_hour"`
	List    scalar `yaml:"list_per_gpu_hour"`
}
