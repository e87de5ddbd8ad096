package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gpumeter/gpumeter/sim/fleet"
	"github.com/gpumeter/gpumeter/usage"
)

// simulation is one run: a fleet's agents, in front of a collector.
type simulation struct {
	args      *simulateArgs
	agents    []*simulatedAgent
	until, to time.Time // the outage lies between
	rate      float64   // minutes of the whole fleet in a second; 0 is as fast as can be
	client    *simulatedClient
	slots     chan struct{} // a place in it is the right to a connection
	minutes   atomic.Int64  // of all agents, done

	mu     sync.Mutex // guards what follows
	truth  truth
	marks  marks
	took   time.Duration // before the outage's end
	outage time.Duration // from its end until everything was there
	missed int64         // records of the outage
}

// simulatedAgent is one node's.
type simulatedAgent struct {
	*fleet.Agent
	kept []simulatedPost // of the outage
}

// marks are what was seen while sending.
type marks struct {
	latencies                         []time.Duration // of the requests that were acknowledged
	refused, broken, cut, lost, later int
	behind                            time.Duration // what was sent latest, against the rate
}

func (m *marks) merge(o *marks) {
	m.latencies = append(m.latencies, o.latencies...)
	m.refused += o.refused
	m.broken += o.broken
	m.cut += o.cut
	m.lost += o.lost
	m.later += o.later
	m.behind = max(m.behind, o.behind)
}

// newSimulation sends nothing yet.
func newSimulation(a *simulateArgs, f *fleet.Fleet, from, to time.Time) (*simulation, error) {
	client, err := newSimulatedClient(&a.source, a.Connections)
	if err != nil {
		return nil, err
	}
	s := &simulation{
		args: a, until: to.Add(-a.Outage), to: to,
		rate: float64(a.Rate) / float64(f.GPUs()), client: client, slots: make(chan struct{}, a.Connections),
	}
	for _, agent := range f.Agents(from) {
		s.agents = append(s.agents, &simulatedAgent{Agent: agent})
	}
	if a.Live {
		s.rate = 1 / time.Minute.Seconds()
	}
	return s, nil
}

// maxCrowd is how many agents come back at once at most; others follow.
const maxCrowd = 20_000

// send sends everything. step is told the share that is done.
func (s *simulation) send(ctx context.Context, step func(float64)) error {
	all := float64(len(s.agents)) * s.to.Sub(s.agents[0].Start()).Minutes()
	step1 := func() { step(float64(s.minutes.Add(1)) / all) }
	if err := s.client.greet(ctx); err != nil {
		return err
	}
	begin := s.begin()
	err := s.crowd(ctx, s.args.Connections, func(ctx context.Context, x *simulatedSender) error { return x.minuteByMinute(ctx, begin, step1) })
	s.took = time.Since(begin)
	if err != nil || s.args.Outage == 0 {
		return err
	}
	before := s.truth.records
	if err := s.crowd(ctx, s.args.Connections, func(ctx context.Context, x *simulatedSender) error { return x.keep(ctx, step1) }); err != nil {
		return err
	}
	begin = time.Now()
	err = s.crowd(ctx, maxCrowd, func(ctx context.Context, x *simulatedSender) error { return x.afterOutage(ctx) })
	s.outage, s.missed = time.Since(begin), s.truth.records-before
	return err
}

// begin is when the first minute is sent: live, when it is over.
func (s *simulation) begin() time.Time {
	if s.args.Live {
		return s.agents[0].Start().Add(time.Minute)
	}
	return time.Now()
}

// crowd deals the agents out to at most n senders and waits for all of them.
func (s *simulation) crowd(ctx context.Context, n int, run func(context.Context, *simulatedSender) error) error {
	n = min(n, len(s.agents))
	g, ctx := errgroup.WithContext(ctx)
	for i := range n {
		x := &simulatedSender{s: s, dice: rand.New(rand.NewPCG(s.args.Seed, uint64(i))), place: float64(i) / float64(n)}
		for k := i; k < len(s.agents); k += n {
			x.agents = append(x.agents, s.agents[k])
		}
		g.Go(func() error {
			err := run(ctx, x)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.truth.merge(&x.truth)
			s.marks.merge(&x.marks)
			return err
		})
	}
	return g.Wait()
}

