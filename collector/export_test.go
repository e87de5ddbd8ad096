package collector

import (
	"context"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// PruneOnce prunes a store once as a collector does every hour, and returns how
// many records went.
func PruneOnce(ctx context.Context, st store.Store, contracts []contract.Contract, now time.Time, keep time.Duration) (records int64, err error) {
	r := &retention{
		store: st, pruner: st.(store.Pruner), books: NewBooks(st), keep: keep, now: func() time.Time { return now },
		contracts: func() []contract.Contract { return contracts }, pruned: func(p store.Pruned) { records += p.Records },
	}
	err = r.run(ctx)
	return records, err
}
