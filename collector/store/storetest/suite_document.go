package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

func keepsADocumentForEver(t *testing.T, open Open) {
	dir := t.TempDir()
	st, ctx := open(t, dir), context.Background()
	body := []byte("nul \x00, newline \n, \xff and '")
	long := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	for name, body := range map[string][]byte{"a/1": body, "a/2": {}, "a/10": long, "ab": nil, "a-b/1": body} {
		if err := st.PutDocument(ctx, name, body); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		wantDocument(t, st, "a/1", body)
		wantDocument(t, st, "a/2", []byte{})
		wantDocument(t, st, "ab", []byte{})
		wantDocument(t, st, "a/10", long)
		wantNames(t, st, "a/", "a/1", "a/10", "a/2")
		wantNames(t, st, "a", "a-b/1", "a/1", "a/10", "a/2", "ab")
		wantNames(t, st, "a_")
		wantNames(t, st, "a%")
		wantNames(t, st, "b")
		if err := st.PutDocument(ctx, "a/1", body); err != nil {
			t.Errorf("the same document again: %v", err)
		}
		if err := st.PutDocument(ctx, "a/1", append(slices.Clone(body), 'x')); !errors.Is(err, store.ErrTaken) {
			t.Errorf("another document under its name: %v, want ErrTaken", err)
		}
		if err := st.PutDocument(ctx, "a/2", []byte{0}); !errors.Is(err, store.ErrTaken) {
			t.Errorf("a document under the name of an empty one: %v, want ErrTaken", err)
		}
		if _, err := st.Document(ctx, "a"); !errors.Is(err, store.ErrNoDocument) {
			t.Errorf("a document that is not there: %v, want ErrNoDocument", err)
		}
		closeStore(t, st)
		st = open(t, dir)
	}
	wantCounts(t, st, store.Counts{}) // documents are no batches
	closeStore(t, st)
}

func refusesOddDocuments(t *testing.T, open Open) {
	st, ctx := fresh(t, open), context.Background()
	for _, name := range []string{"", "/", "a/", "/a", "a//b", "A", "a b", "é", "../a", "a\x00", strings.Repeat("a", store.MaxDocumentName+1)} {
		if err := st.PutDocument(ctx, name, nil); err == nil || errors.Is(err, store.ErrTaken) {
			t.Errorf("document %q: %v, want a refusal", name, err)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := st.PutDocument(cancelled, "a", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context: %v, want context.Canceled", err)
	}
	wantNames(t, st, "")
}

// givesANameOnce lets many put the next number of a series at once, beside
// batches.
func givesANameOnce(t *testing.T, open Open) {
	st, ctx := fresh(t, open), context.Background()
	const writers, numbers = 4, 8
	var won [numbers]atomic.Int64
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for n := range numbers {
				err := st.PutDocument(ctx, fmt.Sprintf("series/%d", n), fmt.Appendf(nil, "writer %d", w))
				if err == nil {
					won[n].Add(int64(w + 1))
				} else if !errors.Is(err, store.ErrTaken) {
					t.Errorf("put: %v", err)
				}
				b := records(w, uint64(n+1), busy(fmt.Sprintf("GPU-%d", w), t0+int64(n)*minute, t0+int64(n+1)*minute))
				if _, err := st.Append(ctx, []usage.Sealed{b}); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	running.Wait()
	for n := range numbers {
		wantDocument(t, st, fmt.Sprintf("series/%d", n), fmt.Appendf(nil, "writer %d", won[n].Load()-1))
	}
	wantCounts(t, st, store.Counts{Records: writers * numbers, Batches: writers * numbers, Units: writers})
}

func wantDocument(t *testing.T, st store.Store, name string, want []byte) {
	t.Helper()
	got, err := st.Document(context.Background(), name)
	if err != nil || got == nil || !bytes.Equal(got, want) {
		t.Errorf("document %q = %.80q, %v, want %.80q", name, got, err, want)
	}
}

func wantNames(t *testing.T, st store.Store, prefix string, want ...string) {
	t.Helper()
	got, err := st.DocumentNames(context.Background(), prefix)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("documents %q = %q, %v, want %q", prefix, got, err, want)
	}
}
