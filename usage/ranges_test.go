package usage_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gpumeter/gpumeter/usage"
)

// TestRangesEqualASet adds random ranges in random order and compares with a
// plain set.
func TestRangesEqualASet(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		var r usage.Ranges
		set := map[uint64]bool{}
		for range rnd.IntN(60) {
			lo := uint64(rnd.IntN(100)) + 1
			hi := lo + uint64(rnd.IntN(6))
			r = r.AddRange(usage.Range{Lo: lo, Hi: hi})
			for n := lo; n <= hi; n++ {
				set[n] = true
			}
		}
		for n := range uint64(120) {
			if r.Has(n) != set[n] {
				t.Fatalf("seed %d: Has(%d) = %v, want %v; ranges %v", seed, n, r.Has(n), set[n], r)
			}
		}
		if r.Len() != uint64(len(set)) {
			t.Errorf("seed %d: Len = %d, want %d", seed, r.Len(), len(set))
		}
		for i := 1; i < len(r); i++ {
			if r[i].Lo <= r[i-1].Hi+1 {
				t.Errorf("seed %d: intervals touch: %v", seed, r)
			}
		}
	}
}

func TestRangesIgnoreOrderAndRepetition(t *testing.T) {
	nums := []uint64{5, 1, 3, 2, 9, 3, 5, 18446744073709551615, 4}
	var a usage.Ranges
	for _, n := range nums {
		a = a.Add(n)
	}
	slices.Reverse(nums)
	var b usage.Ranges
	for _, n := range nums {
		b = b.Add(n)
	}
	want := usage.Ranges{{Lo: 1, Hi: 5}, {Lo: 9, Hi: 9}, {Lo: 18446744073709551615, Hi: 18446744073709551615}}
	if !slices.Equal(a, want) || !slices.Equal(b, want) {
		t.Errorf("got %v and %v, want %v", a, b, want)
	}
}

func TestEmptyRangeAddsNothing(t *testing.T) {
	if r := (usage.Ranges{}).AddRange(usage.Range{Lo: 5, Hi: 4}); len(r) != 0 {
		t.Errorf("got %v, want nothing", r)
	}
}
