package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store/owner"
)

// hourMs is an hour. No record is longer.
const hourMs = 3_600_000

// roll is one attempt to make hour records of a day of one shard that came to
// its end. They tell what starts in the day before untilMs, if the batches that
// are there have its print.
type roll struct {
	attempt
	untilMs int64
	print
	rows uint64
}

// attempt names hour records: a partition of the table hours. Its number begins
// with the time.
type attempt struct {
	day    uint32 // YYYYMMDD
	number uint64
}

// told is the beginning of a day that hour records tell on all shards.
type told struct {
	day      uint32
	untilMs  int64
	attempts []uint64 // of every shard
	rows     []uint64 // hour records of these
}

func (t told) span() owner.Span {
	return owner.Span{FromMs: spanOfDay(t.day).FromMs, ToMs: t.untilMs}
}

// print names the batches on all shards that decide about records which start
// in a day before untilMs: those of which records may overlap such a record.
// Batches of another day that do not reach into this one are not among them.
func (v view) print(day uint32, untilMs int64) (out print) {
	x := owner.Span{FromMs: spanOfDay(day).FromMs, ToMs: untilMs + hourMs}
	add := func(p *part, all bool) {
		for _, b := range p.bundles {
			if !b.Clip(x).Empty() || all {
				out.add(b.print)
			}
		}
	}
	near := []uint32{dayOf(x.FromMs - dayMs), day, dayOf(x.FromMs + dayMs)}
	for _, list := range v.parts {
		for at, p := range list {
			if at.part == partLong && !p.hull().Clip(x).Empty() {
				add(p, true)
			} else if at.part != partLong && slices.Contains(near, at.day) {
				add(p, false)
			}
		}
	}
	for _, l := range v.left {
		if !l.Clip(x).Empty() {
			out.add(printOfLoser(l.hash))
		}
	}
	return out
}

// told returns the days that hour records tell and that overlap a span.
func (v view) told(ctx context.Context, x owner.Span) ([]told, error) {
	var out []told
	for i, s := range v.shards {
		list, err := s.rolls(ctx, dayOf(max(x.FromMs, 0)), dayOf(x.ToMs))
		if err != nil {
			return nil, fmt.Errorf("look for hour records of shard %d: %w", s.number, err)
		}
		list = slices.DeleteFunc(list, func(r roll) bool { return v.print(r.day, r.untilMs) != r.print })
		if i == 0 {
			for _, r := range list {
				out = append(out, told{r.day, r.untilMs, []uint64{r.number}, []uint64{r.rows}})
			}
			continue
		}
		out = slices.DeleteFunc(out, func(t told) bool {
			return !slices.ContainsFunc(list, func(r roll) bool { return r.day == t.day && r.untilMs == t.untilMs })
		})
		for j := range out {
			n := slices.IndexFunc(list, func(r roll) bool { return r.day == out[j].day && r.untilMs == out[j].untilMs })
			out[j].attempts, out[j].rows = append(out[j].attempts, list[n].number), append(out[j].rows, list[n].rows)
		}
	}
	// Of each day the one that tells most, and of these the first.
	slices.SortFunc(out, func(a, b told) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(b.untilMs, a.untilMs), slices.Compare(a.attempts, b.attempts))
	})
	return slices.CompactFunc(out, func(a, b told) bool { return a.day == b.day }), nil
}

// rolls returns the rolls of a shard of which all rows are there, by attempt,
// of some days.
func (s *shard) rolls(ctx context.Context, low, high uint32) (out []roll, err error) {
	if high == 0 {
		high = 99991231
	}
	err = s.do(ctx, func(ctx context.Context, r *replica) error {
		out = nil
		rows, err := r.hourRows(ctx)
		if err != nil {
			return err
		}
		return r.each(ctx, ask(sqlRolls, map[string]int64{"low": int64(low), "high": int64(high)}), func(found driver.Rows) error {
			var x roll
			err := found.Scan(&x.day, &x.number, &x.untilMs, &x.count, &x.sum, &x.rows)
			if rows[x.attempt] == x.rows {
				out = append(out, x)
			}
			return err
		})
	})
	slices.SortFunc(out, func(a, b roll) int { return cmp.Compare(a.number, b.number) })
	return out, err
}

// hourRows returns how many hour records a replica has of each attempt.
func (r *replica) hourRows(ctx context.Context) (map[attempt]uint64, error) {
	out := map[attempt]uint64{}
	err := r.each(ctx, query{text: sqlHourRows}, func(rows driver.Rows) error {
		var text string
		var n uint64
		if err := rows.Scan(&text, &n); err != nil {
			return err
		}
		var a attempt
		if _, err := fmt.Sscanf(strings.ReplaceAll(text, " ", ""), "(%d,%d)", &a.day, &a.number); err != nil {
			return fmt.Errorf("partition %q of table hours is not of the form (day,attempt)", text)
		}
		out[a] = n
		return nil
	})
	return out, err
}

// attemptsOf returns the attempts of all shards.
func attemptsOf(all []told) (out []attempt) {
	for _, t := range all {
		for _, n := range t.attempts {
			out = append(out, attempt{t.day, n})
		}
	}
	return out
}

// usedTable makes the temporary table used: the attempts that count.
func usedTable(list []attempt) (*ext.Table, error) {
	return table("used", list, func(a attempt) []any { return []any{a.day, a.number} },
		ext.Column("day", "UInt32"), ext.Column("attempt", "UInt64"))
}

func sameTold(a, b []told) bool {
	return slices.EqualFunc(a, b, func(x, y told) bool {
		return x.day == y.day && x.untilMs == y.untilMs && slices.Equal(x.attempts, y.attempts)
	})
}