// simulatedSender sends for some agents, one request at a time.
type simulatedSender struct {
	s      *simulation
	agents []*simulatedAgent
	dice   *rand.Rand
	place  float64 // among the senders, from 0 up to 1
	// late are the requests that were held back in this minute and the one
	// before: they come after what their agents closed later.
	late  [2][]simulatedPost
	truth truth
	marks marks
}

// minuteByMinute sends each agent's minutes up to the outage, in time with the
// rate: an agent has its place in the minute, as real ones have.
func (x *simulatedSender) minuteByMinute(ctx context.Context, begin time.Time, step func()) error {
	for minute := 0; x.agents[0].Start().Before(x.s.until); minute++ {
		for i, a := range x.agents {
			if err := x.pace(ctx, begin, float64(minute)+(float64(i)+x.place)/float64(len(x.agents))); err != nil {
				return err
			}
			b, ok, err := a.Next()
			if err != nil {
				return err
			}
			step()
			if !ok {
				continue
			}
			if err := x.bring(ctx, []usage.Sealed{b}); err != nil {
				return err
			}
		}
		if err := x.sendLate(ctx); err != nil {
			return err
		}
	}
	return x.sendLate(ctx)
}

// pace waits for a moment of the rate, in minutes of the fleet.
func (x *simulatedSender) pace(ctx context.Context, begin time.Time, minutes float64) error {
	if x.s.rate == 0 {
		return ctx.Err()
	}
	at := begin.Add(time.Duration(minutes / x.s.rate * float64(time.Second)))
	x.marks.behind = max(x.marks.behind, time.Since(at))
	return rest(ctx, time.Until(at))
}

// rest waits, unless ctx ends before.
func rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// simulatedPostBytes bounds the requests of an agent that has much to send, as
// real ones do.
const simulatedPostBytes = 1 << 20

// keep packs what each agent closes while nobody reaches the collector: it is
// there before the outage ends.
func (x *simulatedSender) keep(ctx context.Context, step func()) error {
	for _, a := range x.agents {
		for a.Start().Before(x.s.to) {
			p, err := x.next(a, step)
			if err = errors.Join(err, ctx.Err()); err != nil {
				return err
			}
			if p.n > 0 {
				a.kept = append(a.kept, p)
			}
		}
	}
	return nil
}

