package clickhouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store/owner"
)

// stay is when the units of one partition were there, or those of the hour
// records of a month.
type stay struct {
	stamp    uint64    // of the partition's rows
	attempts []attempt // that make the month
	units    map[int64]owner.Presence
}

func (s stay) add(unit int64, x owner.Span) { s.units[unit] = s.units[unit].Add(x) }

// stays are those of a shard, as they were read last. What has ended is read
// once.
type stays struct {
	mu     sync.Mutex // guards the maps; the stays themselves do not change
	parts  map[partition]stay
	months map[uint32]stay // by YYYYMM
}

// there returns when every unit was there.
func (v view) there(ctx context.Context) (map[int64]owner.Presence, error) {
	known, err := v.told(ctx, everything)
	if err != nil {
		return nil, err
	}
	out, err := v.untold(ctx, wholeTime(known))
	if err != nil {
		return nil, err
	}
	for i, s := range v.shards {
		var list []stay
		if v.conflicts == 0 {
			if list, err = s.stayed(ctx, wholeTime(known), v.parts[i], v.needs[s.number].parts); err != nil {
				return nil, fmt.Errorf("shard %d: %w", s.number, err)
			}
		}
		months, err := s.stayedHours(ctx, i, known, v.needsOfHours(known))
		if err != nil {
			return nil, fmt.Errorf("shard %d: %w", s.number, err)
		}
		for _, x := range append(list, months...) {
			for unit, spans := range x.units {
				for _, span := range spans {
					out[unit] = out[unit].Add(span)
				}
			}
		}
	}
	return out, nil
}

// untold returns when units were there in the time that no hour records tell,
// if there are batches that do not count: a rare thing, for which what is
// remembered of partitions cannot be used.
func (v view) untold(ctx context.Context, known []owner.Span) (map[int64]owner.Presence, error) {
	out := map[int64]owner.Presence{}
	if v.conflicts == 0 {
		return out, nil
	}
	x, err := v.extent(ctx)
	if err != nil || x.Empty() {
		return out, err
	}
	for _, run := range runsOf(x, known, nil) {
		days, err := v.days(ctx, run)
		if err != nil {
			return nil, err
		}
		for _, x := range days {
			out[x.unit] = out[x.unit].Add(x.Span)
		}
	}
	return out, nil
}

// wholeTime returns the time that hour records tell, as disjoint spans.
func wholeTime(known []told) []owner.Span {
	var out []owner.Span
	for _, t := range known {
		out = append(out, t.span())
	}
	return owner.Union(out)
}

// stayed returns the stays of the partitions of a shard that hold more than
// what hour records tell. Partitions are read again when their stamps change.
func (s *shard) stayed(ctx context.Context, known []owner.Span, parts map[partition]*part, need map[partition]uint64) ([]stay, error) {
	var out []stay
	list := map[partition]stay{}
	var changed []partition
	s.stays.mu.Lock()
	old := s.stays.parts
	s.stays.mu.Unlock()
	for at, p := range parts {
		hull := p.hull()
		if hull.Empty() || slices.ContainsFunc(known, func(x owner.Span) bool { return x.Clip(hull) == hull }) {
			continue
		}
		if x, ok := old[at]; ok && x.stamp == p.stamp && x.stamp != 0 {
			list[at] = x
			continue
		}
		changed = append(changed, at)
	}
	if err := s.readStays(ctx, list, parts, need, changed); err != nil {
		return nil, err
	}
	s.stays.mu.Lock()
	s.stays.parts = list
	s.stays.mu.Unlock()
	return slices.AppendSeq(out, maps.Values(list)), nil
}

// readStays reads the stays of some partitions into a list. There may be more by
// now than the stamps name, which changes nothing: units do not go away.
func (s *shard) readStays(ctx context.Context, list map[partition]stay, parts map[partition]*part, need map[partition]uint64, changed []partition) error {
	if len(changed) == 0 {
		return nil
	}
	asked, err := partitionTable("asked", changed)
	if err != nil {
		return err
	}
	return s.do(ctx, func(ctx context.Context, r *replica) error {
		stamps, err := r.stamps(ctx) // of the replica that is read
		if err != nil {
			return err
		}
		if err := hasParts(stamps, need); err != nil {
			return err
		}
		for _, p := range changed {
			list[p] = stay{units: map[int64]owner.Presence{}}
			if stamps[p].name == parts[p].stamp {
				list[p] = stay{stamp: parts[p].stamp, units: list[p].units}
			}
		}
		return r.each(ctx, ask(sqlStays, nil, asked), func(rows driver.Rows) error {
			var p partition
			var unit int64
			var x owner.Span
			err := rows.Scan(&p.day, &p.part, &unit, &x.FromMs, &x.ToMs)
			list[p].add(unit, x)
			return err
		})
	})
}

// stayedHours returns the stays of a shard that its hour records tell, by
// months. A month is read again when hour records of it were made anew.
func (s *shard) stayedHours(ctx context.Context, index int, known []told, needs needs) ([]stay, error) {
	byMonth := map[uint32][]told{}
	for _, t := range known {
		byMonth[t.day/100] = append(byMonth[t.day/100], told{t.day, t.untilMs, t.attempts[index : index+1], t.rows[index : index+1]})
	}
	s.stays.mu.Lock()
	old := s.stays.months
	s.stays.mu.Unlock()
	months := map[uint32]stay{}
	for month, list := range byMonth {
		x := stay{attempts: attemptsOf(list), units: map[int64]owner.Presence{}}
		if y, ok := old[month]; ok && slices.Equal(y.attempts, x.attempts) {
			months[month] = y
			continue
		}
		used, err := usedTable(x.attempts)
		if err != nil {
			return nil, err
		}
		err = s.each(ctx, ask(sqlHourStays, nil, used).on(needs), func() {}, func(r driver.Rows) error {
			var unit int64
			var span owner.Span
			err := r.Scan(&unit, &span.FromMs, &span.ToMs)
			x.add(unit, span)
			return err
		})
		if err != nil {
			return nil, err
		}
		months[month] = x
	}
	s.stays.mu.Lock()
	s.stays.months = months
	s.stays.mu.Unlock()
	return slices.Collect(maps.Values(months)), nil
}
