package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// cellBits is DuckDB's perfect_ht_threshold: a report by 20 teams, 50 keys and
// 31 days has 31,000 cells.
const cellBits = 17

// A cell is what is added up together: one key, slot and group of holders as
// one number, by which DuckDB adds up about twice as fast as by three.
//
// Up to 2^cellBits cells are an array that the number indexes, some 250 bytes
// for each cell and thread; more of them are a hash table.
type cellSum struct {
	cell int64
	usage.Sums
}

// cell numbers cells by key and slot, those of the first group; the others
// follow it. It is the sum of the numbers of its parts.
func (a *question) cell(key, slot int) int64 {
	return (int64(key)*a.slots() + int64(slot)) * a.groupCount()
}

func (a *question) parts(cell int64) (key, slot, group int) {
	slots, groups := a.slots(), a.groupCount()
	return int(cell / groups / slots), int(cell / groups % slots), int(cell % groups)
}

func (a *question) slots() int64      { return int64(len(a.Edges) - 1) }
func (a *question) groupCount() int64 { return max(1, int64(len(a.groups))) }

// checkCells refuses keys that make numbers beyond 64 bits.
func (a *question) checkCells() error {
	most := math.MaxInt64/a.slots()/a.groupCount() - 1
	for i := range a.Spans {
		if k := int64(a.Spans[i].Key); k < 0 || k > most {
			return fmt.Errorf("key %d is not between 0 and %d", k, most)
		}
	}
	return nil
}

// group numbers the groups of the holders, and returns which group each holder
// is of: a month has many holders and few teams.
func (a *question) group() rows {
	if !a.By.Held() {
		return rows{table: "asked_groups"}
	}
	index := map[string]int{}
	groups := make([]int, len(a.holders))
	for i, h := range a.holders {
		name := a.By.Group(h)
		n, ok := index[name]
		if !ok {
			n = len(a.groups)
			index[name] = n
			a.groups = append(a.groups, name)
		}
		groups[i] = n
	}
	return rows{"asked_groups", len(groups), func(i int) []driver.Value {
		return []driver.Value{int32(i + 1), int64(groups[i])}
	}}
}

// addUp adds up hour records and what is read record by record.
func (a *question) addUp(ctx context.Context, conn *sql.Conn) error {
	hours, records := sqlHourSums, sqlSums
	if a.By.Held() {
		hours, records = sqlHourSumsByHolder, sqlSumsByHolder
	}
	var cells []cellSum
	if len(a.spans) > 0 {
		args := named(map[string]int64{
			"from": a.within.fromMs / hourMs, "to": min(ceilHour(a.within.toMs), a.rolled), "width": a.hourWidth(),
		}, []string{"from", "to", "width"})
		if err := readCells(ctx, conn, &cells, hours, args); err != nil {
			return err
		}
		if err := conn.QueryRowContext(ctx, sqlHourOverlaps, args...).Scan(&a.answer.Overlaps); err != nil {
			return err
		}
	}
	some, err := a.putRead(ctx, conn)
	if err != nil {
		return err
	}
	if some {
		if err := readCells(ctx, conn, &cells, records, a.args("width", "from", "to")); err != nil {
			return err
		}
		if err := errors.Join(a.straddles(ctx, conn), a.overlaps(ctx, conn)); err != nil {
			return err
		}
	}
	a.say(cells)
	return nil
}

// overlaps counts the records left out of those that are read one by one.
func (a *question) overlaps(ctx context.Context, conn *sql.Conn) error {
	if !a.lost {
		return nil
	}
	var n int64
	err := conn.QueryRowContext(ctx, sqlOverlaps, a.args("from", "to")...).Scan(&n)
	a.answer.Overlaps += n
	return err
}

func readCells(ctx context.Context, conn *sql.Conn, out *[]cellSum, statement string, args []any) error {
	return each(ctx, conn, statement, func(scan func(...any) error) error {
		var cell sql.NullInt64
		var s usage.Sums
		if err := scan(append([]any{&cell}, fields(&s)...)...); err != nil {
			return err
		}
		if !cell.Valid {
			return errors.New("a record has a holder which is not there")
		}
		*out = append(*out, cellSum{cell.Int64, s})
		return nil
	}, args...)
}

// say makes the answer's sums of cells, which may stand there twice. Groups are
// numbered as they are first spoken of.
func (a *question) say(cells []cellSum) {
	slices.SortFunc(cells, func(x, y cellSum) int { return cmp.Compare(x.cell, y.cell) })
	spoken := map[int]int{}
	for i := 0; i < len(cells); {
		key, slot, group := a.parts(cells[i].cell)
		s := contract.Sum{Key: key, Slot: slot}
		for at := cells[i].cell; i < len(cells) && cells[i].cell == at; i++ {
			s.Add(cells[i].Sums)
			if s.EnergyMJ < 0 {
				s.EnergyMJ = math.MaxInt64
			}
		}
		if a.By.Held() {
			n, ok := spoken[group]
			if !ok {
				n = len(a.answer.Groups)
				spoken[group] = n
				a.answer.Groups = append(a.answer.Groups, a.groups[group])
			}
			s.Group = n
		}
		a.answer.Sums = append(a.answer.Sums, s)
	}
}
