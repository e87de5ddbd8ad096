package clickhouse

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/usage"
)

// partition is one of the table batches.
type partition struct {
	day  uint32 // YYYYMMDD
	part uint64 // partDay, partLong, or the number of a pruning
}

// Parts of a day.
const (
	partDay  = 0 // batches as they came
	partLong = 1 // those that reach over more than a day, or are of no day
)

// part is what is known of the batches of a partition that count. It does not
// change.
type part struct {
	stamp   uint64 // of the partition's rows; 0 if not all of them could be seen
	sinceMs int64  // what was received before does not count
	older   bool   // there is such
	feeds   []numbers
	bundles []bundle
}

// numbers are those of a feed in a partition.
type numbers struct {
	feed
	usage.Range
	raced bool // there are several contents of one
}

// bundle is batches whose first records start in one hour. Its span goes from
// the first start to the last end; it is empty if they have no records.
type bundle struct {
	owner.Span
	print
	batches, records, pruned uint64 // how many; pruned is the records that are gone
}

// print names a set of rows: as none that counts goes away but by a pruning, two
// that are equal are the same.
type print struct{ count, sum uint64 }

func (p *print) add(o print) {
	p.count += o.count
	p.sum += o.sum
}

// printOfLoser is what a batch that does not count adds to a print.
func printOfLoser(h usage.Hash) print {
	return print{1, binary.LittleEndian.Uint64(h[:8])}
}

// hull returns the span of all records of a partition.
func (p *part) hull() (x owner.Span) {
	for _, b := range p.bundles {
		x = hullWith(x, b.Span)
	}
	return x
}

// hullWith returns the span from the first start to the last end of two spans,
// of which either may be empty.
func hullWith(x, y owner.Span) owner.Span {
	switch {
	case x.Empty():
		return y
	case y.Empty():
		return x
	}
	return owner.Span{FromMs: min(x.FromMs, y.FromMs), ToMs: max(x.ToMs, y.ToMs)}
}

// parts are those of a shard, as they were read last.
type parts struct {
	mu   sync.Mutex // guards list; the parts themselves do not change
	list map[partition]*part
}

// maxLook bounds the batches that are looked at in one statement, unless one
// partition has more.
const maxLook = 2_000_000

// look returns what is known of every partition that counts after some prunings,
// which need some parts, and reads those that changed. It asks one replica for the stamps first, and
// then for the rows that the stamps at least name.
func (s *shard) look(ctx context.Context, prunings map[uint32]pruning, need map[partition]uint64) (list map[partition]*part, err error) {
	err = s.do(ctx, func(ctx context.Context, r *replica) error {
		stamps, err := r.stamps(ctx)
		if err != nil {
			return err
		}
		if err := hasParts(stamps, need); err != nil {
			return err
		}
		list = make(map[partition]*part, len(stamps))
		var changed []partition
		var rows uint64
		s.parts.mu.Lock()
		known := s.parts.list
		s.parts.mu.Unlock()
		for p, x := range stamps {
			since, counts := counted(prunings, p)
			if !counts {
				continue
			}
			if old, ok := known[p]; ok && old.stamp == x.name && old.sinceMs == since {
				list[p] = old
				continue
			}
			list[p] = &part{stamp: x.name, sinceMs: since}
			if since > 0 {
				if err := r.readParts(ctx, list, stamps, since, p); err != nil {
					return err
				}
				continue
			}
			if rows += x.rows; rows > maxLook && len(changed) > 0 {
				if err := r.readParts(ctx, list, stamps, 0, changed...); err != nil {
					return err
				}
				changed, rows = nil, x.rows
			}
			changed = append(changed, p)
		}
		return r.readParts(ctx, list, stamps, 0, changed...)
	})
	if err != nil {
		return nil, err
	}
	s.parts.mu.Lock()
	s.parts.list = list
	s.parts.mu.Unlock()
	return list, nil
}

// stamp names the rows of a partition.
type stamp struct{ name, rows uint64 }

// stamps returns those of every partition of a replica.
func (r *replica) stamps(ctx context.Context) (map[partition]stamp, error) {
	out := map[partition]stamp{}
	err := r.each(ctx, query{text: sqlStamps}, func(rows driver.Rows) error {
		var text string
		var x stamp
		if err := rows.Scan(&text, &x.name, &x.rows); err != nil {
			return err
		}
		var p partition
		if _, err := fmt.Sscanf(strings.ReplaceAll(text, " ", ""), "(%d,%d)", &p.day, &p.part); err != nil {
			return fmt.Errorf("partition %q of table batches is not of the form (day,part)", text)
		}
		out[p] = x
		return nil
	})
	return out, err
}

// readParts reads some partitions into a list that has them, of which what was
// received since counts. Rows that no quorum has yet have a name and are not
// seen: such a partition loses its stamp, and is read again.
func (r *replica) readParts(ctx context.Context, list map[partition]*part, stamps map[partition]stamp, since int64, changed ...partition) error {
	if len(changed) == 0 {
		return nil
	}
	asked, err := partitionTable("asked", changed)
	if err != nil {
		return err
	}
	bound := map[string]int64{"since": since}
	seen := map[partition]uint64{}
	err = r.each(ctx, ask(sqlPartFeeds, bound, asked), func(rows driver.Rows) error {
		var p partition
		var n numbers
		var counts, raced uint8
		var count uint64
		err := rows.Scan(&p.day, &p.part, &n.agent, &n.epoch, &counts, &n.Lo, &n.Hi, &raced, &count)
		n.raced = raced == 1
		seen[p] += count
		if counts == 1 {
			list[p].feeds = append(list[p].feeds, n)
		} else {
			list[p].older = true
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range changed {
		if seen[p] < stamps[p].rows {
			list[p].stamp = 0
		}
	}
	return r.each(ctx, ask(sqlPartBundles, bound, asked), func(rows driver.Rows) error {
		var p partition
		var b bundle
		err := rows.Scan(&p.day, &p.part, &b.FromMs, &b.ToMs, &b.count, &b.sum, &b.batches, &b.records, &b.pruned)
		list[p].bundles = append(list[p].bundles, b)
		return err
	})
}

func partitionTable(name string, list []partition) (*ext.Table, error) {
	return table(name, list, func(p partition) []any { return []any{p.day, p.part} },
		ext.Column("day", "UInt32"), ext.Column("part", "UInt64"))
}
