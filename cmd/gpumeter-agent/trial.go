package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gpumeter/gpumeter/agent"
)

// trial is an agent that was started to be measured: a process of its own, with
// a state folder that goes with it.
type trial struct {
	cmd   *exec.Cmd
	dir   string
	url   string        // of /metrics
	ended chan struct{} // closed when the process has ended, with err
	err   error
}

// startTrial starts this program as an agent, with further arguments of run.
func startTrial(ctx context.Context, log io.Writer, args ...string) (*trial, error) {
	dir, err := os.MkdirTemp("", "gpumeter-trial")
	if err != nil {
		return nil, err
	}
	addr, err := spareAddress(ctx)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	t := &trial{dir: dir, url: "http://" + addr + "/metrics", ended: make(chan struct{})}
	t.cmd = exec.CommandContext(ctx, exe, append([]string{"run", "--state", dir, "--lock", filepath.Join(dir, "lock"),
		"--listen", addr, "--node", "trial", "--log-level", "warn"}, args...)...)
	t.cmd.Cancel = func() error { return t.cmd.Process.Signal(syscall.SIGTERM) }
	t.cmd.Stderr = log
	if err := t.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start an agent to measure: %w", err), os.RemoveAll(dir))
	}
	go func() {
		defer close(t.ended)
		t.err = t.cmd.Wait()
	}()
	return t, nil
}

// spareAddress finds a free port. Another process may take it first; the agent
// then says so and ends.
func spareAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// farewell is how long an agent may take to end.
const farewell = 10 * time.Second

// stop ends the agent and removes its folder.
func (t *trial) stop() error {
	_ = t.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-t.ended:
	case <-time.After(farewell):
		_ = t.cmd.Process.Kill()
		<-t.ended
	}
	return os.RemoveAll(t.dir)
}

// scrape returns the page of /metrics and how long it took.
func (t *trial) scrape(ctx context.Context) (string, time.Duration, error) {
	return fetch(ctx, t.url, 5*time.Second)
}

// fetch returns a page and how long it took to come.
func fetch(ctx context.Context, url string, limit time.Duration) (string, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", 0, err
	}
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	return string(page), time.Since(began), err
}

// ready waits until a GPU answers, or the agent ends.
func (t *trial) ready(ctx context.Context, limit time.Duration) error {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		select {
		case <-t.ended:
			return fmt.Errorf("the agent ended: %w", t.err)
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if page, _, err := t.scrape(ctx); err == nil && strings.Contains(page, "\ngpu_up{") && seriesOf(page, "gpu_up", " 1") > 0 {
			return nil
		}
	}
	return fmt.Errorf("no GPU answered within %s", limit)
}

// seriesOf counts the lines of a metric that end in a value.
func seriesOf(page, name, value string) int {
	n := 0
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, name+"{") && strings.HasSuffix(strings.TrimRight(line, "\n"), value) {
			n++
		}
	}
	return n
}

// control asks the agent through its socket.
func (t *trial) control(ctx context.Context, path string, q url.Values) error {
	_, err := agent.CallControl(ctx, filepath.Join(t.dir, agent.Control), http.MethodPost, path, q)
	return err
}

// trialUsage is what an agent's processes took.
type trialUsage struct {
	GPUs         int           `json:"gpus"`
	SeriesPerGPU int           `json:"series_per_gpu"` // the most of one
	ScrapeBytes  int           `json:"scrape_bytes"`
	Scrape       time.Duration `json:"scrape_ns"` // median of several
	CPU          float64       `json:"cpu_cores"` // share of one core
	PSS          []int64       `json:"pss_bytes"` // agent and worker
	RSS          []int64       `json:"rss_bytes"`
	Over         time.Duration `json:"over_ns"`
}

// measure watches the agent for a while.
func (t *trial) measure(ctx context.Context, over time.Duration) (trialUsage, error) {
	before, began := t.cpu(), time.Now()
	select {
	case <-ctx.Done():
		return trialUsage{}, ctx.Err()
	case <-time.After(over):
	}
	u := trialUsage{Over: time.Since(began)}
	u.CPU = (t.cpu() - before).Seconds() / u.Over.Seconds()
	for _, pid := range processTree(t.cmd.Process.Pid) {
		pss, rss, err := memoryOf(pid)
		if err != nil {
			return u, err
		}
		u.PSS, u.RSS = append(u.PSS, pss), append(u.RSS, rss)
	}
	return u, t.measureScrape(ctx, &u)
}

// scrapes is of how many scrapes the median is taken.
const scrapes = 21

func (t *trial) measureScrape(ctx context.Context, u *trialUsage) error {
	var took []time.Duration
	for range scrapes {
		page, d, err := t.scrape(ctx)
		if err != nil {
			return err
		}
		took = append(took, d)
		u.ScrapeBytes = len(page)
		u.GPUs, u.SeriesPerGPU = seriesPerGPU(page)
	}
	slices.Sort(took)
	u.Scrape = took[len(took)/2]
	return nil
}

func (t *trial) cpu() time.Duration {
	var sum time.Duration
	for _, pid := range processTree(t.cmd.Process.Pid) {
		if d, err := cpuTime(pid); err == nil {
			sum += d
		}
	}
	return sum
}

// seriesPerGPU returns how many GPUs a page has, and the most series of one.
func seriesPerGPU(page string) (gpus, most int) {
	count := map[string]int{}
	for s := bufio.NewScanner(strings.NewReader(page)); s.Scan(); {
		_, rest, ok := strings.Cut(s.Text(), `uuid="`)
		if uuid, _, end := strings.Cut(rest, `"`); ok && end {
			count[uuid]++
			most = max(most, count[uuid])
		}
	}
	return len(count), most
}
