package kmsg_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/agent/kmsg"
	"github.com/gpumeter/gpumeter/metric"
	simkmsg "github.com/gpumeter/gpumeter/sim/kmsg"
)

const (
	xid13 = "NVRM: Xid (PCI:0000:9b:00): 13, pid=1, name=a, Graphics Exception"
	xid79 = "NVRM: Xid (PCI:0000:9b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
	bare  = "NVRM: GPU 0000:9b:00.0: GPU has fallen off the bus."
)

// node is a node whose clock runs with the test's and began an hour before.
type node struct {
	began time.Time
	log   *simkmsg.Log
	ahead time.Duration // by how much the log's own clock is ahead
}

func newNode(capacity int) *node {
	n := &node{began: time.Now().Add(-time.Hour)}
	n.log = simkmsg.New(capacity, func() time.Duration { return n.boot() + n.ahead })
	return n
}

func (n *node) boot() time.Duration { return time.Since(n.began) }

func (n *node) config(boot string, from kmsg.Position) kmsg.Config {
	return kmsg.Config{
		BootID: boot, From: from,
		Open:  func() (kmsg.Source, error) { return n.log.Open(), nil },
		Clock: func() kmsg.Clocks { return kmsg.Clocks{Boot: n.boot(), Mono: n.boot(), Raw: n.boot()} },
	}
}

// run follows a log until the test ends or stop is called.
func run(t *testing.T, cfg kmsg.Config) (r *kmsg.Reader, stop func()) {
	t.Helper()
	r = kmsg.New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return r, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	}
}

// count returns how many reports of each code there are.
func count(xids []metric.Xid) map[int]uint64 {
	out := map[int]uint64{}
	for _, x := range xids {
		out[x.Code] += 1 + x.More
	}
	return out
}

func wantCount(t *testing.T, xids []metric.Xid, want map[int]uint64) {
	t.Helper()
	if got := count(xids); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("reports by code %v, want %v", got, want)
	}
}

func TestFirstStartBeginsWithWhatComesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(100)
		n.log.Write(xid79)
		r, stop := run(t, n.config("b", kmsg.Position{}))
		defer stop()
		time.Sleep(3 * time.Second)
		n.log.Write(xid13)
		synctest.Wait()
		got := r.Take()
		wantCount(t, got.Xids, map[int]uint64{13: 1})
		if got.Position != (kmsg.Position{BootID: "b", Next: 2}) {
			t.Errorf("position %+v, want after the second record of boot b", got.Position)
		}
		if s := r.Stats(); !s.Up || s.Lost != 0 || s.Reports != 1 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestRestartGoesOnWhereTheLastReaderStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(100)
		r, stop := run(t, n.config("b", kmsg.Position{}))
		time.Sleep(time.Second)
		n.log.Write(xid13)
		synctest.Wait()
		at := r.Take().Position
		stop()
		n.log.Write("something else")
		n.log.Write(xid79)
		r, stop = run(t, n.config("b", at))
		synctest.Wait()
		got := r.Take()
		stop()
		wantCount(t, got.Xids, map[int]uint64{79: 1})
		if got.Position.Next != 3 || r.Stats().Lost != 0 {
			t.Errorf("position %+v, lost %d", got.Position, r.Stats().Lost)
		}
	})
}

func TestWholeLogOfANewBootIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(2)
		for _, text := range []string{"a", "b", xid13, xid79} {
			n.log.Write(text)
		}
		r, stop := run(t, n.config("new", kmsg.Position{BootID: "old", Next: 77}))
		defer stop()
		synctest.Wait()
		wantCount(t, r.Take().Xids, map[int]uint64{13: 1, 79: 1})
		if lost := r.Stats().Lost; lost != 2 {
			t.Errorf("lost %d, want the 2 that the ring no longer has", lost)
		}
	})
}

func TestThreeXidsInOneMillisecondAreThree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(100)
		r, stop := run(t, n.config("b", kmsg.Position{}))
		defer stop()
		time.Sleep(time.Second)
		for range 3 {
			n.log.Write(xid13)
		}
		synctest.Wait()
		got := r.Take().Xids
		if len(got) != 3 {
			t.Fatalf("%d reports, want three: %+v", len(got), got)
		}
		want := metric.Xid{PCI: "0000:9b:00", Code: 13, At: n.boot(), Origin: metric.FromKernel, Detail: strings.TrimPrefix(xid13, "NVRM: ")}
		for _, x := range got {
			if x != want {
				t.Errorf("report %+v, want %+v", x, want)
			}
		}
	})
}

