package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// rollAge is how long an hour has ended when its hour records are made: most
// of what comes late has come.
const rollAge = 2 * time.Hour

// rollStep bounds the hours that one transaction makes hour records of, and
// rollMost about how many hours of units: they are held in memory, with some
// 100 bytes each.
const (
	rollStep = 24
	rollMost = 500_000
)

// RollUp makes hour records of the hours that ended two hours ago, and makes
// those anew that records have come for since. Sums are the same before and
// after, in less time. It is called every some minutes; only one call does
// something at a time. It may be interrupted: the next call goes on.
func (d *DB) RollUp(ctx context.Context, now time.Time) error {
	d.rollingUp.Lock()
	defer d.rollingUp.Unlock()
	return d.rollUp(ctx, now)
}

func (d *DB) rollUp(ctx context.Context, now time.Time) error {
	until := min(max(0, now.Add(-rollAge).UnixMilli()/hourMs), math.MaxInt32)
	for {
		more, err := d.rollOn(ctx, int32(until))
		if err != nil {
			return fmt.Errorf("make hour records: %w", err)
		}
		if !more {
			break
		}
	}
	for {
		more, err := d.rollAgain(ctx)
		if err != nil {
			return fmt.Errorf("make hour records anew: %w", err)
		}
		if !more {
			return nil
		}
	}
}

// roll is what replaces hour records in one transaction.
type roll struct {
	to    int32              // hours before it are told by hour records afterwards
	rows  []hourRow          // new ones
	lost  []overlap          // beside them
	again map[unitHour]bool  // old ones of these are taken away
	rough map[unitHour]touch // all rough hours afterwards
}

// overlap says how many records of an hour do not own their time.
type overlap struct {
	unitHour
	records int32
}

type hourRow struct {
	unitHour
	holder, reason int32
	usage.Sums
}

// rollOn makes hour records of the next hours before until, at most rollStep,
// and reports whether there are more.
func (d *DB) rollOn(ctx context.Context, until int32) (more bool, err error) {
	from, to, err := d.begin(ctx, until)
	if err != nil || to == 0 {
		return false, err
	}
	m := &maker{from: from, to: to}
	if err := m.make(ctx, d); err != nil {
		return false, err
	}
	return to < until, d.replace(ctx, m, to)
}

// rollAgain makes hour records anew that records have come for, some of them,
// and reports whether there are more.
func (d *DB) rollAgain(ctx context.Context) (more bool, err error) {
	m := &maker{from: math.MaxInt32, again: map[unitHour]bool{}}
	d.mu.RLock()
	to := d.state.rolled
	for unit, hours := range d.state.rough {
		for hour, t := range hours {
			if t.torn || hour >= to {
				continue
			}
			if more = len(m.again) == rollMost; more {
				break
			}
			m.again[unitHour{unit, hour}] = true
			m.from, m.to = min(m.from, hour), max(m.to, hour+1)
		}
	}
	d.mu.RUnlock()
	if len(m.again) == 0 {
		return false, nil
	}
	if err := m.make(ctx, d); err != nil {
		return false, err
	}
	return more, d.replace(ctx, m, to)
}

// rollHours is how many hours of so many units are taken at a time.
func rollHours(units int) int32 { return int32(max(1, min(rollStep, rollMost/max(1, units)))) }

// begin finds the next hours to make hour records of. What is written to them
// from now on is found out.
func (d *DB) begin(ctx context.Context, until int32) (from, to int32, err error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.revive(ctx); err != nil || d.state.rolled >= until {
		return 0, 0, err
	}
	first, err := d.firstHour(ctx, d.state.rolled)
	if err != nil {
		return 0, 0, err
	}
	from = max(d.state.rolled, min(first, until)) // there are no records before
	to = min(from+rollHours(len(d.state.units.list)), until)
	d.state.rolling = to
	return from, to, nil
}

