package owner_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/contract"
)

// TestPresenceForgetsOrder adds spans one by one, in random order, and compares
// with sorting them first.
func TestPresenceForgetsOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	bridged := contract.Decommission.Milliseconds()
	for range 2000 {
		var list []owner.Span
		for range 1 + r.IntN(12) {
			from := r.Int64N(20 * bridged)
			list = append(list, owner.Span{FromMs: from, ToMs: from + 1 + r.Int64N(bridged)})
		}
		if r.IntN(2) == 0 { // exactly as far apart as is still bridged, or one more
			list = append(list, owner.Span{FromMs: list[0].ToMs + bridged + r.Int64N(2), ToMs: list[0].ToMs + 2*bridged})
		}
		var got owner.Presence
		for _, x := range list {
			got = got.Add(x)
		}
		slices.SortFunc(list, func(a, b owner.Span) int { return int(a.FromMs - b.FromMs) })
		var want owner.Presence
		for _, x := range list {
			if n := len(want); n > 0 && x.FromMs <= want[n-1].ToMs+bridged {
				want[n-1].ToMs = max(want[n-1].ToMs, x.ToMs)
				continue
			}
			want = append(want, x)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("presence of %v = %v, want %v", list, got, want)
		}
	}
}

// TestCommonTime compares with looking at every millisecond.
func TestCommonTime(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	random := func() []owner.Span {
		var list []owner.Span
		for range r.IntN(5) {
			from := r.Int64N(40)
			list = append(list, owner.Span{FromMs: from, ToMs: from + 1 + r.Int64N(6)})
		}
		return list
	}
	has := func(s []owner.Span, ms int64) bool {
		return slices.ContainsFunc(s, func(x owner.Span) bool { return x.FromMs <= ms && ms < x.ToMs })
	}
	for range 2000 {
		x, y := random(), random()
		a, b := owner.Union(slices.Clone(x)), owner.Union(slices.Clone(y))
		common := owner.Common(nil, a, b)
		for ms := range int64(50) {
			if has(a, ms) != has(x, ms) {
				t.Fatalf("the union of %v is %v", x, a)
			}
			if got, want := has(common, ms), has(a, ms) && has(b, ms); got != want {
				t.Fatalf("%v and %v have %d in common: %v, want %v", a, b, ms, got, want)
			}
		}
	}
}

func TestWidenDoesNotOverflow(t *testing.T) {
	x := owner.Span{FromMs: 0, ToMs: math.MaxInt64}.Widen()
	if x.FromMs != -3_600_000 || x.ToMs != math.MaxInt64 {
		t.Errorf("widened to %v", x)
	}
}