func TestFloodOf10000LinesIsCountedInBoundedMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(30_000)
		r, stop := run(t, n.config("b", kmsg.Position{}))
		defer stop()
		time.Sleep(time.Second)
		for i := range 10_000 {
			n.log.Write(fmt.Sprintf("NVRM: Xid (PCI:0000:%02x:00): 45, pid=%d, name=a, Ch 8", i%8, i))
			if i%1000 == 0 {
				n.log.Write(xid79)
			}
		}
		synctest.Wait()
		got := r.Take()
		wantCount(t, got.Xids, map[int]uint64{45: 10_000, 79: 10})
		if len(got.Xids) > 2048 {
			t.Errorf("%d entries for one Take, want at most 2048", len(got.Xids))
		}
		if s := r.Stats(); s.Reports != 10_010 || s.Lost != 0 || s.Dropped != 0 {
			t.Errorf("stats %+v", s)
		}
		n.log.Write(xid13)
		synctest.Wait()
		wantCount(t, r.Take().Xids, map[int]uint64{13: 1})
	})
}

// gated is a source whose next Read waits until it is let go.
type gated struct {
	kmsg.Source
	gate chan struct{}
}

func (g *gated) Read(p []byte, wait time.Duration) (int, bool, error) {
	<-g.gate
	return g.Source.Read(p, wait)
}

func TestRingOverrunIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(1000)
		cfg := n.config("b", kmsg.Position{BootID: "b"})
		gate := make(chan struct{})
		cfg.Open = func() (kmsg.Source, error) { return &gated{n.log.Open(), gate}, nil }
		n.log.Write(xid13)
		r, stop := run(t, cfg)
		gate <- struct{}{}
		synctest.Wait() // it has read the first, and stands before the second
		for range 10_000 {
			n.log.Write(xid13)
		}
		close(gate)
		synctest.Wait()
		wantCount(t, r.Take().Xids, map[int]uint64{13: 1001})
		if s := r.Stats(); s.Lost != 9000 || s.Records != 1001 || !s.Up {
			t.Errorf("stats %+v, want 9000 lost", s)
		}
		stop()
	})
}

func TestFallingOffTheBusIsToldOnce(t *testing.T) {
	f := func(want uint64, lines ...string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			n := newNode(100)
			r, stop := run(t, n.config("b", kmsg.Position{}))
			defer stop()
			time.Sleep(time.Second)
			for _, line := range lines {
				if line == "" {
					time.Sleep(10 * time.Second)
					continue
				}
				n.log.Write(line)
			}
			synctest.Wait()
			got := r.Take().Xids
			wantCount(t, got, map[int]uint64{79: want})
			if got[0].PCI != "0000:9b:00" {
				t.Errorf("bus id %q", got[0].PCI)
			}
		})
	}
	f(1, xid79)
	f(1, bare)
	f(1, xid79, bare)
	f(1, bare, xid79)
	f(2, xid79, xid79, bare, bare)
	f(2, xid79, bare, xid79)
	f(2, xid79, bare, xid79, bare)
	f(2, xid79, bare, "", bare)
	f(2, xid79, "", bare)
	f(2, xid79, strings.ReplaceAll(bare, "9b", "9c"))
	f(1, "NVRM: The NVIDIA GPU 0000:9b:00.0\nNVRM: (PCI ID: 10de:26b5) installed in this system has\nNVRM: fallen off the bus and is not responding to commands.", xid79)
}

func TestLinesOfProgramsAreNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(100)
		n.log.WriteAs(12, xid79)
		n.log.Write(xid13)
		s, err := kmsg.Scan(n.config("b", kmsg.Position{}))
		if err != nil {
			t.Fatal(err)
		}
		wantCount(t, s.Xids, map[int]uint64{13: 1})
		cfg := n.config("b", kmsg.Position{})
		cfg.Injected = true
		if s, err = kmsg.Scan(cfg); err != nil {
			t.Fatal(err)
		}
		wantCount(t, s.Xids, map[int]uint64{13: 1, 79: 1})
	})
}

func TestScanReadsTheWholeLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(4)
		n.log.Write("gone")
		time.Sleep(time.Minute)
		at := n.boot()
		n.log.Write(xid79)
		n.log.Write(bare)
		n.log.Write("NVRM: GPU6 _kgspIsHeartbeatTimedOut: Heartbeat timed out, currentTimeMs 8")
		n.log.Write("else")
		time.Sleep(time.Minute)
		s, err := kmsg.Scan(n.config("b", kmsg.Position{BootID: "b", Next: 4}))
		if err != nil {
			t.Fatal(err)
		}
		wantCount(t, s.Xids, map[int]uint64{79: 1})
		if s.Records != 4 || s.Lost != 1 || s.Firmware != 1 || s.Xids[0].At != at {
			t.Errorf("scan %+v, want 4 records, 1 lost, 1 of firmware, at %v", s, at)
		}
		cfg := n.config("b", kmsg.Position{})
		cfg.Open = func() (kmsg.Source, error) { return nil, fs.ErrPermission }
		if _, err := kmsg.Scan(cfg); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("error %v, want one of permission", err)
		}
	})
}

// The log's clock is a constant apart from the boot clock, and nobody says by
// how much: 12 s on a machine that was restored from a snapshot.
func TestTimeOfAFollowedReportIsRightWithinASecond(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour + time.Second, -12 * time.Second, 0, 12 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			n := newNode(100)
			n.ahead = ahead
			r, stop := run(t, n.config("b", kmsg.Position{}))
			defer stop()
			time.Sleep(10*time.Second + 300*time.Millisecond)
			n.log.Write(xid13)
			synctest.Wait()
			x := r.Take().Xids[0]
			if off := n.boot() - x.At; off < 0 || off > time.Second {
				t.Errorf("log %v ahead: time is %v too early", ahead, off)
			}
		})
	}
}

