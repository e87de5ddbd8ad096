//go:build e2e

package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// TestSlurmJobsAreOnRecordForTheTimeTheyRan runs jobs of a real Slurm on four
// simulated GPUs. Of the first job the driver lists a process, so that its begin
// and end are seen at the next look. The second one only has its GPU, which is
// seen when Slurm's control groups are read next. The fourth GPU is nobody's.
func TestSlurmJobsAreOnRecordForTheTimeTheyRan(t *testing.T) {
	n := newSlurmNode(t)
	m := startMetering(t)
	m.until("the agent looks", func(page string) bool { return strings.Contains(page, `gpu_up{gpu="3"`) })

	working := n.submit("physics", "nobody", 2, 25*time.Second)
	pid := working.pid()
	m.scenario(fmt.Sprintf("gpu 0 util 50%%\ngpu 0 process pid=%d memory=1GiB\ngpu 1 process pid=%d memory=1GiB\n", pid, pid))
	waiting := n.submit("biology", "daemon", 1, 20*time.Second)
	m.until("the job is shown", func(page string) bool {
		return strings.Contains(page, fmt.Sprintf(`gpu_holder_info{basis="scheduler",gpu="2",group="biology",kind="job",name="%s",part="daemon"`, waiting.id))
	})
	if status := m.status(); !regexp.MustCompile(`(?m)^  slurm +works *$`).MatchString(status) {
		t.Errorf("the agent's status is\n%s\nwant Slurm to work", status)
	}
	waiting.wait()
	working.wait()
	m.scenario("")

	m.drain()
	sums := m.sums()
	checkJob(t, working, sums, 3*time.Second)
	checkJob(t, waiting, sums, 5*time.Second)
	for h, s := range sums {
		if h.Held() && h.Name != working.id && h.Name != waiting.id {
			t.Errorf("%+v has %d ms, and is no job of this test", h, s.ObservedMs())
		}
	}
}

// checkJob holds a job's record against the clock.
func checkJob(t *testing.T, j *job, sums map[usage.Holder]usage.Sums, tolerance time.Duration) {
	t.Helper()
	h := usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Group: j.account, Name: j.id, Part: j.user}
	got, ok := sums[h]
	if !ok {
		t.Errorf("there is no record of %+v; holders are %v", h, sums)
		return
	}
	per := time.Duration(got.ObservedMs()) * time.Millisecond / time.Duration(j.gpus)
	want := j.ended.Sub(j.began)
	t.Logf("job %s of %s/%s ran for %s on %d GPUs, on record is %s per GPU, of all %d ms busy", j.id, j.account, j.user, want.Round(time.Millisecond), j.gpus, per, got.BusyMs)
	if diff := per - want; diff.Abs() > tolerance {
		t.Errorf("job %s is on record for %s per GPU, and ran for %s", j.id, per, want)
	}
	if got.UnallocatedMs != 0 || got.UnmeasuredMs != 0 {
		t.Errorf("job %s has unallocated or unmeasured time: %+v", j.id, got)
	}
}

// metering is an agent with a simulated driver that sends to a collector.
type metering struct {
	t                      *testing.T
	dir, url               string // url is of the agent's metrics
	endAgent, endCollector func()
}

const fourGPUs = "seed 1\ngpus 4 h100\n"

func startMetering(t *testing.T) *metering {
	t.Helper()
	m := &metering{t: t, dir: t.TempDir()}
	library := os.Getenv("GPUMETER_SIM_DIR")
	if library == "" {
		t.Fatal("GPUMETER_SIM_DIR is not set: it is the folder of the simulated driver (make sim builds it)")
	}
	m.scenario("")
	to, page := address(t), address(t)
	m.endCollector = start(t, exec.Command(tool(t, "gpumeter"), "collector", "--data", m.data(), "--listen", to))
	agent := exec.Command(tool(t, "gpumeter-agent"), "run", "--state", m.dir, "--lock", filepath.Join(m.dir, "lock"), "--listen", page,
		"--nvml", filepath.Join(library, "libnvidia-ml.so.1"), "--window", "10s", "--node", "n1", "--collector", "http://"+to, "--kubelet-socket", "off")
	agent.Env = append(os.Environ(), "GPUMETER_SIM_SCENARIO="+filepath.Join(m.dir, "scenario"))
	m.endAgent = start(t, agent)
	m.url = "http://" + page + "/metrics"
	return m
}

func (m *metering) data() string { return filepath.Join(m.dir, "data") }

// scenario says what the GPUs do.
func (m *metering) scenario(text string) {
	m.t.Helper()
	name := filepath.Join(m.dir, "scenario")
	if err := os.WriteFile(name+".new", []byte(fourGPUs+text), 0o644); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		m.t.Fatal(err)
	}
}

// until reads the agent's metrics until f is content.
func (m *metering) until(what string, f func(page string) bool) {
	m.t.Helper()
	var page string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		var err error
		if page, err = m.page(); err == nil && f(page) {
			return
		}
	}
	m.t.Fatalf("it did not happen within a minute that %s; the holders are\n%s", what, strings.Join(holderLine.FindAllString(page, -1), "\n"))
}

var holderLine = regexp.MustCompile(`(?m)^gpumeter_holder_.*|^gpu_holder.*`)

func (m *metering) page() (string, error) {
	resp, err := http.Get(m.url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func (m *metering) status() string {
	m.t.Helper()
	out, err := exec.Command(tool(m.t, "gpumeter-agent"), "status", "--state", m.dir).CombinedOutput()
	if err != nil {
		m.t.Fatalf("status: %v\n%s", err, out)
	}
	return string(out)
}

var acknowledged = regexp.MustCompile(`(?m)^gpumeter_agent_push_acknowledged_batches_total (\d+)`)

// drain waits until the collector has the window that is open now, and ends
// both.
func (m *metering) drain() {
	m.t.Helper()
	first := -1
	m.until("two more windows are acknowledged", func(page string) bool {
		found := acknowledged.FindStringSubmatch(page)
		if found == nil {
			return false
		}
		n, err := strconv.Atoi(found[1])
		if first < 0 {
			first = n
		}
		return err == nil && n >= first+2
	})
	m.endAgent()
	m.endCollector()
}

// sums returns what the collector's store has of each holder.
func (m *metering) sums() map[usage.Holder]usage.Sums {
	m.t.Helper()
	st, err := duckdb.Open(m.t.Context(), m.data(), duckdb.Options{ReadOnly: true})
	if err != nil {
		m.t.Fatal(err)
	}
	defer st.Close()
	there, err := st.Presence(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	q := contract.Query{ByHolder: true, Edges: []int64{0, time.Now().Add(time.Hour).UnixMilli()}}
	for i, p := range there {
		q.Spans = append(q.Spans, contract.Span{Unit: p.Unit, ToMs: q.Edges[1], Key: i})
	}
	a, err := st.Sums(m.t.Context(), q)
	if err != nil {
		m.t.Fatal(err)
	}
	out := map[usage.Holder]usage.Sums{}
	for _, s := range a.Sums {
		sums := out[a.Holders[s.Holder]]
		sums.Add(s.Sums)
		out[a.Holders[s.Holder]] = sums
	}
	return out
}
