package clickhouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/collector/store/owner"
)

// rollAge is how long an hour has ended when its hour records are made: most
// of what comes late has come.
const rollAge = 2 * time.Hour

// attemptAge is how long hour records are left that others have replaced:
// nobody reads them any more then.
const attemptAge = time.Hour

// RollUp makes hour records of every day, up to the hour that ended two hours
// ago, and makes those of a day anew when batches have come for it. Sums are the
// same before and after, in less time. Collectors may do it at once: each
// attempt stands apart, and one of those that came to their end counts. It may
// be interrupted: the next call goes on.
func (d *DB) RollUp(ctx context.Context, now time.Time) error {
	d.rollingUp.Lock()
	defer d.rollingUp.Unlock()
	v, err := d.settle(ctx)
	if err != nil {
		return fmt.Errorf("make hour records: %w", err)
	}
	known, err := v.told(ctx, everything)
	if err != nil {
		return fmt.Errorf("make hour records: %w", err)
	}
	until := now.Add(-rollAge).UnixMilli() / hourMs * hourMs
	for _, day := range v.rollDays() {
		x := spanOfDay(day)
		x.ToMs = min(x.ToMs, until)
		i := slices.IndexFunc(known, func(t told) bool { return t.day == day && t.untilMs >= x.ToMs })
		if x.Empty() || i >= 0 {
			continue
		}
		if v, err = v.rollDay(ctx, day, x); err != nil {
			return fmt.Errorf("make hour records of %d: %w", day, err)
		}
	}
	if err := v.dropAttempts(ctx); err != nil {
		return fmt.Errorf("drop hour records that others have replaced: %w", err)
	}
	if err := v.sweep(ctx); err != nil {
		return fmt.Errorf("delete what was pruned: %w", err)
	}
	return nil
}

// rollDays returns the days of which there may be hour records, ascending:
// those in which batches start, or that such reach into, but long ones.
func (v view) rollDays() []uint32 {
	var out []uint32
	for _, list := range v.parts {
		for at, p := range list {
			if x := p.hull(); at.part != partLong && !x.Empty() {
				out = append(out, at.day, dayOf(x.ToMs-1))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// rollDay makes hour records of a part of a day from its beginning, and returns
// how things are afterwards. If batches came meanwhile that are of the same
// time, the hour records do not count, and are made another time.
func (v view) rollDay(ctx context.Context, day uint32, x owner.Span) (after view, err error) {
	made := v.print(day, x.ToMs)
	lost, err := v.lost(ctx, x)
	if err != nil {
		return v, err
	}
	rolls := make([]roll, len(v.shards))
	for i, s := range v.shards {
		if rolls[i], err = v.roll(ctx, s, day, x, lost); err != nil {
			return v, fmt.Errorf("shard %d: %w", s.number, err)
		}
	}
	if after, err = v.settle(ctx); err != nil || after.print(day, x.ToMs) != made {
		return after, err
	}
	for i, s := range v.shards {
		rolls[i].print = made
		if err := s.insertRoll(ctx, rolls[i]); err != nil {
			return after, err
		}
	}
	return after, nil
}

// roll lets a shard make hour records of its own records, and returns the
// attempt.
func (v view) roll(ctx context.Context, s *shard, day uint32, x owner.Span, lost []owner.Claim) (out roll, err error) {
	left, err := lostTable(lost)
	if err != nil {
		return roll{}, err
	}
	days, err := v.partTable([]owner.Span{x})
	if err != nil {
		return roll{}, err
	}
	err = s.do(ctx, func(ctx context.Context, r *replica) error {
		out = roll{attempt: attempt{day, v.newNumber()}, untilMs: x.ToMs}
		numbers := bounds(x)
		numbers["day"], numbers["attempt"] = int64(day), int64(out.number)
		if err := r.derive(ctx, v.ask(sqlRoll, numbers, left, days), v.needs[s.number]); err != nil {
			return err
		}
		rows, err := r.hourRows(ctx)
		out.rows = rows[out.attempt]
		return err
	})
	return out, err
}

// attemptShift leaves room for chance below the time in an attempt's number.
const attemptShift = 20

func (d *DB) newNumber() uint64 {
	return uint64(d.options.Now().UnixMilli())<<attemptShift | rand.Uint64N(1<<attemptShift)
}

// insertRoll says that an attempt came to its end.
func (s *shard) insertRoll(ctx context.Context, x roll) error {
	return s.insert(ctx, rows{table: "rolls", columns: "day, attempt, until_ms, batches, print, rows",
		list: [][]any{{x.day, x.number, x.untilMs, x.count, x.sum, x.rows}}})
}

// dropAttempts takes away hour records that do not count and were begun some
// time ago.
func (v view) dropAttempts(ctx context.Context) error {
	known, err := v.told(ctx, everything)
	if err != nil {
		return err
	}
	used := map[attempt]bool{}
	for _, t := range known {
		for _, a := range t.attempts {
			used[attempt{t.day, a}] = true
		}
	}
	before := uint64(v.options.Now().Add(-attemptAge).UnixMilli()) << attemptShift
	for _, s := range v.shards {
		err := s.do(ctx, func(ctx context.Context, r *replica) error {
			return r.dropAttempts(ctx, func(a attempt) bool { return a.number < before && !used[a] })
		})
		if err != nil {
			return fmt.Errorf("shard %d: %w", s.number, err)
		}
	}
	return nil
}

// dropAttempts drops the partitions of some attempts.
func (r *replica) dropAttempts(ctx context.Context, drop func(attempt) bool) error {
	rows, err := r.hourRows(ctx)
	if err != nil {
		return err
	}
	for at := range rows {
		if drop(at) {
			if err := r.exec(ctx, fmt.Sprintf("ALTER TABLE hours DROP PARTITION (%d, %d)", at.day, at.number)); err != nil {
				return err
			}
		}
	}
	return nil
}
