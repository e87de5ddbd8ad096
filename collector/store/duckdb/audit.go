package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// auditStep is how many batches are held in memory at one time, with their
// records.
const auditStep = 10_000

// Audit reads every row and calls found for each batch, row and document that
// is not what was stored. It looks at one moment of the store, and takes as
// long as reading all of it.
//
// The bytes that an agent sealed are not kept, so that a batch's content hash
// stands for what the agent sent only as far as the chain of hashes goes:
// every batch names the hash of the one before it. What is kept of a batch is
// held by a digest that was made when it was stored. A digest over the digests
// of a day's batches, in order of stream and seq, can stand for the day once
// its rows are no longer kept.
func (d *DB) Audit(ctx context.Context, found func(store.Finding)) (store.Audited, error) {
	var a *auditor
	err := d.view(ctx, func(s *state) { a = newAuditor(s, found) }, func(conn *sql.Conn) error { return a.audit(ctx, conn) })
	if err != nil {
		return store.Audited{}, fmt.Errorf("audit store: %w", err)
	}
	return a.seen, nil
}

func newAuditor(s *state, found func(store.Finding)) *auditor {
	return &auditor{
		found: func(where, problem string, args ...any) {
			found(store.Finding{Where: where, Problem: fmt.Sprintf(problem, args...)})
		},
		origin: s.origin, nodes: s.nodes.list, units: s.units.list, streams: s.streams.list, holders: s.holders.list, reasons: s.reasons.list,
		state: s.frozen(),
	}
}

