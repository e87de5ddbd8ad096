package contract

// ranks is a heap of numbers with the smallest at index 0.
type ranks []int

func (h *ranks) push(v int) {
	q := append(*h, v)
	i := len(q) - 1
	for i > 0 {
		up := (i - 1) / 2
		if q[up] <= v {
			break
		}
		q[i] = q[up]
		i = up
	}
	q[i] = v
	*h = q
}

// pop removes the smallest; the heap is not empty.
func (h *ranks) pop() int {
	q := *h
	smallest, n := q[0], len(q)-1
	v := q[n]
	q = q[:n]
	i := 0
	for {
		down := 2*i + 1
		if down >= n {
			break
		}
		if down+1 < n && q[down+1] < q[down] {
			down++
		}
		if q[down] >= v {
			break
		}
		q[i] = q[down]
		i = down
	}
	if n > 0 {
		q[i] = v
	}
	*h = q
	return smallest
}
