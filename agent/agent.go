// Package agent is the per-node program as a library: it looks at the node's
// GPUs through a worker process, meters what it sees, and keeps what it metered
// until a collector has it.
//
// Nothing that the driver does can stop it: a GPU or a whole driver that does
// not answer is on record as unobserved, with the reason.
package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gpumeter/gpumeter/agent/cloud"
	"github.com/gpumeter/gpumeter/agent/holder"
	"github.com/gpumeter/gpumeter/agent/host"
	"github.com/gpumeter/gpumeter/agent/kmsg"
	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/push"
	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/agent/xid"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// Reader looks at the GPUs. *nvml.Reader is one.
type Reader interface {
	// Run supervises the worker process until ctx ends.
	Run(ctx context.Context) error
	// Frame composes the newest look at the node. It never waits for the driver.
	Frame() metric.Frame
	// Pause lets go of the driver and returns when no handle is open.
	Pause(ctx context.Context) error
	// Resume takes the driver up again.
	Resume()
}

// Config is what an agent needs to know.
type Config struct {
	// Node is this node. Where it stands is Cloud's to say, if there is one.
	Node usage.Node
	// Cloud finds out where the node stands; nil leaves that to Node.
	Cloud *cloud.Finder
	// ExpectedGPUs is how many GPUs the node should have; zero is as many as
	// its instance type has.
	ExpectedGPUs int
	// Elsewhere counts the GPUs that are there and that a frame cannot show: given
	// to a virtual machine, or not to be seen from a container. Nil knows of none.
	Elsewhere func(*metric.Frame) int
	// BootID identifies this boot of the node.
	BootID string
	// Interval is the time between looks, Window the length of a window.
	Interval, Window time.Duration
	// NewReader makes the reader, given the GPUs that the node had before.
	NewReader func(known []metric.GPU) Reader
	// KernelLog makes the reader of the kernel's log, given the place up to
	// which it was read before; nil reads none.
	KernelLog func(from kmsg.Position) KernelLog
	Spool     *spool.Spool
	// Push sends the spool to a collector; nil keeps everything on the node.
	Push *push.Pusher
	// Host reads the node itself; nil leaves it out.
	Host *host.Reader
	// Holders finds out who holds the GPUs; nil asks their processes only.
	Holders *holder.Finder
	// PauseFile pauses the agent for as long as it exists; empty for none.
	PauseFile string
	Log       *slog.Logger
	Now       func() time.Time
}

// Agent is one node's agent. Its methods may be called concurrently.
type Agent struct {
	cfg     Config
	reader  Reader
	meter   *meter.Meter // of the loop only
	holders *holder.Finder
	errors  *errorCounts // of the loop only
	place   place        // of the loop only
	pause   pause
	// windows carries closed windows from the loop to the keeper: a disk that
	// stalls must not keep the loop from looking.
	windows chan window
	faults  uint64 // of the loop only: Meter.Faults when the state was last stored

	mu       sync.Mutex // guards what follows
	snapshot Snapshot
	stats    Stats
}

// Snapshot is the newest frame and what belongs to it, for exporters.
type Snapshot struct {
	Frame metric.Frame
	Node  usage.Node
	// Cloud is what is known of where the node stands, and who said so.
	Cloud cloud.Found
	// Missing is how many of Node.ExpectedGPUs were never seen although the
	// driver answers.
	Missing int
	Totals  map[string][]metric.Reading // by UUID
	Holders map[string][]usage.Holder   // by UUID of GPUs and compute instances; one that is nobody is a free GPU
	// Host is what the node says of itself, and how reading its log goes.
	Host []metric.Reading
	// Xids counts the errors of each GPU and code since the spool was made.
	Xids []xid.Count
}

// Stats is the agent's own health.
type Stats struct {
	Frames  uint64
	Records uint64
	Paused  bool
}

// window is a closed window with the state after it, by the names of its parts.
type window struct {
	batch *usage.Batch // nil: the state alone
	state map[string][]byte
}

// maxWindows is how many windows may wait for a stalling disk before the loop
// waits too.
const maxWindows = 64

// stateKey names the meter's state in the spool.
const stateKey = "meter"

// New returns an agent that goes on where its spool left off.
func New(cfg Config) (*Agent, error) {
	var s meter.State
	raw, err := cfg.Spool.State(stateKey)
	if err != nil {
		return nil, fmt.Errorf("read the meter's state: %w", err)
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &s); err != nil {
			// The inventory is lost, no record is: go on without.
			cfg.Log.Warn("meter state is damaged and left out", "err", err)
			s = meter.State{}
		}
	}
	a := &Agent{cfg: cfg, holders: cfg.Holders, windows: make(chan window, maxWindows)}
	if a.holders == nil {
		if a.holders, err = holder.New(holder.Config{Log: cfg.Log}); err != nil {
			return nil, err
		}
	}
	a.meter = meter.New(meter.Config{
		Window:   cfg.Window,
		Interval: cfg.Interval,
		Grace:    2 * cfg.Interval,
		Holders:  a.holders.Holders,
		Parts:    a.holders.Part,
		Basis:    usage.BasisProcess,
		BootID:   cfg.BootID,
		Node:     usage.SlotNode(cfg.Node),
	}, s)
	var known []metric.GPU
	for _, g := range s.GPUs {
		known = append(known, g.GPU)
	}
	if a.errors, err = newErrorCounts(&cfg); err != nil {
		return nil, err
	}
	a.errors.veiled = !a.holders.TellsNames()
	a.reader = cfg.NewReader(known)
	return a, a.recallPlace()
}