// firstHour returns the hour of the first record that starts in an hour or
// later; the last hour there is, if there is none.
func (d *DB) firstHour(ctx context.Context, from int32) (int32, error) {
	var ms sql.NullInt64
	err := d.sql.QueryRowContext(ctx, "SELECT min(start_ms) FROM records WHERE start_ms >= ?", int64(from)*hourMs).Scan(&ms)
	if !ms.Valid || ms.Int64/hourMs > math.MaxInt32 {
		return math.MaxInt32, err
	}
	return int32(ms.Int64 / hourMs), err
}

// maker makes hour records as of one moment.
type maker struct {
	from, to int32             // hours
	again    map[unitHour]bool // only these; nil is all
	moves    uint64            // the moment
	rows     []hourRow
	lost     []overlap
	torn     []unitHour
}

// make reads the records of the hours.
func (m *maker) make(ctx context.Context, d *DB) error {
	var a question
	return d.view(ctx, func(s *state) { a = m.prepare(s) }, func(conn *sql.Conn) error { return m.makeOf(ctx, conn, &a) })
}

// makeOn does the same within the transaction of a connection.
func (m *maker) makeOn(ctx context.Context, conn *sql.Conn, s *state) error {
	a := m.prepare(s)
	return m.makeOf(ctx, conn, &a)
}

func (m *maker) makeOf(ctx context.Context, conn *sql.Conn, a *question) error {
	if a.within.fromMs >= a.within.toMs {
		return nil
	}
	if err := m.read(ctx, conn, a); err != nil {
		return err
	}
	return m.readTorn(ctx, conn)
}

func (m *maker) prepare(s *state) question {
	a := question{Query: contract.Query{Edges: []int64{int64(m.from) * hourMs, int64(m.to) * hourMs}}}
	m.moves = s.moves
	asked := map[int32]bool{}
	for h := range m.again {
		asked[h.unit] = true
		a.single = append(a.single, h)
	}
	for i := range s.units.list {
		if unit := int32(i) + 1; m.again == nil || asked[unit] {
			a.Spans = append(a.Spans, contract.Span{Unit: int64(unit), FromMs: a.Edges[0], ToMs: a.Edges[1]})
		}
	}
	a.rolled = int64(m.to)
	if m.again == nil {
		a.rolled = int64(m.from) // all of it record by record
	}
	a.sortSingle()
	a.look(s)
	return a
}

// read makes hour records of what is read record by record.
func (m *maker) read(ctx context.Context, conn *sql.Conn, a *question) error {
	if err := exec(ctx, conn, sqlAsk); err != nil {
		return err
	}
	if err := a.putCounted(ctx, conn); err != nil {
		return err
	}
	if some, err := a.putRead(ctx, conn); err != nil || !some {
		return err
	}
	err := each(ctx, conn, sqlRoll, func(scan func(...any) error) error {
		var r hourRow
		err := scan(append([]any{&r.unit, &r.hour, &r.holder, &r.reason}, fields(&r.Sums)...)...)
		m.rows = append(m.rows, r)
		return err
	})
	if err != nil || !a.lost {
		return err
	}
	return each(ctx, conn, sqlRollLost, func(scan func(...any) error) error {
		var x overlap
		err := scan(&x.unit, &x.hour, &x.records)
		m.lost = append(m.lost, x)
		return err
	})
}

// readTorn finds the hours that a record crosses into or out of. They stay
// rough.
func (m *maker) readTorn(ctx context.Context, conn *sql.Conn) error {
	return each(ctx, conn, sqlTorn, func(scan func(...any) error) error {
		var unit int32
		var hour int64
		if err := scan(&unit, &hour); err != nil {
			return err
		}
		for h := hour - 1; h <= hour; h++ {
			if h >= int64(m.from) && h < int64(m.to) && (m.again == nil || m.again[unitHour{unit, int32(h)}]) {
				m.torn = append(m.torn, unitHour{unit, int32(h)})
			}
		}
		return nil
	}, sql.Named("from", int64(m.from-1)*hourMs), sql.Named("to", int64(m.to)*hourMs))
}

