// Package parquet reads Parquet files through DuckDB, as rows of text.
//
// Each file is read by a DuckDB of its own, in memory, that may open that file
// and nothing else: no other file, no network, no extension.
package parquet

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	duck "github.com/duckdb/duckdb-go/v2"
)

// settings bound what reading may take.
const settings = "?memory_limit=512MB&threads=1&autoinstall_known_extensions=false&autoload_known_extensions=false"

// File is a Parquet file that is read row by row, by one goroutine.
type File struct {
	db      *sql.DB
	rows    *sql.Rows
	columns []string
	cells   []sql.NullString
	out     []string
}

// Open opens a Parquet file and reads those of the named columns that it has,
// each as text: times in UTC, numbers with all their digits.
func Open(ctx context.Context, path string, columns []string) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	db, err := engine(ctx, path)
	if err != nil {
		return nil, err
	}
	f := &File{db: db}
	if err := f.start(ctx, path, columns); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return f, nil
}

// engine starts a DuckDB that can read one file.
func engine(ctx context.Context, path string) (*sql.DB, error) {
	connector, err := duck.NewConnector(settings, func(conn driver.ExecerContext) error {
		for _, s := range []string{
			"SET allowed_paths = [" + quote(path) + "]",
			"SET enable_external_access = false",
			"SET lock_configuration = true",
		} {
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
	db.SetMaxOpenConns(1) // the configuration is locked after the first
	return db, nil
}

func (f *File) start(ctx context.Context, path string, columns []string) error {
	has, err := f.schema(ctx, path)
	if err != nil {
		return fmt.Errorf("read Parquet: %w", err)
	}
	var list []string
	for _, c := range columns {
		if kind, ok := has[c]; ok {
			list = append(list, text(c, kind))
			f.columns = append(f.columns, c)
		}
	}
	if len(list) == 0 {
		return errors.New("has none of the columns of FOCUS")
	}
	f.cells, f.out = make([]sql.NullString, len(list)), make([]string, len(list))
	//nolint:rowserrcheck // Next asks for it
	f.rows, err = f.db.QueryContext(ctx, "SELECT "+strings.Join(list, ", ")+" FROM read_parquet("+quote(path)+")")
	if err != nil {
		return fmt.Errorf("read Parquet: %w", err)
	}
	return nil
}

// schema returns the columns of the file and their types.
func (f *File) schema(ctx context.Context, path string) (map[string]string, error) {
	rows, err := f.db.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet("+quote(path)+"))")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, err
		}
		out[name] = kind
	}
	return out, rows.Err()
}

// text is the expression of a column as text. Times with a zone are written
// as what they are in UTC, without asking which zone the session has.
func text(column, kind string) string {
	name := `"` + strings.ReplaceAll(column, `"`, `""`) + `"`
	switch {
	case kind == "TIMESTAMP WITH TIME ZONE":
		return "CAST(make_timestamp(epoch_us(" + name + ")) AS VARCHAR)"
	case kind == "VARCHAR", kind == "DOUBLE", kind == "FLOAT", kind == "DATE",
		strings.HasPrefix(kind, "DECIMAL"), strings.HasPrefix(kind, "TIMESTAMP"), strings.HasSuffix(kind, "INT"), strings.HasSuffix(kind, "INTEGER"):
		return "CAST(" + name + " AS VARCHAR)"
	}
	return "CAST(to_json(" + name + ") AS VARCHAR)" // a struct or a map, for ContractApplied
}

// quote makes an SQL literal of a string.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// Columns are the columns that are read, in order.
func (f *File) Columns() []string { return f.columns }

// Next returns the next row, valid until the next call, or io.EOF. A null is
// an empty cell.
func (f *File) Next() ([]string, error) {
	if !f.rows.Next() {
		if err := f.rows.Err(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	to := make([]any, len(f.cells))
	for i := range f.cells {
		to[i] = &f.cells[i]
	}
	if err := f.rows.Scan(to...); err != nil {
		return nil, err
	}
	for i, c := range f.cells {
		f.out[i] = c.String
	}
	return f.out, nil
}

// Close ends reading.
func (f *File) Close() error { return errors.Join(f.rows.Close(), f.db.Close()) }
