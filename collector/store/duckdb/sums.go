package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// Sums answers a query in one snapshot: see store.Store. Sums come by key and
// slot, straddling records in no order.
func (d *DB) Sums(ctx context.Context, q contract.Query) (contract.Answer, error) {
	for i := 1; i < len(q.Edges); i++ {
		if q.Edges[i-1] >= q.Edges[i] {
			return contract.Answer{}, fmt.Errorf("add up: edge %d is not after the one before", i)
		}
	}
	if len(q.Edges) < 2 || len(q.Spans) == 0 {
		return contract.Answer{}, nil
	}
	a := question{Query: q, within: askedFor(q)}
	a.width = max(minBucketMs, (a.within.toMs-a.within.fromMs)/maxBuckets+1)
	err := d.view(ctx, func(s *state) {
		a.contested = s.contested(q)
		a.units, a.holders, a.reasons = s.units.list, s.holders.list, s.reasons.list
	}, func(conn *sql.Conn) error { return a.ask(ctx, conn) })
	if err != nil {
		return contract.Answer{}, fmt.Errorf("add up %d spans: %w", len(q.Spans), err)
	}
	return a.answer, nil
}

// askedFor is the time of all slots. No record starts before 0.
func askedFor(q contract.Query) span {
	return span{max(q.Edges[0], 0), q.Edges[len(q.Edges)-1]}
}

// Buckets are as wide as an hour, or wider where that would make too many.
const (
	minBucketMs = 3_600_000
	maxBuckets  = 1 << 16
)

// question is one query while it is answered.
type question struct {
	contract.Query
	within    span  // all slots
	width     int64 // of a bucket, in ms
	contested []contest
	units     []unit
	holders   []usage.Holder
	reasons   []string
	answer    contract.Answer
}

func (a *question) ask(ctx context.Context, conn *sql.Conn) error {
	if err := exec(ctx, conn, sqlAsk); err != nil {
		return err
	}
	if err := errors.Join(a.putSpans(ctx, conn), a.putSlots(ctx, conn)); err != nil {
		return err
	}
	counted, err := a.settle(ctx, conn)
	if err != nil {
		return err
	}
	if err := exec(ctx, conn, counted); err != nil {
		return err
	}
	return errors.Join(a.sums(ctx, conn), a.straddles(ctx, conn))
}

func (a *question) putSpans(ctx context.Context, conn *sql.Conn) error {
	i := 0
	return fillTable(ctx, conn, "temp", "asked_spans", func() ([]driver.Value, bool) {
		for ; i < len(a.Spans); i++ {
			if s := &a.Spans[i]; 0 < s.Unit && s.Unit <= math.MaxInt32 && s.FromMs < s.ToMs {
				i++
				return []driver.Value{s.Unit, s.FromMs, s.ToMs, int64(s.Key)}, true
			}
		}
		return nil, false
	})
}

func (a *question) putSlots(ctx context.Context, conn *sql.Conn) error {
	slot, bucket := 0, a.bucket(a.Edges[0])
	return fillTable(ctx, conn, "temp", "asked_slots", func() ([]driver.Value, bool) {
		if bucket > a.bucket(a.Edges[slot+1]-1) {
			slot++
			if slot == len(a.Edges)-1 {
				return nil, false
			}
			bucket = a.bucket(a.Edges[slot])
		}
		bucket++
		return []driver.Value{bucket - 1, a.Edges[slot], a.Edges[slot+1], int64(slot)}, true
	})
}

// bucket numbers the bucket of a time as SQL's // does. Records start at 0 or
// later: of what lies before, no bucket is looked for.
func (a *question) bucket(ms int64) int64 { return max(ms, 0) / a.width }

// args are the parameters that all statements of a question take.
func (a *question) args(names ...string) []any {
	values := map[string]int64{"from": a.within.fromMs, "to": a.within.toMs, "width": a.width}
	out := make([]any, len(names))
	for i, name := range names {
		out[i] = sql.Named(name, values[name])
	}
	return out
}

func (a *question) sums(ctx context.Context, conn *sql.Conn) error {
	return each(ctx, conn, sqlSums, func(scan func(...any) error) error {
		var s contract.Sum
		err := scan(append([]any{&s.Key, &s.Slot}, fields(&s.Sums)...)...)
		a.answer.Sums = append(a.answer.Sums, s)
		return err
	}, a.args("width", "from", "to")...)
}

func (a *question) straddles(ctx context.Context, conn *sql.Conn) error {
	return each(ctx, conn, sqlStraddles, func(scan func(...any) error) error {
		var s contract.Straddle
		var holder, reason int32
		err := scan(append([]any{&s.Unit, &holder, &reason, &s.StartMs, &s.EndMs}, fields(&s.Sums)...)...)
		if err != nil {
			return err
		}
		if s.Unit > int64(len(a.units)) || int(holder) > len(a.holders) || int(reason) > len(a.reasons) {
			return fmt.Errorf("a record has unit %d, holder %d and reason %d, which are not there", s.Unit, holder, reason)
		}
		s.GPU, s.Holder, s.Reason = a.units[s.Unit-1].gpu, a.holders[holder-1], a.reasons[reason-1]
		a.answer.Straddles = append(a.answer.Straddles, s)
		return nil
	}, a.args("width", "from", "to")...)
}

// fields are the sums in the order of the table's columns.
func fields(s *usage.Sums) []any {
	return []any{&s.UnhealthyMs, &s.UnallocatedMs, &s.IdleMs, &s.UnmeasuredMs, &s.BusyMs,
		&s.SMActiveMs, &s.SMKnownMs, &s.EnergyMJ, &s.EnergyKnownMs}
}