// replace makes what was made durable, without the hours that records have
// come for since: these are rough now, and made another time.
func (d *DB) replace(ctx context.Context, m *maker, to int32) error {
	return d.transact(ctx, func(_ *sql.Conn, w *draft) error {
		s := w.state
		r := &roll{to: to, again: m.again, rough: map[unitHour]touch{}}
		for unit, hours := range s.rough {
			for hour, t := range hours {
				h := unitHour{unit, hour}
				made := hour >= m.from && hour < m.to && (m.again == nil || m.again[h])
				if !made || t.at > m.moves {
					r.rough[h] = t
				}
			}
		}
		for _, h := range m.torn {
			if _, ok := r.rough[h]; !ok && !s.gone[h.unit].has(h.hour) {
				r.rough[h] = touch{at: m.moves, torn: true}
			}
		}
		for _, row := range m.rows {
			if _, ok := r.rough[row.unitHour]; !ok {
				r.rows = append(r.rows, row)
			}
		}
		for _, x := range m.lost {
			if _, ok := r.rough[x.unitHour]; !ok && !s.gone[x.unit].has(x.hour) {
				r.lost = append(r.lost, x)
			}
		}
		w.roll = r
		return nil
	})
}

// clear takes away the hour records that are replaced, and the list of rough
// hours, which is written anew.
func (r *roll) clear(ctx context.Context, conn *sql.Conn) error {
	if r == nil {
		return nil
	}
	if len(r.again) > 0 {
		if err := r.drop(ctx, conn); err != nil {
			return err
		}
	}
	return exec(ctx, conn, "DELETE FROM store.main.rough", fmt.Sprintf("UPDATE store.main.meta SET rolled_hour = %d", r.to))
}

func (r *roll) drop(ctx context.Context, conn *sql.Conn) error {
	if err := exec(ctx, conn, "CREATE OR REPLACE TEMP TABLE smoothed (unit INTEGER, hour INTEGER)"); err != nil {
		return err
	}
	list := slices.Collect(maps.Keys(r.again))
	err := rows{"smoothed", len(list), func(i int) []driver.Value {
		return []driver.Value{list[i].unit, list[i].hour}
	}}.appendTo(ctx, conn, "temp")
	if err != nil {
		return err
	}
	return exec(ctx, conn, sqlDropHours, sqlDropOverlaps, "DROP TABLE temp.main.smoothed")
}

// keep makes the replacement part of the state.
func (r *roll) keep(s *state) {
	if r == nil {
		return
	}
	s.rolled, s.rough = r.to, roughness{}
	for h, t := range r.rough {
		s.rough.set(h, t)
	}
}

func (d *draft) hourTable() rows {
	if d.roll == nil {
		return rows{table: "hours"}
	}
	row := make([]driver.Value, 13)
	return rows{"hours", len(d.roll.rows), func(i int) []driver.Value {
		r := &d.roll.rows[i]
		row[0], row[1], row[2], row[3] = r.unit, r.hour, r.holder, r.reason
		row[4], row[5], row[6], row[7], row[8] = r.UnhealthyMs, r.UnallocatedMs, r.IdleMs, r.UnmeasuredMs, r.BusyMs
		row[9], row[10], row[11], row[12] = r.SMActiveMs, r.SMKnownMs, r.EnergyMJ, r.EnergyKnownMs
		return row
	}}
}

func (d *draft) overlapTable() rows {
	if d.roll == nil {
		return rows{table: "hours_lost"}
	}
	return rows{"hours_lost", len(d.roll.lost), func(i int) []driver.Value {
		x := &d.roll.lost[i]
		return []driver.Value{x.unit, x.hour, x.records}
	}}
}

// roughTable is what a draft adds to the list of rough hours: all of it after
// clear.
func (d *draft) roughTable() rows {
	list := slices.Collect(maps.Keys(d.touched))
	if d.roll != nil {
		list = slices.AppendSeq(list, maps.Keys(d.roll.rough))
	}
	return rows{"rough", len(list), func(i int) []driver.Value {
		return []driver.Value{list[i].unit, list[i].hour}
	}}
}
