package storetest

import (
	"math/rand/v2"
	"sync"
)

// NewRand returns a source of random numbers that stores under test may use
// concurrently.
func NewRand(seed uint64) *rand.Rand { return rand.New(&source{pcg: rand.NewPCG(seed, 2)}) }

type source struct {
	mu  sync.Mutex
	pcg *rand.PCG
}

func (s *source) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pcg.Uint64()
}
