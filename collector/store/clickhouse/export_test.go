package clickhouse

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// Drop takes away the database of a store that is closed, from all servers.
func Drop(ctx context.Context, o Options) error {
	shards, err := find(ctx, o.withDefaults())
	if err != nil {
		return err
	}
	outside := o.Address
	outside.Database = ""
	for _, s := range shards {
		for _, r := range s.replicas {
			conn, e := dial(r.address, outside)
			if e == nil {
				e = errors.Join(conn.Exec(ctx, "DROP DATABASE IF EXISTS "+o.Address.Database), conn.Close())
			}
			err = errors.Join(err, e)
		}
		err = errors.Join(err, s.close())
	}
	return err
}

// WriteUnseen writes batches without a look at what is there, as a collector
// does that looked just before another one wrote.
func (d *DB) WriteUnseen(ctx context.Context, batches ...usage.Sealed) error {
	var w draft
	for i := range batches {
		w.batches = append(w.batches, &batches[i])
	}
	return d.write(ctx, &w)
}

// ClaimLate writes a claim that was on its way for longer than its grace.
func (d *DB) ClaimLate(ctx context.Context, name string, body []byte) error {
	hash := sha256.Sum256(body)
	return d.shards[0].insert(ctx, rows{table: "claims", columns: "name, hash, asked_s, grace_s, body",
		list: [][]any{{name, hash[:], int64(1), int64(5), string(body)}}})
}

// Hours returns how many hours hour records tell, and how many attempts to make
// some are kept.
func (d *DB) Hours(ctx context.Context) (hours, attempts int, err error) {
	v, err := d.settle(ctx)
	if err != nil {
		return 0, 0, err
	}
	known, err := v.told(ctx, everything)
	for _, s := range d.shards {
		rows, e := s.replicas[0].hourRows(ctx)
		attempts, err = attempts+len(rows), errors.Join(err, e)
	}
	return len(hoursOf(known)), attempts, err
}

// Exec runs a statement on one replica of each shard.
func (d *DB) Exec(ctx context.Context, statement string) error {
	for _, s := range d.shards {
		if err := s.do(ctx, func(ctx context.Context, r *replica) error { return r.exec(ctx, statement) }); err != nil {
			return err
		}
	}
	return nil
}

// Replicas returns how many batches each replica of each shard has.
func (d *DB) Replicas(ctx context.Context) ([][]uint64, error) {
	var out [][]uint64
	for _, s := range d.shards {
		var list []uint64
		for _, r := range s.replicas {
			var n uint64
			if err := r.conn.QueryRow(ctx, "SELECT count() FROM batches").Scan(&n); err != nil {
				return nil, err
			}
			list = append(list, n)
		}
		out = append(out, list)
	}
	return out, nil
}

// BytesOnDisk returns how long the files of the tables are, after merging.
func (d *DB) BytesOnDisk(ctx context.Context) (uint64, error) {
	var sum uint64
	err := d.Exec(ctx, "OPTIMIZE TABLE batches FINAL")
	for _, s := range d.shards {
		var n uint64
		err = errors.Join(err, s.replicas[0].conn.QueryRow(ctx, "SELECT sum(bytes) FROM system.parts WHERE active AND database = currentDatabase()").Scan(&n))
		sum += n
	}
	return sum, err
}

// Rows returns how many batches there are, when what was deleted is gone.
func (d *DB) Rows(ctx context.Context) (n uint64, err error) {
	err = d.shards[0].do(ctx, func(ctx context.Context, r *replica) error {
		for busy := uint64(1); busy > 0; time.Sleep(20 * time.Millisecond) {
			if err := r.conn.QueryRow(ctx, "SELECT count() FROM system.mutations WHERE database = currentDatabase() AND is_done = 0").Scan(&busy); err != nil {
				return err
			}
		}
		return r.conn.QueryRow(ctx, "SELECT count() FROM batches FINAL").Scan(&n)
	})
	return n, err
}

// PruneHalf does all of a pruning of a day, but lets it not count.
func (d *DB) PruneHalf(ctx context.Context, day uint32, p store.Pruning) error {
	v, err := d.settle(ctx)
	if err != nil {
		return err
	}
	known, err := v.told(ctx, everything)
	if err != nil {
		return err
	}
	x := &dayPruning{view: v, day: day, hours: spanOfDay(day)}
	x.bound(p, known)
	if err := x.choose(ctx); err != nil || x.records == 0 {
		return errors.Join(err, fmt.Errorf("%d records of %d would go", x.records, day))
	}
	x.number = x.newNumber()
	for i, s := range x.shards {
		_, e := x.write(ctx, s, x.going[i])
		err = errors.Join(err, e)
	}
	return err
}

// OnReplica returns how many replicas a shard has, and runs a statement on one of
// the first, counted from 0.
func (d *DB) OnReplica(ctx context.Context, i int, statement string) (replicas int, err error) {
	if s := d.shards[0]; i < len(s.replicas) {
		err = s.replicas[i].exec(ctx, statement)
	}
	return len(d.shards[0].replicas), err
}

// Prefer lets every shard ask one replica first.
func (d *DB) Prefer(i int) {
	for _, s := range d.shards {
		s.good.Store(int64(i))
	}
}

// UnitsByHours returns how many units hour records tell of on the first shard,
// as one replica knows which count, when another is asked first for these.
func (d *DB) UnitsByHours(ctx context.Context, knows, asked int) (int, error) {
	d.Prefer(knows)
	v, err := d.settle(ctx)
	if err != nil {
		return 0, err
	}
	known, err := v.told(ctx, everything)
	if err != nil {
		return 0, err
	}
	d.Prefer(asked)
	months, err := d.shards[0].stayedHours(ctx, 0, known, d.needsOfHours(known))
	units := map[int64]bool{}
	for _, m := range months {
		for unit := range m.units {
			units[unit] = true
		}
	}
	return len(units), err
}
