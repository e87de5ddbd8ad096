package collector_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
)

// rollingStore writes down when it was asked to roll up, and refuses.
type rollingStore struct {
	*storetest.Model
	at []time.Time
}

func (s *rollingStore) RollUp(_ context.Context, now time.Time) error {
	s.at = append(s.at, now)
	return errors.New("not now")
}

func TestCollectorLetsItsStoreRollUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &rollingStore{Model: storetest.NewModel()}
		c := collector.New(collector.Config{Store: st, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
		defer cancel()
		if err := c.Serve(ctx, nobody{make(chan struct{})}); err != nil {
			t.Error(err)
		}
		if want := []time.Time{begin.Add(5 * time.Minute), begin.Add(10 * time.Minute)}; !slices.EqualFunc(st.at, want, time.Time.Equal) {
			t.Errorf("rolled up at %v, want %v", st.at, want)
		}
	})
}
