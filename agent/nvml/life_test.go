package nvml_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/metric"
)

// workers returns the processes that read this node.
func (n *node) workers() []int {
	n.t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		n.t.Fatal(err)
	}
	var pids []int
	for _, name := range files {
		env, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(env), n.scenario) {
			continue // gone, or not ours
		}
		pid, err := strconv.Atoi(strings.Split(name, "/")[2])
		if err != nil {
			n.t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func (n *node) kill(sig syscall.Signal) {
	n.t.Helper()
	for _, pid := range n.workers() {
		if err := syscall.Kill(pid, sig); err != nil {
			n.t.Fatal(err)
		}
	}
}

func TestKilledWorkerIsReplaced(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 2 h100\ngpu * util 70\n")
	f := n.until("with two good looks", good(2))
	old, pids := f.Looks[0].At, n.workers()
	n.kill(syscall.SIGKILL)
	n.until("of another worker", func(metric.Frame) bool { now := n.workers(); return len(now) == 1 && now[0] != pids[0] })
	f = n.until("with two good looks", func(f metric.Frame) bool { return good(2)(f) && f.Looks[0].Util.Known && f.Looks[0].At > old })
	if gap := f.Looks[0].Since - old; gap > 2*time.Second {
		t.Errorf("gap of %s, want 2s at most", gap)
	}
	if f.Driver.Load != 1 {
		t.Errorf("loads = %d, want 1: the driver stayed", f.Driver.Load)
	}
}

// TestCrashingDriverIsTriedAgain has a driver that takes the worker with it,
// once and again, so that there is time without any.
func TestCrashingDriverIsTriedAgain(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 1 h100\nfault nvmlDeviceGetName crash\n")
	n.until("without worker", func(f metric.Frame) bool {
		return f.Driver.Reason == metric.ReasonWorkerExit && strings.Contains(f.Driver.Detail, "SIGSEGV")
	})
	n.write("gpus 1 h100\n")
	n.until("with a good look", good(1))
}

func TestSilentWorkerIsAHang(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 2 h100\n", func(c *nvml.Config) { c.ColdDeadline = 1500 * time.Millisecond })
	n.until("with two good looks", good(2))
	n.kill(syscall.SIGSTOP)
	n.until("with a hang", func(f metric.Frame) bool { return reason(0, metric.ReasonHang)(f) && reason(1, metric.ReasonHang)(f) })
	n.until("of a new worker", good(2))
	if pids := n.workers(); len(pids) > 2 {
		t.Errorf("workers = %v, want two at most", pids)
	}
	n.kill(syscall.SIGCONT) // the stopped one has a SIGTERM waiting
}

func TestPauseLetsGo(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 2 h100\n")
	n.until("with two good looks", good(2))
	began := time.Now()
	if err := n.Pause(t.Context()); err != nil {
		t.Fatalf("Pause = %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Pause took %s, want 2s at most", took)
	}
	if pids := n.workers(); len(pids) != 0 {
		t.Errorf("workers = %v after Pause, want none", pids)
	}
	f := n.Frame()
	if !n.Paused() || f.Driver.Up || f.Driver.Reason != metric.ReasonPaused || f.Looks[0].Reason != metric.ReasonPaused {
		t.Errorf("paused %v, driver %+v, looks %s", n.Paused(), f.Driver, conditions(f))
	}
	if err := n.Pause(t.Context()); err != nil {
		t.Errorf("second Pause = %v", err)
	}
	n.Resume()
	n.until("with two good looks", good(2))
	if n.Paused() {
		t.Error("Paused = true after Resume")
	}
}

func TestPauseSaysWhoDoesNotLetGo(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 1 h100\n")
	n.until("with a good look", good(1))
	n.kill(syscall.SIGSTOP)
	pid := n.workers()[0]
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := n.Pause(ctx)
	if err == nil || !strings.Contains(err.Error(), strconv.Itoa(pid)) {
		t.Errorf("Pause = %v, want an error that names process %d", err, pid)
	}
	n.kill(syscall.SIGCONT)
}

// TestLargeWorkerIsReplacedWithoutGap has a driver that leaks.
func TestLargeWorkerIsReplacedWithoutGap(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 2 h100\ngpu * util 50\nleak 256KiB per call\n", func(c *nvml.Config) {
		c.MaxRSS = 48 << 20
		c.Interval = 4 * interval // frames must stay good on a busy machine
	})
	n.until("with two good looks", good(2))
	first := n.workers()
	var c covered
	replaced := false
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end) && (!replaced || c.to <= 0); time.Sleep(interval / 2) {
		f := n.Frame()
		if !good(2)(f) {
			t.Fatalf("driver %+v, looks %s while the worker is replaced", f.Driver, conditions(f))
		}
		c.add(f.Looks[0])
		now := n.workers()
		if len(now) > 2 {
			t.Fatalf("workers = %v, want two at most", now)
		}
		replaced = len(now) == 1 && len(first) == 1 && now[0] != first[0]
	}
	for range 10 {
		c.add(n.Frame().Looks[0])
		time.Sleep(interval)
	}
	if !replaced {
		t.Error("the worker was not replaced")
	}
	if c.gaps > time.Millisecond {
		t.Errorf("gaps of %s while the worker was replaced", c.gaps)
	}
}

