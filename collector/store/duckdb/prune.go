package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
)

// pruneMost is about how many hours of units one Prune looks at. Their records
// are deleted in one transaction, for which Append waits: 60 times as many take
// about a second.
const pruneMost = 50_000

// Prune looks at some hours, at most a day: see store.Pruner. It rolls
// up before. What it takes away leaves room in the database file for what
// comes; the file does not become smaller.
func (d *DB) Prune(ctx context.Context, p store.Pruning) (store.Pruned, error) {
	d.rollingUp.Lock()
	defer d.rollingUp.Unlock()
	if err := d.rollUp(ctx, d.options.Now()); err != nil {
		return store.Pruned{}, err
	}
	out, err := d.prune(ctx, p)
	if err != nil {
		return store.Pruned{}, fmt.Errorf("prune records: %w", err)
	}
	return out, nil
}

func (d *DB) prune(ctx context.Context, p store.Pruning) (store.Pruned, error) {
	done := store.Pruned{NextMs: p.ToMs}
	x := &pruning{}
	some := false
	err := d.view(ctx, func(s *state) { some = x.bound(s, &p) }, func(conn *sql.Conn) error {
		if !some {
			return nil
		}
		first, err := x.firstHour(ctx, conn)
		if err != nil || first >= x.to {
			some = false
			return err
		}
		x.from, x.to = first, min(x.to, first+x.step)
		return x.choose(ctx, conn)
	})
	if err != nil || !some {
		return done, err
	}
	if to := int64(x.to) * hourMs; x.to < x.until {
		done.NextMs = to
	}
	if len(x.runs) == 0 {
		return done, nil
	}
	taken := false
	if err := d.transact(ctx, func(_ *sql.Conn, w *draft) error {
		taken = x.stands(w.state)
		if taken {
			w.prune = x
		}
		return nil
	}); err != nil {
		return store.Pruned{}, err
	}
	if !taken { // something came in between: the same hours once more
		done.NextMs = int64(x.from) * hourMs
		return done, nil
	}
	done.Records, done.Batches = x.records(), x.batches()
	d.options.Log.Info("records pruned", "from", x.from, "to", x.to, "records", done.Records, "batches", done.Batches)
	return done, nil
}

// pruning is what one transaction takes away.
type pruning struct {
	id              int32
	from, to, until int32 // hours that are looked at
	step            int32
	wanted          []unitHour // hours that stay; unit 0 is all units
	origin          string
	names           names

	hours   []unitRun
	courses []pastCourse
	runs    []batchRun
	sealer  sealer
}

// pastCourse is what went of a course.
type pastCourse struct {
	course
	span
	records int64
}

// batchRun is batches of a stream with consecutive numbers, both inclusive.
type batchRun struct {
	stream  int32
	lo, hi  uint64
	prev    []byte // nil if it has none
	hash    []byte
	digests []byte
}

// bound finds the hours to look at, and those of them that are to stay.
func (x *pruning) bound(s *state, p *store.Pruning) bool {
	x.from = int32(min(max(0, ceilHour(p.FromMs)), math.MaxInt32))
	x.until = int32(min(max(0, p.ToMs/hourMs), int64(s.rolled)-1))
	x.to, x.step = x.until, min(rollStep, int32(max(1, pruneMost/max(1, len(s.units.list)))))
	x.origin, x.names = s.origin, s.names()
	if x.from >= x.to {
		return false
	}
	for i := range p.Same {
		x.want(s, p.Same[i])
	}
	for _, k := range p.Keep {
		for h := floorHour(k.FromMs); h < min(ceilHour(k.ToMs), int64(x.to)); h++ {
			if h >= int64(x.from) && k.Unit > 0 && k.Unit <= math.MaxInt32 {
				x.wanted = append(x.wanted, unitHour{int32(k.Unit), int32(h)})
			}
		}
	}
	return true
}

// want keeps the hours that a query reads record by record.
func (x *pruning) want(s *state, q contract.Query) {
	if len(q.Edges) < 2 {
		return
	}
	a := question{Query: q}
	if !a.bound(s) {
		return
	}
	a.plan(s)
	for _, h := range a.single {
		if h.hour >= x.from && h.hour < x.to {
			x.wanted = append(x.wanted, h)
		}
	}
	for _, h := range a.cut {
		if h >= int64(x.from) && h < int64(x.to) {
			x.wanted = append(x.wanted, unitHour{0, int32(h)})
		}
	}
}

// firstHour returns the first hour to look at of which there are records.
func (x *pruning) firstHour(ctx context.Context, conn *sql.Conn) (int32, error) {
	var ms sql.NullInt64
	err := conn.QueryRowContext(ctx, "SELECT min(start_ms) FROM records WHERE start_ms >= ?", int64(x.from)*hourMs).Scan(&ms)
	if err != nil || !ms.Valid {
		return x.to, err
	}
	return int32(min(ms.Int64/hourMs, int64(x.to))), nil
}

