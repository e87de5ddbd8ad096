package nvml

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// TestJoinedLooksKeepTheIntegral joins looks in random portions: what they
// speak for must be all that there was, and add up to the same.
func TestJoinedLooksKeepTheIntegral(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := &childSlot{given: true}
	s.look.values = make([]float64, len(Table))
	tensor := spanRows[0]
	var got, want, active, wantActive, tensorSum, wantTensor float64
	var covered, now time.Duration
	for range 5000 {
		m := &look{condition: metric.Good, since: now, util: metric.KnownShare(r.Float64()), active: metric.KnownShare(r.Float64())}
		if r.IntN(5) > 0 { // else it speaks for no time
			now += time.Duration(r.IntN(1000)) * time.Millisecond
		}
		m.at, m.ended = now, now
		m.values = slices.Clone(s.look.values)
		m.values[tensor] = r.Float64()
		wantTensor += m.values[tensor] * (m.at - m.since).Seconds()
		want += m.util.Value * (m.at - m.since).Seconds()
		wantActive += m.active.Value * (m.at - m.since).Seconds()
		s.looks++
		s.add(m, true)
		if r.IntN(3) == 0 {
			s.given = true
			got += s.look.util.Value * (s.look.at - s.look.since).Seconds()
			active += s.look.active.Value * (s.look.at - s.look.since).Seconds()
			tensorSum += s.look.values[tensor] * (s.look.at - s.look.since).Seconds()
			covered += s.look.at - s.look.since
		}
	}
	if !s.given {
		got += s.look.util.Value * (s.look.at - s.look.since).Seconds()
		active += s.look.active.Value * (s.look.at - s.look.since).Seconds()
		tensorSum += s.look.values[tensor] * (s.look.at - s.look.since).Seconds()
		covered += s.look.at - s.look.since
	}
	if math.Abs(tensorSum-wantTensor) > 1e-9*wantTensor {
		t.Errorf("tensor pipes of joined looks are active for %vs, want %vs", tensorSum, wantTensor)
	}
	if math.Abs(active-wantActive) > 1e-9*wantActive {
		t.Errorf("joined looks are active for %vs, want %vs", active, wantActive)
	}
	if math.Abs(got-want) > 1e-9*want || covered != now {
		t.Errorf("joined looks are busy for %vs of %s, want %vs of %s", got, covered, want, now)
	}
}

func TestLooksThatAreNoWholeAreNotJoined(t *testing.T) {
	a := &look{since: 1, at: 5, util: metric.KnownShare(1)}
	for what, b := range map[string]*look{
		"gap":     {since: 6, at: 9, util: metric.KnownShare(0)},
		"unknown": {since: 5, at: 9},
	} {
		since, at, util, _ := joined(a, b)
		if since != b.since || at != b.at || util != b.util {
			t.Errorf("%s: joined = %d to %d %+v, want the second alone", what, since, at, util)
		}
	}
}

// TestFloodOfXidsIsCounted has more errors than are kept for a frame.
func TestFloodOfXidsIsCounted(t *testing.T) {
	r := NewReader(Config{})
	k := r.know(metric.GPU{UUID: "GPU-a"})
	c := &child{slots: []childSlot{{known: k}}}
	r.current = c
	const flood = 10_000
	for range flood {
		b := (&xid{code: 63, at: time.Second, late: time.Minute}).append(nil)[4:]
		r.receive(c, kindXid, b, nil)
	}
	got := 0
	for _, x := range r.xids {
		got += 1 + int(x.More)
		if x.Late != time.Minute {
			t.Fatalf("xid = %+v", x)
		}
	}
	if got != flood || len(r.xids) > maxXids {
		t.Errorf("%d errors in %d entries, want %d in at most %d", got, len(r.xids), flood, maxXids)
	}
}

func TestNonsenseEndsTheWorkerAndNotTheParent(t *testing.T) {
	r := NewReader(Config{})
	c := &child{}
	r.current = c
	for _, message := range [][]byte{{99}, {byte(kindLook), 1}, {byte(kindGPU)}, (&look{slot: 9, reason: "x", values: nil}).append(nil)[4:]} {
		c.broken = nil
		r.receive(c, kind(message[0]), message, nil)
		if c.broken == nil {
			t.Errorf("message %x is accepted", message)
		}
	}
}

func TestWorkerEnvironmentIsClean(t *testing.T) {
	got := cleanEnv([]string{"PATH=/bin", "LD_PRELOAD=/tmp/x.so", "LD_LIBRARY_PATH=/tmp", "GLIBC_TUNABLES=x", "GODEBUG=y", "HOME=/"})
	if want := []string{"PATH=/bin", "HOME=/"}; !slices.Equal(got, want) {
		t.Errorf("environment = %q, want %q", got, want)
	}
}

func TestDelayDoublesUpToItsLimit(t *testing.T) {
	r := NewReader(Config{RetryMin: 5 * time.Second, RetryMax: 5 * time.Minute})
	var got []time.Duration
	for n := range 9 {
		got = append(got, r.delay(n)/time.Second)
	}
	if want := []time.Duration{0, 5, 10, 20, 40, 80, 160, 300, 300}; !slices.Equal(got, want) {
		t.Errorf("delays = %d, want %d", got, want)
	}
}

// TestStuckWorkerIsKilledLateAndSeldom checks the patience that a worker has
// to be met with: killing one in a driver call can wedge the GPU.
func TestStuckWorkerIsKilledLateAndSeldom(t *testing.T) {
	// A message says that the trap is set: a signal before it would kill.
	const script = `trap '' TERM; printf '\001\000\000\000x'; while :; do sleep 1; done`
	deaf := make(chan struct{})
	c, err := startChild(&Config{Exe: "/bin/sh", Args: []string{"-c", script}}, 0, func(_ *child, k kind, _ []byte, err error) {
		if err == nil && k == 'x' {
			close(deaf)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.exited
	})
	select {
	case <-deaf:
	case <-c.exited:
		t.Fatal("the worker ended by itself")
	}
	c.stop(time.Second)
	for at := time.Second; at < 2*time.Minute; at += 100 * time.Millisecond {
		if c.insist(at, 2*time.Minute, true) || c.gone() {
			t.Fatalf("killed at %s", at)
		}
	}
	if !c.termed {
		t.Error("no SIGTERM within two minutes")
	}
	if c.insist(3*time.Minute, 2*time.Minute, false) {
		t.Error("killed although it may not be")
	}
	if !c.insist(3*time.Minute, 2*time.Minute, true) {
		t.Error("not killed after two minutes")
	}
	<-c.exited
}

func TestObituaryNamesTheCrash(t *testing.T) {
	var w words
	for _, s := range []string{"scenario: loaded\nSIGSEGV: segm", "entation violation\nPC=0x1\n", "\ngs     0x0\n"} {
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := w.String(), "SIGSEGV: segmentation violation"; got != want {
		t.Errorf("words = %q, want %q", got, want)
	}
}
