package collector

import (
	"context"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// beatEvery is how often a collector writes down that it runs. An outage is
// known to within it.
const beatEvery = time.Minute

// live writes down that the collector runs, from the moment it listens until
// ctx ends, so that its own outage is never taken for the provider's. A sign of
// life that the store does not take is missing, and says what is true: nobody
// could have been heard.
func (c *Collector) live(ctx context.Context) error {
	started := c.cfg.Now().UnixMilli()
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		c.beat(ctx, started)
		select {
		case <-ctx.Done():
			c.beat(context.WithoutCancel(ctx), started)
			return nil
		case <-tick.C:
		}
	}
}

func (c *Collector) beat(ctx context.Context, startedMs int64) {
	ctx, cancel := context.WithTimeout(ctx, commitLimit)
	defer cancel()
	if err := c.cfg.Store.Beat(ctx, contract.Life{FromMs: startedMs, ToMs: c.cfg.Now().UnixMilli()}); err != nil {
		c.cfg.Log.Warn("sign of life not written", "err", err)
	}
}