// choose finds which hours and batches go, and seals what is left of them.
func (x *pruning) choose(ctx context.Context, conn *sql.Conn) error {
	if err := exec(ctx, conn, "CREATE OR REPLACE TEMP TABLE wanted (unit INTEGER, hour INTEGER)"); err != nil {
		return err
	}
	err := rows{"wanted", len(x.wanted), func(i int) []driver.Value {
		return []driver.Value{x.wanted[i].unit, x.wanted[i].hour}
	}}.appendTo(ctx, conn, "temp")
	if err != nil {
		return err
	}
	if err := exec(ctx, conn, x.in(sqlPruneWhole), x.in(sqlPruneHours), x.in(sqlPruneBatches), x.in(sqlPruneSaid)); err != nil {
		return err
	}
	if err := settleGone(ctx, conn); err != nil {
		return err
	}
	if err := conn.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) + 1 FROM prunings").Scan(&x.id); err != nil {
		return err
	}
	if err := errors.Join(x.readRuns(ctx, conn), x.readCourses(ctx, conn), x.readHours(ctx, conn)); err != nil || len(x.runs) == 0 {
		return err
	}
	if err := x.sealer.left(ctx, conn, x); err != nil || !x.sealer.wrong {
		return err
	}
	return errors.New("an hour record has a unit, holder or reason which is not there")
}

// in writes the hours into a statement.
func (x *pruning) in(statement string) string {
	ms := func(hour int32) string { return strconv.FormatInt(int64(hour)*hourMs, 10) }
	return strings.NewReplacer("$from_ms", ms(x.from), "$to_ms", ms(x.to),
		"$from", strconv.Itoa(int(x.from)), "$to", strconv.Itoa(int(x.to))).Replace(statement)
}

// settleGone lets hours stay that a batch speaks of which stays, and batches
// that speak of an hour which stays, until nothing changes.
func settleGone(ctx context.Context, conn *sql.Conn) error {
	for changed := int64(1); changed > 0; {
		changed = 0
		for _, statement := range []string{sqlPruneLessHours, sqlPruneLessBatches} {
			res, err := conn.ExecContext(ctx, statement)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			changed += n
		}
	}
	return nil
}

func (x *pruning) readHours(ctx context.Context, conn *sql.Conn) error {
	var all []unitHour
	err := each(ctx, conn, "SELECT unit, hour FROM temp.main.gone_hours ORDER BY unit, hour", func(scan func(...any) error) error {
		var h unitHour
		err := scan(&h.unit, &h.hour)
		all = append(all, h)
		return err
	})
	x.hours = runsOf(all)
	return err
}

func (x *pruning) readCourses(ctx context.Context, conn *sql.Conn) error {
	return each(ctx, conn, x.in(sqlPruneCourses), func(scan func(...any) error) error {
		var c pastCourse
		err := scan(&c.unit, &c.stream, &c.fromMs, &c.toMs, &c.records)
		x.courses = append(x.courses, c)
		return err
	})
}

func (x *pruning) readRuns(ctx context.Context, conn *sql.Conn) error {
	var s runSealer
	err := each(ctx, conn, sqlPruneRuns, func(scan func(...any) error) error {
		var r batchRun
		var digest []byte
		if err := scan(&r.stream, &r.lo, &r.prev, &r.hash, &digest); err != nil {
			return err
		}
		r.hi = r.lo
		n := len(x.runs)
		if n > 0 && x.runs[n-1].stream == r.stream && x.runs[n-1].hi+1 == r.lo {
			x.runs[n-1].hi, x.runs[n-1].hash = r.hi, r.hash
		} else {
			if n > 0 {
				x.runs[n-1].digests = s.sum()
			}
			x.runs = append(x.runs, r)
		}
		s.add(r.hash, digest)
		return nil
	})
	if n := len(x.runs); n > 0 {
		x.runs[n-1].digests = s.sum()
	}
	return err
}

// stands reports whether no record has come for the hours since.
func (x *pruning) stands(s *state) bool {
	for _, r := range x.hours {
		for hour := range s.rough[r.unit] {
			if hour >= r.from && hour < r.to {
				return false
			}
		}
	}
	return true
}

func (x *pruning) records() (n int64) {
	for i := range x.courses {
		n += x.courses[i].records
	}
	return n
}

func (x *pruning) batches() (n int64) {
	for i := range x.runs {
		n += int64(x.runs[i].hi - x.runs[i].lo + 1)
	}
	return n
}

// clear deletes what goes.
func (x *pruning) clear(ctx context.Context, conn *sql.Conn) error {
	if x == nil {
		return nil
	}
	if err := exec(ctx, conn, "CREATE OR REPLACE TEMP TABLE gone (stream INTEGER, lo UBIGINT, hi UBIGINT)"); err != nil {
		return err
	}
	err := rows{"gone", len(x.runs), func(i int) []driver.Value {
		return []driver.Value{x.runs[i].stream, x.runs[i].lo, x.runs[i].hi}
	}}.appendTo(ctx, conn, "temp")
	if err != nil {
		return err
	}
	from, to := sql.Named("from", int64(x.from)*hourMs), sql.Named("to", int64(x.to)*hourMs)
	if _, err := conn.ExecContext(ctx, sqlPruneDeleteRecords, from, to); err != nil {
		return err
	}
	return exec(ctx, conn, strings.ReplaceAll(sqlPruneDelete, "$table", "batches"), strings.ReplaceAll(sqlPruneDelete, "$table", "doubts"),
		"DROP TABLE temp.main.gone")
}

// keep makes what went part of the state.
func (x *pruning) keep(s *state) {
	if x == nil {
		return
	}
	for _, r := range x.hours {
		s.gone[r.unit] = s.gone[r.unit].add(r.hourRun)
	}
	for i := range x.runs {
		s.addGoneSeqs(&x.runs[i])
	}
	s.counts.Pruned += x.records()
}

func (s *state) addGoneSeqs(r *batchRun) {
	f := s.streams.list[r.stream-1]
	s.goneSeqs[feed{f.agent, f.epoch}] = s.goneSeqs[feed{f.agent, f.epoch}].AddRange(usageRange(r))
}
