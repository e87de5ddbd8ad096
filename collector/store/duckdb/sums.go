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

// Sums answers a query in one snapshot: see store.Store. Sums come by key,
// slot and group, straddling records in no order.
func (d *DB) Sums(ctx context.Context, q contract.Query) (contract.Answer, error) {
	for i := 1; i < len(q.Edges); i++ {
		if q.Edges[i-1] >= q.Edges[i] {
			return contract.Answer{}, fmt.Errorf("add up: edge %d is not after the one before", i)
		}
	}
	if len(q.Edges) < 2 || len(q.Spans) == 0 {
		return contract.Answer{}, nil
	}
	a := question{Query: q}
	err := d.view(ctx, a.prepare, func(conn *sql.Conn) error { return a.ask(ctx, conn) })
	if err != nil {
		return contract.Answer{}, fmt.Errorf("add up %d spans: %w", len(q.Spans), err)
	}
	return a.answer, nil
}

// Buckets are as wide as an hour, or wider where that would make too many.
const (
	minBucketMs = 3_600_000
	maxBuckets  = 1 << 16
)

// question is one query while it is answered.
type question struct {
	contract.Query
	reading
	within    span  // the part of the slots that records cover
	width     int64 // of a bucket, in ms
	contested []contest
	goneTime  []contest // the parts of it whose records are gone
	lost      bool      // there are records that do not own their time
	units     []unit
	holders   []usage.Holder
	reasons   []string
	groups    []string // of holders
	answer    contract.Answer
}

// prepare takes from the state what an answer needs.
func (a *question) prepare(s *state) {
	if a.bound(s) {
		a.plan(s)
		a.contest(s)
	}
}

// look does the same for a question that reads all record by record.
func (a *question) look(s *state) {
	if a.bound(s) {
		a.contest(s)
	}
}

func (a *question) contest(s *state) {
	a.contested = s.contested(a)
	a.goneTime = s.goneOf(a.contested)
}

// bound finds the time that is asked for, and reports whether there is any.
func (a *question) bound(s *state) bool {
	edges := span{a.Edges[0], a.Edges[len(a.Edges)-1]}
	a.within = edges.clip(s.extent())
	if a.within.fromMs >= a.within.toMs {
		return false
	}
	a.width = max(minBucketMs, (a.within.toMs-a.within.fromMs)/maxBuckets+1)
	a.units, a.holders, a.reasons = s.units.list, s.holders.list, s.reasons.list
	return true
}

func (a *question) ask(ctx context.Context, conn *sql.Conn) error {
	if a.within.fromMs >= a.within.toMs {
		return nil
	}
	if err := exec(ctx, conn, sqlAsk); err != nil {
		return err
	}
	groups := a.group()
	if err := a.checkCells(); err != nil {
		return err
	}
	err := errors.Join(a.putSpans(ctx, conn), a.putSlots(ctx, conn), a.putHours(ctx, conn), groups.appendTo(ctx, conn, "temp"))
	if err != nil {
		return err
	}
	if err := a.putCounted(ctx, conn); err != nil {
		return err
	}
	return a.addUp(ctx, conn)
}

// putCounted makes the view "counted" of the records that own their time.
func (a *question) putCounted(ctx context.Context, conn *sql.Conn) error {
	counted, err := a.settle(ctx, conn)
	if err != nil {
		return err
	}
	return exec(ctx, conn, counted)
}

func (a *question) putSpans(ctx context.Context, conn *sql.Conn) error {
	spans := make([]*contract.Span, 0, len(a.Spans))
	for i := range a.Spans {
		if s := &a.Spans[i]; 0 < s.Unit && s.Unit <= math.MaxInt32 && s.FromMs < s.ToMs {
			spans = append(spans, s)
		}
	}
	return rows{"asked_spans", len(spans), func(i int) []driver.Value {
		s := spans[i]
		return []driver.Value{s.Unit, s.FromMs, s.ToMs, a.cell(s.Key, 0)}
	}}.appendTo(ctx, conn, "temp")
}

// putSlots writes a row for every bucket that the records of a slot can start
// in.
func (a *question) putSlots(ctx context.Context, conn *sql.Conn) error {
	type part struct {
		slot   int
		bucket int64
	}
	var parts []part
	for slot := range len(a.Edges) - 1 {
		x := span{a.Edges[slot], a.Edges[slot+1]}.clip(a.within)
		if x.fromMs >= x.toMs {
			continue
		}
		for bucket := x.fromMs / a.width; bucket <= (x.toMs-1)/a.width; bucket++ {
			parts = append(parts, part{slot, bucket})
		}
	}
	return rows{"asked_slots", len(parts), func(i int) []driver.Value {
		p := parts[i]
		return []driver.Value{p.bucket, a.Edges[p.slot], a.Edges[p.slot+1], a.cell(0, p.slot)}
	}}.appendTo(ctx, conn, "temp")
}

// args are the parameters that statements about records take.
func (a *question) args(names ...string) []any {
	return named(map[string]int64{"from": a.within.fromMs, "to": a.within.toMs, "width": a.width}, names)
}

func named(values map[string]int64, names []string) []any {
	out := make([]any, len(names))
	for i, name := range names {
		out[i] = sql.Named(name, values[name])
	}
	return out
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
