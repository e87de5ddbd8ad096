package store

import "context"

// Run is a row of batches of one agent's epoch without a gap, from Lo to Hi.
// Hashes are SHA-256, 64 hex digits.
type Run struct {
	Agent string `json:"agent"`
	Epoch string `json:"epoch"`
	Lo    uint64 `json:"first_seq"`
	Hi    uint64 `json:"last_seq"`
	// Head is the content hash of Hi, as its agent sealed it: each batch names
	// the one before it, so that it stands for the agent's chain.
	Head string `json:"head_sha256"`
	// Kept is the SHA-256 of the digests, in lower-case hex one after the other,
	// of all that is kept of each batch.
	Kept string `json:"kept_sha256"`
	// Pruned says of a run that Rerun returns that batches of it were pruned, so
	// that Head and Kept are not known any more.
	Pruned bool `json:"-"`
}

// Anchors is a Store that can say in few words which batches it holds, so that
// others can hold it to them. Its methods may be called concurrently.
type Anchors interface {
	// Runs returns the runs of the batches whose first record begins in [fromMs,
	// toMs), or which were received then and have none, by agent, epoch and Lo.
	Runs(ctx context.Context, fromMs, toMs int64) ([]Run, error)

	// Rerun returns the runs given as they are now, in the same order. Head and
	// Kept are empty where a batch of the run is not there, or was pruned.
	Rerun(ctx context.Context, runs []Run) ([]Run, error)
}
