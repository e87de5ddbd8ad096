package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// daysName is the folder, within a data folder, of days as files.
const daysName = "days"

// closedDay is a row of the table days.
type closedDay struct {
	day     int32 // since 1970, UTC
	edition int32
	sha256  []byte
	extent  dayExtent
}

// dayExtent is how much of the tables that only grow the days up to one have.
type dayExtent struct {
	Nodes     int64 `json:"nodes"`
	Units     int64 `json:"units"`
	Streams   int64 `json:"streams"`
	Holders   int64 `json:"holders"`
	Reasons   int64 `json:"reasons"`
	Documents int64 `json:"documents"`
	Lives     int64 `json:"lives"`
}

func (e *dayExtent) fields() []any {
	return []any{&e.Nodes, &e.Units, &e.Streams, &e.Holders, &e.Reasons, &e.Documents, &e.Lives}
}

// date is the day's name: 2026-10-01.
func date(day int32) string { return time.UnixMilli(int64(day) * dayMs).UTC().Format(time.DateOnly) }

// dayName is the document that lists a closed day in the ledger.
func dayName(day, edition int32) string {
	return fmt.Sprintf("%s%s/%d", store.DayPrefix, date(day), edition)
}

// dayFolder is where a closed day is.
func (f *folder) dayFolder(day int32) string { return filepath.Join(f.dir, daysName, date(day)) }

// CloseDays writes what was received on days of UTC that have ended as files
// into the data folder, one folder a day, and lists each in the ledger: a store
// can be made anew of them. A day is closed once, what comes later is of a later
// day. It returns how many days it closed. Days in which nothing came and no
// collector ran are none.
func (d *DB) CloseDays(ctx context.Context, now time.Time) (days int, err error) {
	d.closing.Lock()
	defer d.closing.Unlock()
	if err := d.finishDays(ctx); err != nil {
		return 0, fmt.Errorf("finish closing days: %w", err)
	}
	for until := now.UnixMilli() / dayMs; ; days++ {
		day, ok, err := d.nextDay(ctx, until)
		if err != nil || !ok {
			return days, err
		}
		if err := d.closeDay(ctx, day); err != nil {
			return days, fmt.Errorf("close day %s: %w", date(day), err)
		}
	}
}

// nextDay finds the next day to close, before until.
func (d *DB) nextDay(ctx context.Context, until int64) (day int32, ok bool, err error) {
	from := d.lastDay().until()
	conn, release, err := d.conn(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("find the next day to close: %w", err)
	}
	defer release()
	var ms sql.NullInt64
	err = conn.QueryRowContext(ctx, `SELECT min(ms) FROM (
		SELECT min(received_ms) AS ms FROM batches WHERE received_ms >= $1
		UNION ALL SELECT min(received_ms) FROM aside WHERE received_ms >= $1
		UNION ALL SELECT min(at_ms) FROM prunings WHERE at_ms >= $1
		UNION ALL SELECT min(beat_ms) FROM lives WHERE beat_ms >= $1)`, from).Scan(&ms)
	if err != nil {
		return 0, false, fmt.Errorf("find the next day to close: %w", err)
	}
	if !ms.Valid || ms.Int64/dayMs >= until || ms.Int64/dayMs > math.MaxInt32 {
		return 0, false, nil
	}
	return int32(ms.Int64 / dayMs), true, nil
}

// lastDay returns the last closed day; the day before 1970 if there is none.
func (d *DB) lastDay() closedDay {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.state.lastDay
}

// until is when a day ends, Unix ms. What is received afterwards is of a later
// day, whatever the clock says.
func (c closedDay) until() int64 { return (int64(c.day) + 1) * dayMs }

// closeDay writes a day that ended and lists it.
func (d *DB) closeDay(ctx context.Context, day int32) error {
	if err := d.endDay(day); err != nil {
		return err
	}
	last := d.lastDay()
	w := &dayWriter{origin: d.state.origin, storeID: d.id, day: day, from: last.extent, prev: last.sha256}
	return d.writeDay(ctx, w)
}

