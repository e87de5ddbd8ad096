// Package host reads what the node itself says, beside its GPUs: CPU, load,
// memory, disks, network and two filesystems, through gopsutil.
//
// Each part is read in a goroutine of its own, because one may never return: a
// statfs on a dead NFS server does not. Its readings are then absent, its
// success is 0, and the others go on.
//
// In a container, the environment variables of gopsutil name where the node's
// folders are mounted: HOST_PROC=/host/proc for everything but filesystems, and
// HOST_ROOT=/host for the root filesystem. With HOST_PROC the network is that of
// the node's first process, not the container's own.
//
// Temperatures of boards and drives are not read: for many of them the kernel
// has to ask a slow bus or the firmware of a network card.
package host

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// DefaultInterval is the time between two readings of a part.
const DefaultInterval = 10 * time.Second

// Config says what to read. The zero Config reads every part every ten seconds.
type Config struct {
	// Interval is the time between two readings.
	Interval time.Duration
	// State is a folder whose filesystem is read beside the root's: where the
	// spool lies. Empty for none.
	State string
	// Log is told when a part begins or ceases to fail; nil is silent.
	Log *slog.Logger
	// Now is the clock by which readings grow old.
	Now func() time.Time
}

// Reader reads the parts again and again. Make one with New.
type Reader struct {
	cfg   Config
	parts []*part
}

// New returns a reader that has read nothing yet. Run makes it read.
func New(cfg Config) *Reader {
	if cfg.Interval == 0 {
		cfg.Interval = DefaultInterval
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return newReader(cfg, sources(cfg.State))
}

func newReader(cfg Config, ss []source) *Reader {
	r := &Reader{cfg: cfg}
	for _, s := range ss {
		r.parts = append(r.parts, newPart(s))
	}
	return r
}

// farewell is how long Run waits for parts that are being read when ctx ends.
const farewell = time.Second

// Run reads until ctx ends, and then returns within a second. A part that is
// stuck in the kernel is left behind, in its goroutine. Run must not be called
// twice.
func (r *Reader) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, p := range r.parts {
		all.Go(func() { r.follow(ctx, p) })
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	<-ctx.Done()
	limit := time.NewTimer(farewell)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	}
}

// follow reads one part until ctx ends.
func (r *Reader) follow(ctx context.Context, p *part) {
	tick := time.NewTicker(r.cfg.Interval)
	defer tick.Stop()
	for {
		readings, err := p.attempt(ctx)
		if ctx.Err() != nil {
			return
		}
		if p.keep(readings, err, r.cfg.Now()) {
			r.note(p.name, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// note logs a change between success and failure.
func (r *Reader) note(part string, err error) {
	if err != nil {
		r.cfg.Log.Warn("part of the node is not read", "part", part, "err", err)
		return
	}
	r.cfg.Log.Info("part of the node is read again", "part", part)
}

// Readings returns the newest of every part, without waiting for any. What is
// older than three intervals is absent. The caller owns the slice. It may be
// called concurrently.
func (r *Reader) Readings() []metric.Reading {
	now := r.cfg.Now()
	var out []metric.Reading
	for _, p := range r.parts {
		out = p.append(out, now, metric.MaxHold*r.cfg.Interval)
	}
	return out
}

// part is one source with what it said last.
type part struct {
	source
	success, last *metric.Desc

	mu       sync.Mutex // guards what follows
	readings []metric.Reading
	tried    bool
	failed   bool      // at the last attempt
	at       time.Time // of the last attempt that brought readings
	good     time.Time // of the last attempt without an error
}

func newPart(s source) *part {
	label := []metric.Label{{Name: "part", Value: s.name}}
	return &part{source: s, success: withLabels(collectSuccess, label), last: withLabels(collectLast, label)}
}

// attempt reads a part. gopsutil takes it for granted that the kernel's files
// have the lines and columns they should have; one that has not is an error of
// this part and not the end of the agent.
func (p *part) attempt(ctx context.Context) (readings []metric.Reading, err error) {
	defer func() {
		if x := recover(); x != nil {
			readings, err = nil, fmt.Errorf("read %s: %v", p.name, x)
		}
	}()
	return p.read(ctx)
}

// keep remembers an attempt and reports whether it turned from success to
// failure or back.
func (p *part) keep(readings []metric.Reading, err error, now time.Time) (turned bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	turned = p.failed != (err != nil)
	p.tried, p.failed = true, err != nil
	if len(readings) > 0 {
		p.readings, p.at = readings, now
	}
	if err == nil {
		p.good = now
	}
	return turned
}

// append adds what the part said and how well it can be read.
func (p *part) append(out []metric.Reading, now time.Time, maxAge time.Duration) []metric.Reading {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.readings) > 0 && now.Sub(p.at) <= maxAge {
		out = append(out, p.readings...)
	}
	if !p.tried {
		return out
	}
	success := 0.0
	if !p.failed && now.Sub(p.good) <= maxAge {
		success = 1
	}
	out = append(out, metric.Reading{Desc: p.success, Value: success})
	if !p.good.IsZero() {
		out = append(out, metric.Reading{Desc: p.last, Value: float64(p.good.UnixMilli()) / 1e3})
	}
	return out
}
