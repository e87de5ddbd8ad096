package clickhouse_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
)

// options returns those of a database of the test's own for a folder, on the
// servers that GPUMETER_CLICKHOUSE names; make e2e-clickhouse starts some.
func options(t testing.TB, dir string) clickhouse.Options {
	t.Helper()
	text := os.Getenv("GPUMETER_CLICKHOUSE")
	if text == "" {
		t.Skip("GPUMETER_CLICKHOUSE does not name a ClickHouse server; make e2e-clickhouse starts some")
	}
	a, err := clickhouse.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	a.Database = fmt.Sprintf("%s_%x", a.Database, sha256.Sum256([]byte(dir)))[:len(a.Database)+17]
	return clickhouse.Options{Address: a, Grace: -1}
}

// open opens the store that a folder stands for. Its database is dropped after
// the test.
func open(t *testing.T, dir string) store.Store {
	t.Helper()
	o := options(t, dir)
	t.Cleanup(func() {
		if storetest.InCrash() {
			return // what it leaves is looked at
		}
		if err := clickhouse.Drop(context.Background(), o); err != nil {
			t.Errorf("drop database: %v", err)
		}
	})
	db, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestDBConforms(t *testing.T) { storetest.Run(t, open) }
