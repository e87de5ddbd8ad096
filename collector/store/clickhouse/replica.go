package clickhouse

import (
	"context"
	"fmt"
	"sync"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// replica is one server.
type replica struct {
	address string // HOST:PORT, and its name among the replicas
	conn    driver.Conn

	// mu guards what follows: a server is got ready when it is first used.
	mu       sync.Mutex
	prepared bool
	has      map[string]bool // settings that this version of the server knows
	quorum   int
}

// connect makes a pool of connections. It does not reach for the server yet.
func connect(address string, a Address) (*replica, error) {
	conn, err := dial(address, a)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return &replica{address: address, conn: conn}, nil
}

// dial makes a pool of connections to a database, or to none.
func dial(address string, a Address) (driver.Conn, error) {
	return ch.Open(&ch.Options{
		Addr:         []string{address},
		Auth:         ch.Auth{Database: a.Database, Username: a.User, Password: a.Password},
		TLS:          a.TLS,
		Compression:  &ch.Compression{Method: ch.CompressionLZ4},
		DialTimeout:  3 * time.Second,
		ReadTimeout:  30 * time.Second, // between two packets; a server that works sends its progress
		MaxOpenConns: 8,
		MaxIdleConns: 8,
	})
}

// ready gets a server ready for the store, once: its tables are made if they
// are not there, also on one that was away when the store was opened.
func (r *replica) ready(ctx context.Context, s *shard) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.prepared {
		return nil
	}
	if err := r.learn(ctx, s.address); err != nil {
		return err
	}
	if err := s.migrate(ctx, r); err != nil {
		return err
	}
	r.quorum, r.prepared = s.quorum, true
	return nil
}

// learn asks which settings there are. Old servers refuse a statement with a
// setting that they do not know.
func (r *replica) learn(ctx context.Context, a Address) error {
	a.Database = ""
	conn, err := dial(r.address, a)
	if err != nil {
		return err
	}
	defer conn.Close()
	rows, err := conn.Query(ctx, "SELECT name FROM system.settings UNION ALL SELECT concat('merge_tree.', name) FROM system.merge_tree_settings")
	if err != nil {
		return err
	}
	defer rows.Close()
	r.has = map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		r.has[name] = true
	}
	return rows.Err()
}

// known keeps the settings that the server knows.
func (r *replica) known(all ch.Settings) ch.Settings {
	out := ch.Settings{}
	for name, value := range all {
		if r.has[name] {
			out[name] = value
		}
	}
	return out
}

// quorumTimeout is how long the other replicas may take to have a row.
const quorumTimeout = 5 * time.Second

// writing returns the context of an INSERT, which returns when the rows are as
// durable as they are promised to be.
func (r *replica) writing(ctx context.Context) context.Context {
	return ch.Context(ctx, ch.WithSettings(r.known(r.toWrite())))
}

func (r *replica) toWrite() ch.Settings {
	s := ch.Settings{
		"async_insert":                    0,
		"max_partitions_per_insert_block": 0, // late records may be of any month
	}
	if r.quorum > 1 {
		s["insert_quorum"] = r.quorum
		s["insert_quorum_timeout"] = int(quorumTimeout.Milliseconds())
		s["insert_quorum_parallel"] = 0 // what reading asks for
	}
	return s
}

// reading returns the context of a query. With a quorum, it sees all that was
// acknowledged and nothing that was not yet.
func (r *replica) reading(ctx context.Context, q query) context.Context {
	return r.asking(ctx, q, ch.Settings{})
}

// derive runs an INSERT of what a query answers, on a replica that has what it
// needs. No quorum is asked for: see need.
func (r *replica) derive(ctx context.Context, q query, n need) error {
	if err := r.holds(ctx, n); err != nil {
		return err
	}
	s := r.toWrite()
	delete(s, "insert_quorum")
	return r.conn.Exec(r.asking(ctx, q, s), q.text, q.args...)
}

func (r *replica) asking(ctx context.Context, q query, s ch.Settings) context.Context {
	if r.quorum > 1 {
		s["select_sequential_consistency"] = 1
	}
	o := []ch.QueryOption{ch.WithSettings(r.known(s))}
	if len(q.tables) > 0 {
		o = append(o, ch.WithExternalTable(q.tables...))
	}
	return ch.Context(ctx, o...)
}

// exec runs statements one after the other.
func (r *replica) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if err := r.conn.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
