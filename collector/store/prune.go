package store

import (
	"context"

	"github.com/gpumeter/gpumeter/contract"
)

// Pruning says which records may go: those of full hours within
// [FromMs, ToMs).
type Pruning struct {
	FromMs, ToMs int64
	// Same are queries whose answers must stay what they are: no hour that one
	// of their edges cuts goes.
	Same []contract.Query
	// Keep is time of units whose records must stay. Keys do not matter.
	Keep []contract.Span
}

// Pruned is what one Prune took away.
type Pruned struct {
	Records, Batches int64
	// NextMs is up to where it looked; there is more to do if it is before
	// Pruning.ToMs.
	NextMs int64
}

// Pruner is a store that lets go of records that say no more than their hour
// records.
type Pruner interface {
	// Prune takes away records of hours in which nothing happened, some hours
	// at a time: Append does not wait for it longer than for a large commit. An
	// hour of a unit goes if hour records tell it; if the unit was observed
	// healthy throughout, in the hour before and the hour after too; if neither
	// Same nor Keep want it; and if all batches that speak of it speak of
	// nothing else than such hours. So records around incidents stay.
	//
	// Counts, Extent, Presence, Seqs, events and Stretches stay what they
	// were, and Sums where no edge cuts an hour that is gone. Where one does,
	// the hour's sums are returned as Straddles as long as the hour. Entries
	// and Links do not return what is gone.
	//
	// A batch that is gone and comes again is a Duplicate, whatever it says.
	// The time of hours that are gone has its owner for ever: records that come
	// later are kept, and count as overlaps.
	Prune(ctx context.Context, p Pruning) (Pruned, error)
}
