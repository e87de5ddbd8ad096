package duckdb

import (
	"context"
	"database/sql"
	"maps"
	"math"
	"slices"

	"github.com/gpumeter/gpumeter/usage"
)

// hourKey is what there is one hour record of.
type hourKey struct {
	unitHour
	holder, reason int32
}

// hours holds the hour records against those that the records make now, some
// at a time.
func (a *auditor) hours(ctx context.Context, conn *sql.Conn) error {
	a.roughHours()
	s := a.state
	step := rollHours(len(s.units.list))
	for from := int32(0); from < s.rolled; from += step {
		first, err := a.nextHour(ctx, conn, from)
		if err != nil {
			return err
		}
		if from = first; from >= s.rolled {
			break
		}
		m := &maker{from: from, to: min(from+step, s.rolled)}
		if err := m.makeOn(ctx, conn, s); err != nil {
			return err
		}
		if err := a.compareHours(ctx, conn, m); err != nil {
			return err
		}
	}
	var beyond int64
	err := conn.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM hours WHERE hour >= $1 OR hour < 0) +
		(SELECT count(*) FROM hours_lost WHERE hour >= $1 OR hour < 0)`, s.rolled).Scan(&beyond)
	if err == nil && beyond > 0 {
		a.found("table hours", "%d hour records are of hours that none are made of yet", beyond)
	}
	return err
}

// nextHour returns the first hour of which there are records or hour records.
func (a *auditor) nextHour(ctx context.Context, conn *sql.Conn, from int32) (int32, error) {
	var hour int64
	err := conn.QueryRowContext(ctx, `SELECT least(
		coalesce((SELECT min(start_ms) // 3600000 FROM records WHERE start_ms >= $1 * 3600000), $2),
		coalesce((SELECT min(hour) FROM hours WHERE hour >= $1), $2))`, int64(from), int64(math.MaxInt32)).Scan(&hour)
	return int32(min(hour, math.MaxInt32)), err
}

func (a *auditor) compareHours(ctx context.Context, conn *sql.Conn, m *maker) error {
	want := map[hourKey]usage.Sums{}
	torn := map[unitHour]bool{}
	for _, h := range m.torn {
		torn[h] = true
		if _, ok := a.state.rough[h.unit][h.hour]; !ok && !a.state.gone[h.unit].has(h.hour) {
			a.found("table rough", "unit %d, hour %d: a record crosses its bounds, and it is not listed", h.unit, h.hour)
		}
	}
	for _, r := range m.rows {
		if _, rough := a.state.rough[r.unit][r.hour]; !rough && !torn[r.unitHour] {
			want[hourKey{r.unitHour, r.holder, r.reason}] = r.Sums
		}
	}
	wrong := map[unitHour]bool{}
	err := each(ctx, conn, sqlAuditHours, func(scan func(...any) error) error {
		var k hourKey
		var s usage.Sums
		if err := scan(append([]any{&k.unit, &k.hour, &k.holder, &k.reason}, fields(&s)...)...); err != nil {
			return err
		}
		if _, rough := a.state.rough[k.unit][k.hour]; rough || a.state.gone[k.unit].has(k.hour) {
			return nil // nobody reads it, or nothing tells it anew: see prunings
		}
		if is, ok := want[k]; !ok || is != s {
			wrong[k.unitHour] = true
		}
		delete(want, k)
		return nil
	}, sql.Named("from", m.from), sql.Named("to", m.to))
	if err != nil {
		return err
	}
	for k := range want {
		wrong[k.unitHour] = true
	}
	err = a.compareOverlaps(ctx, conn, m, torn, wrong)
	for _, h := range slices.SortedFunc(maps.Keys(wrong), compareUnitHours) {
		a.found("table hours", "unit %d, hour %d: its hour records are not what its records add up to", h.unit, h.hour)
	}
	return err
}

// compareOverlaps makes hours wrong of which another number of records is said
// not to own its time.
func (a *auditor) compareOverlaps(ctx context.Context, conn *sql.Conn, m *maker, torn, wrong map[unitHour]bool) error {
	counts := map[unitHour]int64{}
	for _, x := range m.lost {
		if _, rough := a.state.rough[x.unit][x.hour]; !rough && !torn[x.unitHour] && !a.state.gone[x.unit].has(x.hour) {
			counts[x.unitHour] = int64(x.records)
		}
	}
	err := each(ctx, conn, "SELECT unit, hour, records FROM hours_lost WHERE hour >= $from AND hour < $to", func(scan func(...any) error) error {
		var x overlap
		if err := scan(&x.unit, &x.hour, &x.records); err != nil {
			return err
		}
		if _, rough := a.state.rough[x.unit][x.hour]; !rough && !a.state.gone[x.unit].has(x.hour) {
			if counts[x.unitHour] != int64(x.records) || x.records == 0 {
				wrong[x.unitHour] = true
			}
			delete(counts, x.unitHour)
		}
		return nil
	}, sql.Named("from", m.from), sql.Named("to", m.to))
	for h := range counts {
		wrong[h] = true
	}
	return err
}

// roughHours looks at the list of rough hours itself. One too many only costs
// time.
func (a *auditor) roughHours() {
	for _, unit := range slices.Sorted(maps.Keys(a.state.rough)) {
		for hour := range a.state.rough[unit] {
			if hour < 0 {
				a.found("table rough", "unit %d: there is no hour %d", unit, hour)
			}
		}
	}
}
