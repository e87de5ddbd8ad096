package duckdb

import (
	"database/sql"
	"testing"

	"github.com/gpumeter/gpumeter/usage"
)

// TestViewSeesOneMoment commits between the look at the state and the first
// look at the tables.
func TestViewSeesOneMoment(t *testing.T) {
	ctx := t.Context()
	db, err := Open(ctx, t.TempDir(), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	batch := func(seq uint64) []usage.Sealed {
		return []usage.Sealed{{Hash: usage.Hash{byte(seq)}, Batch: usage.Batch{Agent: "a", Epoch: "e", Seq: seq, Evidence: usage.EvidenceAgent}}}
	}
	if _, err := db.Append(ctx, batch(1)); err != nil {
		t.Fatal(err)
	}
	var told, tables int64
	err = db.view(ctx, func(s *state) { told = s.counts.Batches }, func(conn *sql.Conn) error {
		if _, err := db.Append(ctx, batch(2)); err != nil {
			return err
		}
		return conn.QueryRowContext(ctx, "SELECT count(*) FROM batches").Scan(&tables)
	})
	if err != nil || told != 1 || tables != 1 {
		t.Errorf("batches in the state: %d, in the tables: %d, %v; want 1 in both", told, tables, err)
	}
}
