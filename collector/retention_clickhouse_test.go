package collector_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
	"github.com/gpumeter/gpumeter/usage"
)

// received is a store whose batches all came some hours ago.
type received struct {
	*clickhouse.DB
	now *time.Time
}

func (s received) Append(ctx context.Context, batches []usage.Sealed) ([]store.Status, error) {
	*s.now = afterKeeping.Add(-3 * time.Hour)
	defer func() { *s.now = afterKeeping }()
	return s.DB.Append(ctx, batches)
}

// TestReportsStayWhatTheyAreInClickHouse is the same over a server, which keeps
// what counts no more for an hour beside what counts.
func TestReportsStayWhatTheyAreInClickHouse(t *testing.T) {
	text := os.Getenv("GPUMETER_CLICKHOUSE")
	if text == "" {
		t.Skip("GPUMETER_CLICKHOUSE does not name a ClickHouse server; make e2e-clickhouse starts some")
	}
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			a, err := clickhouse.ParseAddress(text)
			if err != nil {
				t.Fatal(err)
			}
			a.Database += "_" + strings.ToLower(rand.Text()[:16])
			now := afterKeeping
			db, err := clickhouse.Open(t.Context(), clickhouse.Options{Address: a, Grace: -1, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			reportsStay(t, received{db, &now}, seed)
		})
	}
}
