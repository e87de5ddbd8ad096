package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// sweep deletes what prunings replaced some time ago, and what they wrote that
// never counted. Nobody reads it any more, and nobody writes there: what comes
// late was received since.
func (v view) sweep(ctx context.Context) error {
	if len(v.prunings) == 0 {
		return nil
	}
	before := v.options.Now().Add(-attemptAge).UnixMilli()
	for i, s := range v.shards {
		err := s.do(ctx, func(ctx context.Context, r *replica) error { return v.sweepReplica(ctx, r, v.parts[i], before) })
		if err != nil {
			return fmt.Errorf("shard %d: %w", s.number, err)
		}
	}
	return nil
}

// sweepReplica lets one replica delete for all of its shard.
func (v view) sweepReplica(ctx context.Context, r *replica, parts map[partition]*part, beforeMs int64) error {
	stamps, err := r.stamps(ctx)
	if err != nil {
		return err
	}
	for at := range stamps {
		p, isPruned := v.prunings[at.day]
		if at.part <= partLong || isPruned && at.part == p.number || int64(at.part>>attemptShift) > beforeMs || p.madeMs > beforeMs {
			continue
		}
		if err := r.exec(ctx, fmt.Sprintf("ALTER TABLE batches DROP PARTITION (%d, %d)", at.day, at.part)); err != nil {
			return err
		}
	}
	busy := uint64(0)
	err = r.each(ctx, query{text: sqlMutations}, func(rows driver.Rows) error { return rows.Scan(&busy) })
	if err != nil || busy > 0 {
		return err
	}
	for day, p := range v.prunings {
		if known := parts[partition{day, partDay}]; known == nil || !known.older || p.madeMs > beforeMs {
			continue
		}
		err := r.exec(ctx, fmt.Sprintf("ALTER TABLE batches DELETE WHERE day = %d AND part = %d AND received_ms < %d", day, partDay, p.sinceMs))
		if err != nil {
			return err
		}
	}
	return nil
}
