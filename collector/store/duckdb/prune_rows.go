package duckdb

import (
	"database/sql/driver"

	"github.com/gpumeter/gpumeter/usage"
)

func usageRange(r *batchRun) usage.Range { return usage.Range{Lo: r.lo, Hi: r.hi} }

// pruneTables are what a draft that takes records away adds to the tables that
// say so.
func (d *draft) pruneTables(nowMs int64) []rows {
	late := rows{"late", len(d.late), func(i int) []driver.Value {
		l := &d.late[i]
		return []driver.Value{l.unit, l.hour, l.stream, l.seq}
	}}
	x := d.prune
	if x == nil {
		return []rows{late}
	}
	return []rows{
		late,
		{"prunings", 1, func(int) []driver.Value {
			digest := x.sealer.digest(x, nowMs)
			return []driver.Value{x.id, nowMs, x.from, x.to, digest[:]}
		}},
		{"pruned_hours", len(x.hours), func(i int) []driver.Value {
			r := &x.hours[i]
			return []driver.Value{x.id, r.unit, r.from, r.to}
		}},
		{"pruned_courses", len(x.courses), func(i int) []driver.Value {
			c := &x.courses[i]
			return []driver.Value{x.id, c.unit, c.stream, c.fromMs, c.toMs, c.records}
		}},
		{"pruned_batches", len(x.runs), func(i int) []driver.Value {
			r := &x.runs[i]
			var prev any // NULL where there is none
			if r.prev != nil {
				prev = r.prev
			}
			return []driver.Value{x.id, r.stream, r.lo, r.hi, prev, r.hash, r.digests}
		}},
	}
}
