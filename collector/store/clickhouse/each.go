package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// each calls f for every row that any shard answers, one shard after the
// other. f keeps what it gets in place of what it got under the same name, or
// gathers with begin: a row may come twice.
func (d *DB) each(ctx context.Context, q query, f func(driver.Rows) error) error {
	for _, s := range d.shards {
		if err := s.each(ctx, q, func() {}, f); err != nil {
			return fmt.Errorf("shard %d: %w", s.number, err)
		}
	}
	return nil
}

// gather returns the rows that all shards answer, as scan makes them.
func gather[T any](ctx context.Context, d *DB, q query, scan func(driver.Rows) (T, error)) ([]T, error) {
	var out []T
	for _, s := range d.shards {
		n := len(out)
		err := s.each(ctx, q, func() { out = out[:n] }, func(r driver.Rows) error {
			v, err := scan(r)
			out = append(out, v)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("shard %d: %w", s.number, err)
		}
	}
	return out, nil
}

// table makes a temporary table of a list.
func table[T any](name string, list []T, row func(T) []any, columns ...func(*ext.Table) error) (*ext.Table, error) {
	t, err := ext.NewTable(name, columns...)
	if err != nil {
		return nil, fmt.Errorf("make temporary table %s: %w", name, err)
	}
	for _, v := range list {
		if err := t.Append(row(v)...); err != nil {
			return nil, fmt.Errorf("fill temporary table %s: %w", name, err)
		}
	}
	return t, nil
}
