package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	duck "github.com/duckdb/duckdb-go/v2"
)

// engine opens a database file and sees that DuckDB touches nothing else: no
// extension, no other file but those of closed days and below Options.writable,
// no setting that a statement changes later. Every
// connection starts in the file's catalog, "store".
func engine(ctx context.Context, path, spill string, o Options) (*sql.DB, error) {
	attach := "ATTACH " + quote(path) + " AS store (TYPE duckdb)"
	if o.ReadOnly {
		attach = "ATTACH " + quote(path) + " AS store (TYPE duckdb, READ_ONLY)"
	}
	allowed := quote(filepath.Join(filepath.Dir(spill), daysName))
	if o.writable != "" {
		allowed += ", " + quote(o.writable)
	}
	first := true
	connector, err := duck.NewConnector("?"+settings(o).Encode(), func(conn driver.ExecerContext) error {
		statements := []string{"USE store"}
		if first {
			first = false
			statements = []string{
				"SET temp_directory = " + quote(spill), "PRAGMA disable_checkpoint_on_shutdown", attach,
				"SET allowed_directories = [" + allowed + "]",
				"SET enable_external_access = false", "SET lock_configuration = true", "USE store",
			}
		}
		for _, s := range statements {
			if _, err := conn.ExecContext(ctx, s, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("start DuckDB: %w", err)
	}
	db := sql.OpenDB(connector)
	if err := db.PingContext(ctx); err != nil { // connects, once
		db.Close()
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return db, nil
}

func settings(o Options) url.Values {
	v := url.Values{}
	v.Set("memory_limit", strconv.FormatInt(o.MemoryLimit, 10)+"B")
	v.Set("threads", strconv.Itoa(o.Threads))
	v.Set("perfect_ht_threshold", strconv.Itoa(cellBits))
	v.Set("checkpoint_threshold", neverCheckpoint)
	v.Set("autoinstall_known_extensions", "false")
	v.Set("autoload_known_extensions", "false")
	return v
}

// quote makes an SQL literal of a string.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// exec runs statements one after the other.
func exec(ctx context.Context, conn *sql.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// end ends a transaction, whether or not ctx still lasts. A connection that
// cannot is thrown away.
func end(ctx context.Context, conn *sql.Conn, statement string) error {
	err := exec(context.WithoutCancel(ctx), conn, statement)
	if err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return err
}

// rows are what is added to one table: the values of its columns, in their
// order. A row is valid until the next one is asked for.
type rows struct {
	table string
	n     int
	row   func(i int) []driver.Value
}

// appendTo adds the rows to their table through DuckDB's appender, within the
// connection's transaction.
func (r rows) appendTo(ctx context.Context, conn *sql.Conn, catalog string) error {
	if r.n == 0 {
		return nil
	}
	err := conn.Raw(func(c any) error {
		a, err := duck.NewAppender(c.(driver.Conn), catalog, "main", r.table)
		if err != nil {
			return err
		}
		for i := range r.n {
			if err := a.AppendRow(r.row(i)...); err != nil {
				return errors.Join(err, a.Clear(), a.Close())
			}
		}
		return a.CloseWithCancel(ctx)
	})
	if err != nil {
		return fmt.Errorf("write table %s: %w", r.table, err)
	}
	return nil
}
