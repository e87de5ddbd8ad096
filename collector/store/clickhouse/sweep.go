package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	return v.deleteOlder(ctx, r, parts, beforeMs)
}

// deleteOlder lets a replica delete of each day what was received before it
// counts, unless it was told so: all days at once, as the server gives every part
// of the table another name each time. Servers of 2018 keep the last rows that a
// quorum was asked for in a partition, and never say that it is done.
func (v view) deleteOlder(ctx context.Context, r *replica, parts map[partition]*part, beforeMs int64) error {
	var told []string
	err := r.each(ctx, query{text: sqlMutations}, func(rows driver.Rows) error {
		var command string
		err := rows.Scan(&command)
		told = append(told, command)
		return err
	})
	if err != nil {
		return err
	}
	var conditions []string
	for day, p := range v.prunings {
		which, bound := fmt.Sprintf("day = %d", day), fmt.Sprintf("received_ms < %d", p.sinceMs)
		isTold := slices.ContainsFunc(told, func(command string) bool {
			return strings.Contains(command, which) && strings.Contains(command, bound)
		})
		if known := parts[partition{day, partDay}]; known == nil || !known.older || p.madeMs > beforeMs || isTold {
			continue
		}
		conditions = append(conditions, fmt.Sprintf("%s AND part = %d AND %s", which, partDay, bound))
	}
	if len(conditions) == 0 {
		return nil
	}
	return r.exec(ctx, "ALTER TABLE batches DELETE WHERE "+strings.Join(conditions, " OR "))
}
