package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/ext"

	"github.com/gpumeter/gpumeter/collector/store/owner"
)

// partition is one of the table batches.
type partition struct {
	month uint32
	long  uint8
}

// stay is when the units of one partition were there.
type stay struct {
	stamp uint64 // of the partition's rows
	units map[int64]owner.Presence
}

// stays are those of a shard, as they were read last. A month that has ended
// is read once.
type stays struct {
	mu   sync.Mutex // guards list; the stays themselves do not change
	list map[partition]stay
}

// there returns when every unit was there.
func (v view) there(ctx context.Context) (map[int64]owner.Presence, error) {
	out := map[int64]owner.Presence{}
	if v.conflicts > 0 { // a rare thing, which may change any month
		days, err := v.days(ctx, everything)
		for _, x := range days {
			out[x.unit] = out[x.unit].Add(x.Span)
		}
		return out, err
	}
	for _, s := range v.shards {
		list, err := s.read(ctx)
		if err != nil {
			return nil, fmt.Errorf("shard %d: %w", s.number, err)
		}
		for _, x := range list {
			for unit, spans := range x.units {
				for _, span := range spans {
					out[unit] = out[unit].Add(span)
				}
			}
		}
	}
	return out, nil
}

// read returns the stays of a shard. It asks one replica for the stamps first
// and then for the rows that the stamps at least name.
func (s *shard) read(ctx context.Context) (list map[partition]stay, err error) {
	err = s.do(ctx, func(ctx context.Context, r *replica) error {
		stamps, err := r.stamps(ctx)
		if err != nil {
			return err
		}
		list = map[partition]stay{}
		var changed []partition
		s.stays.mu.Lock()
		for p, stamp := range stamps {
			if known, ok := s.stays.list[p]; ok && known.stamp == stamp {
				list[p] = known
				continue
			}
			list[p] = stay{stamp, map[int64]owner.Presence{}}
			changed = append(changed, p)
		}
		s.stays.mu.Unlock()
		return r.fill(ctx, list, changed)
	})
	if err != nil {
		return nil, err
	}
	s.stays.mu.Lock()
	defer s.stays.mu.Unlock()
	s.stays.list = list
	return list, nil
}

// stamps returns what names the rows of every partition of a replica.
func (r *replica) stamps(ctx context.Context) (map[partition]uint64, error) {
	rows, err := r.conn.Query(r.reading(ctx, query{}), sqlStamps)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[partition]uint64{}
	for rows.Next() {
		var text string
		var stamp uint64
		if err := rows.Scan(&text, &stamp); err != nil {
			return nil, err
		}
		var p partition
		if _, err := fmt.Sscanf(strings.ReplaceAll(text, " ", ""), "(%d,%d)", &p.month, &p.long); err != nil {
			return nil, fmt.Errorf("partition %q of table batches is not of the form (month,long)", text)
		}
		out[p] = stamp
	}
	return out, rows.Err()
}

// fill reads the stays of some partitions into a list that has them.
func (r *replica) fill(ctx context.Context, list map[partition]stay, changed []partition) error {
	if len(changed) == 0 {
		return nil
	}
	asked, err := table("asked", changed, func(p partition) []any { return []any{p.month, p.long} },
		ext.Column("month", "UInt32"), ext.Column("long", "UInt8"))
	if err != nil {
		return err
	}
	q := ask(sqlStays, nil, asked)
	rows, err := r.conn.Query(r.reading(ctx, q), q.text)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var p partition
		var unit int64
		var x owner.Span
		if err := rows.Scan(&p.month, &p.long, &unit, &x.FromMs, &x.ToMs); err != nil {
			return err
		}
		list[p].units[unit] = list[p].units[unit].Add(x)
	}
	return rows.Err()
}
