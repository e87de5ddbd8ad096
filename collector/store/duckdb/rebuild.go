package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
)

// rebuildName is the folder, within a data folder, in which a database is made
// anew.
const rebuildName = "rebuild" + unfinishedSuffix

// Rebuilt is what Rebuild made.
type Rebuilt struct {
	StoreID          string
	Days             int
	Last             string // the last day: 2026-10-01
	Batches, Records int64
	Aside            string // where what was there is now; empty if nothing was
}

// Rebuild makes the database of a data folder anew from the closed days in it.
// It has the same id and units, so that ledger and reports of closed months are
// what they were. What came after the last day is not there: agents send it
// again, as far back as they keep it. What else is in the folder is set aside
// within it, and nothing is deleted. It is an error if a day is damaged or
// missing, or if what was made is not what was stored; the folder then is left
// as it is.
func Rebuild(ctx context.Context, dir string, o Options, now time.Time) (r Rebuilt, err error) {
	if _, err := os.Stat(dir); err != nil {
		return r, fmt.Errorf("rebuild store: %w", err)
	}
	err = holding(dir, func(f *folder) error {
		r, err = f.rebuild(ctx, o, now)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("rebuild store: %w", err)
	}
	return r, nil
}

func (f *folder) rebuild(ctx context.Context, o Options, now time.Time) (r Rebuilt, err error) {
	days, err := writtenDays(ctx, f.path(daysName))
	if err != nil {
		return r, err
	}
	fresh := f.path(rebuildName)
	if err := os.RemoveAll(fresh); err != nil {
		return r, err
	}
	if err := os.MkdirAll(fresh, 0o750); err != nil {
		return r, err
	}
	o = o.withDefaults()
	if err := f.fill(ctx, o, days); err != nil {
		return r, errors.Join(err, os.RemoveAll(fresh))
	}
	last := days[len(days)-1]
	r = Rebuilt{StoreID: last.StoreID, Days: len(days), Last: last.Day}
	if err := r.prove(ctx, fresh, o, now); err != nil {
		return r, errors.Join(err, os.RemoveAll(fresh))
	}
	if r.Aside, err = f.setAside(now, daysName, rebuildName); err != nil {
		return r, err
	}
	// The tally first: with it alone, nobody makes a new store.
	for _, name := range []string{tallyName, databaseName} {
		if err := os.Rename(filepath.Join(fresh, name), f.path(name)); err != nil {
			return r, err
		}
	}
	return r, errors.Join(os.RemoveAll(fresh), f.sync())
}

// fill makes the database out of the days.
func (f *folder) fill(ctx context.Context, o Options, days []*writtenDay) error {
	db, err := engine(ctx, filepath.Join(f.path(rebuildName), databaseName), f.path(spillName), o)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	err = exec(ctx, conn, migrations...)
	for _, w := range days {
		if err == nil {
			err = w.load(ctx, conn)
		}
		if err == nil {
			err = exec(ctx, conn, "CHECKPOINT store") // a log of all days would be long
		}
	}
	if err == nil {
		err = finish(ctx, conn, days)
	}
	return errors.Join(err, conn.Close(), db.Close())
}

// load adds the rows of a day.
func (w *writtenDay) load(ctx context.Context, conn *sql.Conn) error {
	for _, f := range w.Files {
		res, err := conn.ExecContext(ctx, fmt.Sprintf("INSERT INTO store.main.%s BY NAME SELECT * FROM read_parquet(%s)",
			f.Table, quote(filepath.Join(w.folder, f.name()))))
		if err == nil {
			if n, _ := res.RowsAffected(); n != f.Rows {
				err = fmt.Errorf("it has %d rows, and had %d", n, f.Rows)
			}
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", filepath.Join(w.Day, f.name()), err)
		}
	}
	return nil
}

// finish takes away what was pruned after its day was written, says whose the
// store is, and lists the days in the ledger that no day after them lists.
func finish(ctx context.Context, conn *sql.Conn, days []*writtenDay) error {
	for _, table := range []string{"records", "batches", "doubts"} {
		if err := exec(ctx, conn, strings.NewReplacer("temp.main.gone", "store.main.pruned_batches", "$table", table).Replace(sqlPruneDelete)); err != nil {
			return err
		}
	}
	last := days[len(days)-1]
	var created int64
	if _, err := fmt.Sscanf(last.Origin, last.StoreID+" %d", &created); err != nil {
		return fmt.Errorf("the origin %q is not that of store %s", last.Origin, last.StoreID)
	}
	_, err := conn.ExecContext(ctx, `INSERT INTO store.main.meta (store_id, schema, created_ms, unsealed_batches, unsealed_aside, unsealed_lives)
		SELECT ?, ?, ?, (SELECT count(*) FROM batches WHERE digest IS NULL), (SELECT count(*) FROM aside WHERE digest IS NULL),
		(SELECT count(*) FROM lives WHERE digest IS NULL)`, last.StoreID, len(migrations), created)
	if err != nil {
		return err
	}
	if err := listAgain(ctx, conn, days); err != nil {
		return err
	}
	return exec(ctx, conn, "CHECKPOINT store")
}

// listAgain puts the days into the ledger that no later day has the document of,
// and into their table what the ledger lists.
func listAgain(ctx context.Context, conn *sql.Conn, days []*writtenDay) error {
	for _, w := range days {
		name := dayName(w.number(), w.Edition)
		seal := sealOf(name, w.body)
		_, err := conn.ExecContext(ctx, "INSERT INTO store.main.documents SELECT ?, ?, ? WHERE ? NOT IN (SELECT name FROM store.main.documents)", name, seal[:], w.body, name)
		if err != nil {
			return err
		}
	}
	list, err := daysInLedger(ctx, conn)
	if err != nil {
		return err
	}
	for _, c := range list {
		e := c.extent
		_, err = conn.ExecContext(ctx, "INSERT INTO store.main.days VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", c.day, c.edition, c.sha256,
			e.Nodes, e.Units, e.Streams, e.Holders, e.Reasons, e.Documents, e.Lives)
		if err != nil {
			return err
		}
	}
	return nil
}

// prove opens what was made, makes its hour records, and sees that everything
// in it is what was stored.
func (r *Rebuilt) prove(ctx context.Context, dir string, o Options, now time.Time) error {
	d, err := Open(ctx, dir, o)
	if err != nil {
		return err
	}
	counts, err := d.Counts(ctx)
	r.Batches, r.Records = counts.Batches, counts.Records
	if err == nil {
		err = d.RollUp(ctx, now)
	}
	if err == nil {
		var first store.Finding
		n := 0
		_, err = d.Audit(ctx, func(f store.Finding) {
			if n++; n == 1 {
				first = f
			}
		})
		if n > 0 {
			err = errors.Join(err, fmt.Errorf("%d things are not what was stored, such as %s: %s", n, first.Where, first.Problem))
		}
	}
	if err == nil {
		d.mu.RLock()
		err = d.folder.writeTally(tallyOf(d.id, d.state))
		d.mu.RUnlock()
	}
	return errors.Join(err, d.Close())
}
