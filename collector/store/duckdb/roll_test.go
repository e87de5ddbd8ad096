package duckdb_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/usage"
)

// rolling is a store that makes hour records up to some moment after every
// call that writes.
type rolling struct {
	*duckdb.DB
	t *testing.T
	r *rand.Rand
}

func (s rolling) Append(ctx context.Context, batches []usage.Sealed) ([]store.Status, error) {
	statuses, err := s.DB.Append(ctx, batches)
	if err == nil && s.r.IntN(3) > 0 {
		const days = 14
		now := time.UnixMilli(t0 + s.r.Int64N(days*24)*hour)
		if err := s.RollUp(context.WithoutCancel(ctx), now); err != nil {
			s.t.Errorf("roll up: %v", err)
		}
	}
	s.audit()
	return statuses, err
}

func (s rolling) audit() {
	s.t.Helper()
	_, err := s.Audit(context.Background(), func(f store.Finding) { s.t.Errorf("%s: %s", f.Where, f.Problem) })
	if err != nil {
		s.t.Errorf("audit: %v", err)
	}
}

// TestDBPassesTheSuiteOnHourRecords holds sums over hour records against the
// same slow model, in any order of arrival.
func TestDBPassesTheSuiteOnHourRecords(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, dir string) store.Store {
		x := rolling{open(t, dir).(*duckdb.DB), t, rand.New(rand.NewPCG(1, 2))}
		x.audit()
		return x
	})
}
