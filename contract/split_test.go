package contract

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/gpumeter/gpumeter/usage"
)

// randomParts are n parts that add up to sum, some of them zero.
func randomParts(r *rand.Rand, sum int64, n int) []int64 {
	out := make([]int64, n)
	for i := range n - 1 {
		if r.IntN(3) > 0 {
			out[i] = r.Int64N(sum + 1)
			sum -= out[i]
		}
	}
	out[n-1] = sum
	r.Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func TestApartKeepsRowsAndColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range 5000 {
		sum := r.Int64N(int64(1) << (1 + r.IntN(40)))
		rows, cols := randomParts(r, sum, 1+r.IntN(8)), randomParts(r, sum, 1+r.IntN(6))
		got := apart(rows, cols)
		left := rows
		for c, col := range cols {
			var have int64
			for i, v := range got[c] {
				have += v
				left[i] -= v
				if v < 0 {
					t.Fatalf("apart(%v, %v): column %d is %v", rows, cols, c, got[c])
				}
			}
			if have != col {
				t.Fatalf("apart(…, %v): column %d is %v", cols, c, got[c])
			}
		}
		for i, v := range left {
			if v != 0 {
				t.Fatalf("apart(…, %v): row %d misses %d", cols, i, v)
			}
		}
	}
}

func TestApartOfOneCutIsWithinAMillisecond(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range 2000 {
		sum := 1 + r.Int64N(3_600_000)
		rows, cols := randomParts(r, sum, 6), randomParts(r, sum, 2)
		for i, v := range apart(rows, cols)[0] {
			exact := big.NewRat(rows[i]*cols[0], sum)
			if d := new(big.Rat).Sub(exact, big.NewRat(v, 1)); d.Abs(d).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("apart(%v, %v): row %d gives %d, exactly %s", rows, cols, i, v, exact)
			}
		}
	}
}

func TestDivideKeepsEverySumAndEveryPart(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range 5000 {
		span := 1 + r.Int64N(3_600_000)
		states := randomParts(r, span, 6)
		s := usage.Sums{UnhealthyMs: states[0], UnallocatedMs: states[1], IdleMs: states[2], UnmeasuredMs: states[3], BusyMs: states[4]}
		s.SMKnownMs, s.EnergyKnownMs = r.Int64N(span+1), r.Int64N(span+1)
		s.SMActiveMs, s.EnergyMJ = r.Int64N(s.SMKnownMs+1), r.Int64N(math.MaxInt64)
		lengths := randomParts(r, span, 1+r.IntN(5))
		var sum usage.Sums
		for i, v := range divide(s, lengths) {
			sum.Add(v)
			if negative(&v) || v.ObservedMs() > lengths[i] || v.SMKnownMs > lengths[i] || v.EnergyKnownMs > lengths[i] || v.SMActiveMs > v.SMKnownMs {
				t.Fatalf("divide(%+v, %v): part %d is %+v", s, lengths, i, v)
			}
		}
		if sum != s {
			t.Fatalf("divide(%+v, %v) adds up to %+v", s, lengths, sum)
		}
	}
}

func TestAmongKeepsHoldersAndParts(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range 1000 {
		holders := make([]usage.Record, 1+r.IntN(7)) // as many as a GPU has instances
		var all usage.Sums
		for i := range holders {
			holders[i].Sums = usage.Sums{
				UnhealthyMs: r.Int64N(1000), UnallocatedMs: r.Int64N(1000), IdleMs: r.Int64N(3), UnmeasuredMs: r.Int64N(1000), BusyMs: r.Int64N(1000),
				SMActiveMs: r.Int64N(1000), SMKnownMs: 1000 + r.Int64N(1000), EnergyMJ: r.Int64N(1e9), EnergyKnownMs: 1 + r.Int64N(1000),
			}
			all.Add(holders[i].Sums)
		}
		parts := divide(all, randomParts(r, 60_000, 1+r.IntN(5)))
		got := among(holders, parts)
		for i, part := range parts {
			var sum usage.Sums
			for _, s := range got[i] {
				sum.Add(s)
				if negative(&s) {
					t.Fatalf("among(%+v, %+v): part %d is %+v", holders, parts, i, s)
				}
			}
			if sum != part {
				t.Fatalf("among(%+v, …): part %d is %+v, want %+v", holders, i, sum, part)
			}
		}
		for h := range holders {
			var sum usage.Sums
			for i := range parts {
				sum.Add(got[i][h])
			}
			if sum != holders[h].Sums {
				t.Fatalf("among(…, %+v): holder %d is %+v, want %+v", parts, h, sum, holders[h].Sums)
			}
		}
	}
}
