// Package store says what the collector needs of a place that keeps batches.
// A store adds; it does not judge. Every implementation passes the suite in
// package storetest.
package store

import (
	"cmp"
	"context"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// Status is what became of one batch.
type Status string

// A batch is committed when it is durable, for the first time. A duplicate
// has the identity and content of a committed one. A conflict has its identity
// with other content; it is kept aside, and changes no sum.
const (
	Committed Status = "committed"
	Duplicate Status = "duplicate"
	Conflict  Status = "conflict"
)

// Event is an event with the node it happened on: two clouds may have nodes of
// one name.
type Event struct {
	Node  string
	Cloud usage.Cloud
	usage.Event
}

// Compare orders events by time, node, cloud, kind, GPU, value and detail.
func (e Event) Compare(o Event) int {
	return cmp.Or(cmp.Compare(e.AtMs, o.AtMs), cmp.Compare(e.Node, o.Node), e.Cloud.Compare(o.Cloud), cmp.Compare(e.Kind, o.Kind),
		cmp.Compare(e.GPU, o.GPU), cmp.Compare(e.Value, o.Value), cmp.Compare(e.Detail, o.Detail))
}

// Extent is the span that the records in a store cover; zero if there are none.
type Extent struct{ FromMs, ToMs int64 }

// Counts is what a store was given. Records and Batches are also those that
// Pruner.Prune took away; Pruned is how many of the records.
type Counts struct {
	Records, Batches, Conflicts, Quarantined, Units int64
	Pruned                                          int64
}

// Store keeps batches and adds up records. All methods may be called
// concurrently.
type Store interface {
	Documents
	Evidence

	// ID is minted when the store is created and never changes. A store
	// restored from a backup keeps it; a new one has another.
	ID() string

	// Append makes batches durable in one transaction: when it returns
	// without error, all are committed, duplicate or in conflict, in the order
	// given; with an error, none is, or in a store without transactions some
	// may be. It is idempotent, whatever the order and delay: the same call
	// again completes it. The batches have passed usage.Batch.Check.
	Append(ctx context.Context, batches []usage.Sealed) ([]Status, error)

	// Quarantine makes the bytes of a batch that cannot be accepted durable,
	// with the reason, so that its sender may go on. Its seq counts as
	// committed. Repetition changes nothing.
	Quarantine(ctx context.Context, id usage.ID, s usage.Sealed, reason string) error

	// Seqs returns the sequence numbers committed for an agent's epoch. The
	// caller must not change them.
	Seqs(ctx context.Context, agent, epoch string) (usage.Ranges, error)

	// Presence returns when every unit was there: for each unit disjoint
	// spans, by start, that lie more than contract.Decommission apart.
	// Arrival order does not change them. A span has a goodbye if an event
	// said so, of the GPU or of its whole node, between the span's end and
	// the unit's next span.
	Presence(ctx context.Context) ([]contract.Presence, error)

	// Sums answers a query. Where several batches recorded one GPU at one
	// time, under whatever unit, only the owner's records count: evidence
	// agent before prometheus, then the lowest agent id, then the lowest
	// epoch, then the lowest seq (an agent's clock may be set back). A record
	// that overlaps one which owns is left out as a whole, also if that one
	// is left out in favour of a third. Edges ascend; spans of one unit do
	// not overlap. By holders, the sums of each group of them come apart, and
	// stand once for each key and slot; the rest of the answer is the same.
	Sums(ctx context.Context, q contract.Query) (contract.Answer, error)

	// Events returns the events of [fromMs, toMs), by time, at most limit.
	Events(ctx context.Context, fromMs, toMs int64, limit int) ([]Event, error)

	// Extent returns the span that the records cover.
	Extent(ctx context.Context) (Extent, error)

	// Counts returns how much is held.
	Counts(ctx context.Context) (Counts, error)

	// Close makes everything durable and lets go of the files. It is called
	// once, after all other calls have returned.
	Close() error
}
