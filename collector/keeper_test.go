package collector_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// keeping runs collectors of one store in a bubble from a moment on.
func keeping(t *testing.T, n int, from time.Time, f func(st store.Store, send func(...usage.Sealed), entries func() []ledger.Sealed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(from))
		st := storetest.NewModel()
		put(t, st, nodeMonth(t, rand.New(rand.NewPCG(1, 1)), 1, "aws", "H100", 1)[:60], store.Committed)
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		var all []*collector.Collector
		for range n {
			c := collector.New(collector.Config{Store: st, Book: collector.FixedBook(bookContracts(t)), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
			running.Go(func() { _ = c.Run(ctx) })
			all = append(all, c)
		}
		send := func(batches ...usage.Sealed) {
			t.Helper()
			for i, s := range batches {
				answer(t, post(all[i%n].Handler(), lines(t, s.Batch)))
			}
		}
		entries := func() []ledger.Sealed {
			t.Helper()
			list, err := ledger.New(st).Entries(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		f(st, send, entries)
	})
}

// TestCollectorsKeepTheBooks runs three collectors of one store over the
// closing of a month and over late records.
func TestCollectorsKeepTheBooks(t *testing.T) {
	late := nodeMonth(t, rand.New(rand.NewPCG(1, 1)), 1, "aws", "H100", 1)[60:63]
	keeping(t, 3, closes.Add(-90*time.Minute), func(_ store.Store, send func(...usage.Sealed), entries func() []ledger.Sealed) {
		time.Sleep(89 * time.Minute)
		// September has some hours of the node, and has been due for a month.
		if got := entries(); len(got) != 1 || got[0].Month != "2026-09" {
			t.Fatalf("closed before the cut-off: %+v", got)
		}
		time.Sleep(3 * time.Minute)
		got := entries()
		if len(got) != 2 || got[0].Month != "2026-09" || got[1].Month != "2026-10" || got[1].Kind != ledger.Closing {
			t.Fatalf("after the cut-off: %+v", got)
		}
		send(late...)
		time.Sleep(23 * time.Hour)
		if got := entries(); len(got) != 2 {
			t.Fatalf("corrected more than once a day: %+v", got)
		}
		time.Sleep(2 * time.Hour)
		if got := entries(); len(got) != 3 || got[2].Month != "2026-10" || got[2].Kind != ledger.Correction {
			t.Fatalf("after late records: %+v", got)
		}
		time.Sleep(72 * time.Hour)
		if got := entries(); len(got) != 3 {
			t.Fatalf("nothing came, and the ledger grew: %+v", got)
		}
	})
}

// TestClosingWaitsForHistory lets a collector start when months are long due,
// while their records are still coming.
func TestClosingWaitsForHistory(t *testing.T) {
	history := nodeMonth(t, rand.New(rand.NewPCG(1, 1)), 1, "aws", "H100", 1)[60:]
	keeping(t, 1, closes.AddDate(0, 0, 20), func(_ store.Store, send func(...usage.Sealed), entries func() []ledger.Sealed) {
		for i := range 6 {
			time.Sleep(50 * time.Minute)
			send(history[i])
		}
		if got := entries(); len(got) != 0 {
			t.Fatalf("closed while history came: %+v", got)
		}
		time.Sleep(63 * time.Minute)
		if got := entries(); len(got) != 2 {
			t.Fatalf("not closed after it was quiet: %+v", got)
		}
	})
	// A node with a wrong clock does not keep months open for ever.
	keeping(t, 1, closes.AddDate(0, 0, 20), func(_ store.Store, send func(...usage.Sealed), entries func() []ledger.Sealed) {
		for i := range 30 {
			time.Sleep(50 * time.Minute)
			send(history[i])
		}
		if got := entries(); len(got) != 2 {
			t.Fatalf("kept open by late records: %+v", got)
		}
	})
}

// refusing is a store that lets nobody add up what begins in September.
type refusing struct{ store.Store }

func (r refusing) Sums(ctx context.Context, q contract.Query) (contract.Answer, error) {
	if len(q.Edges) > 0 && q.Edges[0] < at("2026-09-15T00:00:00Z") {
		return contract.Answer{}, errors.New("the disk has a hole")
	}
	return r.Store.Sums(ctx, q)
}

// TestAMonthThatCannotBeClosedHoldsUpNoOther has a store that fails for one.
func TestAMonthThatCannotBeClosedHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(closes))
		st := smallMonth(t)
		ctx, stop := context.WithCancel(context.Background())
		c := collector.New(collector.Config{Store: refusing{st}, Book: collector.FixedBook(bookContracts(t)), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		var running sync.WaitGroup
		running.Go(func() { _ = c.Run(ctx) })
		time.Sleep(2*time.Hour - time.Second)
		stop()
		running.Wait()
		list, err := ledger.New(st).Entries(context.Background())
		if err != nil || len(list) != 1 || list[0].Month != "2026-10" {
			t.Errorf("ledger = %+v, %v, want October alone", list, err)
		}
		if w := do(c.Handler(), "GET", "/metrics", nil); !strings.Contains(w.Body.String(), "gpumeter_collector_ledger_errors_total 6") {
			t.Error("the failures are not counted once in ten minutes")
		}
	})
}
