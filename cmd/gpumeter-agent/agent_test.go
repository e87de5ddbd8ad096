package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/usage"
)

// commandEnv makes this test binary the agent: with it set, the arguments are
// those of gpumeter-agent. Its worker inherits it.
const commandEnv = "GPUMETER_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandEnv) != "" {
		systemdRuns = cmp.Or(os.Getenv(systemdEnv), systemdRuns)
		main()
		return
	}
	os.Exit(m.Run())
}

// library is the simulated driver: what GPUMETER_SIM_DIR holds, or else one that
// is built once.
var library = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("GPUMETER_SIM_DIR"); dir != "" {
		return filepath.Join(dir, "libnvidia-ml.so.1"), nil
	}
	dir, err := os.MkdirTemp("", "driver")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("make", "-s", "-C", filepath.Join("..", "..", "sim", "driver"), "OUT="+dir, dir+"/libnvidia-ml.so.1").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the simulated driver: %w\n%s", err, out)
	}
	return filepath.Join(dir, "libnvidia-ml.so.1"), nil
})

// node is a running agent.
type node struct {
	t        *testing.T
	cmd      *exec.Cmd
	state    string
	scenario string
	url      string
	log      strings.Builder
}

func startNode(t *testing.T, scenario string, args ...string) *node {
	t.Helper()
	n := &node{t: t, state: t.TempDir()}
	n.scenario = filepath.Join(n.state, "scenario")
	n.setScenario(scenario)
	lib, err := library()
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddress(t)
	n.url = "http://" + addr + "/metrics"
	n.cmd = exec.Command(os.Args[0], append([]string{"run", "--state", n.state, "--lock", filepath.Join(n.state, "lock"),
		"--listen", addr, "--nvml", lib, "--window", "10s", "--node", "n1", "--cloud", "off"}, args...)...)
	n.cmd.Env = append(os.Environ(), commandEnv+"=1", "GPUMETER_SIM_SCENARIO="+n.scenario)
	n.cmd.Stderr = &n.log
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
		if t.Failed() {
			t.Log(n.log.String())
		}
	})
	return n
}

