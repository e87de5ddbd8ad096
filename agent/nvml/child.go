package nvml

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is one worker process as its parent sees it.
type child struct {
	cmd    *exec.Cmd
	in     io.Closer
	out    *os.File
	last   words
	born   time.Duration
	exited chan struct{} // closed when it is gone; err is then set
	err    error

	// What follows is guarded by Reader.mu.

	heard        time.Duration // when it last said something
	driver, nvml string        // versions
	helloAt      time.Duration // when it said hello, 0 before
	slots        []childSlot
	stale        string // why it wants to be replaced
	down         *note  // why it cannot use the driver
	broken       error  // it said something that makes no sense
	// stopAt is when it was told to end, 0 before.
	stopAt         time.Duration
	termed, killed bool
	decoded        look
	portions       portions // of the message before
	beat           beat
}

// childSlot is what a worker said of the GPU at one index.
type childSlot struct {
	known *known // nil until it is identified
	looks int
	look  look // the looks since the last frame, joined
	given bool // look was in a frame
	mig   divided
	call  inFlight
}

// startChild starts a worker. deliver is called for every message, and once
// more with an error when there will be no more.
func startChild(cfg *Config, now time.Duration, deliver func(*child, kind, []byte, error)) (*child, error) {
	c := &child{born: now, heard: now, exited: make(chan struct{})}
	// Not CommandContext: it kills, and a worker killed in the middle of a
	// driver call can wedge its GPU. See insist.
	c.cmd = exec.Command(cfg.Exe, cfg.Args...) //nolint:noctx // as said above
	c.cmd.Env = append(cleanEnv(os.Environ()), cfg.Env...)
	c.cmd.Stderr = &c.last
	c.cmd.WaitDelay = time.Second // for what the worker's stderr is still open for
	// A terminal's Ctrl-C is for the parent, which then ends the worker.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, theirs, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	defer theirs.Close()
	c.out, c.cmd.Stdout = out, theirs
	in, err := c.cmd.StdinPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("start worker: %w", err)
	}
	c.in = in
	// The pipe takes the few bytes even if the worker never reads them; if it
	// is gone already, that shows as its exit.
	_, _ = in.Write((&settings{cfg.Library, cfg.Interval, cfg.Groups}).append(nil))
	go c.listen(deliver)
	return c, nil
}

// listen takes the worker's messages until it is gone. A worker that is stuck
// in the driver may never be.
func (c *child) listen(deliver func(*child, kind, []byte, error)) {
	from := bufio.NewReaderSize(c.out, 16<<10)
	var buf []byte
	for {
		k, message, err := readMessage(from, buf)
		if err != nil {
			deliver(c, 0, nil, err)
			break
		}
		deliver(c, k, message, nil)
		buf = message
	}
	c.err = c.cmd.Wait()
	c.out.Close()
	close(c.exited)
	deliver(c, 0, nil, io.EOF)
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// gone reports whether the process has ended.
func (c *child) gone() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// obituary says how the worker ended, with the last that it said on stderr.
func (c *child) obituary() string {
	how := "exit status 0"
	if c.err != nil {
		how = c.err.Error()
	}
	if last := c.last.String(); last != "" {
		how += ": " + last
	}
	return how
}

// stop tells the worker to end.
func (c *child) stop(now time.Duration) {
	if c.stopAt == 0 {
		c.stopAt = now
		c.in.Close()
	}
}

// insist goes further with a worker that was told to end and has not: first
// SIGTERM, then, after a long time, SIGKILL. It reports whether it killed.
func (c *child) insist(now, killAfter time.Duration, mayKill bool) bool {
	switch {
	case !c.termed && now-c.stopAt > politeness:
		c.termed = true
		_ = c.cmd.Process.Signal(syscall.SIGTERM) // if it is gone, all is well
	case !c.killed && mayKill && now-c.stopAt > killAfter:
		c.killed = true
		_ = c.cmd.Process.Kill()
		return true
	}
	return false
}

// politeness is how long a worker has to end by itself: longer than it needs
// where no call is stuck.
const politeness = 1200 * time.Millisecond

// rss returns the worker's resident memory in bytes, 0 if it is unknown.
func (c *child) rss() int64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(c.pid()) + "/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(unix.Getpagesize())
}

// loaderWords begin the names of variables by which another library, or other
// behaviour, could be put into the worker.
var loaderWords = []string{"LD_", "GLIBC_", "GCONV_PATH=", "MALLOC_", "GODEBUG=", "GOTRACEBACK="}

func cleanEnv(env []string) []string {
	var out []string
next:
	for _, v := range env {
		for _, word := range loaderWords {
			if strings.HasPrefix(v, word) {
				continue next
			}
		}
		out = append(out, v)
	}
	return out
}

// words keeps the line of what is written to it that says most: the first of
// a Go program's crash, or else the last. It may be used concurrently.
type words struct {
	mu    sync.Mutex
	line  []byte // that is being written
	last  string
	crash bool
}

const maxLine = 512

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range p {
		if c == '\n' {
			w.end()
		} else if len(w.line) < maxLine {
			w.line = append(w.line, c)
		}
	}
	return len(p), nil
}

// crashWords begin what the Go runtime says first when it ends a program.
var crashWords = []string{"fatal error: ", "panic: ", "SIG"}

func (w *words) end() {
	line := strings.TrimSpace(string(w.line))
	w.line = w.line[:0]
	if line == "" || w.crash {
		return
	}
	w.last = line
	w.crash = slices.ContainsFunc(crashWords, func(s string) bool { return strings.HasPrefix(line, s) })
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.end()
	return strings.ToValidUTF8(w.last, "?")
}