func TestLogThatCannotBeReadIsTriedAgainAndToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(100)
		var out bytes.Buffer
		cfg := n.config("b", kmsg.Position{BootID: "b"})
		cfg.Log = slog.New(slog.NewTextHandler(&out, nil))
		var tries atomic.Int32
		cfg.Open = func() (kmsg.Source, error) {
			if tries.Add(1) <= 3 {
				return nil, &fs.PathError{Op: "open", Path: "/dev/kmsg", Err: syscall.EPERM}
			}
			return n.log.Open(), nil
		}
		r, stop := run(t, cfg)
		time.Sleep(150 * time.Second)
		if s := r.Stats(); s.Up || s.Reason != kmsg.ReasonPermission || tries.Load() != 3 {
			t.Errorf("after %d tries: %+v", tries.Load(), s)
		}
		if got := down(r.Stats()); got != "no_permission" {
			t.Errorf("reading says %q", got)
		}
		n.log.Write(xid79)
		time.Sleep(60 * time.Second)
		wantCount(t, r.Take().Xids, map[int]uint64{79: 1})
		if s := r.Stats(); !s.Up || s.Reason != "" || down(s) != "" {
			t.Errorf("stats %+v", s)
		}
		stop()
		if got := strings.Count(out.String(), "kernel log is not read"); got != 1 {
			t.Errorf("said %d times that the log is not read:\n%s", got, out.String())
		}
	})
}

// down returns the reason that the readings give.
func down(s kmsg.Stats) string {
	for _, r := range s.Readings() {
		if r.Desc.Name == "gpumeter.kmsg.down" {
			return r.Desc.Labels[0].Value
		}
	}
	return ""
}

func TestAbsentLogIsNamedSo(t *testing.T) {
	r, stop := run(t, kmsg.Config{Path: filepath.Join(t.TempDir(), "none")})
	for r.Stats().Reason == "" {
		time.Sleep(time.Millisecond)
	}
	stop()
	if s := r.Stats(); s.Up || s.Reason != kmsg.ReasonAbsent {
		t.Errorf("stats %+v", s)
	}
}

// eventually waits for reports from a log that no fake clock drives.
func eventually(t *testing.T, r *kmsg.Reader, n int) []metric.Xid {
	t.Helper()
	var got []metric.Xid
	for range 5000 {
		if got = append(got, r.Take().Xids...); len(got) >= n {
			return got
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%d reports after 5 s, want %d: %+v", len(got), n, got)
	return nil
}

func TestFIFOIsALogToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kmsg")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, stop := run(t, kmsg.Config{Path: path, BootID: "b", From: kmsg.Position{BootID: "b"}})
	defer stop()
	for _, part := range []string{"4,0,1,-;" + xid13 + "\n SUBSYSTEM=pci\n4,1,2,-;NVRM: Xid (PCI:0000", ":9b:00): 31, pid=1\n6,2,3,-;else\n", "4,3,4,c;" + xid79 + "\n"} {
		if _, err := w.WriteString(part); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	wantCount(t, eventually(t, r, 3), map[int]uint64{13: 1, 31: 1, 79: 1})
	if s := r.Stats(); s.Records != 4 {
		t.Errorf("%d records, want 4", s.Records)
	}
}

func TestRealKernelLogIsFollowed(t *testing.T) {
	w, err := os.OpenFile(kmsg.DefaultPath, os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("this test writes to the kernel's log, which is not allowed here: %v", err)
	}
	defer w.Close()
	r, stop := run(t, kmsg.Config{BootID: "b", Injected: true})
	for r.Take().Position.BootID == "" {
		if s := r.Stats(); s.Reason != "" {
			stop()
			t.Skipf("the kernel's log can be written here, but not read: %s", s.Reason)
		}
		time.Sleep(time.Millisecond)
	}
	defer stop()
	place := fmt.Sprintf("%04x:%02x:00", os.Getpid()&0xffff, time.Now().Nanosecond()&0xff)
	before := kmsgBoot()
	for _, code := range []int{13, 13, 79} {
		if _, err := fmt.Fprintf(w, "<12>NVRM: Xid (PCI:%s): %d, pid=1, name=gpumeter-test, not an error\n", place, code); err != nil {
			t.Fatal(err)
		}
	}
	var mine []metric.Xid
	for range 100 {
		for _, x := range eventually(t, r, 1) {
			if x.PCI == place {
				mine = append(mine, x)
			}
		}
		if len(mine) >= 3 {
			break
		}
	}
	wantCount(t, mine, map[int]uint64{13: 2, 79: 1})
	for _, x := range mine {
		if x.At < before-1100*time.Millisecond || x.At > kmsgBoot() {
			t.Errorf("report at %v, written between %v and %v", x.At, before, kmsgBoot())
		}
	}
}
