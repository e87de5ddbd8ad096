package duckdb_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
)

// pruning is a store that makes hour records of all there is before it prunes,
// and audits what is left.
type pruning struct{ rolling }

func (s pruning) Prune(ctx context.Context, p store.Pruning) (store.Pruned, error) {
	if err := s.RollUp(ctx, time.UnixMilli(t0+2000*hour)); err != nil {
		return store.Pruned{}, err
	}
	out, err := s.DB.Prune(ctx, p)
	s.audit()
	return out, err
}

func openPruning(t *testing.T, dir string) store.Store {
	x := pruning{rolling{open(t, dir).(*duckdb.DB), t, rand.New(rand.NewPCG(1, 2))}}
	x.audit()
	return x
}

func TestDBPrunes(t *testing.T) {
	t.Parallel()
	storetest.RunPrune(t, openPruning)
}