// endDay sees that nothing is received on a day any more.
func (d *DB) endDay(day int32) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	if d.stale {
		return errors.New("the database is to be opened again first")
	}
	d.notBefore = max(d.notBefore, (int64(day)+1)*dayMs)
	return nil
}

// writeDay writes the files of a day, gives them their name, and lists them.
func (d *DB) writeDay(ctx context.Context, w *dayWriter) error {
	folder := d.folder.dayFolder(w.day)
	unfinished := folder + unfinishedSuffix
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.MkdirAll(unfinished, 0o750); err != nil {
		return err
	}
	w.dir = unfinished
	err := d.view(ctx, func(s *state) { w.reach(s) }, func(conn *sql.Conn) error { return w.write(ctx, conn) })
	if err != nil {
		return errors.Join(err, os.RemoveAll(unfinished))
	}
	if err := errors.Join(syncFolder(unfinished), syncFolder(filepath.Dir(folder)), d.folder.sync(), d.listDay(ctx, w)); err != nil {
		return err
	}
	return errors.Join(replaceFolder(unfinished, folder), syncFolder(filepath.Dir(folder)))
}

// finishDays gives days their name that were listed before something came in
// between, and takes away those that were not.
func (d *DB) finishDays(ctx context.Context) error {
	listed, err := d.listedDays(ctx)
	if err != nil {
		return err
	}
	for _, day := range sortedDays(listed) {
		folder := d.folder.dayFolder(day)
		w, err := readDay(folder + unfinishedSuffix)
		if err != nil || w.sha256 != listed[day] {
			continue // there is none, or it is of a closing that was cut short
		}
		if err := replaceFolder(folder+unfinishedSuffix, folder); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(filepath.Join(d.folder.dir, daysName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), unfinishedSuffix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(d.folder.dir, daysName, e.Name())))
		}
	}
	return err
}

// replaceFolder gives a folder its name. What has that name says no more than
// the new one.
func replaceFolder(from, to string) error {
	old := to + ".old" + unfinishedSuffix
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(to, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// listDay makes it durable that a day is closed.
func (d *DB) listDay(ctx context.Context, w *dayWriter) error {
	sum := contract.Hash(w.manifest)
	err := d.transact(ctx, func(_ *sql.Conn, x *draft) error {
		name := dayName(w.day, w.edition)
		x.documents = append(x.documents, documentRow{name, sealOf(name, w.manifest), w.manifest})
		x.day = &closedDay{day: w.day, edition: w.edition, sha256: hashBytes(sum), extent: w.to}
		return nil
	})
	if err != nil {
		return err
	}
	d.options.Log.Info("day closed", "day", date(w.day), "edition", w.edition, "batches", w.batches, "sha256", sum)
	return nil
}

// reach says how much there is; a later edition has as much as the first.
func (w *dayWriter) reach(s *state) {
	if w.edition > 0 {
		return
	}
	w.to = dayExtent{
		Nodes: int64(len(s.nodes.list)), Units: int64(len(s.units.list)), Streams: int64(len(s.streams.list)),
		Holders: int64(len(s.holders.list)), Reasons: int64(len(s.reasons.list)),
	}
}

// dayTable is what a draft adds to the table of days.
func (d *draft) dayTable() rows {
	if d.day == nil {
		return rows{table: "days"}
	}
	return rows{"days", 1, func(int) []driver.Value {
		c := d.day
		e := &c.extent
		return []driver.Value{c.day, c.edition, c.sha256, e.Nodes, e.Units, e.Streams, e.Holders, e.Reasons, e.Documents, e.Lives}
	}}
}

// keep makes a closed day part of the state.
func (c *closedDay) keep(s *state) {
	if c != nil && c.edition == 0 {
		s.lastDay = *c
	}
}

func loadDays(ctx context.Context, conn *sql.Conn, s *state) error {
	return each(ctx, conn, sqlLoadDays, func(scan func(...any) error) error {
		var c closedDay
		if err := scan(append([]any{&c.day, &c.edition, &c.sha256}, c.extent.fields()...)...); err != nil {
			return err
		}
		if c.day < 0 || len(c.sha256) != len(usage.Hash{}) {
			return fmt.Errorf("day %d is none, or has no SHA-256", c.day)
		}
		c.keep(s)
		return nil
	})
}
