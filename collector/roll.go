package collector

import (
	"context"
	"time"
)

// rollEvery is how often a store is asked to roll up; it has something to do
// once an hour, and when late records came.
const rollEvery = 5 * time.Minute

// roller is a store that makes of its records what answers come faster from,
// and the same.
type roller interface {
	RollUp(ctx context.Context, now time.Time) error
}

// rollUp lets the store roll up until ctx ends, if it can.
func (c *Collector) rollUp(ctx context.Context) {
	st, ok := c.cfg.Store.(roller)
	if !ok {
		return
	}
	tick := time.NewTicker(rollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := st.RollUp(ctx, c.cfg.Now()); err != nil && ctx.Err() == nil {
				c.cfg.Log.Error("store not rolled up, reports take longer", "err", err)
			}
		}
	}
}
