package nvml_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/metric"
)

// workerEnv makes the test program a worker.
const workerEnv = "GPUMETER_NVML_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(workerEnv) != "" {
		if err := nvml.RunWorker(context.Background(), os.Stdin, os.Stdout, nvml.WorkerConfig{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	// The tests wait far more than they compute.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := nvml.RemoveSim(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// node is a simulated node with a reader of its own.
type node struct {
	*nvml.Reader
	t        testing.TB
	scenario string // file
	library  string
}

// interval is that of the readers under test.
const interval = 100 * time.Millisecond

// start makes a node that does what the scenario says, and reads it until the
// test ends.
func start(t testing.TB, scenario string, change ...func(*nvml.Config)) *node {
	t.Helper()
	n := &node{t: t, scenario: filepath.Join(t.TempDir(), "scenario"), library: nvml.SimDir(t) + "/libnvidia-ml.so.1"}
	n.write(scenario)
	cfg := nvml.Config{
		Library: n.library, Interval: interval, Deadline: time.Second,
		RetryMin: 200 * time.Millisecond, RetryMax: time.Second, KillAfter: 3 * time.Second,
		Exe: testProgram(t), Args: []string{}, Env: []string{workerEnv + "=1", "GPUMETER_SIM_SCENARIO=" + n.scenario},
	}
	for _, f := range change {
		f(&cfg)
	}
	n.Reader = nvml.NewReader(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run = %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("Run did not return within 5s of the end of its context")
		}
	})
	return n
}

func testProgram(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// write changes the scenario while it runs.
func (n *node) write(scenario string) {
	n.t.Helper()
	tmp := n.scenario + ".new"
	if err := os.WriteFile(tmp, []byte(scenario), 0o600); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Rename(tmp, n.scenario); err != nil {
		n.t.Fatal(err)
	}
}

// until asks for frames until one is as wanted, and returns it.
func (n *node) until(what string, want func(metric.Frame) bool) metric.Frame {
	n.t.Helper()
	var f metric.Frame
	for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit); time.Sleep(interval / 4) {
		if f = n.Frame(); want(f) {
			return f
		}
	}
	n.t.Fatalf("no frame %s; the last: driver %+v, looks %s", what, f.Driver, conditions(f))
	return f
}

func conditions(f metric.Frame) string {
	s := ""
	for _, l := range f.Looks {
		s += fmt.Sprintf("[%d %s %d %q] ", l.GPU.Index, l.GPU.UUID, l.Condition, l.Reason)
	}
	return s
}

// good reports whether a frame has exactly n good looks, and no others.
func good(n int) func(metric.Frame) bool {
	return func(f metric.Frame) bool {
		for _, l := range f.Looks {
			if l.Condition != metric.Good {
				return false
			}
		}
		return f.Driver.Up && len(f.Looks) == n
	}
}

// reason returns a condition on the look at the GPU with an index.
func reason(index int, want string) func(metric.Frame) bool {
	return func(f metric.Frame) bool {
		for _, l := range f.Looks {
			if l.GPU.Index == index {
				return l.Reason == want
			}
		}
		return false
	}
}
