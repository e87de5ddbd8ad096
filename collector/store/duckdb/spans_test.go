package duckdb

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSpansAddForgetsOrder adds spans one by one, in random order, and compares
// with sorting them first.
func TestSpansAddForgetsOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		var list []span
		for range 1 + r.IntN(12) {
			from := r.Int64N(20 * decommissionMs)
			list = append(list, span{from, from + 1 + r.Int64N(decommissionMs)})
		}
		if r.IntN(2) == 0 { // exactly as far apart as is still bridged, or one more
			list = append(list, span{list[0].toMs + decommissionMs + r.Int64N(2), list[0].toMs + 2*decommissionMs})
		}
		var got spans
		for _, x := range list {
			got = got.add(x)
		}
		slices.SortFunc(list, func(a, b span) int { return int(a.fromMs - b.fromMs) })
		var want spans
		for _, x := range list {
			if n := len(want); n > 0 && x.fromMs <= want[n-1].toMs+decommissionMs {
				want[n-1].toMs = max(want[n-1].toMs, x.toMs)
				continue
			}
			want = append(want, x)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("spans of %v = %v, want %v", list, got, want)
		}
	}
}

// TestSpansCommonAndOverlap compares with looking at every millisecond.
func TestSpansCommonAndOverlap(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	random := func() spans {
		var list []span
		for range r.IntN(5) {
			from := r.Int64N(40)
			list = append(list, span{from, from + 1 + r.Int64N(6)})
		}
		return union(list)
	}
	has := func(s []span, ms int64) bool {
		return slices.ContainsFunc(s, func(x span) bool { return x.fromMs <= ms && ms < x.toMs })
	}
	for range 2000 {
		a, b := random(), random()
		common := a.common(nil, b)
		x := span{r.Int64N(40), 0}
		x.toMs = x.fromMs + 1 + r.Int64N(5)
		overlap := false
		for ms := range int64(50) {
			if got, want := has(common, ms), has(a, ms) && has(b, ms); got != want {
				t.Fatalf("%v and %v have %d in common: %v, want %v", a, b, ms, got, want)
			}
			overlap = overlap || has(a, ms) && has([]span{x}, ms)
		}
		if got := a.overlap(x); got != overlap {
			t.Fatalf("%v overlap %v = %v, want %v", a, x, got, overlap)
		}
	}
}
