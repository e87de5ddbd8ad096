package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/cmd/internal/file"
	"github.com/gpumeter/gpumeter/usage"
)

// bin is a collector that only remembers.
type bin struct {
	mu      sync.Mutex
	batches map[usage.ID]usage.Sealed
	twice   int
	fail    int // the post that fails, counted down; 0 is none
}

func (b *bin) post(_ context.Context, batches []usage.Sealed) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail--; b.fail == 0 {
		return errors.New("out of order")
	}
	for _, s := range batches {
		if _, ok := b.batches[s.Batch.ID()]; ok {
			b.twice++
		}
		b.batches[s.Batch.ID()] = s
	}
	return nil
}

func (b *bin) seqs(_ context.Context, agent, epoch string) (usage.Ranges, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out usage.Ranges
	for id := range b.batches {
		if id.Agent == agent && id.Epoch == epoch {
			out = out.Add(id.Seq)
		}
	}
	return out, nil
}

func (b *bin) bodies() map[usage.ID]string {
	out := map[usage.ID]string{}
	for id, s := range b.batches {
		out[id] = s.Hash.String()
	}
	return out
}

func newFeed(t *testing.T, s *demoState, b *bin, now time.Time) *demoFeed {
	t.Helper()
	f, err := s.fleet()
	if err != nil {
		t.Fatal(err)
	}
	return &demoFeed{
		fleet: f, state: s, save: func() error { return s.write(t.TempDir()) },
		seqs: b.seqs, post: b.post, now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler),
	}
}

// disjoint wants the records of every GPU to lie one after the other, but for
// the holders of one window.
func (b *bin) disjoint(t *testing.T) (fromMs, toMs int64) {
	t.Helper()
	byGPU := map[string][]usage.Record{}
	for _, s := range b.batches {
		for _, r := range s.Batch.Records {
			byGPU[r.GPU] = append(byGPU[r.GPU], r)
		}
	}
	fromMs = 1 << 62
	for gpu, list := range byGPU {
		slices.SortFunc(list, func(a, b usage.Record) int { return int(a.StartMs - b.StartMs) })
		for i, r := range list {
			if i > 0 && r.StartMs < list[i-1].EndMs && (r.StartMs != list[i-1].StartMs || r.EndMs != list[i-1].EndMs) {
				t.Fatalf("%s has records [%d, %d) and [%d, %d)", gpu, list[i-1].StartMs, list[i-1].EndMs, r.StartMs, r.EndMs)
			}
		}
		fromMs, toMs = min(fromMs, list[0].StartMs), max(toMs, list[len(list)-1].EndMs)
	}
	return fromMs, toMs
}

// shortHistory is enough where the story does not matter.
const shortHistory = 3 * 24 * time.Hour

var demoNow = time.Date(2026, 11, 24, 14, 23, 17, 0, time.UTC)

func TestFeedGoesOnAfterPausesWithoutGapOrOverlap(t *testing.T) {
	s := newDemoState(3, 1, demoNow, shortHistory)
	b := &bin{batches: map[usage.ID]usage.Sealed{}}
	kinds := ""
	for _, later := range []time.Duration{0, 0, 40 * time.Minute, 26 * time.Hour, 26 * time.Hour, 27 * time.Hour} {
		now := demoNow.Add(later)
		s.use("one")
		if err := newFeed(t, &s, b, now).catchUp(t.Context(), func(float64) {}); err != nil {
			t.Fatal(err)
		}
		if b.twice > 0 {
			t.Fatalf("after %s, %d batches were sent twice", later, b.twice)
		}
		from, to := b.disjoint(t)
		if want := demoNow.Add(-shortHistory).Truncate(24 * time.Hour); from != want.UnixMilli() {
			t.Errorf("after %s, records begin at %s, want %s", later, time.UnixMilli(from).UTC(), want)
		}
		if want := now.Truncate(time.Minute); to != want.UnixMilli() {
			t.Errorf("after %s, records end at %s, want %s", later, time.UnixMilli(to).UTC(), want)
		}
		if err := s.check(); err != nil {
			t.Fatal(err)
		}
		kinds = ""
		for _, x := range s.Segments {
			kinds += map[bool]string{true: "h", false: "m"}[x.Hours]
		}
	}
	if kinds != "hmhm" {
		t.Errorf("segments are %s, want hmhm: one long pause filled with hours", kinds)
	}
}

