package collector

import (
	"context"
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
)

// tidyEvery is how often a store is asked to close days and, once a day, to
// prune.
const tidyEvery = time.Hour

// dayCloser is a store that writes what it received on each day as files, of
// which it can be made anew. ThinDays writes days anew without what was pruned
// since, as far as the days hold what is left of it.
type dayCloser interface {
	CloseDays(ctx context.Context, now time.Time) (days int, err error)
	ThinDays(ctx context.Context) (days int, err error)
}

// tidier closes days of a store, thins them and prunes records, in this order:
// what is left of records that went is in a closed day before the day that they
// were in is written without them.
type tidier struct {
	days  dayCloser  // nil: the store writes no days
	prune *retention // nil: the store prunes nothing, or is not to
	now   func() time.Time
	day   int64 // since 1970, UTC: the last on which it pruned
}

// tidy tidies the store up until ctx ends, if it can.
func (c *Collector) tidy(ctx context.Context) {
	t := &tidier{now: c.cfg.Now}
	t.days, _ = c.cfg.Store.(dayCloser)
	if pruner, ok := c.cfg.Store.(store.Pruner); ok && c.cfg.KeepMinutes > 0 {
		t.prune = &retention{
			store: c.cfg.Store, pruner: pruner, books: c.books, contracts: c.cfg.Book.Contracts, now: c.cfg.Now,
			keep: c.cfg.KeepMinutes, pruned: c.metrics.countPruned, rest: pruneRest,
		}
	}
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := t.once(ctx); err != nil && ctx.Err() == nil {
				c.metrics.tidyErrors.Inc()
				c.cfg.Log.Error("store not tidied up", "err", err)
			}
		}
	}
}

// once closes days that have ended; on a new day it thins and prunes.
func (t *tidier) once(ctx context.Context) error {
	now := t.now()
	if t.days != nil {
		if _, err := t.days.CloseDays(ctx, now); err != nil {
			return err
		}
	}
	day := now.Unix() / 86_400
	if day == t.day {
		return nil
	}
	if t.days != nil {
		if _, err := t.days.ThinDays(ctx); err != nil {
			return err
		}
	}
	if t.prune != nil {
		if err := t.prune.run(ctx); err != nil {
			return fmt.Errorf("let old records go: %w", err)
		}
	}
	t.day = day
	return nil
}
