package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"math"
	"slices"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// Stretches reads what is whole by days, so that only days with a lapse are
// read window by window: see store.Evidence.
func (d *DB) Stretches(ctx context.Context, fromMs, toMs int64, f func(contract.Stretch) error) error {
	a := question{Query: contract.Query{Edges: []int64{fromMs, toMs}}}
	join := joiner{f: f}
	err := d.view(ctx, func(s *state) {
		for i := range s.units.list {
			a.Spans = append(a.Spans, contract.Span{Unit: int64(i) + 1, FromMs: fromMs, ToMs: toMs})
		}
		a.look(s)
		join.gone = s.goneStretches(a.within)
	}, func(conn *sql.Conn) error {
		return a.counted(ctx, conn, sqlStretches, func(scan func(...any) error) error {
			var s contract.Stretch
			err := scan(&s.Unit, &s.FromMs, &s.ToMs, &s.HealthyMs, &s.UnhealthyMs, &s.Fault, &s.Missing)
			if err != nil {
				return err
			}
			return join.add(s)
		})
	})
	if err == nil {
		err = join.end()
	}
	if err != nil {
		return fmt.Errorf("read stretches: %w", err)
	}
	return nil
}

// joiner makes one stretch of healthy ones that touch, and puts the hours whose
// records are gone between those that were read.
type joiner struct {
	f    func(contract.Stretch) error
	gone []contract.Stretch // by unit and start
	last contract.Stretch   // no unit: none
}

// add takes the next stretch that was read.
func (j *joiner) add(s contract.Stretch) error {
	for len(j.gone) > 0 && (j.gone[0].Unit < s.Unit || j.gone[0].Unit == s.Unit && j.gone[0].FromMs < s.FromMs) {
		if err := j.pass(j.gone[0]); err != nil {
			return err
		}
		j.gone = j.gone[1:]
	}
	return j.pass(s)
}

func (j *joiner) pass(s contract.Stretch) error {
	last := j.last
	if s.Unit == last.Unit && s.FromMs == last.ToMs && s.Whole() && last.Whole() {
		j.last.ToMs, j.last.HealthyMs = s.ToMs, last.HealthyMs+s.HealthyMs
		return nil
	}
	j.last = s
	if last.Unit == 0 {
		return nil
	}
	return j.f(last)
}

func (j *joiner) end() error {
	if err := j.add(contract.Stretch{Unit: math.MaxInt64}); err != nil {
		return err
	}
	j.last = contract.Stretch{}
	return nil
}

// goneStretches returns the hours within some time whose records are gone. They
// were healthy.
func (s *state) goneStretches(within span) []contract.Stretch {
	var out []contract.Stretch
	for i := range s.units.list {
		for _, x := range s.gone[int32(i)+1].within(within) {
			out = append(out, contract.Stretch{Unit: int64(i) + 1, FromMs: x.fromMs, ToMs: x.toMs, HealthyMs: x.toMs - x.fromMs})
		}
	}
	return out
}

