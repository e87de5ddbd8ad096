package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// view lets f read the tables as of one moment. prepare reads the state of the
// same moment; it runs while no transaction can become visible and is brief.
// Temporary tables that f makes are its own, and gone afterwards.
func (d *DB) view(ctx context.Context, prepare func(*state), f func(*sql.Conn) error) error {
	conn, release, err := d.conn(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := d.pin(ctx, conn, prepare); err != nil {
		return err
	}
	err = f(conn)
	return errors.Join(err, end(ctx, conn, "ROLLBACK"))
}

// pin begins a transaction. DuckDB takes its snapshot not at BEGIN but when the
// transaction first reads.
func (d *DB) pin(ctx context.Context, conn *sql.Conn, prepare func(*state)) error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if err := exec(ctx, conn, "BEGIN"); err != nil {
		return err
	}
	var id string
	if err := conn.QueryRowContext(ctx, "SELECT store_id FROM meta").Scan(&id); err != nil {
		return errors.Join(err, end(ctx, conn, "ROLLBACK"))
	}
	prepare(d.state)
	return nil
}

// Seqs returns a set that is the caller's to keep.
func (d *DB) Seqs(_ context.Context, agent, epoch string) (usage.Ranges, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Clone(d.state.seqs[feed{agent, epoch}]), nil
}

// Events returns events in the order of store.Event.Compare.
func (d *DB) Events(ctx context.Context, fromMs, toMs int64, limit int) ([]store.Event, error) {
	var out []store.Event
	conn, release, err := d.conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer release()
	err = each(ctx, conn, sqlEvents, func(scan func(...any) error) error {
		var e store.Event
		err := scan(eventFields(&e)...)
		out = append(out, e)
		return err
	}, fromMs, toMs, int64(max(limit, 0)))
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return out, nil
}

// eventFields are where the columns of an event go.
func eventFields(e *store.Event) []any {
	c := &e.Cloud
	return []any{&e.Node, &c.Provider, &c.Account, &c.Region, &c.Zone, &c.Cluster, &c.NodePool, &c.Rack, &c.Reservation, &c.InstanceType, &c.InstanceID,
		&e.AtMs, &e.Kind, &e.GPU, &e.Value, &e.Detail}
}

// Extent needs no table.
func (d *DB) Extent(context.Context) (store.Extent, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	x := d.state.extent()
	return store.Extent{FromMs: x.fromMs, ToMs: x.toMs}, nil
}

// extent is the span that all records cover; zero if there are none.
func (s *state) extent() span {
	var out span
	for _, x := range s.courses {
		if out.toMs == 0 {
			out = x[0]
		}
		out = span{min(out.fromMs, x[0].fromMs), max(out.toMs, x[len(x)-1].toMs)}
	}
	return out
}

// Counts needs no table.
func (d *DB) Counts(context.Context) (store.Counts, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := d.state.counts
	out.Units = int64(len(d.state.units.list))
	return out, nil
}
