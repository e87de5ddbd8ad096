package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/gpumeter/gpumeter/agent"
	"github.com/gpumeter/gpumeter/agent/host"
	"github.com/gpumeter/gpumeter/agent/kmsg"
	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/agent/push"
	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/cmd/internal/environ"
	"github.com/gpumeter/gpumeter/cmd/internal/systemd"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

func newRun() *cobra.Command {
	var c config
	var file string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Meter this node until told to stop",
		Long: `run samples the GPUs of this node, serves /metrics and sends records to the
collector. Every setting is a flag. A YAML file fills those that are not given:
its keys are the flags' names with _ for -, and the cloud's are in a block:

  collector: https://gpumeter.example:9410
  token_file: /etc/gpumeter/agent.token
  cloud: {provider: aws, account: "123456789012", region: us-east-1}

` + environ.Help(environment) + " They go before the file.",
		Example: `  gpumeter-agent run --state /var/lib/gpumeter
  gpumeter-agent run --config /etc/gpumeter/agent.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := environ.Fill(cmd.Flags(), environment, os.Environ()); err != nil {
				return usageError{err}
			}
			if file != "" {
				if err := c.load(file, cmd.Flags()); err != nil {
					return err
				}
			}
			c.TokenFile = cmp.Or(c.TokenFile, systemd.Credential("token"))
			if err := c.validate(); err != nil {
				return err
			}
			return run(cmd.Context(), c)
		},
	}
	c.flags(cmd.Flags())
	cmd.Flags().StringVar(&file, "config", "", "YAML file with settings")
	return cmd
}

// environment begins the names of variables that are settings.
const environment = "GPUMETER_AGENT"

// gcPercent keeps the heap near what is in use. It is small, and what it throws
// away each second is cheap to collect.
const gcPercent = 50

// run holds the node's lock and the spool for as long as the agent runs.
func run(ctx context.Context, c config) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	log, err := newLog(c.LogLevel)
	if err != nil {
		return err
	}
	manager, err := systemd.Find(log)
	if err != nil {
		return err
	}
	pusher, err := newPusher(c, log)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return err
	}
	if c.Lock == "" {
		c.Lock = agent.DefaultLock(c.State)
	}
	lock, err := agent.AcquireLock(c.Lock)
	if err != nil {
		return err
	}
	defer lock.Close()
	node, err := thisNode(c)
	if err != nil {
		return err
	}
	sp, err := spool.Open(filepath.Join(c.State, "spool.db"), spool.Options{MachineID: node.MachineID, MaxBytes: c.SpoolMiB << 20, Log: log})
	if err != nil {
		return err
	}
	return errors.Join(serve(ctx, c, parts{node, sp, pusher, manager}, log), sp.Close())
}

// pushSpread is over how long the agents of a fleet spread their posts: all
// windows close in the same second.
const pushSpread = 10 * time.Second

// newPusher returns what sends to the collector; nil without one.
func newPusher(c config, log *slog.Logger) (*push.Pusher, error) {
	if c.Collector == "" {
		return nil, nil
	}
	p, err := push.New(push.Config{URL: c.Collector, TokenFile: c.TokenFile, CAFile: c.CAFile, Spread: pushSpread, Log: log})
	if err != nil {
		return nil, usageError{err}
	}
	return p, nil
}

// parts are what an agent is made of.
type parts struct {
	node  usage.Node
	spool *spool.Spool
	push  *push.Pusher // nil without a collector
	// manager is told that the agent looks at its GPUs, whatever they answer.
	manager systemd.Manager
}

// serve runs the agent, its metrics and its control socket together.
func serve(ctx context.Context, c config, p parts, log *slog.Logger) error {
	holders, err := c.Holders.new(c.State, p.node.Name, log)
	if err != nil {
		return err
	}
	a, err := agent.New(agent.Config{
		Node: p.node, BootID: bootID(),
		Cloud: c.Cloud.new(p.node.Name, log), ExpectedGPUs: c.ExpectedGPUs, Elsewhere: elsewhere,
		Interval: c.Interval, Window: c.Window,
		NewReader: func(known []metric.GPU) agent.Reader {
			return nvml.NewReader(nvml.Config{Library: c.NVML, Interval: c.Interval, Groups: slices.Concat(c.Metrics, c.DCGM.groups()), Known: known, Log: log})
		},
		KernelLog: newKernelLog(c, log), Host: newHost(c, log), Holders: holders, Spool: p.spool, Push: p.push, PauseFile: c.PauseFile, Log: log, Now: time.Now,
	})
	if err != nil {
		return err
	}
	e := &exported{agent: a}
	if e.senders, err = newSenders(ctx, c, e.snapshot, log); err != nil {
		return err
	}
	pages, err := metricsHandler(c, e, p, log)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.Run(ctx) })
	g.Go(func() error { return serveMetrics(ctx, c, pages, log) })
	g.Go(func() error {
		e.senders.run(ctx, log)
		return nil
	})
	g.Go(func() error { return serveControl(ctx, filepath.Join(c.State, agent.Control), a.ControlHandler()) })
	g.Go(func() error { return obeySignals(ctx, a, log) })
	g.Go(func() error {
		p.manager.Follow(ctx, systemd.Service{
			Progress: func() uint64 { return a.Stats().Frames },
			Status:   func() string { return statusLine(a.Snapshot(), a.Stats().Paused) },
		})
		return nil
	})
	log.Info("agent runs", "node", p.node.Name, "agent", p.spool.Stats().Agent, "listen", c.Listen, "collector", c.Collector)
	return g.Wait()
}

// newKernelLog returns what makes the reader of the kernel's log; nil if it is
// not to be read. In containers the log is there where it is mounted.
func newKernelLog(c config, log *slog.Logger) func(kmsg.Position) agent.KernelLog {
	switch c.Kmsg {
	case kmsgOff:
		return nil
	case kmsgAuto:
		c.Kmsg = kmsg.DefaultPath
	}
	return func(from kmsg.Position) agent.KernelLog {
		return kmsg.New(kmsg.Config{Path: c.Kmsg, BootID: bootID(), From: from, Log: log})
	}
}

// newHost returns what reads the node itself; nil if it is not to be read.
func newHost(c config, log *slog.Logger) *host.Reader {
	if !c.Host {
		return nil
	}
	return host.New(host.Config{State: c.State, Log: log})
}

// serveMetrics serves /metrics; without a web configuration on loopback only.
func serveMetrics(ctx context.Context, c config, h http.Handler, log *slog.Logger) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	return whileServing(ctx, srv, func() error {
		no := false
		return web.ListenAndServe(srv, &web.FlagConfig{WebListenAddresses: &c.Listen, WebSystemdSocket: &no, WebConfigFile: &c.WebConfig}, log)
	})
}

func serveControl(ctx context.Context, path string, h http.Handler) error {
	ln, err := agent.ListenControl(ctx, path)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	return whileServing(ctx, srv, func() error { return srv.Serve(ln) })
}

// whileServing runs a server until ctx ends.
func whileServing(ctx context.Context, srv *http.Server, serve func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// obeySignals pauses on SIGUSR1 and resumes on SIGUSR2.
func obeySignals(ctx context.Context, a *agent.Agent, log *slog.Logger) error {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(ch)
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-ch:
			if s == syscall.SIGUSR2 {
				a.Resume()
				continue
			}
			if err := a.Pause(ctx, agent.DefaultPause); err != nil {
				log.Warn("driver is not let go yet", "err", err)
			}
		}
	}
}

// thisNode describes the machine that the agent runs on.
func thisNode(c config) (usage.Node, error) {
	name := cmp.Or(c.Node, os.Getenv("NODE_NAME"))
	if name == "" {
		var err error
		if name, err = os.Hostname(); err != nil {
			return usage.Node{}, fmt.Errorf("find the node's name (give --node): %w", err)
		}
	}
	n := usage.Node{Name: name, MachineID: readLine("/etc/machine-id"), Cloud: c.Cloud.Cloud, Agent: version}
	if err := n.Check(); err != nil {
		return n, usageError{err}
	}
	return n, nil
}

// bootID identifies this boot of the node.
func bootID() string { return readLine("/proc/sys/kernel/random/boot_id") }

// readLine returns the first line of a file; empty if it cannot be read.
func readLine(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(line)
}

func newLog(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError{fmt.Errorf("log level %q is not debug, info, warn or error", level)}
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l})), nil
}
