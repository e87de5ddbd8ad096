package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

func servesReadersWhileItAppends(t *testing.T, open Open) {
	st := fresh(t, open)
	const writers, calls = 3, 12
	add(t, st, []usage.Sealed{records(9, 1, busy("GPU-a", t0, t0+minute))})
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range calls {
				at := t0 + int64(i+1)*minute
				both := []usage.Sealed{records(w+1, uint64(2*i+1), busy("GPU-a", at, at+minute)),
					records(w+1, uint64(2*i+2), busy(fmt.Sprintf("GPU-%d", w), at, at+minute))}
				if _, err := st.Append(context.Background(), both); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	done := make(chan struct{})
	for range 2 {
		reading.Go(func() {
			for last := int64(0); ; {
				select {
				case <-done:
					return
				default:
					last = readAll(t, st, last)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	if got, want := readAll(t, st, 0), (calls+1)*minute; got != want {
		t.Errorf("GPU-a was busy for %d ms, want %d", got, want)
	}
	wantCounts(t, st, store.Counts{Records: 2*writers*calls + 1, Batches: 2*writers*calls + 1, Units: writers + 1})
}

// readAll asks everything, and returns how long GPU-a was busy. That never
// falls, and is whole windows: a reader sees all of a call or nothing, and
// each minute once.
func readAll(t *testing.T, st store.Store, last int64) int64 {
	ctx := context.Background()
	presence, err := st.Presence(ctx)
	if err != nil {
		t.Errorf("presence: %v", err)
		return last
	}
	q := contract.Query{Edges: []int64{t0, t0 + 100*hour}}
	for _, p := range presence {
		if p.GPU == "GPU-a" {
			q.Spans = append(q.Spans, contract.Span{Unit: p.Unit, FromMs: t0, ToMs: t0 + 100*hour})
		}
	}
	a, err := st.Sums(ctx, q)
	if err != nil || len(a.Sums) != 1 || len(a.Straddles) != 0 {
		t.Errorf("sums = %+v, %v", a, err)
		return last
	}
	ms := a.Sums[0].BusyMs
	if ms < last || ms%minute != 0 {
		t.Errorf("GPU-a was busy for %d ms, before for %d", ms, last)
	}
	for _, read := range []func() error{
		func() error { _, err := st.Counts(ctx); return err },
		func() error { _, err := st.Seqs(ctx, id(1), id(1)); return err },
		func() error { _, err := st.Events(ctx, 0, t0, 10); return err },
		func() error { _, err := st.Extent(ctx); return err },
	} {
		if err := read(); err != nil {
			t.Error(err)
		}
	}
	return ms
}
