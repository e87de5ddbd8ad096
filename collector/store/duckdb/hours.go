package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
)

// hourMs is an hour. No record is longer.
const hourMs = 3_600_000

// unitHour is one hour of a unit; hours count from 1970.
type unitHour struct{ unit, hour int32 }

func compareUnitHours(x, y unitHour) int {
	return cmp.Or(cmp.Compare(x.hour, y.hour), cmp.Compare(x.unit, y.unit))
}

// touch is what is known of a rough hour.
type touch struct {
	at   uint64 // when a record last came: counts transactions
	torn bool   // a record crosses the start or the end
}

// roughness is the hours of each unit that hour records do not tell, though
// they are made for the hours around.
type roughness map[int32]map[int32]touch

func (r roughness) set(h unitHour, t touch) {
	if r[h.unit] == nil {
		r[h.unit] = map[int32]touch{}
	}
	r[h.unit][h.hour] = t
}

// reading is how a question's time is read: whole hours of units from hour
// records, all else record by record. Every hour of a unit that is asked for is
// read in one of these ways.
type reading struct {
	rolled int64      // hours from here on are read record by record
	spans  []hourSpan // of units, without rough hours
	cut    []int64    // hours that an edge of a slot cuts, ascending
	single []unitHour // other hours that are read record by record
	merged []unitHour // hours of single and cut whose records are gone
}

// hourSpan is half-open.
type hourSpan struct {
	unit     int32
	from, to int64
	key      int
}

// plan decides how a question is read.
func (a *question) plan(s *state) {
	a.rolled = int64(s.rolled)
	for _, e := range a.Edges {
		if h := e / hourMs; e >= max(0, a.within.fromMs-hourMs) && e%hourMs != 0 && h < a.rolled {
			a.cut = append(a.cut, h)
		}
	}
	a.cut = slices.Compact(a.cut)
	for i := range a.Spans {
		q := &a.Spans[i]
		x := span{q.FromMs, q.ToMs}.clip(a.within)
		if q.Unit >= 1 && q.Unit <= int64(len(s.units.list)) && x.fromMs < x.toMs {
			a.divide(s, hourSpan{unit: int32(q.Unit), key: q.Key}, x)
		}
	}
	a.sortSingle()
	a.merge(s)
}

func (r *reading) sortSingle() {
	slices.SortFunc(r.single, compareUnitHours)
	r.single = slices.Compact(r.single)
}

// merge finds the hours that are to be read record by record and whose records
// are gone.
func (a *question) merge(s *state) {
	for _, h := range a.single {
		if s.gone[h.unit].has(h.hour) {
			a.merged = append(a.merged, h)
		}
	}
	asked := map[int32]bool{}
	for i := range a.Spans {
		if unit := a.Spans[i].Unit; unit >= 1 && unit <= int64(len(s.units.list)) && len(s.gone[int32(unit)]) > 0 {
			asked[int32(unit)] = true
		}
	}
	for unit := range asked {
		for _, hour := range a.cut {
			if s.gone[unit].has(int32(hour)) {
				a.merged = append(a.merged, unitHour{unit, int32(hour)})
			}
		}
	}
	slices.SortFunc(a.merged, compareUnitHours)
	a.merged = slices.Compact(a.merged)
}

// divide makes hour spans of x, a part of a span of the unit. An hour is whole
// also if there was nothing of the unit in that part of it which is not asked
// for: so that most hours in which units come and go are. Of an hour that is
// not whole, a part in which there was nothing is not read at all: another span
// of the unit may have the hour as a whole.
func (a *question) divide(s *state, h hourSpan, x span) {
	first, last := x.fromMs/hourMs, min(ceilHour(x.toMs), a.rolled)
	h.from, h.to = first, last
	if !s.absent(h.unit, span{first * hourMs, x.fromMs}) {
		h.from++
	}
	if x.toMs/hourMs < last && !s.absent(h.unit, span{x.toMs, last * hourMs}) {
		h.to--
	}
	var rough []int64
	for hour := range s.rough[h.unit] {
		// A record of the hour before may reach into the first one.
		if hour := int64(hour); hour >= first-1 && hour < last {
			rough = append(rough, hour)
		}
	}
	for hour := first; hour < last; hour += max(1, last-1-first) { // the first and the last one
		part := x.clip(span{hour * hourMs, (hour + 1) * hourMs})
		if (hour < h.from || hour >= h.to) && !s.absent(h.unit, part) {
			rough = append(rough, hour)
		}
	}
	slices.Sort(rough)
	for _, hour := range rough {
		if _, found := slices.BinarySearch(a.cut, hour); !found {
			a.single = append(a.single, unitHour{h.unit, int32(hour)})
		}
		if hour >= h.from && hour < h.to {
			a.addHours(h, hour)
			h.from = hour + 1
		}
	}
	a.addHours(h, h.to)
}

func (a *question) addHours(h hourSpan, to int64) {
	if h.from < to {
		h.to = to
		a.spans = append(a.spans, h)
	}
}

