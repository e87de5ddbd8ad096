package contract

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRanksPopInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range 500 {
		var heap ranks
		var model []int
		for range 1 + r.IntN(200) {
			if len(model) > 0 && r.IntN(3) == 0 {
				i := slices.Index(model, slices.Min(model))
				if got := heap.pop(); got != model[i] {
					t.Fatalf("pop = %d, want %d", got, model[i])
				}
				model = slices.Delete(model, i, i+1)
				continue
			}
			v := r.IntN(100) - 50
			heap.push(v)
			model = append(model, v)
		}
		slices.Sort(model)
		for _, want := range model {
			if got := heap.pop(); got != want {
				t.Fatalf("pop = %d, want %d", got, want)
			}
		}
		if len(heap) != 0 {
			t.Fatalf("%d left", len(heap))
		}
	}
}
