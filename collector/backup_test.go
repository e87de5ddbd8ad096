package collector_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
)

// copyingStore makes folders, and refuses the second time.
type copyingStore struct {
	*storetest.Model
	calls int
}

func (s *copyingStore) Backup(_ context.Context, to string) error {
	if s.calls++; s.calls == 2 {
		return errors.New("disk is full")
	}
	return os.Mkdir(to, 0o700)
}

func TestCollectorKeepsTheLastBackups(t *testing.T) {
	dir := t.TempDir()
	for _, other := range []string{"gpumeter-november", "gpumeter-19990101T000000Z.old", "gpumeter-19990101T000000Z"} {
		if err := os.Mkdir(filepath.Join(dir, other), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var want []string
	synctest.Test(t, func(t *testing.T) {
		st := &copyingStore{Model: storetest.NewModel()}
		c := collector.New(collector.Config{
			Store: st, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			Backups: collector.Backups{Dir: dir, Every: 24 * time.Hour, Keep: 2},
		})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 4*24*time.Hour+time.Minute)
		defer cancel()
		if err := c.Serve(ctx, nobody{make(chan struct{})}); err != nil {
			t.Error(err)
		}
		for _, day := range []int{3, 4} {
			want = append(want, begin.AddDate(0, 0, day).UTC().Format("gpumeter-20060102T150405Z"))
		}
		text := do(c.Handler(), "GET", "/metrics", nil).Body.String()
		for name, value := range map[string]float64{"last_backup_timestamp_seconds": float64(begin.AddDate(0, 0, 4).Unix()), "backup_errors_total": 1} {
			if line := fmt.Sprintf("\ngpumeter_collector_%s %v\n", name, value); !strings.Contains(text, line) {
				t.Errorf("/metrics lacks %q", line)
			}
		}
	})
	want = append(want, "gpumeter-november", "gpumeter-19990101T000000Z.old")
	var got []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("folders %q, want %q", got, want)
	}
}