func TestGPUThatWentStaysInFrames(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 2 h100\n")
	f := n.until("with two good looks", good(2))
	gone := f.Looks[1].GPU.UUID
	if err := n.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.write("gpus 1 h100\n")
	n.Resume()
	f = n.until("without the second GPU", func(f metric.Frame) bool {
		return len(f.Looks) == 2 && f.Looks[0].Condition == metric.Good && f.Looks[1].Reason == metric.ReasonGone
	})
	if f.Looks[1].GPU.UUID != gone {
		t.Errorf("looks = %s", conditions(f))
	}
}

// TestGPUThatCameIsFound adds a GPU under a running worker, which is then
// replaced: a process may only see the GPUs that there were when it began.
func TestGPUThatCameIsFound(t *testing.T) {
	t.Parallel()
	n := start(t, "gpus 2 h100\n")
	n.until("with two good looks", good(2))
	n.write("gpus 3 h100\n")
	n.until("with three good looks", good(3))
}

func TestExchangedGPUIsAnother(t *testing.T) {
	t.Parallel()
	const fresh = "GPU-01234567-89ab-cdef-0123-456789abcdef"
	n := start(t, "gpus 2 h100\n")
	old := n.until("with two good looks", good(2)).Looks[1].GPU.UUID
	n.write("gpus 2 h100\ngpu 1 uuid " + fresh + "\n")
	n.until("with three GPUs", func(f metric.Frame) bool { return len(f.Looks) == 3 })
	f := n.until("of which two are good", func(f metric.Frame) bool {
		want := map[string]metric.Condition{f.Looks[0].GPU.UUID: metric.Good, fresh: metric.Good, old: metric.Unobserved}
		for _, l := range f.Looks {
			if l.Condition != want[l.GPU.UUID] {
				return false
			}
		}
		return true
	})
	for _, l := range f.Looks {
		if l.GPU.UUID == old && l.Reason != metric.ReasonGone {
			t.Errorf("the old GPU has reason %q, want %q", l.Reason, metric.ReasonGone)
		}
	}
}

func TestKnownGPUIsNeverSeenBeforeTheDriverAnswers(t *testing.T) {
	t.Parallel()
	r := nvml.NewReader(nvml.Config{Known: []metric.GPU{{UUID: "GPU-b", Index: 1}, {UUID: "GPU-a", Index: 0}}})
	f := r.Frame()
	if len(f.Looks) != 2 || f.Looks[0].GPU.UUID != "GPU-a" || f.Looks[0].Reason != metric.ReasonNeverSeen || f.Driver.Up {
		t.Errorf("driver %+v, looks %s", f.Driver, conditions(f))
	}
	if err := r.Pause(t.Context()); err != nil {
		t.Errorf("Pause of a reader that does not run = %v", err)
	}
}

func TestRelativeLibraryIsRefused(t *testing.T) {
	t.Parallel()
	err := nvml.NewReader(nvml.Config{Library: "libnvidia-ml.so.1"}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "absolute") {
		t.Errorf("Run with a relative library = %v, want an error", err)
	}
}