// absent reports whether a unit had no course in x.
func (s *state) absent(unit int32, x span) bool {
	if x.fromMs >= x.toMs {
		return true
	}
	for _, c := range s.byGPU[s.units.list[unit-1].gpu] {
		if c.unit == unit && s.courses[c].overlap(x) {
			return false
		}
	}
	return true
}

// maxRuns bounds the parts of the view of records to read.
const maxRuns = 64

// runs are the hours of single, as few spans of hours that hold them and little
// else.
func (r *reading) runs() []span {
	var out []span
	for gap := int64(1); ; gap *= 2 {
		out = out[:0]
		for _, x := range r.single {
			h := int64(x.hour)
			if n := len(out); n > 0 && h <= out[n-1].toMs+gap {
				out[n-1].toMs = max(out[n-1].toMs, h+1)
				continue
			}
			out = append(out, span{h, h + 1})
		}
		if len(out) <= maxRuns {
			return out
		}
	}
}

// putRead makes the view "read" of the counted records that are read one by
// one, and "read_lost" of those that do not own their time if there are any, and reports whether there may be any. Its parts have bounds in time, by
// which DuckDB finds them. Of hours whose records are gone it has the hour records,
// as if they were records.
func (a *question) putRead(ctx context.Context, conn *sql.Conn) (bool, error) {
	var parts []string
	part := func(from, to int64, more string) {
		parts = append(parts, fmt.Sprintf("SELECT * FROM temp.main.$table r%s WHERE r.start_ms >= %d AND r.start_ms < %d", more, from*hourMs, to*hourMs))
	}
	if last := ceilHour(a.within.toMs); a.rolled < last {
		part(a.rolled, last, "")
	}
	for _, h := range a.cut {
		part(h, h+1, "")
	}
	for _, x := range a.runs() {
		part(x.fromMs, x.toMs, " SEMI JOIN temp.main.asked_minutes m ON m.unit = r.unit AND m.hour = r.start_ms // 3600000")
	}
	if len(parts) == 0 {
		return false, nil
	}
	err := rows{"asked_minutes", len(a.single), func(i int) []driver.Value {
		return []driver.Value{a.single[i].unit, a.single[i].hour}
	}}.appendTo(ctx, conn, "temp")
	if err != nil {
		return false, err
	}
	all := strings.Join(parts, " UNION ALL ")
	read := strings.ReplaceAll(all, "$table", "counted")
	if len(a.merged) > 0 {
		read += " UNION ALL " + sqlMerged
		err = rows{"asked_gone", len(a.merged), func(i int) []driver.Value {
			return []driver.Value{a.merged[i].unit, a.merged[i].hour}
		}}.appendTo(ctx, conn, "temp")
		if err != nil {
			return false, err
		}
	}
	views := []string{"CREATE OR REPLACE TEMP VIEW read AS " + read}
	if a.lost {
		views = append(views, "CREATE OR REPLACE TEMP VIEW read_lost AS "+strings.ReplaceAll(all, "$table", "lost_records"))
	}
	return true, exec(ctx, conn, views...)
}

// putHours writes the spans and slots in full hours.
func (a *question) putHours(ctx context.Context, conn *sql.Conn) error {
	err := rows{"asked_span_hours", len(a.spans), func(i int) []driver.Value {
		h := &a.spans[i]
		return []driver.Value{h.unit, int32(h.from), int32(h.to), a.cell(h.key, 0)}
	}}.appendTo(ctx, conn, "temp")
	if err != nil {
		return err
	}
	type part struct {
		slot             int
		bucket, from, to int64
	}
	var parts []part
	for slot := range len(a.Edges) - 1 {
		p := part{slot: slot}
		if p.from, p.to = a.hours(slot); p.from >= p.to {
			continue
		}
		for p.bucket = p.from / a.hourWidth(); p.bucket <= (p.to-1)/a.hourWidth(); p.bucket++ {
			parts = append(parts, p)
		}
	}
	return rows{"asked_slot_hours", len(parts), func(i int) []driver.Value {
		p := parts[i]
		return []driver.Value{int32(p.bucket), int32(p.from), int32(p.to), a.cell(0, p.slot)}
	}}.appendTo(ctx, conn, "temp")
}

// hours returns the full hours of a slot that hour records tell.
func (a *question) hours(slot int) (from, to int64) {
	x := span{a.Edges[slot], a.Edges[slot+1]}
	return max(ceilHour(x.fromMs), a.within.fromMs/hourMs), min(x.toMs/hourMs, ceilHour(a.within.toMs), a.rolled)
}

// ceilHour returns the first full hour at or after a moment.
func ceilHour(ms int64) int64 {
	if ms%hourMs > 0 {
		return ms/hourMs + 1
	}
	return ms / hourMs
}

// hourWidth is that of a bucket, in hours.
func (a *question) hourWidth() int64 { return (a.width-1)/hourMs + 1 }