// Entries sorts in memory: it is asked for some hours of a node, see
// store.Evidence.
func (d *DB) Entries(ctx context.Context, spans []contract.Span, f func(store.Entry) error) error {
	if len(spans) == 0 {
		return nil
	}
	edges := []int64{spans[0].FromMs, spans[0].ToMs}
	for _, s := range spans {
		edges = []int64{min(edges[0], s.FromMs), max(edges[1], s.ToMs)}
	}
	a := question{Query: contract.Query{Spans: spans, Edges: edges}}
	var streams []stream
	var out []store.Entry
	err := d.view(ctx, func(s *state) {
		a.look(s)
		streams = s.streams.list
	}, func(conn *sql.Conn) error {
		return a.counted(ctx, conn, sqlEntries, func(scan func(...any) error) error {
			e, err := a.entry(scan, streams)
			out = append(out, e)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("read entries: %w", err)
	}
	slices.SortFunc(out, compareEntries)
	for _, e := range out {
		if err := f(e); err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
	}
	return nil
}

func compareEntries(a, b store.Entry) int {
	x, y := a.Holder, b.Holder
	return cmp.Or(cmp.Compare(a.GPU, b.GPU), cmp.Compare(a.StartMs, b.StartMs), cmp.Compare(a.EndMs, b.EndMs),
		cmp.Compare(x.Basis, y.Basis), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Group, y.Group), cmp.Compare(x.Name, y.Name),
		cmp.Compare(x.Part, y.Part), cmp.Compare(x.Labels, y.Labels), cmp.Compare(a.Reason, b.Reason),
		cmp.Compare(a.BusyMs, b.BusyMs), cmp.Compare(a.IdleMs, b.IdleMs), cmp.Compare(a.UnallocatedMs, b.UnallocatedMs),
		cmp.Compare(a.UnmeasuredMs, b.UnmeasuredMs), cmp.Compare(a.UnhealthyMs, b.UnhealthyMs), cmp.Compare(a.EnergyMJ, b.EnergyMJ))
}

// entry reads one record, in the numbers of the state that prepare saw.
func (a *question) entry(scan func(...any) error, streams []stream) (store.Entry, error) {
	var e store.Entry
	var stream, holder, reason int
	err := scan(append([]any{&e.Unit, &stream, &e.Batch.Seq, &holder, &reason, &e.StartMs, &e.EndMs}, fields(&e.Sums)...)...)
	if err != nil {
		return e, err
	}
	if e.Unit > int64(len(a.units)) || stream > len(streams) || holder > len(a.holders) || reason > len(a.reasons) {
		return e, fmt.Errorf("a record has unit %d, stream %d, holder %d and reason %d, which are not there", e.Unit, stream, holder, reason)
	}
	s := streams[stream-1]
	e.Batch.Agent, e.Batch.Epoch, e.Evidence = s.agent, s.epoch, s.evidence
	e.GPU, e.Holder, e.Reason = a.units[e.Unit-1].gpu, a.holders[holder-1], a.reasons[reason-1]
	return e, nil
}

// counted asks something of the records that own their time.
func (a *question) counted(ctx context.Context, conn *sql.Conn, statement string, f func(scan func(...any) error) error) error {
	if a.within.fromMs >= a.within.toMs {
		return nil
	}
	if err := exec(ctx, conn, sqlAsk); err != nil {
		return err
	}
	if err := a.putSpans(ctx, conn); err != nil {
		return err
	}
	if err := a.putCounted(ctx, conn); err != nil {
		return err
	}
	return each(ctx, conn, statement, f, a.args("from", "to")...)
}

// Links reads the table of batches: see store.Evidence.
func (d *DB) Links(ctx context.Context, agent, epoch string, lo, hi uint64) ([]store.Link, error) {
	conn, release, err := d.conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("read batches: %w", err)
	}
	defer release()
	var out []store.Link
	err = each(ctx, conn, sqlLinks, func(scan func(...any) error) error {
		l := store.Link{ID: usage.ID{Agent: agent, Epoch: epoch}}
		var hash, prev []byte
		if err := scan(&l.Seq, &l.Node, &hash, &prev, &l.ReceivedMs, &l.Records, &l.Events); err != nil {
			return err
		}
		copy(l.Hash[:], hash)
		l.Prev = hex.EncodeToString(prev)
		out = append(out, l)
		return nil
	}, sql.Named("agent", agent), sql.Named("epoch", epoch), sql.Named("lo", lo), sql.Named("hi", hi))
	if err != nil {
		return nil, fmt.Errorf("read batches of %.8s/%.8s: %w", agent, epoch, err)
	}
	return out, nil
}

// EventsOf reads the table of events: see store.Evidence.
func (d *DB) EventsOf(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	conn, release, err := d.conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer release()
	kinds := ""
	for _, k := range q.Kinds {
		kinds += " " + string(k) + " "
	}
	var out []store.Event
	err = each(ctx, conn, sqlEventsOf, func(scan func(...any) error) error {
		var e store.Event
		err := scan(eventFields(&e)...)
		out = append(out, e)
		return err
	}, sql.Named("from", q.FromMs), sql.Named("to", q.ToMs), sql.Named("node", q.Node), sql.Named("kinds", kinds),
		sql.Named("limit", int64(max(q.Limit, 0))))
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return out, nil
}

// Beat adds a row: see store.Evidence.
func (d *DB) Beat(ctx context.Context, life contract.Life) error {
	err := d.transact(ctx, func(_ *sql.Conn, w *draft) error {
		w.lives = append(w.lives, life)
		return nil
	})
	if err != nil {
		return fmt.Errorf("write sign of life: %w", err)
	}
	return nil
}

func (d *draft) lifeTable() rows {
	var p imprint
	return rows{"lives", len(d.lives), func(i int) []driver.Value {
		l := d.lives[i]
		p.life(d.state.origin, l.FromMs, l.ToMs)
		digest := p.digest()
		return []driver.Value{l.FromMs, l.ToMs, digest[:]}
	}}
}

// Lives reads the table of lives: see store.Evidence.
func (d *DB) Lives(ctx context.Context) ([]contract.Life, error) {
	conn, release, err := d.conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signs of life: %w", err)
	}
	defer release()
	var out []contract.Life
	err = each(ctx, conn, "SELECT start_ms, max(beat_ms) FROM lives GROUP BY start_ms ORDER BY start_ms", func(scan func(...any) error) error {
		var l contract.Life
		err := scan(&l.FromMs, &l.ToMs)
		out = append(out, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read signs of life: %w", err)
	}
	return out, nil
}
