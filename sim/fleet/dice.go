package fleet

// roll returns 64 bits that look random and are the same for the same
// question. They are not for secrets.
func (f *Fleet) roll(what string, a, b uint64) uint64 {
	h := uint64(14695981039346656037) // FNV-1a, then mixed
	for i := range len(what) {
		h = (h ^ uint64(what[i])) * 1099511628211
	}
	return mix(mix(mix(f.seed^h)+a) + b)
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// jitter returns 0 to width−1, another for every GPU and minute.
func (f *Fleet) jitter(n *node, slot int, minute, width int64) int64 {
	return int64(f.roll(n.name, uint64(slot), uint64(minute))>>1) % width
}