func (n *node) setScenario(text string) {
	n.t.Helper()
	if err := os.WriteFile(n.scenario+".new", []byte(text), 0o644); err != nil {
		n.t.Fatal(err)
	}
	if err := os.Rename(n.scenario+".new", n.scenario); err != nil {
		n.t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// page returns /metrics.
func (n *node) page() (string, time.Duration, error) {
	return fetch(context.Background(), n.url, 2*time.Second)
}

// scrape returns the series of /metrics by name{gpu}; labels other than gpu are
// left out but for reason.
func (n *node) scrape() (map[string]float64, time.Duration, error) {
	page, took, err := n.page()
	if err != nil {
		return nil, 0, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		name, rest, _ := strings.Cut(line, "{")
		labels, value, ok := strings.Cut(rest, "} ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, 0, fmt.Errorf("line %q: %w", line, err)
		}
		out[name+"{"+label(labels, "gpu")+"}"] = v
		if reason := label(labels, "reason"); name == "gpu_unobserved" {
			out["gpu_unobserved{"+label(labels, "gpu")+","+reason+"}"] = v
		}
	}
	return out, took, nil
}

func label(labels, name string) string {
	for _, l := range strings.Split(labels, ",") {
		if v, ok := strings.CutPrefix(l, name+`="`); ok {
			return strings.TrimSuffix(v, `"`)
		}
	}
	return ""
}

// until scrapes until f is content.
func (n *node) until(what string, limit time.Duration, f func(map[string]float64) bool) {
	n.t.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if m, _, err := n.scrape(); err == nil && f(m) {
			return
		}
	}
	n.t.Fatalf("%s did not happen within %s", what, limit)
}

const eightBusy = "seed 7\ngpus 8 h100\ngpu * util 100%\ngpu * process pid=1 memory=1GiB\n"

func TestOneWedgedGPULeavesTheOthersWithoutAGap(t *testing.T) {
	n := startNode(t, eightBusy)
	n.until("all eight GPUs are up", 20*time.Second, func(m map[string]float64) bool {
		up := 0.0
		for g := range 8 {
			up += m[fmt.Sprintf("gpu_up{%d}", g)]
		}
		return up == 8 && m["gpu_observed_seconds_total{7}"] > 1
	})
	n.setScenario(eightBusy + "fault * gpu 3 block\n")

	last, moved := map[int]float64{}, map[int]time.Time{}
	var gap, slowest time.Duration
	hang := false
	for began := time.Now(); time.Since(began) < 14*time.Second; time.Sleep(50 * time.Millisecond) {
		m, took, err := n.scrape()
		if err != nil {
			t.Fatalf("/metrics does not answer: %v", err)
		}
		slowest = max(slowest, took)
		now := time.Now()
		for g := range 8 {
			v := m[fmt.Sprintf("gpu_observed_seconds_total{%d}", g)]
			if v > last[g] || moved[g].IsZero() {
				last[g], moved[g] = v, now
			}
			if g != 3 {
				gap = max(gap, now.Sub(moved[g]))
			}
		}
		if m["gpu_unobserved{3,driver_hang}"] == 1 {
			hang = true
			if m["gpu_up{3}"] != 0 {
				t.Error("gpu_up of the wedged GPU is not 0")
			}
			if v, there := m["gpu_utilization_ratio{3}"]; there {
				t.Errorf("the wedged GPU still shows a utilisation of %v", v)
			}
		}
	}
	if !hang {
		t.Error("the wedged GPU never said driver_hang")
	}
	if gap > 2*time.Second {
		t.Errorf("the others had a gap of %s, want at most 2 s", gap)
	}
	t.Logf("longest gap of the other seven %s, slowest scrape %s", gap.Round(time.Millisecond), slowest.Round(time.Millisecond))
	checkWedgedRecords(t, n)
}

// checkWedgedRecords ends the agent and looks at what it put on record.
func checkWedgedRecords(t *testing.T, n *node) {
	t.Helper()
	began := time.Now()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Wait(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("the agent took %s to end", took)
	}
	sp, err := spool.Open(filepath.Join(n.state, "spool.db"), spool.Options{MachineID: readLine("/etc/machine-id")})
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Close()
	hung, missing := false, map[int]int64{}
	err = sp.Unacked(1<<30, func(_ usage.ID, body []byte, _ usage.Hash) {
		b, err := usage.Open(body)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Batch.Check(); err != nil {
			t.Errorf("batch %s: %v", b.Batch.ID(), err)
		}
		index := map[string]int{}
		for _, g := range b.Batch.GPUs {
			index[g.UUID] = g.Index
		}
		for _, r := range b.Batch.Records {
			if r.IdleMs+r.UnallocatedMs+r.UnmeasuredMs > 0 {
				t.Errorf("a GPU that was always busy has %+v", r)
			}
			missing[index[r.GPU]] += r.EndMs - r.StartMs - r.ObservedMs()
			hung = hung || index[r.GPU] == 3 && r.Reason == "driver_hang"
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if !hung || missing[3] < 8_000 {
		t.Errorf("the wedged GPU has %d ms unobserved, hang on record %v", missing[3], hung)
	}
	for g := range 8 {
		if g != 3 && missing[g] > 4_000 {
			t.Errorf("GPU %d has %d ms unobserved", g, missing[g])
		}
	}
}

// TestWhatTheDriverProvesMakesAGPUUnhealthy holds the meter's evidence against
// the driver's table: a renamed metric would go unnoticed otherwise.
func TestWhatTheDriverProvesMakesAGPUUnhealthy(t *testing.T) {
	n := startNode(t, `seed 7
gpus 6 h100
gpu * util 100%
gpu 0 ecc-uncorrected 1
gpu 1 remap-failed on
gpu 2 recovery-action reset
gpu 3 lost from=now+1s
gpu 4 at now+2s xid 79
`)
	n.until("five GPUs are unhealthy and one is not", 30*time.Second, func(m map[string]float64) bool {
		for g := range 5 {
			if m[fmt.Sprintf("gpu_unhealthy_seconds_total{%d}", g)] == 0 {
				return false
			}
		}
		return m["gpu_observed_seconds_total{5}"] > 1 && m["gpu_unhealthy_seconds_total{5}"] == 0
	})
}

func TestSecondAgentOnANodeIsRefused(t *testing.T) {
	n := startNode(t, "seed 7\ngpus 1 t4\n")
	n.until("the GPU is up", 20*time.Second, func(m map[string]float64) bool { return m["gpu_up{0}"] == 1 })
	cmd := exec.Command(os.Args[0], "run", "--state", t.TempDir(), "--lock", filepath.Join(n.state, "lock"), "--listen", freeAddress(t))
	cmd.Env = append(os.Environ(), commandEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another agent meters this node") {
		t.Errorf("second agent: %v, %s", err, out)
	}
}
