package duckdb_test

import (
	"testing"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
)

func open(t *testing.T, dir string) store.Store {
	t.Helper()
	db, err := duckdb.Open(t.Context(), dir, duckdb.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestDBPassesTheSuite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, open)
}