// afterOutage sends what each agent kept.
func (x *simulatedSender) afterOutage(ctx context.Context) error {
	for _, a := range x.agents {
		for i := range a.kept {
			if err := x.sendWhole(ctx, &a.kept[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// next packs an agent's next request; it has no batches if nothing is left.
func (x *simulatedSender) next(a *simulatedAgent, step func()) (p simulatedPost, err error) {
	var batches []usage.Sealed
	for size := 0; size < simulatedPostBytes && a.Start().Before(x.s.to); {
		b, ok, err := a.Next()
		if err != nil {
			return p, err
		}
		step()
		if ok {
			x.truth.add(&b.Batch)
			batches, size = append(batches, b), size+len(b.Body)
		}
	}
	if len(batches) == 0 {
		return p, nil
	}
	return newPost(batches)
}

func (x *simulatedSender) enter(ctx context.Context) error {
	select {
	case x.s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *simulatedSender) leave() { <-x.s.slots }

// bring sends batches, or lets go wrong what goes wrong in networks.
func (x *simulatedSender) bring(ctx context.Context, batches []usage.Sealed) error {
	for i := range batches {
		x.truth.add(&batches[i].Batch)
	}
	p, err := newPost(batches)
	if err != nil {
		return err
	}
	if x.dice.IntN(100) >= x.s.args.Faults {
		return x.sendWhole(ctx, &p)
	}
	switch x.dice.IntN(3) {
	case 0:
		x.marks.later++
		x.late[1] = append(x.late[1], p)
		return nil
	case 1:
		x.marks.cut++
		if _, err := x.s.client.try(ctx, &p, p.cutOff()); err == nil {
			return fmt.Errorf("the collector acknowledges half of a request of %s", p.stream)
		}
	default: // the answer is lost, and the request repeated
		x.marks.lost++
		if err := x.sendWhole(ctx, &p); err != nil {
			return err
		}
	}
	return x.sendWhole(ctx, &p)
}

// sendLate sends what was held back in the minute before.
func (x *simulatedSender) sendLate(ctx context.Context) error {
	for i := range x.late[0] {
		if err := x.sendWhole(ctx, &x.late[0][i]); err != nil {
			return err
		}
	}
	x.late[0], x.late[1] = x.late[1], x.late[0][:0]
	return nil
}

// patience is how often a request is repeated whose connection broke, one
// second after the other: the collector may be starting again.
const patience = 60

// sendWhole sends a request until it is acknowledged.
func (x *simulatedSender) sendWhole(ctx context.Context, p *simulatedPost) error {
	for broken := 0; ; {
		wait, err := x.once(ctx, p)
		var lost *url.Error
		switch {
		case errors.As(err, &lost) && ctx.Err() == nil && broken < patience:
			broken++
			x.marks.broken++
			wait = time.Second
		case err != nil || wait == 0:
			return err
		default:
			x.marks.refused++
		}
		if err := rest(ctx, wait); err != nil {
			return err
		}
	}
}

func (x *simulatedSender) once(ctx context.Context, p *simulatedPost) (wait time.Duration, err error) {
	if err := x.enter(ctx); err != nil {
		return 0, err
	}
	defer x.leave()
	begin := time.Now()
	wait, err = x.s.client.try(ctx, p, p.whole())
	if err == nil && wait == 0 {
		x.marks.latencies = append(x.marks.latencies, time.Since(begin))
	}
	return wait, err
}

// quantile is how long so many of 1,000 requests took at most until they were
// acknowledged.
func (m *marks) quantile(permille int) time.Duration {
	if len(m.latencies) == 0 {
		return 0
	}
	slices.Sort(m.latencies)
	return m.latencies[(len(m.latencies)-1)*permille/1000].Round(time.Millisecond)
}

// print says how it went.
func (s *simulation) print(w io.Writer) {
	m := &s.marks
	live := s.truth.records - s.missed
	fmt.Fprintf(w, "sent     %d records in %d batches, %d requests; %d of them in %.1f s, %.0f records/s\n",
		s.truth.records, s.truth.batches, len(m.latencies), live, s.took.Seconds(), float64(live)/max(s.took.Seconds(), 1e-3))
	if s.args.Live {
		fmt.Fprintf(w, "live     each minute of a node at its place in the next, within %.1f s\n", max(m.behind.Seconds(), 0))
	} else if s.rate > 0 {
		fmt.Fprintf(w, "rate     %d records/s, held within %.1f s\n", s.args.Rate, max(m.behind.Seconds(), 0))
	}
	fmt.Fprintf(w, "answers  half within %s, 99 %% within %s, all within %s; %d times asked to wait, %d connections broke\n", m.quantile(500), m.quantile(990), m.quantile(1000), m.refused, m.broken)
	fmt.Fprintf(w, "faults   %d requests cut off, %d answers lost, %d requests late\n", m.cut, m.lost, m.later)
	if s.args.Outage > 0 {
		fmt.Fprintf(w, "outage   %d agents came back at once with %d records of %s: all there after %.1f s, %.0f records/s\n",
			len(s.agents), s.missed, s.args.Outage, s.outage.Seconds(), float64(s.missed)/max(s.outage.Seconds(), 1e-3))
	}
}
