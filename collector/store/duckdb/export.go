package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gpumeter/gpumeter/contract"
)

// dayMs is a day of UTC.
const dayMs = 24 * hourMs

// Export writes the records that start in [fromMs, toMs) and own their time as
// Parquet files into a folder that is not there yet, as they are now:
// provider=P/day=YYYY-MM-DD/….parquet, days of UTC. Of hours whose records were
// pruned it writes hour records. It opens the store in a
// data folder for reading, and returns how many records it wrote.
func Export(ctx context.Context, dir, to string, fromMs, toMs int64) (records int64, err error) {
	if records, err = export(ctx, dir, to, fromMs, toMs); err != nil {
		return 0, fmt.Errorf("export records to %s: %w", to, err)
	}
	return records, nil
}

func export(ctx context.Context, dir, to string, fromMs, toMs int64) (records int64, err error) {
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return 0, errors.Join(errors.New("it is there already"), err)
	}
	unfinished, err := filepath.Abs(to + unfinishedSuffix)
	if err != nil {
		return 0, err
	}
	d, err := Open(ctx, dir, Options{ReadOnly: true, writable: unfinished})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := os.RemoveAll(unfinished); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(unfinished, 0o750); err != nil {
		return 0, err
	}
	// DuckDB may write below the folder, and not the folder itself.
	files := filepath.Join(unfinished, "records")
	if err := os.Mkdir(files, 0o750); err != nil {
		return 0, err
	}
	if records, err = d.exportDays(ctx, files, fromMs, toMs); err == nil {
		err = os.Rename(files, to)
	}
	return records, errors.Join(err, os.RemoveAll(unfinished))
}

// exportDays writes day by day, so that memory does not grow with the span.
func (d *DB) exportDays(ctx context.Context, to string, fromMs, toMs int64) (records int64, err error) {
	all, err := d.Extent(ctx)
	if err != nil {
		return 0, err
	}
	x := span{fromMs, toMs}.clip(span{all.FromMs, all.ToMs})
	for x.fromMs < x.toMs {
		if x.fromMs, err = d.firstStart(ctx, x); err != nil || x.fromMs >= x.toMs {
			return records, err
		}
		day := x.clip(span{x.fromMs, (x.fromMs/dayMs + 1) * dayMs})
		n, err := d.exportSpan(ctx, to, day)
		if err != nil {
			return records, err
		}
		records, x.fromMs = records+n, day.toMs
	}
	return records, nil
}

// firstStart returns when the first record starts in x, or the first hour whose
// records are gone, or the end of x.
func (d *DB) firstStart(ctx context.Context, x span) (int64, error) {
	var ms sql.NullInt64
	err := d.sql.QueryRowContext(ctx, "SELECT min(start_ms) FROM records WHERE start_ms >= ? AND start_ms < ?", x.fromMs, x.toMs).Scan(&ms)
	first := x.toMs
	if ms.Valid {
		first = ms.Int64
	}
	for _, h := range d.goneHours(span{x.fromMs, first}) {
		first = min(first, int64(h.hour)*hourMs)
	}
	return first, err
}

// goneHours returns the hours that start in x and whose records are gone, one
// for each unit.
func (d *DB) goneHours(x span) []unitHour {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []unitHour
	for unit, runs := range d.state.gone {
		for _, s := range runs.within(x) {
			for h := s.fromMs / hourMs; h < s.toMs/hourMs; h++ {
				if h*hourMs >= x.fromMs {
					out = append(out, unitHour{unit, int32(h)})
				}
			}
		}
	}
	return out
}

// putExported makes the view of what is exported: records, and hour records
// where records are gone.
func (a *question) putExported(ctx context.Context, conn *sql.Conn, gone []unitHour) error {
	err := rows{"asked_gone", len(gone), func(i int) []driver.Value {
		return []driver.Value{gone[i].unit, gone[i].hour}
	}}.appendTo(ctx, conn, "temp")
	if err != nil {
		return err
	}
	return exec(ctx, conn, "CREATE OR REPLACE TEMP VIEW exported AS SELECT * FROM temp.main.counted UNION ALL "+sqlMerged)
}

func (d *DB) exportSpan(ctx context.Context, to string, x span) (records int64, err error) {
	a := question{Query: contract.Query{Edges: []int64{x.fromMs, x.toMs}}}
	err = d.view(ctx, func(s *state) {
		for i := range s.units.list {
			a.Spans = append(a.Spans, contract.Span{Unit: int64(i) + 1, FromMs: x.fromMs, ToMs: x.toMs})
		}
		a.look(s)
	}, func(conn *sql.Conn) error {
		if err := exec(ctx, conn, sqlAsk); err != nil {
			return err
		}
		if err := a.putCounted(ctx, conn); err != nil {
			return err
		}
		if err := a.putExported(ctx, conn, d.goneHours(x)); err != nil {
			return err
		}
		res, err := conn.ExecContext(ctx, fmt.Sprintf(
			"COPY (%s WHERE r.start_ms >= %d AND r.start_ms < %d ORDER BY u.gpu, r.start_ms) TO %s (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (provider, day), APPEND)",
			sqlExport, x.fromMs, x.toMs, quote(to)))
		if err != nil {
			return err
		}
		records, err = res.RowsAffected()
		return err
	})
	return records, err
}
