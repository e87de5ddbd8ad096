package duckdb_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
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
	x := pruning{rolling{open(t, dir).(*duckdb.DB), t, storetest.NewRand(1)}}
	x.audit()
	return x
}

func TestDBPrunes(t *testing.T) {
	t.Parallel()
	storetest.RunPrune(t, openPruning)
}

// TestPruneBesideAppends prunes while another agent's batches arrive for the
// same time, so that some come between the look at an hour and its end.
func TestPruneBesideAppends(t *testing.T) {
	t.Parallel()
	db := open(t, t.TempDir()).(*duckdb.DB)
	defer db.Close()
	if _, err := db.Append(t.Context(), steady(t, 1, 60, nil)); err != nil {
		t.Fatal(err)
	}
	if err := db.RollUp(t.Context(), time.UnixMilli(t0+100*hour)); err != nil {
		t.Fatal(err)
	}
	twin := steady(t, 2, 60, func(_ int64, b *usage.Batch) { // the same GPUs
		b.Node.Name = "node-1"
		for k := range b.GPUs {
			b.GPUs[k].UUID = fmt.Sprintf("GPU-%08x-%d", 1, k)
		}
		for k := range b.Records {
			b.Records[k].GPU = b.GPUs[k].UUID
		}
	})
	r := rand.New(rand.NewPCG(5, 6))
	r.Shuffle(len(twin), func(i, j int) { twin[i], twin[j] = twin[j], twin[i] })
	appended := make(chan error)
	go func() {
		var err error
		for some := range slices.Chunk(twin, 3) {
			if _, err = db.Append(t.Context(), some); err != nil {
				break
			}
		}
		appended <- err
	}()
	records := int64(0)
	for done := false; !done; {
		select {
		case err := <-appended:
			if done = true; err != nil {
				t.Fatal(err)
			}
		default:
		}
		from := r.Int64N(60)
		x, err := db.Prune(t.Context(), store.Pruning{FromMs: t0 + from*hour, ToMs: t0 + (from+1+r.Int64N(3))*hour})
		if err != nil {
			t.Fatal(err)
		}
		records += x.Records
	}
	if err := db.RollUp(t.Context(), time.UnixMilli(t0+100*hour)); err != nil {
		t.Fatal(err)
	}
	rolling{DB: db, t: t}.audit()
	q := contract.Query{Edges: []int64{t0, t0 + 60*hour}}
	for unit := range int64(2) {
		q.Spans = append(q.Spans, contract.Span{Unit: unit + 1, FromMs: t0, ToMs: t0 + 60*hour})
	}
	a, err := db.Sums(t.Context(), q)
	if err != nil || len(a.Sums) != 1 || a.Sums[0].BusyMs != 2*60*6*4*minute || a.Overlaps != 2*60*6 || records == 0 {
		t.Errorf("after %d records went: %+v, %v", records, a, err)
	}
}
