package store

// Finding is something kept that is not what was stored.
type Finding struct {
	// Where names it: "agent …, epoch …, seq 7", or a table or a document.
	Where   string `json:"where"`
	Problem string `json:"problem"`
}

// Audited is what an audit has looked at.
type Audited struct {
	Batches   int64 `json:"batches"`
	Records   int64 `json:"records"`
	Events    int64 `json:"events"`
	Aside     int64 `json:"aside"` // conflicts and quarantined batches
	Documents int64 `json:"documents"`
	Lives     int64 `json:"lives"` // signs of life of collectors
	// Pruned are records of which only hour records are left.
	Pruned int64 `json:"pruned"`
	// Unsealed are batches, batches aside and signs of life that were stored by
	// a version that kept no digests: nothing can be said of their rows.
	Unsealed int64 `json:"unsealed"`
	// Missing are batches that a stored one follows and that are not there.
	// They were dropped by the agent, which then says so, or have not arrived.
	Missing int64 `json:"missing"`
	// Unchained are batches that name no batch before them and are not the
	// first of their epoch.
	Unchained int64 `json:"unchained"`
}
