package usage

import "sort"

// Range is a closed interval of sequence numbers.
type Range struct {
	Lo uint64 `json:"lo"`
	Hi uint64 `json:"hi"`
}

// Ranges is a set of sequence numbers as sorted, disjoint, non-adjacent
// intervals. The zero Ranges is empty. Its size follows the number of holes,
// so that it can be kept for ever.
type Ranges []Range

// Has reports whether n is in the set.
func (r Ranges) Has(n uint64) bool {
	i := sort.Search(len(r), func(i int) bool { return r[i].Hi >= n })
	return i < len(r) && r[i].Lo <= n
}

// Add returns the set with n in it. It may change r's elements.
func (r Ranges) Add(n uint64) Ranges { return r.AddRange(Range{n, n}) }

// AddRange returns the set with every number of x in it. It may change r's
// elements. A range with Lo > Hi is empty.
func (r Ranges) AddRange(x Range) Ranges {
	if x.Lo > x.Hi {
		return r
	}
	// [i, j) are the intervals that x overlaps or touches.
	i := sort.Search(len(r), func(i int) bool { return r[i].Hi >= x.Lo || r[i].Hi+1 == x.Lo })
	j := i
	for j < len(r) && (r[j].Lo <= x.Hi || r[j].Lo == x.Hi+1) {
		x.Lo, x.Hi = min(x.Lo, r[j].Lo), max(x.Hi, r[j].Hi)
		j++
	}
	if i == j {
		r = append(r, Range{})
		copy(r[i+1:], r[i:])
		r[i] = x
		return r
	}
	r[i] = x
	return append(r[:i+1], r[j:]...)
}

// Len returns how many numbers are in the set.
func (r Ranges) Len() uint64 {
	var n uint64
	for _, x := range r {
		n += x.Hi - x.Lo + 1
	}
	return n
}
