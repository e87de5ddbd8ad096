//go:build e2e

package e2e_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
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
	sums := m.way.sums()
	for _, j := range []*job{working, waiting} {
		got := checkJob(t, j, sums)
		m.checkReport(contract.ByTeam, j.account, got)
		m.checkReport(contract.ByHolder, "job "+j.account+"/"+j.id, got)
	}
	for h, s := range sums {
		if h.Held() && h.Name != working.id && h.Name != waiting.id {
			t.Errorf("%+v has %d ms, and is no job of this test", h, s.ObservedMs())
		}
	}
}

// checkJob holds what a job has on record against the clock, and returns it. A
// look that is late, or the folders that are read late, cost a second or two at
// either end.
func checkJob(t *testing.T, j *job, sums map[usage.Holder]usage.Sums) usage.Sums {
	t.Helper()
	const tolerance = 5 * time.Second
	h := usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Group: j.account, Name: j.id, Part: j.user}
	got, ok := sums[h]
	if !ok {
		t.Fatalf("there is no record of %+v; holders are %v", h, sums)
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
	return got
}

// metering is an agent with a simulated driver that sends to a collector.
type metering struct {
	t                      *testing.T
	dir, url               string // url is of the agent's metrics
	way                    *watch
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
	m.way = newWatch(t, "http://"+to)
	way := httptest.NewServer(m.way)
	t.Cleanup(way.Close)
	agent := exec.Command(tool(t, "gpumeter-agent"), "run", "--state", m.dir, "--lock", filepath.Join(m.dir, "lock"), "--listen", page,
		"--nvml", filepath.Join(library, "libnvidia-ml.so.1"), "--window", "10s", "--node", "n1", "--collector", way.URL, "--cloud", "off", "--kubelet-socket", "off")
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

// watch is a way to the collector that keeps the records that pass.
type watch struct {
	t  *testing.T
	to *httputil.ReverseProxy

	mu      sync.Mutex // guards what follows
	records map[usage.ID][]usage.Record
}

func newWatch(t *testing.T, to string) *watch {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	return &watch{t: t, to: httputil.NewSingleHostReverseProxy(u), records: map[usage.ID][]usage.Record{}}
}

func (w *watch) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil && r.Method == http.MethodPost {
		err = w.keep(body)
	}
	if err != nil {
		w.t.Errorf("what the agent sends: %v", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	w.to.ServeHTTP(rw, r)
}

func (w *watch) keep(body []byte) error {
	zr, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return usage.Lines(zr, func(line []byte) error {
		s, err := usage.Open(line)
		if err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.records[s.Batch.ID()] = s.Batch.Records // a batch can be sent twice
		return nil
	})
}

// sums returns what each holder has on record.
func (w *watch) sums() map[usage.Holder]usage.Sums {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[usage.Holder]usage.Sums{}
	for _, records := range w.records {
		for _, r := range records {
			s := out[r.Holder]
			s.Add(r.Sums)
			out[r.Holder] = s
		}
	}
	return out
}

// checkReport holds the report by holder or team to what a job has on record. It
// is the report of some minutes later: the last two minutes are in none.
func (m *metering) checkReport(by contract.By, group string, want usage.Sums) {
	m.t.Helper()
	st, err := duckdb.Open(m.t.Context(), m.data(), duckdb.Options{ReadOnly: true})
	if err != nil {
		m.t.Fatal(err)
	}
	defer st.Close()
	ask := collector.Ask{By: by, From: time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)}
	rep, err := collector.Report(m.t.Context(), st, nil, ask, time.Now().Add(5*time.Minute))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, p := range rep.Breakdown.Uncontracted {
		if p.Group != group {
			continue
		}
		if got := p.Buckets; got[contract.Idle] != want.IdleMs || got[contract.Busy] != want.BusyMs {
			m.t.Errorf("the report by %s has %d ms idle and %d ms busy of %s, on record are %d and %d",
				by, got[contract.Idle], got[contract.Busy], group, want.IdleMs, want.BusyMs)
		}
		return
	}
	m.t.Errorf("the report by %s does not name %q: %+v", by, group, rep.Breakdown.Uncontracted)
}
