package storetest_test

import (
	"testing"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
)

// TestModelPassesTheSuite shows that the suite asks for nothing that a store
// cannot do, and that the model keeps its own promises.
func TestModelPassesTheSuite(t *testing.T) {
	models := map[string]*storetest.Model{}
	storetest.Run(t, func(_ *testing.T, dir string) store.Store {
		if models[dir] == nil {
			models[dir] = storetest.NewModel()
		}
		return models[dir]
	})
}
