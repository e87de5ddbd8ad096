package agent_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/agent"
	"github.com/gpumeter/gpumeter/agent/host"
	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// reader is a driver with one GPU that is always busy.
type reader struct {
	began time.Time
	known []metric.GPU

	mu     sync.Mutex // guards what follows
	paused bool
}

func (r *reader) Run(ctx context.Context) error { <-ctx.Done(); return nil }

func (r *reader) Frame() metric.Frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Since(r.began) + time.Hour
	l := metric.Look{GPU: metric.GPU{UUID: "GPU-a", Name: "NVIDIA H100 80GB HBM3"}, Reason: metric.ReasonPaused}
	if !r.paused {
		l.Condition, l.Reason, l.Since, l.At, l.Util, l.ProcessesKnown = metric.Good, "", at-time.Second, at, metric.KnownShare(1), true
	}
	return metric.Frame{Boot: at, Wall: time.Now(), Driver: metric.Driver{Up: true, Version: "580"}, Looks: []metric.Look{l}}
}

func (r *reader) Pause(context.Context) error { r.set(true); return nil }
func (r *reader) Resume()                     { r.set(false) }

func (r *reader) set(paused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = paused
}

// start runs an agent over a spool in dir until stop is called, which returns
// the batches that the spool then holds.
func start(t *testing.T, dir, pauseFile string, edits ...func(*agent.Config)) (a *agent.Agent, r *reader, stop func() []usage.Batch) {
	t.Helper()
	sp, err := spool.Open(filepath.Join(dir, "spool.db"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r = &reader{began: time.Now()}
	cfg := agent.Config{
		Node: usage.Node{Name: "n1"}, Interval: time.Second, Window: time.Minute, Spool: sp, PauseFile: pauseFile,
		NewReader: func(known []metric.GPU) agent.Reader { r.known = known; return r },
		Log:       slog.New(slog.DiscardHandler), Now: time.Now,
	}
	for _, edit := range edits {
		edit(&cfg)
	}
	a, err = agent.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return a, r, func() []usage.Batch {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		defer sp.Close()
		var out []usage.Batch
		if err := sp.Unacked(1<<30, func(_ usage.ID, body []byte, _ usage.Hash) {
			s, err := usage.Open(body)
			if err != nil {
				t.Error(err)
			}
			out = append(out, s.Batch)
		}); err != nil {
			t.Error(err)
		}
		return out
	}
}

func kinds(bs []usage.Batch) string {
	var out []string
	for _, b := range bs {
		for _, e := range b.Events {
			out = append(out, string(e.Kind))
		}
	}
	return strings.Join(out, " ")
}

func observed(bs []usage.Batch) (ms int64) {
	for _, b := range bs {
		for _, r := range b.Records {
			ms += r.ObservedMs()
		}
	}
	return ms
}

func TestRunPutsEveryWindowIntoTheSpool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		_, _, stop := start(t, dir, "")
		time.Sleep(150*time.Second + time.Millisecond)
		bs := stop()
		if len(bs) != 3 {
			t.Fatalf("%d batches, want two whole windows and the last", len(bs))
		}
		if ms := observed(bs); ms < 149_000 || ms > 150_000 {
			t.Errorf("observed %d ms of 150 s", ms)
		}
		if got := kinds(bs); got != "agent_start agent_stop" {
			t.Errorf("events %q", got)
		}
		if g := bs[0].GPUs[0]; g.Model != "H100" || bs[0].Node.Driver != "580" {
			t.Errorf("inventory %+v of driver %q", g, bs[0].Node.Driver)
		}
		_, r, stop := start(t, dir, "")
		stop()
		if len(r.known) != 1 || r.known[0].UUID != "GPU-a" {
			t.Errorf("after a restart the agent knows %v, want GPU-a", r.known)
		}
	})
}

func TestPauseEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, stop := start(t, t.TempDir(), "")
		time.Sleep(10*time.Second + time.Millisecond)
		if err := a.Pause(t.Context(), 20*time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if !a.Stats().Paused {
			t.Error("not paused")
		}
		time.Sleep(20 * time.Second)
		bs := stop()
		if got := kinds(bs); got != "agent_start unobserved pause resume observed agent_stop" {
			t.Errorf("events %q", got)
		}
		if ms := observed(bs); ms < 13_000 || ms > 16_000 {
			t.Errorf("observed %d ms, want 35 s less a pause of 20 s", ms)
		}
		for _, b := range bs {
			for _, r := range b.Records {
				if r.Reason != metric.ReasonPaused {
					t.Errorf("missing time has reason %q, want %q", r.Reason, metric.ReasonPaused)
				}
			}
		}
	})
}

func TestPauseFileHoldsTheAgentForAsLongAsItIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "pause")
		a, r, stop := start(t, dir, file)
		defer stop()
		time.Sleep(5*time.Second + time.Millisecond)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		a.Resume()
		time.Sleep(2 * time.Second)
		if !a.Stats().Paused || !r.is() {
			t.Error("the pause ended although the file is there")
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if a.Stats().Paused || r.is() {
			t.Error("the pause goes on although the file is gone")
		}
	})
}

func (r *reader) is() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.paused
}

func TestLockIsHeldByOneAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := agent.AcquireLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agent.AcquireLock(path); err == nil || !strings.Contains(err.Error(), "another agent meters this node") {
		t.Errorf("second lock: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, err = agent.AcquireLock(path)
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	l.Close()
}

func TestSnapshotHasWhatTheNodeSays(t *testing.T) {
	sp, err := spool.Open(filepath.Join(t.TempDir(), "spool.db"), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Close()
	a, err := agent.New(agent.Config{
		Interval: 10 * time.Millisecond, Window: time.Minute, Spool: sp, Host: host.New(host.Config{}),
		NewReader: func([]metric.GPU) agent.Reader { return &reader{began: time.Now()} },
		Log:       slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	memory := func() bool {
		return slices.ContainsFunc(a.Snapshot().Host, func(r metric.Reading) bool { return r.Desc.Name == "host.memory.total" && r.Value > 0 })
	}
	// The node's files are real, so this waits for real.
	for deadline := time.Now().Add(5 * time.Second); !memory(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the node says nothing")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
