package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/gpumeter/gpumeter/agent/nvml"
)

// probeOptions are the flags of probe.
type probeOptions struct {
	library string
	watch   time.Duration
	output  string
	rounds  int
	only    bool // the driver's answers, without an agent: what the command starts itself with
}

func newProbe() *cobra.Command {
	var o probeOptions
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Try the driver and the agent on this machine, and say what they cost",
		Long: `probe asks the driver for every metric there is and says what came of each, and
what each driver call costs. It then runs an agent of its own for a while, says
what that took of CPU and memory, pauses it, and looks whether any process still
has the driver open. It changes nothing on a GPU, needs nothing but the driver,
and leaves nothing behind.

What it prints is what docs/hardware keeps of every model that was tried.`,
		Example: `  gpumeter-agent probe > h100-580.md
  gpumeter-agent probe --watch 2m -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.output != "markdown" && o.output != "json" {
				return usageError{fmt.Errorf("output %q is not markdown or json", o.output)}
			}
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.library, "nvml", "", "absolute path of libnvidia-ml.so.1 (default: where the driver puts it)")
	f.DurationVar(&o.watch, "watch", 30*time.Second, "how long the agent is watched")
	f.IntVar(&o.rounds, "rounds", nvml.DefaultProbeRounds, "how often each call is timed")
	f.StringVarP(&o.output, "output", "o", "markdown", "markdown or json")
	f.BoolVar(&o.only, "driver-only", false, "ask the driver, run no agent")
	_ = f.MarkHidden("driver-only")
	return cmd
}

// probeResult is everything that a probe found.
type probeResult struct {
	At      time.Time        `json:"at"`
	Version string           `json:"version"`
	Machine machine          `json:"machine"`
	Driver  nvml.ProbeReport `json:"driver"`
	Agent   trialUsage       `json:"agent"`
	Pause   pauseResult      `json:"pause"`
}

// machine is where the probe ran.
type machine struct {
	Kernel string `json:"kernel"`
	Arch   string `json:"arch"`
	Cores  int    `json:"cores"`
	User   string `json:"user"` // root or not: some answers depend on it
}

// pauseResult is what was open before a pause and after it.
type pauseResult struct {
	Took           time.Duration `json:"took_ns"`
	Before         []string      `json:"open_before"` // device files that the agent's processes had open
	After          []string      `json:"open_after"`
	MappedBefore   bool          `json:"library_mapped_before"`
	MappedAfter    bool          `json:"library_mapped_after"`
	ResumedGPUs    int           `json:"resumed_gpus"`
	ProcessesAfter int           `json:"processes_after"`
}

func (o *probeOptions) run(ctx context.Context, out, log io.Writer) error {
	if o.only {
		r, err := nvml.Probe(o.library, nvml.ProbeOptions{Rounds: o.rounds})
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(r)
	}
	r := probeResult{At: time.Now().UTC(), Version: version, Machine: thisMachine()}
	fmt.Fprintln(log, "asking the driver for everything …")
	if err := o.askDriver(ctx, &r.Driver, log); err != nil {
		return err
	}
	fmt.Fprintf(log, "running an agent for %s …\n", o.watch)
	if err := o.tryAgent(ctx, &r, log); err != nil {
		return err
	}
	if o.output == "json" {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	return r.write(out)
}

// driverPatience is how long the driver may take to answer everything.
const driverPatience = 5 * time.Minute

// askDriver probes in a process of its own: a driver that hangs takes no other
// with it.
func (o *probeOptions) askDriver(ctx context.Context, to *nvml.ProbeReport, log io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, driverPatience)
	defer cancel()
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, exe, "probe", "--driver-only", "--nvml", o.library, "--rounds", fmt.Sprint(o.rounds))
	cmd.Stderr = log
	cmd.WaitDelay = farewell
	raw, err := cmd.Output()
	if ctx.Err() != nil {
		return fmt.Errorf("ask the driver: no answer within %s: %w", driverPatience, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("ask the driver: %w", err)
	}
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(to); err != nil {
		return fmt.Errorf("read what the driver answered: %w", err)
	}
	return nil
}

// tryAgent runs an agent, measures it, and pauses and resumes it.
func (o *probeOptions) tryAgent(ctx context.Context, r *probeResult, log io.Writer) (err error) {
	t, err := startTrial(ctx, log, "--nvml", o.library)
	if err != nil {
		return err
	}
	defer func() {
		if e := t.stop(); err == nil {
			err = e
		}
	}()
	if err := t.ready(ctx, time.Minute); err != nil {
		return err
	}
	if r.Agent, err = t.measure(ctx, o.watch); err != nil {
		return fmt.Errorf("measure the agent: %w", err)
	}
	return t.tryPause(ctx, &r.Pause)
}

func (t *trial) tryPause(ctx context.Context, p *pauseResult) error {
	p.Before, p.MappedBefore, _ = t.handles()
	began := time.Now()
	if err := t.control(ctx, "/pause", url.Values{"for": {"5m"}}); err != nil {
		return fmt.Errorf("pause the agent: %w", err)
	}
	p.Took = time.Since(began)
	p.After, p.MappedAfter, p.ProcessesAfter = t.handles()
	if err := t.control(ctx, "/resume", nil); err != nil {
		return fmt.Errorf("resume the agent: %w", err)
	}
	if err := t.ready(ctx, time.Minute); err != nil {
		return fmt.Errorf("after the pause: %w", err)
	}
	page, _, err := t.scrape(ctx)
	p.ResumedGPUs = seriesOf(page, "gpu_up", " 1")
	return err
}

// handles returns what the agent's processes have of the driver.
func (t *trial) handles() (files []string, mapped bool, processes int) {
	pids := processTree(t.cmd.Process.Pid)
	for _, pid := range pids {
		f, m := driverHandles(pid)
		files, mapped = append(files, f...), mapped || m
	}
	return files, mapped, len(pids)
}

func thisMachine() machine {
	m := machine{Kernel: readLine("/proc/sys/kernel/osrelease"), Arch: runtime.GOARCH, Cores: runtime.NumCPU(), User: "not root"}
	if os.Geteuid() == 0 {
		m.User = "root"
	}
	return m
}
