package duckdb_test

import (
	"testing"

	"github.com/gpumeter/gpumeter/collector/store/storetest"
)

func TestDBSurvivesKill(t *testing.T) {
	t.Parallel()
	storetest.RunCrash(t, open, 10)
}
