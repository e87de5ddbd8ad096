package collector_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/usage"
)

// tidyStore writes down what it was asked to do, by hours since the start. It
// refuses to close days in the third hour.
type tidyStore struct {
	*storetest.Model
	begin time.Time
	did   []string
}

func (s *tidyStore) hour() int { return int(time.Since(s.begin) / time.Hour) }

func (s *tidyStore) note(what string) { s.did = append(s.did, fmt.Sprintf("%d %s", s.hour(), what)) }

func (s *tidyStore) CloseDays(context.Context, time.Time) (int, error) {
	if s.hour() == 1 || s.hour() == 25 {
		s.note("close")
	}
	if s.hour() == 1 {
		return 0, errors.New("disk is full")
	}
	return 0, nil
}

func (s *tidyStore) ThinDays(context.Context) (int, error) {
	s.note("thin")
	return 0, nil
}

func (s *tidyStore) Prune(_ context.Context, p store.Pruning) (store.Pruned, error) {
	s.note("prune")
	return store.Pruned{Records: 7, NextMs: p.ToMs}, nil
}

// TestCollectorTidiesUpInOrder wants nothing pruned before days are closed and
// thinned, and that once a day; synctest begins at midnight.
func TestCollectorTidiesUpInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &tidyStore{Model: storetest.NewModel(), begin: time.Now()}
		old := time.Now().Add(-80 * time.Hour).UnixMilli()
		s, err := usage.Seal(usage.Batch{
			Agent: agentA, Epoch: epoch, Seq: 1, Evidence: usage.EvidenceAgent, IntervalMs: 1000,
			Node: usage.Node{Name: "n"}, GPUs: []usage.GPU{{UUID: "GPU-1", Model: "H100"}},
			Records: []usage.Record{{GPU: "GPU-1", StartMs: old, EndMs: old + 60_000, Sums: usage.Sums{IdleMs: 60_000}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Append(t.Context(), []usage.Sealed{s}); err != nil {
			t.Fatal(err)
		}
		backups := collector.Backups{Dir: filepath.Join(t.TempDir(), "none"), Every: time.Hour, Keep: 1}
		c := collector.New(collector.Config{Store: st, Now: time.Now, Log: slog.New(slog.DiscardHandler), KeepMinutes: 72 * time.Hour, Backups: backups})
		ctx, cancel := context.WithTimeout(t.Context(), 26*time.Hour)
		defer cancel()
		if err := c.Serve(ctx, nobody{make(chan struct{})}); err != nil {
			t.Error(err)
		}
		want := []string{"1 close", "2 thin", "2 prune", "24 thin", "24 prune", "25 close"}
		if !slices.Equal(st.did, want) {
			t.Errorf("it did %q, want %q", st.did, want)
		}
		text := do(c.Handler(), "GET", "/metrics", nil).Body.String()
		for _, line := range []string{"gpumeter_collector_pruned_records_total 14\n", "gpumeter_collector_tidy_errors_total 1\n"} {
			if !strings.Contains(text, line) {
				t.Errorf("/metrics lacks %q", line)
			}
		}
		if strings.Contains(text, "gpumeter_collector_last_backup") {
			t.Error("/metrics tell of a backup that there is not")
		}
	})
}