// audit looks at everything, within the transaction of a connection.
func (a *auditor) audit(ctx context.Context, conn *sql.Conn) error {
	for _, step := range []func(context.Context, *sql.Conn) error{
		a.batches, a.hours, a.prunings, a.days, a.strangers, a.twins, a.chain, a.gaps, a.asides, a.lives, a.documents, a.unsealed,
	} {
		if err := step(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

type auditor struct {
	found   func(where, problem string, args ...any)
	origin  string
	nodes   []usage.Node
	units   []unit
	streams []stream
	holders []usage.Holder
	reasons []string
	state   *state // of the moment
	seen    store.Audited
	// Rows of the tables without a digest.
	batchesUnsealed, asideUnsealed, livesUnsealed int64
}

// batchKey is the identity of a batch in the tables.
type batchKey struct {
	stream int32
	seq    uint64
}

// where names a batch for people.
func (a *auditor) where(k batchKey) string {
	if k.stream < 1 || int(k.stream) > len(a.streams) {
		return fmt.Sprintf("stream %d, seq %d", k.stream, k.seq)
	}
	s := a.streams[k.stream-1]
	return fmt.Sprintf("agent %s, epoch %s, seq %d", s.agent, s.epoch, k.seq)
}

// kept is a batch while its rows are gathered.
type kept struct {
	key    batchKey
	nodeID int32
	head   batchHead
	digest []byte
	rows   imprint // without the head
}

// batches holds every batch against its digest, some at a time.
func (a *auditor) batches(ctx context.Context, conn *sql.Conn) error {
	if err := exec(ctx, conn, "CREATE TEMP TABLE audited (stream INTEGER, seq UBIGINT)"); err != nil {
		return err
	}
	for from := int64(0); ; from += auditStep {
		// Rows that are not committed yet have numbers far beyond all others.
		var next sql.NullInt64
		if err := conn.QueryRowContext(ctx, "SELECT min(rowid) FROM batches WHERE rowid >= ?", from).Scan(&next); err != nil || !next.Valid {
			return err
		}
		from = next.Int64
		some, err := a.heads(ctx, conn, from)
		if err != nil {
			return err
		}
		if err := a.gather(ctx, conn, some); err != nil {
			return err
		}
		for _, k := range some {
			a.compare(k)
		}
	}
}

// heads reads the rows of some batches.
func (a *auditor) heads(ctx context.Context, conn *sql.Conn, from int64) (map[batchKey]*kept, error) {
	out := map[batchKey]*kept{}
	return out, each(ctx, conn, sqlAuditBatches, func(scan func(...any) error) error {
		k := &kept{}
		h := &k.head
		var fromMs, toMs sql.NullInt64
		if err := scan(&k.key.stream, &k.key.seq, &h.hash, &h.prev, &k.nodeID, &h.receivedMs, &h.intervalMs, &h.offsetMs,
			&h.records, &h.events, &fromMs, &toMs, &k.digest); err != nil {
			return err
		}
		a.seen.Batches++
		if k.digest == nil {
			a.batchesUnsealed++
			return nil
		}
		h.fromMs, h.toMs = -1, -1
		if fromMs.Valid {
			h.fromMs, h.toMs = fromMs.Int64, toMs.Int64
		}
		h.seq = k.key.seq
		if k.key.stream < 1 || int(k.key.stream) > len(a.streams) || k.nodeID < 1 || int(k.nodeID) > len(a.nodes) {
			a.found(a.where(k.key), "its stream %d or node %d is not there", k.key.stream, k.nodeID)
			return nil
		}
		h.stream, h.node = a.streams[k.key.stream-1], a.nodes[k.nodeID-1]
		out[k.key] = k
		return nil
	}, sql.Named("from", from), sql.Named("to", from+auditStep))
}

// gather reads the rows that belong to some batches.
func (a *auditor) gather(ctx context.Context, conn *sql.Conn, some map[batchKey]*kept) error {
	if len(some) == 0 {
		return nil
	}
	keys := make([]*kept, 0, len(some))
	within := span{-1, -1}
	for _, k := range some {
		keys = append(keys, k)
		if h := &k.head; h.fromMs >= 0 {
			if within.fromMs < 0 {
				within = span{h.fromMs, h.toMs}
			}
			within = span{min(within.fromMs, h.fromMs), max(within.toMs, h.toMs)}
		}
	}
	if err := exec(ctx, conn, "DELETE FROM temp.main.audited"); err != nil {
		return err
	}
	err := rows{"audited", len(keys), func(i int) []driver.Value {
		return []driver.Value{keys[i].key.stream, keys[i].key.seq}
	}}.appendTo(ctx, conn, "temp")
	if err != nil {
		return err
	}
	for _, read := range []func(context.Context, *sql.Conn, map[batchKey]*kept, span) error{a.records, a.events, a.inventory, a.doubts} {
		if err := read(ctx, conn, some, within); err != nil {
			return err
		}
	}
	return nil
}

func (a *auditor) records(ctx context.Context, conn *sql.Conn, some map[batchKey]*kept, within span) error {
	return each(ctx, conn, sqlAuditRecords, func(scan func(...any) error) error {
		var key batchKey
		var unit, holder, reason int32
		var fromMs, toMs int64
		var s usage.Sums
		if err := scan(append([]any{&key.stream, &key.seq, &unit, &holder, &reason, &fromMs, &toMs}, fields(&s)...)...); err != nil {
			return err
		}
		a.seen.Records++
		k := some[key]
		if unit < 1 || int(unit) > len(a.units) || holder < 1 || int(holder) > len(a.holders) || reason < 1 || int(reason) > len(a.reasons) {
			a.found(a.where(key), "a record has unit %d, holder %d and reason %d, which are not there", unit, holder, reason)
			return nil
		}
		u := a.units[unit-1]
		k.rows.text(lineRecord)
		k.rows.unit(u, a.nodes[u.node-1], u.node == k.nodeID)
		k.rows.record(a.holders[holder-1], a.reasons[reason-1], fromMs, toMs, &s)
		return nil
	}, sql.Named("from", within.fromMs), sql.Named("to", within.toMs))
}

func (a *auditor) events(ctx context.Context, conn *sql.Conn, some map[batchKey]*kept, _ span) error {
	return each(ctx, conn, sqlAuditEvents, func(scan func(...any) error) error {
		var key batchKey
		var node int32
		var e usage.Event
		if err := scan(&key.stream, &key.seq, &node, &e.AtMs, &e.Kind, &e.GPU, &e.Value, &e.Detail); err != nil {
			return err
		}
		a.seen.Events++
		if node < 1 || int(node) > len(a.nodes) {
			a.found(a.where(key), "an event is of node %d, which is not there", node)
			return nil
		}
		k := some[key]
		k.rows.event(&e, a.nodes[node-1], node == k.nodeID)
		return nil
	})
}

func (a *auditor) inventory(ctx context.Context, conn *sql.Conn, some map[batchKey]*kept, _ span) error {
	return each(ctx, conn, sqlAuditInventory, func(scan func(...any) error) error {
		var key batchKey
		var unit int32
		var seenMs int64
		var t traits
		if err := scan(&key.stream, &key.seq, &unit, &seenMs, &t.name, &t.index, &t.serial, &t.pci, &t.memoryBytes, &t.driver, &t.agent); err != nil {
			return err
		}
		if unit < 1 || int(unit) > len(a.units) {
			a.found(a.where(key), "its inventory is of unit %d, which is not there", unit)
			return nil
		}
		k, u := some[key], a.units[unit-1]
		k.rows.text(lineInventory)
		k.rows.unit(u, a.nodes[u.node-1], u.node == k.nodeID)
		k.rows.traits(seenMs, &t)
		return nil
	})
}

func (a *auditor) doubts(ctx context.Context, conn *sql.Conn, some map[batchKey]*kept, _ span) error {
	return each(ctx, conn, sqlAuditDoubts, func(scan func(...any) error) error {
		var key batchKey
		var gpu string
		var x span
		if err := scan(&key.stream, &key.seq, &gpu, &x.fromMs, &x.toMs); err != nil {
			return err
		}
		some[key].rows.doubt(gpu, x)
		return nil
	})
}

// compare holds what is kept of a batch against its digest.
func (a *auditor) compare(k *kept) {
	var whole imprint
	whole.head(a.origin, &k.head)
	whole.append(&k.rows)
	if now := whole.digest(); string(now[:]) != string(k.digest) {
		a.found(a.where(k.key), "what is kept of it is not what was stored: its digest is %s, and was %x", now, k.digest)
	}
}

// strangers finds rows of batches that are not there.
func (a *auditor) strangers(ctx context.Context, conn *sql.Conn) error {
	return each(ctx, conn, sqlAuditStrangers, func(scan func(...any) error) error {
		var table string
		var stream sql.NullInt32
		var seq sql.Null[uint64]
		var n int64
		if err := scan(&table, &stream, &seq, &n); err != nil {
			return err
		}
		a.found(a.where(batchKey{stream.Int32, seq.V}), "the table %s has %d rows of it, and it is not there", table, n)
		return nil
	})
}

// twins finds what stands twice.
func (a *auditor) twins(ctx context.Context, conn *sql.Conn) error {
	return each(ctx, conn, sqlAuditTwins, func(scan func(...any) error) error {
		var what string
		var n int64
		if err := scan(&what, &n); err != nil {
			return err
		}
		a.found(what, "it stands there %d times", n)
		return nil
	})
}

// chain finds batches that do not follow the one before them.
func (a *auditor) chain(ctx context.Context, conn *sql.Conn) error {
	return each(ctx, conn, sqlAuditChain, func(scan func(...any) error) error {
		var k batchKey
		var prev, before []byte
		if err := scan(&k.stream, &k.seq, &prev, &before); err != nil {
			return err
		}
		if prev == nil {
			a.seen.Unchained++
			return nil
		}
		a.found(a.where(k), "the chain of hashes is broken: it was made after a batch with hash %x, the one before it has %x", prev, before)
		return nil
	})
}

// gaps counts what is not there.
func (a *auditor) gaps(ctx context.Context, conn *sql.Conn) error {
	return conn.QueryRowContext(ctx, sqlAuditGaps).Scan(&a.seen.Missing)
}

// asides holds what is kept aside against its digests.
func (a *auditor) asides(ctx context.Context, conn *sql.Conn) error {
	return each(ctx, conn, "SELECT agent, epoch, seq, hash, kind, reason, received_ms, body, digest FROM aside", func(scan func(...any) error) error {
		var id usage.ID
		var kind, reason string
		var receivedMs int64
		var hash, body, digest []byte
		if err := scan(&id.Agent, &id.Epoch, &id.Seq, &hash, &kind, &reason, &receivedMs, &body, &digest); err != nil {
			return err
		}
		a.seen.Aside++
		if digest == nil {
			a.asideUnsealed++
			return nil
		}
		var p imprint
		p.aside(a.origin, id, hash, kind, reason, receivedMs, body)
		if now := p.digest(); string(now[:]) != string(digest) {
			a.found(fmt.Sprintf("agent %s, epoch %s, seq %d, kept aside", id.Agent, id.Epoch, id.Seq),
				"it is not what was stored: its digest is %s, and was %x", now, digest)
		}
		return nil
	})
}

// documents holds every document against its seal.
func (a *auditor) documents(ctx context.Context, conn *sql.Conn) error {
	return each(ctx, conn, "SELECT name, seal, body FROM documents ORDER BY name", func(scan func(...any) error) error {
		var name string
		var seal, body []byte
		if err := scan(&name, &seal, &body); err != nil {
			return err
		}
		a.seen.Documents++
		if now := sealOf(name, body); string(now[:]) != string(seal) {
			a.found("document "+name, "it is not what was put: its seal is %s, and was %x", now, seal)
		}
		return nil
	})
}

// lives holds every sign of life against its digest.
func (a *auditor) lives(ctx context.Context, conn *sql.Conn) error {
	return each(ctx, conn, "SELECT start_ms, beat_ms, digest FROM lives", func(scan func(...any) error) error {
		var startMs, beatMs int64
		var digest []byte
		if err := scan(&startMs, &beatMs, &digest); err != nil {
			return err
		}
		a.seen.Lives++
		if digest == nil {
			a.livesUnsealed++
			return nil
		}
		var p imprint
		p.life(a.origin, startMs, beatMs)
		if now := p.digest(); string(now[:]) != string(digest) {
			a.found(fmt.Sprintf("table lives, start_ms %d, beat_ms %d", startMs, beatMs), "it is not what was stored: its digest is %s, and was %x", now, digest)
		}
		return nil
	})
}

// unsealed holds the number of rows without a digest against what there were
// when digests began.
func (a *auditor) unsealed(ctx context.Context, conn *sql.Conn) error {
	var batches, aside, lives int64
	err := conn.QueryRowContext(ctx, "SELECT unsealed_batches, unsealed_aside, unsealed_lives FROM meta").Scan(&batches, &aside, &lives)
	for _, t := range []struct {
		name      string
		now, then int64
	}{{"batches", a.batchesUnsealed, batches}, {"aside", a.asideUnsealed, aside}, {"lives", a.livesUnsealed, lives}} {
		a.seen.Unsealed += t.now
		if err == nil && t.now != t.then {
			a.found("table "+t.name, "%d rows have no digest, and %d had none when digests began", t.now, t.then)
		}
	}
	return err
}
