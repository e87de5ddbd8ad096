package duckdb

import (
	"cmp"
	"slices"
	"sort"

	"github.com/gpumeter/gpumeter/contract"
)

// decommissionMs is the longest silence that a span bridges.
const decommissionMs = int64(contract.Decommission / 1_000_000)

// span is a half-open span of time.
type span struct{ fromMs, toMs int64 }

// spans are disjoint, sorted, and more than decommissionMs apart: as many as
// there were long silences, however many records there are.
type spans []span

// add returns the spans with x in them; it may change s's elements. The order
// of additions does not matter. x is not empty.
func (s spans) add(x span) spans {
	if n := len(s); n > 0 && s[n-1].fromMs <= x.fromMs && x.fromMs-s[n-1].toMs <= decommissionMs {
		s[n-1].toMs = max(s[n-1].toMs, x.toMs) // the usual case: time goes on
		return s
	}
	// [i, j) are the spans that x joins.
	i := sort.Search(len(s), func(i int) bool { return x.fromMs-s[i].toMs <= decommissionMs })
	j := i
	for ; j < len(s) && s[j].fromMs-x.toMs <= decommissionMs; j++ {
		x = span{min(x.fromMs, s[j].fromMs), max(x.toMs, s[j].toMs)}
	}
	return slices.Replace(s, i, j, x)
}

// overlap reports whether x has time in common with any of the spans.
func (s spans) overlap(x span) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].toMs > x.fromMs })
	return i < len(s) && s[i].fromMs < x.toMs
}

// common appends to dst the time that s and o have in common.
func (s spans) common(dst []span, o spans) []span {
	for i, j := 0, 0; i < len(s) && j < len(o); {
		if x := s[i].clip(o[j]); x.fromMs < x.toMs {
			dst = append(dst, x)
		}
		if s[i].toMs < o[j].toMs {
			i++
		} else {
			j++
		}
	}
	return dst
}

// clip returns the part of s in o; it is empty if fromMs is not below toMs.
func (s span) clip(o span) span {
	return span{max(s.fromMs, o.fromMs), min(s.toMs, o.toMs)}
}

// union returns the same time as disjoint spans, sorted. It changes s.
func union(s []span) []span {
	slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.fromMs, b.fromMs) })
	out := s[:0]
	for _, x := range s {
		if n := len(out); n > 0 && x.fromMs <= out[n-1].toMs {
			out[n-1].toMs = max(out[n-1].toMs, x.toMs)
			continue
		}
		out = append(out, x)
	}
	return out
}
