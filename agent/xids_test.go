package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent"
	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/agent/kmsg"
	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/metric"
	simkmsg "github.com/gpumeter/gpumeter/sim/kmsg"
	"github.com/gpumeter/gpumeter/usage"
)

// errs is a driver with one busy GPU that reports errors when told to.
type errs struct {
	reader
	log   *simkmsg.Log
	xids  []metric.Xid
	lines strings.Builder // what the agent logged
}

func newErrs() *errs {
	e := &errs{reader: reader{began: time.Now()}}
	e.log = simkmsg.New(20_000, e.boot)
	return e
}

func (e *errs) boot() time.Duration { return time.Since(e.began) + time.Hour }

func (e *errs) Frame() metric.Frame {
	f := e.reader.Frame()
	f.Looks[0].GPU.PCI = "00000000:9B:00.0"
	e.mu.Lock()
	defer e.mu.Unlock()
	f.Xids, e.xids = e.xids, nil
	return f
}

// event makes the driver library report an error.
func (e *errs) event(code int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.xids = append(e.xids, metric.Xid{UUID: "GPU-a", Code: code, At: e.boot()})
}

func (e *errs) line(code int) {
	e.log.Write(fmt.Sprintf("NVRM: Xid (PCI:0000:9b:00): %d, pid=7, name=python, the rest", code))
}

// agent runs an agent over a spool until stop is called.
func (e *errs) agent(t *testing.T, file string) (a *agent.Agent, stop func() []usage.Batch) {
	t.Helper()
	return e.agentOf(t, file, nil)
}

// agentOf is agent with somebody to find holders.
func (e *errs) agentOf(t *testing.T, file string, holders *holder.Finder) (a *agent.Agent, stop func() []usage.Batch) {
	t.Helper()
	sp, err := spool.Open(file, spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err = agent.New(agent.Config{
		Node: usage.Node{Name: "n1"}, BootID: "b", Interval: time.Second, Window: time.Minute, Spool: sp, Holders: holders,
		NewReader: func([]metric.GPU) agent.Reader { return e },
		KernelLog: func(from kmsg.Position) agent.KernelLog {
			return kmsg.New(kmsg.Config{
				BootID: "b", From: from,
				Open:  func() (kmsg.Source, error) { return e.log.Open(), nil },
				Clock: func() kmsg.Clocks { return kmsg.Clocks{Boot: e.boot(), Mono: e.boot(), Raw: e.boot()} },
			})
		},
		Log: slog.New(slog.NewTextHandler(&e.lines, nil)), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return a, func() (out []usage.Batch) {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		defer sp.Close()
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

// xidEvents returns the errors on the accounting lane.
func xidEvents(bs []usage.Batch) (out []usage.Event) {
	for _, b := range bs {
		for _, e := range b.Events {
			if e.Kind == usage.EventXid {
				out = append(out, e)
			}
		}
	}
	return out
}

func counts(a *agent.Agent) map[int]uint64 {
	out := map[int]uint64{}
	for _, c := range a.Snapshot().Xids {
		if c.UUID == "GPU-a" {
			out[c.Code] += c.Count
		}
	}
	return out
}

func wantCounts(t *testing.T, a *agent.Agent, want map[int]uint64) {
	t.Helper()
	if diff := cmp.Diff(want, counts(a)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestXidOfTheKernelAloneReachesTheLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newErrs()
		a, stop := e.agent(t, filepath.Join(t.TempDir(), "spool.db"))
		time.Sleep(10*time.Second + time.Millisecond)
		at := time.Now()
		e.line(79)
		time.Sleep(2 * time.Second)
		wantCounts(t, a, map[int]uint64{79: 1})
		c := a.Snapshot().Xids[0]
		if c.Severity != metric.Replace || c.Last.Sub(at).Abs() > time.Second {
			t.Errorf("count %+v, want of severity replace, last %v", c, at)
		}
		if !strings.Contains(fmt.Sprint(names(a.Snapshot().Host)), "gpumeter.kmsg.up") {
			t.Errorf("the node does not say how its log is read: %v", names(a.Snapshot().Host))
		}
		bs := stop()
		if got := kinds(bs); got != "agent_start xid unhealthy agent_stop" {
			t.Errorf("events %q", got)
		}
		ev := xidEvents(bs)[0]
		if ev.Detail != "Xid (PCI:0000:9b:00): 79, pid=7, name=python, the rest" || ev.GPU != "GPU-a" || ev.Value != 79 {
			t.Errorf("event %+v", ev)
		}
		if d := ev.AtMs - at.UnixMilli(); d < -1000 || d > 0 {
			t.Errorf("event is %d ms off", d)
		}
	})
}

func names(rs []metric.Reading) (out []string) {
	for _, r := range rs {
		out = append(out, r.Desc.Name)
	}
	return out
}

func TestSameXidFromBothSourcesIsOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newErrs()
		a, stop := e.agent(t, filepath.Join(t.TempDir(), "spool.db"))
		time.Sleep(10*time.Second + 500*time.Millisecond)
		for range 3 { // three in one millisecond
			e.line(13)
			e.event(13)
		}
		e.event(31)
		time.Sleep(3 * time.Second)
		e.line(31)
		time.Sleep(3 * time.Second)
		wantCounts(t, a, map[int]uint64{13: 3, 31: 1})
		if got := len(xidEvents(stop())); got != 4 {
			t.Errorf("%d events, want 4", got)
		}
	})
}

func TestFloodOf10000LinesIsCountedAndStaysSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newErrs()
		a, stop := e.agent(t, filepath.Join(t.TempDir(), "spool.db"))
		time.Sleep(10*time.Second + 500*time.Millisecond)
		for i := range 10_000 {
			e.line(45)
			if i < 1000 {
				e.event(45)
			}
		}
		e.line(79)
		time.Sleep(3 * time.Second)
		wantCounts(t, a, map[int]uint64{45: 10_000, 79: 1})
		if f := a.Stats().Frames; f < 13 {
			t.Errorf("%d frames in 13 s: the flood held up the loop", f)
		}
		evs := xidEvents(stop())
		if len(evs) > 30 {
			t.Errorf("%d events", len(evs))
		}
		if !strings.Contains(fmt.Sprint(evs), "(and 99") {
			t.Errorf("no event says for how many it stands: %v", evs)
		}
	})
}

func TestCountersGoOnOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newErrs()
		file := filepath.Join(t.TempDir(), "spool.db")
		_, stop := e.agent(t, file)
		time.Sleep(10*time.Second + 500*time.Millisecond)
		e.line(13)
		e.event(31)
		time.Sleep(2 * time.Second)
		stop()
		time.Sleep(time.Minute)
		e.line(13)
		a, stop := e.agent(t, file)
		time.Sleep(2 * time.Second)
		wantCounts(t, a, map[int]uint64{13: 2, 31: 1})
		if got := len(xidEvents(stop())); got != 3 {
			t.Errorf("%d events in both lives, want 3", got)
		}
	})
}

// A kill takes the open window. What the kernel said in it is read again, and
// counted and told once.
func TestKillDoublesNoXid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newErrs()
		dir := t.TempDir()
		_, stop := e.agent(t, filepath.Join(dir, "spool.db"))
		time.Sleep(10*time.Second + 500*time.Millisecond)
		e.line(13)
		time.Sleep(time.Minute) // the window is closed
		e.line(31)
		e.event(31)
		time.Sleep(2 * time.Second)
		b, err := os.ReadFile(filepath.Join(dir, "spool.db")) // as a kill leaves it
		if err != nil {
			t.Fatal(err)
		}
		stop()
		file := filepath.Join(dir, "killed.db")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		a, stop := e.agent(t, file)
		time.Sleep(2 * time.Second)
		wantCounts(t, a, map[int]uint64{13: 1, 31: 1})
		var codes []int64
		for _, ev := range xidEvents(stop()) {
			codes = append(codes, ev.Value)
		}
		if diff := cmp.Diff([]int64{13, 31}, codes); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestDamagedXidStateIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newErrs()
		file := filepath.Join(t.TempDir(), "spool.db")
		sp, err := spool.Open(file, spool.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := sp.PutState("xid", []byte(`{"xids":[`)); err != nil {
			t.Fatal(err)
		}
		sp.Close()
		a, stop := e.agent(t, file)
		time.Sleep(2*time.Second + time.Millisecond)
		e.line(13)
		time.Sleep(2 * time.Second)
		wantCounts(t, a, map[int]uint64{13: 1})
		stop()
		if !strings.Contains(e.lines.String(), "errors' state is damaged") {
			t.Errorf("log says %q", e.lines.String())
		}
	})
}

// TestErrorsNameNoProcessUnlessHoldersAreTold looks at all that leaves the node
// about an error.
func TestErrorsNameNoProcessUnlessHoldersAreTold(t *testing.T) {
	f := func(names holder.Names, told bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			holders, err := holder.New(holder.Config{Names: names, Key: []byte("0123456789abcdef")})
			if err != nil {
				t.Fatal(err)
			}
			e := newErrs()
			_, stop := e.agentOf(t, filepath.Join(t.TempDir(), "spool.db"), holders)
			time.Sleep(3 * time.Second)
			e.line(31)
			time.Sleep(2 * time.Minute)
			events := xidEvents(stop())
			if len(events) != 1 || !strings.Contains(events[0].Detail, "the rest") {
				t.Fatalf("holders %s: events %+v, want one with the driver's words", names, events)
			}
			if d := events[0].Detail; strings.Contains(d, "python") != told || strings.Contains(d, "pid=7") != told {
				t.Errorf("holders %s: %q", names, d)
			}
		})
	}
	f(holder.NamesOn, true)
	f(holder.NamesHashed, false)
	f(holder.NamesOff, false)
}
