package owner_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/usage"
)

// owns says by the words of the rule whether a owns what both claim.
func owns(a, b owner.Claim) bool {
	switch {
	case a.Evidence != b.Evidence:
		return a.Evidence == usage.EvidenceAgent
	case a.Agent != b.Agent:
		return a.Agent < b.Agent
	case a.Epoch != b.Epoch:
		return a.Epoch < b.Epoch
	}
	return a.Seq < b.Seq
}

// TestSweepFindsEveryClaimThatLoses compares with looking at all pairs.
func TestSweepFindsEveryClaimThatLoses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		var claims []owner.Claim
		for range r.IntN(9) {
			from := r.Int64N(30)
			claims = append(claims, owner.Claim{
				GPU:    fmt.Sprint(r.IntN(2)),
				Stream: owner.Stream{Agent: fmt.Sprint(r.IntN(2)), Epoch: fmt.Sprint(r.IntN(2)), Evidence: []usage.Evidence{usage.EvidenceAgent, usage.EvidencePrometheus}[r.IntN(2)]},
				Seq:    1 + r.Uint64N(2), Unit: r.Int64N(2), Span: owner.Span{FromMs: from, ToMs: from + 1 + r.Int64N(12)},
			})
		}
		slices.SortFunc(claims, func(a, b owner.Claim) int {
			return cmp.Or(cmp.Compare(a.GPU, b.GPU), cmp.Compare(a.FromMs, b.FromMs))
		})
		want := map[owner.Claim]bool{}
		for _, a := range claims {
			for _, b := range claims {
				if a.GPU == b.GPU && !a.Clip(b.Span).Empty() && owns(b, a) {
					want[a] = true
				}
			}
		}
		var s owner.Sweep
		for _, c := range claims {
			s.Add(c)
		}
		got := map[owner.Claim]bool{}
		for _, c := range s.Lost() {
			got[c] = true
		}
		if len(got) != len(want) {
			t.Fatalf("of %+v lost %v, want %v", claims, got, want)
		}
		for c := range want {
			if !got[c] {
				t.Fatalf("of %+v, %+v should lose", claims, c)
			}
		}
	}
}

func ExampleSweep() {
	minute := func(agent string, from int64) owner.Claim {
		return owner.Claim{GPU: "GPU-1", Stream: owner.Stream{Agent: agent, Evidence: usage.EvidenceAgent}, Span: owner.Span{FromMs: from, ToMs: from + 60_000}}
	}
	var s owner.Sweep
	for _, c := range []owner.Claim{minute("b", 0), minute("a", 30_000), minute("c", 60_000)} {
		s.Add(c)
	}
	for _, c := range s.Lost() {
		fmt.Println(c.Agent)
	}
	// Output:
	// b
	// c
}
