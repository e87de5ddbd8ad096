package store

import (
	"context"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// Entry is a record that owns its time, with the batch that said so.
type Entry struct {
	Unit  int64
	Batch usage.ID
	usage.Evidence
	usage.Record
}

// Link is a committed batch in the chain of its agent and epoch.
type Link struct {
	usage.ID
	Node       string
	Hash       usage.Hash
	Prev       string // 64 hex digits; empty where the batch names none
	ReceivedMs int64
	Records    int
	Events     int
}

// EventQuery says which events are wanted: of [FromMs, ToMs), of one Node or of
// all if it is empty, of some Kinds or of all if there are none, at most Limit.
type EventQuery struct {
	FromMs, ToMs int64
	Node         string
	Kinds        []usage.EventKind
	Limit        int
}

// Evidence is what incidents are derived from and proved with. All methods may
// be called concurrently.
type Evidence interface {
	// Stretches calls f with what the owners' records say of every unit: each
	// window that overlaps [fromMs, toMs) as one stretch, but windows that touch
	// and were healthy throughout together as one. They come by unit and start.
	// Of several reasons in a window the first by bytes counts. An error of f
	// ends it and is returned.
	Stretches(ctx context.Context, fromMs, toMs int64, f func(contract.Stretch) error) error

	// Entries calls f with the owners' records that overlap the spans, each
	// once, by GPU, start, end, holder, reason and sums. Keys do not matter. An
	// error of f ends it and is returned.
	Entries(ctx context.Context, spans []contract.Span, f func(Entry) error) error

	// Links returns the batches of an agent's epoch with sequence numbers from
	// lo to hi, both inclusive, in order.
	Links(ctx context.Context, agent, epoch string, lo, hi uint64) ([]Link, error)

	// EventsOf returns events in the order of Event.Compare.
	EventsOf(ctx context.Context, q EventQuery) ([]Event, error)

	// Beat makes durable that a collector which started at life.FromMs still
	// ran at life.ToMs.
	Beat(ctx context.Context, life contract.Life) error

	// Lives returns the latest beat of every start, by start.
	Lives(ctx context.Context) ([]contract.Life, error)
}