func TestFeedThatBrokeOffSendsTheRest(t *testing.T) {
	run := func(fail int) map[usage.ID]string {
		s := newDemoState(3, 1, demoNow, shortHistory)
		s.use("one")
		b := &bin{batches: map[usage.ID]usage.Sealed{}, fail: fail}
		err := newFeed(t, &s, b, demoNow).catchUp(t.Context(), func(float64) {})
		if (err != nil) != (fail > 0) {
			t.Fatalf("with post %d failing, catchUp gave %v", fail, err)
		}
		if err := newFeed(t, &s, b, demoNow).catchUp(t.Context(), func(float64) {}); err != nil {
			t.Fatal(err)
		}
		if b.twice > 0 {
			t.Errorf("with post %d failing, %d batches were sent twice", fail, b.twice)
		}
		return b.bodies()
	}
	want := run(0)
	for _, fail := range []int{1, 2} {
		if diff := cmp.Diff(want, run(fail)); diff != "" {
			t.Errorf("with post %d failing, other batches came (-want +got):\n%s", fail, diff)
		}
	}
}

func TestFeedFillsAnotherStoreAnew(t *testing.T) {
	s := newDemoState(3, 1, demoNow, shortHistory)
	var want map[usage.ID]string
	for _, name := range []string{"one", "another"} {
		b := &bin{batches: map[usage.ID]usage.Sealed{}}
		s.use(name)
		if err := newFeed(t, &s, b, demoNow).catchUp(t.Context(), func(float64) {}); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = b.bodies()
		}
		if diff := cmp.Diff(want, b.bodies()); diff != "" {
			t.Errorf("store %q holds other batches (-want +got):\n%s", name, diff)
		}
	}
}

func TestFeedTellsHowFarItIs(t *testing.T) {
	s := newDemoState(3, 1, demoNow, shortHistory)
	b := &bin{batches: map[usage.ID]usage.Sealed{}}
	var mu sync.Mutex
	var shares []float64
	err := newFeed(t, &s, b, demoNow).catchUp(t.Context(), func(share float64) {
		mu.Lock()
		defer mu.Unlock()
		shares = append(shares, share)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(shares) < 2 || slices.Max(shares) > 1 || slices.Min(shares) < 0 || shares[len(shares)-1] < 0.9 {
		t.Errorf("shares are %v, want some between 0 and 1 that end near 1", shares)
	}
}

func TestFeedWritesEveryMinuteAndBeginsASegmentEachDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(24*time.Hour - 3*time.Minute - 20*time.Second) // synctest begins at midnight
		begin := time.Now().UTC()
		s := newDemoState(3, 1, begin, shortHistory)
		s.Segments[0].From, s.Segments[0].Done = s.Segments[0].To.Add(-24*time.Hour), true
		b := &bin{batches: map[usage.ID]usage.Sealed{}}
		f := newFeed(t, &s, b, begin)
		f.now = time.Now
		f.minutes = f.fleet.Minutes(begin.Truncate(time.Minute))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.live(ctx) }()
		time.Sleep(6 * time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		from, to := b.disjoint(t)
		if from != begin.Truncate(time.Minute).UnixMilli() || to != time.Now().Truncate(time.Minute).UnixMilli() {
			t.Errorf("records go from %s to %s at %s", time.UnixMilli(from).UTC(), time.UnixMilli(to).UTC(), time.Now().UTC())
		}
		last := s.Segments[len(s.Segments)-1]
		if len(s.Segments) != 3 || !s.Segments[1].Done || last.From.Hour() != 0 || last.From.Minute() != 0 {
			t.Errorf("segments after midnight: %+v", s.Segments)
		}
	})
}

func TestStateIsReadAsItWasWritten(t *testing.T) {
	dir := t.TempDir()
	want := newDemoState(3, 40, demoNow, demoHistory)
	want.use("one")
	want.bridge(demoNow, demoNow.Add(8*time.Hour))
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	got, ok, err := readDemoState(dir)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDamagedStateIsRefusedByName(t *testing.T) {
	f := func(text string) {
		t.Helper()
		dir := t.TempDir()
		name := dir + "/" + demoStateFile
		if err := file.Replace(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := readDemoState(dir)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "--fresh") {
			t.Errorf("state %q gave %v, want an error that names %s and --fresh", text, err, name)
		}
	}
	f(``)
	f(`{}`)
	f(`{"seed":1,"started":"2026-11-24T14:23:17Z","segments":[]}`)
	at := func(from, to string) string {
		return fmt.Sprintf(`{"from":"2026-11-%sZ","to":"2026-11-%sZ"}`, from, to)
	}
	f(`{"started":"2026-11-24T14:23:17Z","segments":[` + at("01T00:00:00", "02T00:00:00") + `,` + at("03T00:00:00", "04T00:00:00") + `]}`)
}
