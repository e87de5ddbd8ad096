package contract

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/gpumeter/gpumeter/usage"
)

// apart divides rows over columns in proportion, in whole numbers: every row
// and every column adds up exactly, and nothing is negative. The rows and the
// columns have the same sum. Column by column, each row's share is floored and
// the rest goes to the largest remainders, ties to the first row; what a row
// has left is shared among the columns that follow.
func apart(rows, cols []int64) [][]int64 {
	left := slices.Clone(rows)
	var sum int64
	for _, v := range rows {
		sum += v
	}
	out := make([][]int64, len(cols))
	for c, col := range cols {
		out[c] = shares(col, left, sum)
		for r, v := range out[c] {
			left[r] -= v
		}
		sum -= col
	}
	return out
}

// shares divides n over weights that add up to sum ≥ n.
func shares(n int64, weights []int64, sum int64) []int64 {
	out := make([]int64, len(weights))
	rems := make([]uint64, len(weights))
	order := make([]int, len(weights))
	left := n
	for i, w := range weights {
		out[i], rems[i] = muldiv(n, w, sum)
		left -= out[i]
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rems[b], rems[a]) })
	for _, i := range order[:left] {
		out[i]++
	}
	return out
}

// muldiv is a × b ÷ c and the remainder, for 0 ≤ a ≤ c and b ≥ 0, or 0 for
// c = 0.
func muldiv(a, b, c int64) (int64, uint64) {
	if c == 0 {
		return 0, 0
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, r := bits.Div64(hi, lo, uint64(c))
	return int64(q), r
}

// proportion divides n over weights by the floors of the running total, so
// that the parts add up to n, in order; all of it goes to the first part if
// the weights are all zero.
func proportion(n int64, weights []int64) []int64 {
	var sum, run, given int64
	for _, w := range weights {
		sum += w
	}
	out := make([]int64, len(weights))
	if sum == 0 {
		out[0] = n
		return out
	}
	for i, w := range weights {
		run += w
		upTo, _ := muldiv(run, n, sum)
		out[i] = upTo - given
		given = upTo
	}
	return out
}

// divide cuts what a GPU did over a span of time into parts of the given
// lengths, which add up to the span. The five states and the time that nobody
// observed are divided together, so that each part is filled exactly; a part
// of SM activity or energy goes where the time goes that it is known for.
func divide(s usage.Sums, lengths []int64) []usage.Sums {
	var span int64
	for _, l := range lengths {
		span += l
	}
	states := apart([]int64{s.UnhealthyMs, s.UnallocatedMs, s.IdleMs, s.UnmeasuredMs, s.BusyMs, span - s.ObservedMs()}, lengths)
	sm := proportion(s.SMKnownMs, lengths)
	smActive := proportion(s.SMActiveMs, known(sm, lengths))
	energyKnown := proportion(s.EnergyKnownMs, lengths)
	energy := proportion(s.EnergyMJ, known(energyKnown, lengths))
	out := make([]usage.Sums, len(lengths))
	for i, v := range states {
		out[i] = usage.Sums{
			UnhealthyMs: v[0], UnallocatedMs: v[1], IdleMs: v[2], UnmeasuredMs: v[3], BusyMs: v[4],
			SMActiveMs: smActive[i], SMKnownMs: sm[i], EnergyMJ: energy[i], EnergyKnownMs: energyKnown[i],
		}
	}
	return out
}

// among divides the parts of a window, each with all that happened in it, among
// the holders of the window: by part and holder. Every part and every holder
// adds up exactly.
func among(holders []usage.Record, parts []usage.Sums) [][]usage.Sums {
	out := make([][]usage.Sums, len(parts))
	for i := range out {
		out[i] = make([]usage.Sums, len(holders))
	}
	for _, field := range []func(*usage.Sums) *int64{
		func(s *usage.Sums) *int64 { return &s.UnhealthyMs },
		func(s *usage.Sums) *int64 { return &s.UnallocatedMs },
		func(s *usage.Sums) *int64 { return &s.IdleMs },
		func(s *usage.Sums) *int64 { return &s.UnmeasuredMs },
		func(s *usage.Sums) *int64 { return &s.BusyMs },
		func(s *usage.Sums) *int64 { return &s.SMActiveMs },
		func(s *usage.Sums) *int64 { return &s.SMKnownMs },
		func(s *usage.Sums) *int64 { return &s.EnergyMJ },
		func(s *usage.Sums) *int64 { return &s.EnergyKnownMs },
	} {
		rows, cols := make([]int64, len(holders)), make([]int64, len(parts))
		for h := range holders {
			rows[h] = *field(&holders[h].Sums)
		}
		for i := range parts {
			cols[i] = *field(&parts[i])
		}
		for i, col := range apart(rows, cols) {
			for h, v := range col {
				*field(&out[i][h]) = v
			}
		}
	}
	return out
}

// known returns the parts of the known time, or, where none is known, the
// lengths.
func known(parts, lengths []int64) []int64 {
	for _, v := range parts {
		if v > 0 {
			return parts
		}
	}
	return lengths
}
