package duckdb

import (
	"context"
	"database/sql"
	"fmt"
)

// ThinDays writes closed days anew, without the batches that were pruned, where
// a tenth of them or more is gone. It does nothing before the days hold what is
// left of all that was pruned: call it after CloseDays and before Prune. It
// returns how many days it wrote.
func (d *DB) ThinDays(ctx context.Context) (days int, err error) {
	d.closing.Lock()
	defer d.closing.Unlock()
	thick, err := d.thickDays(ctx)
	if err != nil {
		return 0, fmt.Errorf("find days to thin: %w", err)
	}
	for _, w := range thick {
		if err := d.writeDay(ctx, w); err != nil {
			return days, fmt.Errorf("thin day %s: %w", date(w.day), err)
		}
		days++
	}
	return days, nil
}

// thickDays returns the days to write anew.
func (d *DB) thickDays(ctx context.Context) ([]*dayWriter, error) {
	conn, release, err := d.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	left, err := d.batchesLeft(ctx, conn)
	if err != nil || left == nil {
		return nil, err
	}
	var out []*dayWriter
	var before closedDay
	err = each(ctx, conn, sqlLoadDays, func(scan func(...any) error) error {
		var c closedDay
		if err := scan(append([]any{&c.day, &c.edition, &c.sha256}, c.extent.fields()...)...); err != nil || c.edition > 0 {
			return err
		}
		from := before
		before = c
		w, err := readDay(d.folder.dayFolder(c.day))
		if err != nil {
			return err
		}
		if w.Batches-left[c.day] < max(1, w.Batches/10) {
			return nil
		}
		out = append(out, &dayWriter{
			origin: w.Origin, storeID: w.StoreID, day: c.day, edition: w.Edition + 1, prev: hashBytes(w.Prev), first: w.first(), heads: w.Heads,
			from: from.extent, to: c.extent,
		})
		return nil
	})
	return out, err
}

// batchesLeft counts the batches of each day; nil while something that was
// pruned is in no closed day.
func (d *DB) batchesLeft(ctx context.Context, conn *sql.Conn) (map[int32]int64, error) {
	var open int64
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM prunings WHERE at_ms >= ?", d.lastDay().until()).Scan(&open); err != nil || open > 0 {
		return nil, err
	}
	left := map[int32]int64{}
	return left, each(ctx, conn, "SELECT (received_ms // 86400000)::INTEGER, count(*) FROM batches GROUP BY ALL", func(scan func(...any) error) error {
		var day int32
		var n int64
		err := scan(&day, &n)
		left[day] = n
		return err
	})
}
