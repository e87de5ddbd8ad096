package clickhouse

import (
	"context"
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/owner"
)

// pruneFence is how old a batch is in the store before it may go. What comes
// while a day is pruned was received since, whichever collector takes it: their
// clocks differ by less.
const pruneFence = time.Hour

// prunePatience is how long a pruning may take until it counts. It is far less
// than what it made is left when it does not count.
const prunePatience = attemptAge / 2

// Prune looks at the hours of one day: see store.Pruner. It makes hour records
// before. What stays of the day and what is left of that which goes are written
// beside it; from one moment on they count in its place, on all shards. RollUp
// deletes what does not count any more, after attemptAge.
func (d *DB) Prune(ctx context.Context, p store.Pruning) (store.Pruned, error) {
	if err := d.RollUp(ctx, d.options.Now()); err != nil {
		return store.Pruned{}, err
	}
	d.rollingUp.Lock()
	defer d.rollingUp.Unlock()
	out, err := d.prune(ctx, p)
	if err != nil {
		return store.Pruned{}, fmt.Errorf("prune records: %w", err)
	}
	return out, nil
}

func (d *DB) prune(ctx context.Context, p store.Pruning) (store.Pruned, error) {
	done := store.Pruned{NextMs: p.ToMs}
	v, err := d.settle(ctx)
	if err != nil {
		return done, err
	}
	known, err := v.told(ctx, everything)
	if err != nil {
		return done, err
	}
	asked := owner.Span{FromMs: ceilHour(p.FromMs), ToMs: p.ToMs / hourMs * hourMs}
	for _, day := range v.rollDays() {
		x := &dayPruning{view: v, day: day, hours: spanOfDay(day).Clip(asked)}
		if x.hours.Empty() {
			continue
		}
		x.bound(p, known)
		if err := x.choose(ctx); err != nil {
			return done, fmt.Errorf("%d: %w", day, err)
		}
		if x.records == 0 {
			continue
		}
		counts, err := x.carryOut(ctx)
		if err != nil {
			return done, fmt.Errorf("%d: %w", day, err)
		}
		if !counts { // something came in between: the same day once more
			return store.Pruned{NextMs: max(p.FromMs, x.hours.FromMs)}, nil
		}
		d.options.Log.Info("records pruned", "day", day, "records", x.records, "batches", x.batches)
		return store.Pruned{Records: int64(x.records), Batches: int64(x.batches), NextMs: min(p.ToMs, spanOfDay(day).ToMs)}, nil
	}
	return done, nil
}
