package collector_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/usage"
)

// TestVerifyFindsAStoreMadeAnew closes a month, and then moves its ledger into a
// store in which one record of the month is another, with all digests made anew
// and the chain sealed anew, as whoever may write the folder could.
func TestVerifyFindsAStoreMadeAnew(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	batches := nodeMonth(t, rand.New(rand.NewPCG(1, 1)), 1, "aws", "H100", 2)
	st := openStore(t)
	put(t, st, batches, store.Committed)
	closing, err := collector.NewBooks(st).Close(ctx, bookContracts(t), october, closes)
	if err != nil || closing.Batches == "" {
		t.Fatalf("closing = %+v, %v", closing, err)
	}
	// What comes after a closing is no change of what it was made of.
	put(t, st, nodeMonth(t, rand.New(rand.NewPCG(2, 2)), 2, "aws", "H100", 2), store.Committed)
	v, err := collector.Verify(ctx, st, closing.SHA256, closes)
	if err != nil || len(v.Findings) != 0 || v.Ledger.Runs != 1 || v.Store.Batches != int64(2*len(batches)) {
		t.Fatalf("verified %+v, %v", v, err)
	}

	c := collector.New(collector.Config{Store: st, Now: func() time.Time { return closes }, Log: slog.New(slog.DiscardHandler)})
	if w := do(c.Handler(), http.MethodGet, "/api/v1/report?period=2026-10", nil); w.Header().Get(collector.HeadHeader) != closing.SHA256 {
		t.Errorf("the closed report comes with the head %q, want %s", w.Header().Get(collector.HeadHeader), closing.SHA256)
	}

	anew := openStore(t)
	prev := ""
	for i := range batches {
		b := batches[i].Batch
		b.Prev = prev
		if i == len(batches)/2 {
			b.Records[0].BusyMs, b.Records[0].IdleMs = b.Records[0].IdleMs, b.Records[0].BusyMs
		}
		s, err := usage.Seal(b)
		if err != nil {
			t.Fatal(err)
		}
		prev = s.Hash.String()
		put(t, anew, []usage.Sealed{s}, store.Committed)
	}
	names, err := st.DocumentNames(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		body, err := st.Document(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := anew.PutDocument(ctx, name, body); err != nil {
			t.Fatal(err)
		}
	}
	if v, err = collector.Verify(ctx, anew, closing.SHA256, closes); err != nil {
		t.Fatal(err)
	}
	if len(v.Findings) != 1 || !strings.Contains(v.Findings[0].Problem, "revision 0 of 2026-10 was made of the batches") {
		t.Errorf("findings = %+v", v.Findings)
	}
}

// audited is a store that counts how often it is read, and has a finding once
// it was changed.
type audited struct {
	*storetest.Model
	reads   atomic.Int64
	changed atomic.Bool
	takes   time.Duration
	fails   atomic.Bool
}

func (a *audited) Audit(ctx context.Context, found func(store.Finding)) (store.Audited, error) {
	a.reads.Add(1)
	time.Sleep(a.takes)
	if a.fails.Load() {
		return store.Audited{}, errors.New("the disk is gone")
	}
	if a.changed.Load() {
		found(store.Finding{Where: "agent a, epoch b, seq 7", Problem: "changed"})
	}
	return store.Audited{Batches: 5}, ctx.Err()
}

// TestCollectorVerifiesItself asks again and again: the store is read once, at
// most once an hour, and what was found is said until then.
func TestCollectorVerifiesItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &audited{Model: storetest.NewModel(), takes: time.Minute}
		c := collector.New(collector.Config{Store: st, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		ask := func(query string, code int) (v collector.Verification) {
			t.Helper()
			w := do(c.Handler(), http.MethodGet, "/api/v1/verify"+query, nil)
			if w.Code != code {
				t.Fatalf("verify%s: %d %s", query, w.Code, w.Body)
			}
			_ = json.Unmarshal(w.Body.Bytes(), &v)
			return v
		}
		for range 3 {
			if v := ask("", 200); v.Running == nil || v.Last != nil {
				t.Fatalf("at first: %+v", v)
			}
			time.Sleep(10 * time.Second)
		}
		time.Sleep(time.Minute)
		if v := ask("", 200); v.Running != nil || v.Last == nil || len(v.Last.Findings) != 0 || v.Last.Store.Batches != 5 {
			t.Fatalf("after a minute: %+v", v)
		}
		if v := ask("?head=12", 200); len(v.Last.Findings) != 1 || !strings.Contains(v.Last.Findings[0].Problem, "no entry has the SHA-256 12") {
			t.Errorf("with a head: %+v", v.Last)
		}
		st.changed.Store(true)
		time.Sleep(50 * time.Minute)
		if v := ask("", 200); v.Last == nil || len(v.Last.Findings) != 0 || st.reads.Load() != 1 {
			t.Errorf("within an hour it was read %d times: %+v", st.reads.Load(), v)
		}
		time.Sleep(20 * time.Minute)
		ask("", 200)
		time.Sleep(2 * time.Minute)
		if v := ask("", 200); v.Last == nil || len(v.Last.Findings) != 1 {
			t.Errorf("after it was changed: %+v", v)
		}
		st.fails.Store(true)
		time.Sleep(2 * time.Hour)
		ask("", 200)
		time.Sleep(90 * time.Second)
		ask("", http.StatusInternalServerError)
		ask("?heads=1", http.StatusBadRequest)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
