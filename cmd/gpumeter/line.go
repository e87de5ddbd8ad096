package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/push"
	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// line is the whole way of a frame in one process and in virtual time: meter,
// spool, HTTP on loopback, store. It is what a fleet does, without the driver
// and without waiting.
type line struct {
	url   string
	group *errgroup.Group
	stop  context.CancelFunc
}

// openLine starts a collector over a store on a loopback port.
func openLine(ctx context.Context, st store.Store, now func() time.Time) (*line, error) {
	ln, err := collector.Listen(ctx, collector.Address{Addr: "127.0.0.1:0"}, collector.Tokens{})
	if err != nil {
		return nil, err
	}
	c := collector.New(collector.Config{Store: st, Now: now, Log: slog.New(slog.DiscardHandler), Version: version})
	return newLine(ctx, c, ln), nil
}

func newLine(ctx context.Context, c *collector.Collector, ln net.Listener) *line {
	ctx, stop := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.Serve(ctx, ln) })
	return &line{url: "http://" + ln.Addr().String(), group: g, stop: stop}
}

// close ends the collector.
func (l *line) close() error {
	l.stop()
	return l.group.Wait()
}

// station is one node on the line. Its spool is kept in a folder: a station
// that is opened again goes on where it was, and what it was told before it is
// not told twice.
type station struct {
	node  usage.Node
	meter *meter.Meter
	spool *spool.Spool
	push  *push.Pusher
	every time.Duration // the sampling interval
	skip  uint64        // windows that are in the spool already
	group *errgroup.Group
	stop  context.CancelFunc
}

// maxPending bounds what a station may have metered and not sent.
const maxPending = 4096

// stationState is the name of a station's meter in its spool.
const stationState = "meter"

// openStation opens a node whose spool is in dir.
func (l *line) openStation(ctx context.Context, dir string, node usage.Node, cfg meter.Config) (*station, error) {
	sp, err := spool.Open(filepath.Join(dir, "spool.db"), spool.Options{MaxBytes: 1 << 40, MachineID: node.MachineID})
	if err != nil {
		return nil, err
	}
	p, err := push.New(push.Config{URL: l.url})
	if err != nil {
		return nil, errors.Join(err, sp.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.Run(ctx, sp) })
	return &station{
		node: node, meter: meter.New(cfg, meter.State{}), spool: sp, push: p, every: cfg.Interval, group: g, stop: stop,
	}, nil
}

// resume makes the station leave out the windows that its spool has from an
// earlier, interrupted run over the same frames.
func (s *station) resume() { s.skip = s.spool.Stats().Seq }

// observe meters a frame.
func (s *station) observe(ctx context.Context, f metric.Frame) error {
	return s.keep(ctx, s.meter.Observe(f))
}

// keep puts closed windows into the spool. It waits while too much is unsent.
func (s *station) keep(ctx context.Context, closed []meter.Closed) error {
	for _, c := range closed {
		if s.skip > 0 {
			s.skip--
			continue
		}
		state, err := json.Marshal(s.meter.State())
		if err != nil {
			return fmt.Errorf("encode the meter's state: %w", err)
		}
		sealed, err := s.spool.Append(c.Batch(s.node, s.every), map[string][]byte{stationState: state})
		if err != nil {
			return err
		}
		if sealed.Batch.Seq == 0 {
			return fmt.Errorf("write spool: %s", s.spool.Stats().LastError)
		}
		if err := sealed.Batch.Check(); err != nil {
			return fmt.Errorf("a collector would refuse the window: %w", err)
		}
		s.push.Wake()
		if err := s.wait(ctx, maxPending); err != nil {
			return err
		}
	}
	return nil
}

// wait returns when at most n batches are unsent. A collector that asks to be
// given time is given it.
func (s *station) wait(ctx context.Context, n int) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s.spool.Stats().PendingBatches > n {
		if p := s.push.Stats(); p.LastError != "" && p.LastReason != push.ReasonBusy {
			return fmt.Errorf("send to the collector: %s", p.LastError)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// finish closes the last window, waits until everything is acknowledged, and
// closes the station.
func (s *station) finish(ctx context.Context) error {
	err := s.keep(ctx, s.meter.Flush())
	if err == nil {
		err = s.wait(ctx, 0)
	}
	return errors.Join(err, s.kill())
}

// kill closes the station as it is: its open window is lost.
func (s *station) kill() error {
	s.stop()
	return errors.Join(s.group.Wait(), s.spool.Close())
}
