// Package clickhouse keeps batches in ClickHouse: the store of collectors that
// outgrew one machine, or must not depend on one.
//
// Any number of collectors may use one database at a time; none of them keeps
// anything that it could not read again. ClickHouse has neither transactions
// nor unique keys, so that a batch is one row, written by one INSERT: it is
// there as a whole or not at all, and writing it again changes nothing. What
// two collectors wrote at the same moment is settled whenever somebody reads.
// docs/clickhouse.md describes the tables.
package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
)

// Options are how a store is opened. Only Address is required.
type Options struct {
	// Address says where the database is, see ParseAddress.
	Address Address
	Log     *slog.Logger     // discarded if nil
	Now     func() time.Time // says when batches were received; time.Now if nil
	// Grace is how long a document may be on its way, in seconds of the
	// servers' clocks; DefaultGrace if 0. All collectors of a database use
	// the same. A negative Grace is none: for one collector alone.
	Grace int
}

// DefaultGrace is far longer than the way of a row takes, and than the clocks
// of servers that are looked after differ. PutDocument takes twice as long.
const DefaultGrace = 2

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	o.Grace = max(o.Grace, 0)
	return o
}

// DB is a store.Store in a ClickHouse database. Its methods may be called
// concurrently; Append and Quarantine take turns, and PutDocument with itself.
type DB struct {
	options Options
	shards  []*shard
	id      string
	words   words
	memo    memo
	gone    gone

	// writing is held from the look at what is there until what is missing is
	// durable, so that one collector never disputes with itself.
	writing sync.Mutex
	// rollingUp is held while hour records are made.
	rollingUp sync.Mutex
	// naming is held while a document's name is claimed.
	naming sync.Mutex
}

var _ store.Store = (*DB)(nil)

// Open connects to a database and makes it and its tables where they are not
// there. It is an error if a shard has no replica that answers, or if the
// tables were made by a newer version.
func Open(ctx context.Context, o Options) (*DB, error) {
	o = o.withDefaults()
	began := o.Now()
	shards, err := find(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.Address, err)
	}
	d := &DB{options: o, shards: shards}
	if err := d.read(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", o.Address, err), d.Close())
	}
	o.Log.Info("store opened", "address", o.Address.String(), "store_id", d.id, "shards", len(shards),
		"seconds", o.Now().Sub(began).Seconds())
	return d, nil
}

// read sees to the tables and to the store's id.
func (d *DB) read(ctx context.Context) error {
	for _, s := range d.shards {
		if err := s.prepare(ctx); err != nil {
			return err
		}
	}
	id, err := d.claim(ctx, storeName, []byte(mint()))
	if err != nil {
		return fmt.Errorf("read the store's id: %w", err)
	}
	d.id = string(id)
	return nil
}

// ID returns the store's id: 32 hex digits.
func (d *DB) ID() string { return d.id }

// Close ends the connections. What was acknowledged is durable without it.
func (d *DB) Close() error {
	var err error
	for _, s := range d.shards {
		err = errors.Join(err, s.close())
	}
	return err
}
