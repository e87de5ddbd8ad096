package collector

import (
	"context"
	"fmt"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// ground says of placements when nodes and racks were down as a whole within
// [fromMs, toMs). Where no tranche is delivered so, the store is not asked.
func ground(ctx context.Context, st store.Store, contracts []contract.Contract, placed contract.Placements, presences []contract.Presence, fromMs, toMs int64) (contract.Placements, error) {
	if !contract.DeliversWhole(contracts) || fromMs >= toMs {
		return placed, nil
	}
	var sick []contract.Stretch
	err := st.Stretches(ctx, fromMs, toMs, func(s contract.Stretch) error {
		if s.UnhealthyMs > 0 {
			sick = append(sick, s)
		}
		return nil
	})
	if err != nil {
		return contract.Placements{}, fmt.Errorf("read outages: %w", err)
	}
	return contract.Ground(contracts, placed, presences, contract.Outages(sick)), nil
}
