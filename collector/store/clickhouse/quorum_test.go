package clickhouse_test

import (
	"testing"

	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
	"github.com/gpumeter/gpumeter/usage"
)

// TestAcknowledgedBatchesAreOnAQuorum looks at the replicas themselves as soon
// as Append has returned.
func TestAcknowledgedBatchesAreOnAQuorum(t *testing.T) {
	dir := t.TempDir()
	if options(t, dir).Address.Cluster == "" {
		t.Skip("GPUMETER_CLICKHOUSE is one node")
	}
	db := open(t, dir).(*clickhouse.DB)
	defer db.Close()
	for seq := uint64(1); seq <= 10; seq++ {
		if _, err := db.Append(t.Context(), []usage.Sealed{minute(t, seq, 1)}); err != nil {
			t.Fatal(err)
		}
		shards, err := db.Replicas(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var most uint64
		for _, replicas := range shards {
			for _, n := range replicas {
				if most = max(most, n); n != replicas[0] {
					t.Fatalf("after %d batches the replicas of the shards have %v", seq, shards)
				}
			}
		}
		if most != seq {
			t.Fatalf("after %d batches the replicas of the shards have %v", seq, shards)
		}
	}
}
