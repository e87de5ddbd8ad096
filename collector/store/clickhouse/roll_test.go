package clickhouse_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/usage"
)

// rolling is a store that makes hour records up to some moment after every
// call that writes, in turns with another collector.
type rolling struct {
	*clickhouse.DB
	other *clickhouse.DB
	t     *testing.T
	r     *rand.Rand
}

// begin is when the suite's time begins.
const begin = int64(1_790_000_000_000) / hour * hour

func (s rolling) Append(ctx context.Context, batches []usage.Sealed) ([]store.Status, error) {
	statuses, err := s.DB.Append(ctx, batches)
	if err == nil && s.r.IntN(6) == 0 {
		const days = 14
		now := time.UnixMilli(begin + s.r.Int64N(days*24)*hour)
		if err := []*clickhouse.DB{s.DB, s.other}[s.r.IntN(2)].RollUp(context.WithoutCancel(ctx), now); err != nil {
			s.t.Errorf("roll up: %v", err)
		}
	}
	return statuses, err
}

func openRolling(t *testing.T, dir string) store.Store {
	other := open(t, dir).(*clickhouse.DB)
	t.Cleanup(func() { other.Close() })
	return rolling{open(t, dir).(*clickhouse.DB), other, t, rand.New(rand.NewPCG(1, 2))}
}

// TestDBPassesTheSuiteOnHourRecords holds sums over hour records against the
// same slow model, in any order of arrival.
func TestDBPassesTheSuiteOnHourRecords(t *testing.T) { storetest.Run(t, openRolling) }
