package clickhouse

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// shard is a part of the database: replicas that hold the same rows.
type shard struct {
	number   int // from 1
	replicas []*replica
	quorum   int // replicas that have a row before it is acknowledged; 0 without replication
	address  Address
	migrate  func(context.Context, *replica) error
	log      *slog.Logger
	good     atomic.Int64 // index of the replica that answered last
	parts    parts
	stays    stays
}

// Codes of ClickHouse's errors after which another replica, or the same a
// little later, may do what this one did not. Rows that were written twice are
// one row.
var passing = map[int32]bool{
	159: true, // TIMEOUT_EXCEEDED
	202: true, // TOO_MANY_SIMULTANEOUS_QUERIES
	209: true, // SOCKET_TIMEOUT
	210: true, // NETWORK_ERROR
	225: true, // NO_ZOOKEEPER
	253: true, // REPLICA_IS_ALREADY_EXIST: it lost its tables, and has a name that it must lose too
	242: true, // TABLE_IS_READ_ONLY: its session with ZooKeeper is being renewed
	285: true, // TOO_FEW_LIVE_REPLICAS
	286: true, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE: another collector is writing
	289: true, // REPLICA_IS_NOT_IN_QUORUM: it lags behind
	319: true, // UNKNOWN_STATUS_OF_INSERT
	999: true, // KEEPER_EXCEPTION
}

// Patience with passing errors: one statement is tried so long, with a pause
// between two rounds over the replicas. Others wait for their turn meanwhile.
const (
	patience = 4 * time.Second
	pause    = 50 * time.Millisecond
)

// do lets f work on one replica after the other until it has no error, or one
// that would be the same elsewhere.
func (s *shard) do(ctx context.Context, f func(context.Context, *replica) error) error {
	deadline := time.Now().Add(patience)
	for {
		var all error
		first := int(s.good.Load())
		for i := range s.replicas {
			n := (first + i) % len(s.replicas)
			r := s.replicas[n]
			err := r.ready(ctx, s)
			if err == nil {
				err = f(ctx, r)
			}
			if err == nil {
				s.good.Store(int64(n))
				return nil
			}
			err = fmt.Errorf("%s: %w", r.address, err)
			if ctx.Err() != nil || !isPassing(err) {
				return errors.Join(ctx.Err(), err)
			}
			all = errors.Join(all, err)
		}
		if time.Now().After(deadline) || len(s.replicas) == 1 && !isBusy(all) {
			return all
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), all)
		case <-time.After(pause):
		}
	}
}

// once lets f work on the first replica that is ready, whatever comes of it.
func (s *shard) once(ctx context.Context, f func(context.Context, *replica) error) error {
	var chosen *replica
	if err := s.do(ctx, func(_ context.Context, r *replica) error {
		chosen = r
		return nil
	}); err != nil {
		return err
	}
	if err := f(ctx, chosen); err != nil {
		return fmt.Errorf("%s: %w", chosen.address, err)
	}
	return nil
}

// isPassing reports whether an error says something about a replica or the way
// to it, and nothing about what it was asked.
func isPassing(err error) bool {
	var e *ch.Exception
	if errors.As(err, &e) {
		return passing[e.Code]
	}
	var n net.Error
	return errors.Is(err, errLags) || errors.As(err, &n) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, sqldriver.ErrBadConn) || errors.Is(err, ch.ErrAcquireConnTimeout)
}

// isBusy reports whether a single replica answered, and was only busy.
func isBusy(err error) bool {
	var e *ch.Exception
	return errors.As(err, &e)
}

// close ends the connections of all replicas.
func (s *shard) close() error {
	var err error
	for _, r := range s.replicas {
		err = errors.Join(err, r.conn.Close())
	}
	return err
}

// each calls f for every row of a query's answer. f may be called again from
// the first row on, when a replica went away; begin is called before.
func (s *shard) each(ctx context.Context, q query, begin func(), f func(driver.Rows) error) error {
	return s.do(ctx, func(ctx context.Context, r *replica) error {
		if err := r.holds(ctx, q.needs[s.number]); err != nil {
			return err
		}
		begin()
		return r.each(ctx, q, f)
	})
}

// each calls f for every row that a replica answers.
func (r *replica) each(ctx context.Context, q query, f func(driver.Rows) error) error {
	rows, err := r.conn.Query(r.reading(ctx, q), q.text, q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// query is a statement with what it asks about.
type query struct {
	text   string
	args   []any        // numbers, by name
	tables []*ext.Table // temporary, under their names
	needs  needs        // of replicas that may be asked
}

// ask makes a query of the statement in a file. Lines that leave out what is
// listed in a table are themselves left out if the table is empty, as it nearly
// always is: they would be worked out for every record.
func ask(text string, numbers map[string]int64, tables ...*ext.Table) query {
	var q query
	for _, t := range tables {
		if t.Block().Rows() == 0 {
			text = withoutLines(text, regexp.MustCompile(`NOT IN \(SELECT [^()]* FROM `+t.Name()+`\)`))
		}
		if strings.Contains(text, " FROM "+t.Name()+")") {
			q.tables = append(q.tables, t)
		}
	}
	q.text = text
	for name, n := range numbers {
		q.args = append(q.args, ch.Named(name, n))
	}
	return q
}

// withoutLines returns a text without the lines that match.
func withoutLines(text string, match *regexp.Regexp) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if !match.MatchString(line) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// rows are what is added to one table.
type rows struct {
	table   string
	columns string // names, as a statement has them
	list    [][]any
}

// insert makes rows durable: on all replicas of the quorum.
func (s *shard) insert(ctx context.Context, t rows) error {
	if len(t.list) == 0 {
		return nil
	}
	err := s.do(ctx, func(ctx context.Context, r *replica) error {
		batch, err := r.conn.PrepareBatch(r.writing(ctx), "INSERT INTO "+t.table+" ("+t.columns+")")
		if err != nil {
			return err
		}
		defer batch.Close()
		for _, row := range t.list {
			if err := batch.Append(row...); err != nil {
				return err
			}
		}
		return batch.Send()
	})
	if err != nil {
		return fmt.Errorf("write table %s of shard %d: %w", t.table, s.number, err)
	}
	return nil
}
