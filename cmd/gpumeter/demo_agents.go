package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// agentPatience is how long an agent may take to end: it closes its window
// and sends what it has.
const agentPatience = 8 * time.Second

// demoAgent is one agent process to start.
type demoAgent struct {
	name   string
	folder string   // for its state, its lock and its log
	args   []string // of `gpumeter-agent run`
	env    []string // beside our own
}

// demoAgents are the agent processes of a demo.
type demoAgents struct {
	program string
	log     *slog.Logger
	errOut  io.Writer // for what somebody at the terminal should know
	wait    sync.WaitGroup
}

// findAgentProgram returns the agent that was built beside this program.
func findAgentProgram() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find gpumeter-agent: %w", err)
	}
	return beside(self, "gpumeter-agent")
}

// beside returns the absolute path of what was built next to a program.
func beside(self string, name ...string) (string, error) {
	path := filepath.Join(append([]string{filepath.Dir(self)}, name...)...)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s is not there (run make build, or give --no-agents)", path)
	} else if err != nil {
		return "", fmt.Errorf("find %s: %w", name[len(name)-1], err)
	}
	return filepath.Abs(path)
}

// start starts one agent, which is told to end when ctx ends. It returns when
// the process runs; wait waits for its end.
func (d *demoAgents) start(ctx context.Context, a demoAgent) error {
	if err := os.MkdirAll(a.folder, 0o755); err != nil {
		return fmt.Errorf("start agent %s: %w", a.name, err)
	}
	out, err := os.OpenFile(filepath.Join(a.folder, "agent.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start agent %s: open its log: %w", a.name, err)
	}
	started := make(chan error, 1)
	d.wait.Add(1)
	go func() {
		defer d.wait.Done()
		defer out.Close()
		// The kernel ends the agent when the thread that started it ends,
		// so this goroutine keeps its thread for as long as the agent runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		d.run(ctx, a, out, started)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start agent %s: %w", a.name, err)
	}
	return nil
}

// run runs an agent to its end.
func (d *demoAgents) run(ctx context.Context, a demoAgent, out *os.File, started chan<- error) {
	args := append([]string{"run", "--state", a.folder, "--lock", filepath.Join(a.folder, "lock")}, a.args...)
	cmd := exec.CommandContext(ctx, d.program, args...)
	cmd.Env = append(os.Environ(), a.env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = agentPatience
	// A group of its own, so that Ctrl-C in a terminal reaches us alone and
	// the agents end in order; and no agent outlives us, however we end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	err := cmd.Start()
	started <- err
	if err != nil {
		return
	}
	pid := cmd.Process.Pid
	err = cmd.Wait()
	// A worker that hangs in the driver may be left in the agent's group.
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	if ctx.Err() == nil {
		d.log.Error("agent ended by itself", "agent", a.name, "err", err, "log", out.Name())
		fmt.Fprintf(d.errOut, "agent %s ended by itself (%v): see %s\n", a.name, err, out.Name())
		return
	}
	d.log.Info("agent stopped", "agent", a.name, "pid", pid)
}
