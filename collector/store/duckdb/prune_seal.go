package duckdb

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"hash"

	"github.com/gpumeter/gpumeter/usage"
)

// names are what the numbers in the tables stand for.
type names struct {
	nodes   []usage.Node
	units   []unit
	streams []stream
	holders []usage.Holder
	reasons []string
}

// names returns them as they are now: more may come, none changes.
func (s *state) names() names {
	return names{s.nodes.list, s.units.list, s.streams.list, s.holders.list, s.reasons.list}
}

// known reports whether there are such a unit, stream, holder and reason.
// Whoever asks for fewer says 1, which is there wherever any is.
func (n *names) known(unit, stream, holder, reason int32) bool {
	is := func(id int32, all int) bool { return id >= 1 && int(id) <= all }
	return is(unit, len(n.units)) && is(stream, len(n.streams)) && is(holder, len(n.holders)) && is(reason, len(n.reasons))
}

// sealer makes the digest of what is left of hours whose records are gone:
// their hour records, what their courses and batches were. It reads them in
// order, so that it needs no memory for them.
type sealer struct {
	h     hash.Hash
	line  imprint
	wrong bool // a number stands for nothing
}

// left takes in the hour records of temp.main.gone_hours.
func (s *sealer) left(ctx context.Context, conn *sql.Conn, x *pruning) error {
	s.h = sha256.New()
	within := []any{sql.Named("from", x.from), sql.Named("to", x.to)}
	err := each(ctx, conn, sqlSealHours, func(scan func(...any) error) error {
		var r hourRow
		if err := scan(append([]any{&r.unit, &r.hour, &r.holder, &r.reason}, fields(&r.Sums)...)...); err != nil {
			return err
		}
		if s.wrong = s.wrong || !x.names.known(r.unit, 1, r.holder, r.reason); s.wrong {
			return nil
		}
		s.unit(x, r.unit)
		s.line.number(int64(r.hour))
		s.line.record(x.names.holders[r.holder-1], x.names.reasons[r.reason-1], int64(r.hour), int64(r.hour)+1, &r.Sums)
		s.end()
		return nil
	}, within...)
	if err != nil {
		return err
	}
	return each(ctx, conn, sqlSealOverlaps, func(scan func(...any) error) error {
		var o overlap
		if err := scan(&o.unit, &o.hour, &o.records); err != nil {
			return err
		}
		if s.wrong = s.wrong || !x.names.known(o.unit, 1, 1, 1); s.wrong {
			return nil
		}
		s.unit(x, o.unit)
		s.line.number(int64(o.hour), int64(o.records))
		s.end()
		return nil
	}, within...)
}

// digest takes in the rest.
func (s *sealer) digest(x *pruning, atMs int64) usage.Hash {
	s.line.text(x.origin)
	s.line.number(int64(x.id), atMs, int64(x.from), int64(x.to))
	s.end()
	for _, r := range x.hours {
		s.unit(x, r.unit)
		s.line.number(int64(r.from), int64(r.to))
		s.end()
	}
	for i := range x.courses {
		c := &x.courses[i]
		s.unit(x, c.unit)
		s.stream(x, c.stream)
		s.line.number(c.fromMs, c.toMs, c.records)
		s.end()
	}
	for i := range x.runs {
		r := &x.runs[i]
		s.stream(x, r.stream)
		s.line.number(int64(r.lo), int64(r.hi))
		s.line.text(string(r.prev), string(r.hash), string(r.digests))
		s.end()
	}
	return usage.Hash(s.h.Sum(nil))
}

func (s *sealer) unit(x *pruning, id int32) {
	u := x.names.units[id-1]
	s.line.unit(u, x.names.nodes[u.node-1], false)
}

func (s *sealer) stream(x *pruning, id int32) {
	f := x.names.streams[id-1]
	s.line.text(f.agent, f.epoch, string(f.evidence))
}

// end writes a line, with its length before it.
func (s *sealer) end() {
	body := s.line.buf
	var length imprint
	length.number(int64(len(body)))
	s.h.Write(length.buf)
	s.h.Write(body)
	s.line.reset()
}

// runSealer makes one digest of those of consecutive batches.
type runSealer struct{ h hash.Hash }

func (r *runSealer) add(hash, digest []byte) {
	if r.h == nil {
		r.h = sha256.New()
	}
	r.h.Write(hash)
	r.h.Write(digest)
}

// sum ends a run; the next one begins.
func (r *runSealer) sum() []byte {
	out := r.h.Sum(nil)
	r.h = nil
	return out
}
