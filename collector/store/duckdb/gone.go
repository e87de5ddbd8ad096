package duckdb

import (
	"slices"
	"sort"
)

// hourRun is hours, half-open.
type hourRun struct{ from, to int32 }

// hourRuns are disjoint, sorted, and do not touch.
type hourRuns []hourRun

// add returns the runs with x in them, which is not empty. It does not change
// r.
func (r hourRuns) add(x hourRun) hourRuns {
	// [i, j) are the runs that x joins.
	i := sort.Search(len(r), func(i int) bool { return r[i].to >= x.from })
	j := i
	for ; j < len(r) && r[j].from <= x.to; j++ {
		x = hourRun{min(x.from, r[j].from), max(x.to, r[j].to)}
	}
	return slices.Concat(r[:i], hourRuns{x}, r[j:])
}

// has reports whether an hour is in the runs.
func (r hourRuns) has(hour int32) bool {
	i := sort.Search(len(r), func(i int) bool { return r[i].to > hour })
	return i < len(r) && r[i].from <= hour
}

// within returns the parts of the runs in full hours that x touches, as time.
func (r hourRuns) within(x span) []span {
	var out []span
	whole := span{floorHour(x.fromMs) * hourMs, min(ceilHour(x.toMs), 1<<31) * hourMs}
	i := sort.Search(len(r), func(i int) bool { return int64(r[i].to)*hourMs > x.fromMs })
	for ; i < len(r) && int64(r[i].from)*hourMs < x.toMs; i++ {
		out = append(out, span{int64(r[i].from) * hourMs, int64(r[i].to) * hourMs}.clip(whole))
	}
	return out
}

// floorHour returns the full hour of a moment after 1970, 0 for those before.
func floorHour(ms int64) int64 { return max(ms, 0) / hourMs }

// lateRow is a record that came for an hour of a unit whose records are gone.
type lateRow struct {
	unitHour
	stream int32
	seq    uint64
}

// runsOf makes runs of hours that come by unit and hour.
func runsOf(hours []unitHour) []unitRun {
	var out []unitRun
	for _, h := range hours {
		if n := len(out); n > 0 && out[n-1].unit == h.unit && out[n-1].to == h.hour {
			out[n-1].to++
			continue
		}
		out = append(out, unitRun{h.unit, hourRun{h.hour, h.hour + 1}})
	}
	return out
}

// unitRun is hours of a unit.
type unitRun struct {
	unit int32
	hourRun
}
