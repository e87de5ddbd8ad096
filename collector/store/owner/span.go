package owner

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/gpumeter/gpumeter/contract"
)

// Span is a half-open span of time, Unix milliseconds. It is empty if FromMs is
// not below ToMs.
type Span struct{ FromMs, ToMs int64 }

// Empty reports whether there is no time in s.
func (s Span) Empty() bool { return s.FromMs >= s.ToMs }

// Clip returns the part of s in o.
func (s Span) Clip(o Span) Span {
	return Span{max(s.FromMs, o.FromMs), min(s.ToMs, o.ToMs)}
}

// reachMs is how long a record may be: usage.Batch.Check sees to it.
const reachMs = 3_600_000

// Widen returns s, which is not before 1970, with the time that a record which
// touches it may reach out of it.
func (s Span) Widen() Span {
	return Span{s.FromMs - reachMs, min(s.ToMs, math.MaxInt64-reachMs) + reachMs}
}

// Union returns the same time as disjoint spans, sorted. It changes list.
func Union(list []Span) []Span {
	slices.SortFunc(list, func(a, b Span) int { return cmp.Compare(a.FromMs, b.FromMs) })
	out := list[:0]
	for _, x := range list {
		if n := len(out); n > 0 && x.FromMs <= out[n-1].ToMs {
			out[n-1].ToMs = max(out[n-1].ToMs, x.ToMs)
			continue
		}
		out = append(out, x)
	}
	return out
}

// Common appends to dst the time that two lists of disjoint, sorted spans have
// in common.
func Common(dst, a, b []Span) []Span {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if x := a[i].Clip(b[j]); !x.Empty() {
			dst = append(dst, x)
		}
		if a[i].ToMs < b[j].ToMs {
			i++
		} else {
			j++
		}
	}
	return dst
}

// Presence are the spans in which a unit was there: disjoint, sorted, and more
// than contract.Decommission apart.
type Presence []Span

const decommissionMs = int64(contract.Decommission / 1_000_000)

// Add returns the spans with x in them; it may change p's elements. The order
// of additions does not matter. x is not empty.
func (p Presence) Add(x Span) Presence {
	// [i, j) are the spans that x joins.
	i := sort.Search(len(p), func(i int) bool { return x.FromMs-p[i].ToMs <= decommissionMs })
	j := i
	for ; j < len(p) && p[j].FromMs-x.ToMs <= decommissionMs; j++ {
		x = Span{min(x.FromMs, p[j].FromMs), max(x.ToMs, p[j].ToMs)}
	}
	return slices.Replace(p, i, j, x)
}
