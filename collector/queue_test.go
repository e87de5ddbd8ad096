package collector_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/usage"
)

// ticking begins at testNow and goes as time does.
func ticking() func() time.Time {
	begin := time.Now()
	return func() time.Time { return testNow.Add(time.Since(begin)) }
}

// just returns a batch of records that ended a minute ago.
func just(agent string, seq uint64, records int) usage.Batch {
	b := batch(agent, seq)
	r := b.Records[0]
	r.StartMs = testNow.Add(-2 * time.Minute).UnixMilli()
	r.EndMs = r.StartMs + 60_000
	b.GPUs, b.Records = nil, nil
	for i := range records {
		r.GPU = fmt.Sprintf("GPU-%s-%d", agent, i)
		b.GPUs = append(b.GPUs, usage.GPU{UUID: r.GPU, Model: "H100", Index: i})
		b.Records = append(b.Records, r)
	}
	return b
}

// retryAfter is how many seconds an answer asks to wait.
func retryAfter(t *testing.T, w *httptest.ResponseRecorder) int {
	t.Helper()
	problem(t, w, 429)
	s, err := strconv.Atoi(w.Header().Get("Retry-After"))
	if err != nil || s < 1 {
		t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
	}
	return s
}

// TestCrowdIsAskedToComeOneAfterTheOther has 6,000 agents at once bring what
// they kept during an outage, to a store that takes 1,000 batches a second, which is
// slower than the collector thinks at first. All come again when they are asked
// to: not at the same time, and few more than once.
func TestCrowdIsAskedToComeOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const agents, inQueue = 6000, 1024
		m := storetest.NewModel()
		h := start(t, collector.Config{Store: &counting{Store: m, perBatch: time.Millisecond}, Now: ticking()})
		var mu sync.Mutex
		var waits []int
		var wg sync.WaitGroup
		for i := range agents {
			body := lines(t, batch(fmt.Sprintf("%032x", i), 1))
			wg.Go(func() {
				w := post(h, body)
				for tries := 0; w.Code == 429; tries++ {
					s := retryAfter(t, w)
					mu.Lock()
					waits = append(waits, s)
					mu.Unlock()
					time.Sleep(time.Duration(s) * time.Second)
					w = post(h, body)
				}
				answer(t, w)
			})
		}
		wg.Wait()
		if c, err := m.Counts(t.Context()); err != nil || c.Batches != agents {
			t.Errorf("counts = %+v, %v", c, err)
		}
		if n := len(waits); n < agents-inQueue || n > 2*agents {
			t.Errorf("%d times somebody was asked to wait", n)
		}
		if lo, hi := slices.Min(waits), slices.Max(waits); hi < lo+2 || hi > 10 {
			t.Errorf("all are asked to come between %d and %d s from then", lo, hi)
		}
	})
}

// forgetful is a store that says that it has taken everything.
type forgetful struct{ store.Store }

func (forgetful) Append(_ context.Context, batches []usage.Sealed) ([]store.Status, error) {
	out := make([]store.Status, len(batches))
	for i := range out {
		out[i] = store.Committed
	}
	return out, nil
}

// TestLiveGoesBeforeBacklog brings something new while the backlog of an
// outage takes a minute to be committed.
func TestLiveGoesBeforeBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{Store: &forgetful{storetest.NewModel()}, delay: time.Second}
		h := start(t, collector.Config{Store: s, Now: ticking()})
		begin := time.Now()
		var wg sync.WaitGroup
		var last atomic.Int64 // of one commit after the other
		for i := range 300 {
			agent := fmt.Sprintf("%032x", i)
			old := just(agent, 1, 400)
			for j := range old.Records {
				old.Records[j].StartMs -= 3_600_000
				old.Records[j].EndMs -= 3_600_000
			}
			body := lines(t, old)
			wg.Go(func() {
				answer(t, post(h, body))
				last.Store(int64(time.Since(begin)))
			})
		}
		time.Sleep(5500 * time.Millisecond)
		sent := time.Now()
		answer(t, post(h, lines(t, just(agentA, 1, 8))))
		if took := time.Since(sent); took > 2500*time.Millisecond {
			t.Errorf("what is live waited %s", took)
		}
		wg.Wait()
		if took := time.Duration(last.Load()); took < 10*time.Second {
			t.Errorf("the backlog took %s only: the test does not test", took)
		}
	})
}

// TestAgentIsHeldToItsRate has one agent send without end; it is told how long
// to pause, others are served.
func TestAgentIsHeldToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, collector.Config{Now: ticking()})
		big := lines(t, just(agentA, 1, 1000))
		n, begin := 0, time.Now()
		w := post(h, big)
		for ; w.Code == 200 && n < 64<<20; w = post(h, big) {
			n += len(big)
		}
		most := 8<<20 + int(time.Since(begin).Seconds()*(2<<20)) + len(big)
		if n < 8<<20 || n > most {
			t.Errorf("an agent could send %d bytes, want 8 MiB and not more than %d", n, most)
		}
		s := retryAfter(t, w)
		answer(t, post(h, lines(t, just(agentB, 1, 8))))
		time.Sleep(time.Duration(s) * time.Second)
		answer(t, post(h, big))
	})
}

// TestMalformedPostsKeepNoPlace breaks off more posts than there are places
// after their first batch.
func TestMalformedPostsKeepNoPlace(t *testing.T) {
	h := start(t, collector.Config{})
	good := lines(t, batch(agentA, 1))
	broken := append(slices.Clone(good), "hello\n"...)
	for range 1100 {
		if w := post(h, broken); w.Code != 400 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
	}
	answer(t, post(h, good))
}
