package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// found makes the tables of a new store.
func found(ctx context.Context, db *sql.DB, now time.Time) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := exec(ctx, conn, migrations...); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "INSERT INTO meta (store_id, schema, created_ms) VALUES (?, ?, ?)",
		mint(), len(migrations), now.UnixMilli())
	if err != nil {
		return err
	}
	return exec(ctx, conn, "CHECKPOINT store")
}

// upgrade runs the migrations that a store has not seen, each in a transaction
// of its own, and returns the store's id. The caller moves the log into the file
// after a change, so that it is not replayed when something later goes wrong.
func upgrade(ctx context.Context, conn *sql.Conn, readOnly bool) (id string, changed bool, err error) {
	var schema, rows int
	err = conn.QueryRowContext(ctx, "SELECT count(*), any_value(store_id), any_value(schema) FROM meta").Scan(&rows, &id, &schema)
	if err != nil || rows != 1 {
		return "", false, errors.Join(errors.New("the database is not a gpumeter store, or is damaged"), err)
	}
	if schema > len(migrations) {
		return "", false, fmt.Errorf("the store has schema %d, this program knows schemas up to %d: use a newer gpumeter", schema, len(migrations))
	}
	if schema < len(migrations) && readOnly {
		return "", false, fmt.Errorf("the store has schema %d, this program reads schema %d: open it for writing once", schema, len(migrations))
	}
	if schema < len(migrations) {
		return id, true, migrate(ctx, conn, schema)
	}
	return id, false, nil
}

func migrate(ctx context.Context, conn *sql.Conn, schema int) error {
	for n := schema; n < len(migrations); n++ {
		err := exec(ctx, conn, "BEGIN", migrations[n], fmt.Sprintf("UPDATE meta SET schema = %d", n+1))
		if err == nil {
			err = end(ctx, conn, "COMMIT")
		} else {
			err = errors.Join(err, end(ctx, conn, "ROLLBACK"))
		}
		if err != nil {
			return fmt.Errorf("bring the store from schema %d to %d: %w", n, n+1, err)
		}
	}
	return nil
}