// Run meters until ctx ends, then closes the open window and returns. What is
// not sent by then stays in the spool.
func (a *Agent) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.reader.Run(ctx) })
	if a.cfg.Push != nil {
		g.Go(func() error { return a.cfg.Push.Run(ctx, a.cfg.Spool) })
	}
	if a.cfg.Host != nil {
		g.Go(func() error {
			a.cfg.Host.Run(ctx)
			return nil
		})
	}
	g.Go(func() error {
		a.holders.Run(ctx)
		return nil
	})
	if a.errors.log != nil {
		g.Go(func() error { return a.errors.log.Run(ctx) })
	}
	a.locate(ctx) // meanwhile the worker opens the driver
	if a.cfg.Cloud != nil {
		g.Go(func() error {
			a.cfg.Cloud.Run(ctx)
			return nil
		})
	}
	g.Go(func() error {
		defer close(a.windows)
		return a.loop(ctx)
	})
	g.Go(a.keeper)
	return g.Wait()
}

// loop looks once per interval.
func (a *Agent) loop(ctx context.Context) error {
	tick := time.NewTicker(a.cfg.Interval)
	defer tick.Stop()
	if err := a.step(ctx); err != nil {
		return err
	}
	a.meter.Event(usage.EventAgentStart, a.cfg.Node.Agent)
	for {
		select {
		case <-ctx.Done():
			a.meter.Event(usage.EventAgentStop, "")
			return a.hand(a.meter.Flush())
		case <-tick.C:
			if err := a.step(ctx); err != nil {
				return err
			}
		}
	}
}

// step takes one frame.
func (a *Agent) step(ctx context.Context) error {
	f := a.reader.Frame()
	a.errors.merge(&f)
	a.follow(&f)
	closed := a.meter.Observe(f)
	a.count()
	a.publish(f)
	a.followPause(ctx)
	changed := a.meter.Faults() != a.faults
	a.faults = a.meter.Faults()
	if len(closed) == 0 && !changed {
		return nil
	}
	return a.hand(closed)
}

// publish makes the frame visible to exporters.
func (a *Agent) publish(f metric.Frame) {
	s := Snapshot{
		Frame: f, Node: a.place.node, Cloud: a.place.found, Missing: a.place.missing,
		Totals:  make(map[string][]metric.Reading, len(f.Looks)),
		Holders: make(map[string][]usage.Holder, len(f.Looks)),
	}
	if a.cfg.Host != nil {
		s.Host = a.cfg.Host.Readings()
	}
	s.Host, s.Xids = slices.Concat(s.Host, a.place.readings(), a.holders.Readings(), a.errors.readings()), a.errors.merger.Counts()
	for i := range f.Looks {
		l := &f.Looks[i]
		s.Totals[l.GPU.UUID] = a.meter.Totals(l.GPU.UUID)
		a.holders.Add(s.Holders, *l)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.snapshot = s
	a.stats.Frames++
}

// hand gives closed windows to the keeper, oldest first; without any, the
// meter's state alone.
func (a *Agent) hand(closed []meter.Closed) error {
	state, err := json.Marshal(a.meter.State())
	if err != nil {
		return fmt.Errorf("encode the meter's state: %w", err)
	}
	if len(closed) == 0 {
		a.windows <- window{nil, map[string][]byte{stateKey: state}}
		return nil
	}
	counts, err := a.errors.state()
	if err != nil {
		return err
	}
	parts := map[string][]byte{stateKey: state, xidKey: counts}
	if err := a.rememberPlace(parts); err != nil {
		return err
	}
	for _, c := range closed {
		b := c.Batch(a.place.node, a.cfg.Interval)
		a.windows <- window{&b, parts}
	}
	return nil
}

// keeper puts windows into the spool until the loop has ended.
func (a *Agent) keeper() error {
	var failed error
	for w := range a.windows {
		if failed != nil {
			continue // the loop must not be held up while it ends
		}
		if w.batch == nil {
			if err := a.cfg.Spool.PutState(stateKey, w.state[stateKey]); err != nil {
				a.cfg.Log.Warn("meter state is not stored before the window closes", "err", err)
			}
			continue
		}
		if _, failed = a.cfg.Spool.Append(*w.batch, w.state); failed != nil {
			continue
		}
		a.mu.Lock()
		a.stats.Records += uint64(len(w.batch.Records))
		a.mu.Unlock()
		if a.cfg.Push != nil {
			a.cfg.Push.Wake()
		}
	}
	return failed
}

// Snapshot returns the newest frame and what belongs to it. The caller must
// not change it.
func (a *Agent) Snapshot() Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.snapshot
}

// Stats returns the agent's own health.
func (a *Agent) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stats
}
