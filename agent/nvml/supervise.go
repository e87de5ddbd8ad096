package nvml

import (
	"fmt"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

const (
	// maxChildren bounds the workers that are alive, stuck ones included: each
	// holds memory, and perhaps the driver's locks.
	maxChildren = 2
	// maxKills bounds how often a stuck worker is killed: it is known to wedge
	// GPUs that were only slow.
	maxKills = 2
	// steady is how long a worker has to live for its end to be no sign of
	// lasting trouble.
	steady = 10 * time.Second
	// checkAfter is how many intervals pass between two looks at a worker's
	// memory, renewEvery is how often its replacement is tried.
	checkAfter = 10
	renewEvery = time.Minute
	// settled is how many looks at every GPU a replacement must have made:
	// the first speaks for no time.
	settled = 2
	// endLimit is how long Run waits for workers when it ends.
	endLimit = 3 * time.Second
)

// schedule is when the supervisor acts next.
type schedule struct {
	startAt time.Duration // earliest start of a worker
	fails   int           // workers that did not last, in a row
	checkAt time.Duration // next look at the worker's memory
	renewAt time.Duration // earliest start of a replacement
	kills   int
}

// step does what is due. It alone starts and ends workers.
func (r *Reader) step(now time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bury(now)
	if r.paused {
		r.dismiss(&r.current, now)
		r.dismiss(&r.next, now)
		r.release()
		return
	}
	if c := r.current; c != nil {
		r.watch(c, now)
	}
	if r.current == nil {
		r.start(now)
		return
	}
	r.renew(now)
}

// bury forgets the workers that are gone, and presses those that linger.
func (r *Reader) bury(now time.Duration) {
	r.leaving = slices.DeleteFunc(r.leaving, (*child).gone)
	for _, c := range r.leaving {
		if c.insist(now, r.cfg.KillAfter, r.plan.kills < maxKills) {
			r.plan.kills++
			r.cfg.Log.Warn("worker killed", "pid", c.pid())
		}
	}
}

// watch acts on what happened to the current worker.
func (r *Reader) watch(c *child, now time.Duration) {
	deadline := r.cfg.ColdDeadline
	switch {
	case c.down != nil:
		r.unloaded = r.unloaded || away(c.down.reason)
		r.lose(now, c.down.reason, c.down.detail, 1)
	case c.gone():
		r.lose(now, metric.ReasonWorkerExit, "worker ended: "+c.obituary(), 0)
	case c.broken != nil:
		r.lose(now, metric.ReasonWorkerExit, "worker talks nonsense: "+c.broken.Error(), 1)
	case c.helloAt == 0 && now-c.born > deadline:
		r.lose(now, metric.ReasonHang, fmt.Sprintf("the driver did not open within %s", deadline), 1)
	case c.helloAt != 0 && now-c.heard > max(deadline, 3*r.cfg.Interval):
		r.lose(now, metric.ReasonHang, fmt.Sprintf("the worker was silent for %s", deadline), 1)
	}
}

// away reports whether a reason says that the driver was not there, so that it
// was loaded anew when it is back.
func away(reason string) bool {
	return reason == metric.ReasonNoDriver || reason == metric.ReasonNotLoaded || reason == metric.ReasonMismatch
}

// lose gives the current worker up and plans the next. A first end is
// followed by a start at once if patience is 0.
func (r *Reader) lose(now time.Duration, reason, detail string, patience int) {
	c := r.current
	if c.helloAt != 0 && now-c.born > steady {
		r.plan.fails = 0
	}
	if r.reason != reason || r.detail != detail || c.helloAt != 0 {
		r.cfg.Log.Warn("driver is not readable", "reason", reason, "detail", detail)
	}
	r.reason, r.detail = reason, detail
	r.dismiss(&r.current, now)
	if r.next != nil {
		r.promote(now)
		return
	}
	r.plan.startAt = now + r.delay(r.plan.fails+patience)
	r.plan.fails++
}

// delay is how long to wait after so many failures.
func (r *Reader) delay(fails int) time.Duration {
	if fails == 0 {
		return 0
	}
	d := r.cfg.RetryMin
	for ; fails > 1 && d < r.cfg.RetryMax; fails-- {
		d *= 2
	}
	return min(d, r.cfg.RetryMax)
}

// dismiss tells a worker to end and takes it out of its place.
func (r *Reader) dismiss(place **child, now time.Duration) {
	c := *place
	if c == nil {
		return
	}
	*place = nil
	c.stop(now)
	if !c.gone() {
		r.leaving = append(r.leaving, c)
	}
}

// start starts a worker if there is none and it is time.
func (r *Reader) start(now time.Duration) {
	if now < r.plan.startAt || len(r.leaving) >= maxChildren {
		return
	}
	c, err := startChild(&r.cfg, now, r.receive)
	if err != nil {
		if r.detail != err.Error() {
			r.cfg.Log.Error("worker does not start", "err", err)
		}
		r.reason, r.detail = metric.ReasonWorkerExit, err.Error()
		r.plan.fails++
		r.plan.startAt = now + r.delay(r.plan.fails)
		return
	}
	r.cfg.Log.Debug("worker started", "pid", c.pid())
	r.current = c
	r.plan.checkAt = now + r.checkEvery()
}

// renew replaces a worker that is too large, too old, or asked for it: a new
// one is started beside it, and takes over once it has looked at every GPU.
func (r *Reader) renew(now time.Duration) {
	if r.next == nil {
		if why := r.wornOut(now); why != "" {
			r.plan.renewAt = now + renewEvery
			c, err := startChild(&r.cfg, now, r.receive)
			if err != nil {
				r.cfg.Log.Error("worker does not start", "err", err)
				return
			}
			r.cfg.Log.Info("worker is being replaced", "why", why, "pid", r.current.pid(), "new", c.pid())
			r.next = c
		}
		return
	}
	n := r.next
	switch {
	case n.gone() || n.down != nil || n.broken != nil || n.helloAt == 0 && now-n.born > r.cfg.ColdDeadline:
		r.dismiss(&r.next, now)
	case n.ready() || n.helloAt != 0 && now-n.helloAt > r.cfg.ColdDeadline:
		r.promote(now)
	}
}

func (r *Reader) checkEvery() time.Duration { return checkAfter * r.cfg.Interval }

// wornOut says why the current worker should be replaced, or nothing.
func (r *Reader) wornOut(now time.Duration) string {
	c := r.current
	if now < r.plan.renewAt || c.helloAt == 0 || len(r.children()) >= maxChildren {
		return ""
	}
	switch {
	case c.stale != "":
		return c.stale
	case now-c.born > r.cfg.MaxAge:
		return "it is " + (now - c.born).Round(time.Second).String() + " old"
	case now < r.plan.checkAt:
		return ""
	}
	r.plan.checkAt = now + r.checkEvery()
	if rss := c.rss(); rss > r.cfg.MaxRSS {
		return fmt.Sprintf("it uses %d MiB", rss>>20)
	}
	return ""
}

// ready reports whether a worker has looked at every GPU often enough.
func (c *child) ready() bool {
	return c.helloAt != 0 && !slices.ContainsFunc(c.slots, func(s childSlot) bool { return s.looks < settled })
}

// promote puts the replacement in the place of the current worker.
func (r *Reader) promote(now time.Duration) {
	r.dismiss(&r.current, now)
	r.current, r.next = r.next, nil
	r.plan.checkAt = now + r.checkEvery()
	if r.current.helloAt != 0 {
		r.up()
	}
}

// end tells all workers to end, and waits for them for a while.
func (r *Reader) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock()
	r.reason, r.detail = metric.ReasonWorkerExit, "the reader has ended"
	r.dismiss(&r.current, now)
	r.dismiss(&r.next, now)
	for len(r.leaving) > 0 && r.clock()-now < endLimit {
		c := r.leaving[0]
		r.mu.Unlock() // its last messages need the lock
		select {
		case <-c.exited:
		case <-time.After(100 * time.Millisecond):
		}
		r.mu.Lock()
		r.bury(r.clock())
	}
	for _, c := range r.leaving {
		c.out.Close()
		r.cfg.Log.Warn("worker is stuck in the driver and left behind", "pid", c.pid())
	}
}
