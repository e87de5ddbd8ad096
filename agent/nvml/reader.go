package nvml

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// Defaults of Config.
const (
	DefaultInterval     = time.Second
	DefaultDeadline     = 5 * time.Second
	DefaultColdDeadline = 30 * time.Second
	DefaultRetryMin     = 5 * time.Second
	DefaultRetryMax     = 5 * time.Minute
	DefaultKillAfter    = 2 * time.Minute
	DefaultMaxRSS       = 128 << 20
	DefaultMaxAge       = 24 * time.Hour
)

// Config says how to read the GPUs of a node. The zero Config reads what the
// driver has, once a second, with this very program as the worker.
type Config struct {
	// Library is the absolute path of libnvidia-ml.so.1. If it is empty, the
	// usual places are searched.
	Library string
	// Interval is the time between two looks at a GPU.
	Interval time.Duration
	// Deadline is how long a driver call may take before its GPU is
	// unobserved; ColdDeadline is that of the first calls, which may wake the
	// GPU up.
	Deadline, ColdDeadline time.Duration
	// Exe and Args start a process that calls RunWorker; by default this
	// program with the argument "worker". Env is added to the worker's
	// environment, which is this process's without what steers the loader.
	Exe  string
	Args []string
	Env  []string
	// Groups are the rows that are read besides those without a group: words of
	// Groups(), or "all". Nil is none.
	Groups []string
	// Known are the GPUs that the node had before. They are in every frame.
	Known []metric.GPU
	// RetryMin and RetryMax bound the time between two tries to find a driver.
	RetryMin, RetryMax time.Duration
	// KillAfter is how long a worker that was told to end may take. A worker
	// killed in the middle of a driver call can wedge its GPU.
	KillAfter time.Duration
	// A worker above MaxRSS bytes or MaxAge is replaced, without a gap.
	MaxRSS int64
	MaxAge time.Duration
	// Log is told of changes of state; nil is silent.
	Log *slog.Logger
	// Now is the wall clock of frames.
	Now func() time.Time
}

func (c *Config) complete() {
	setDefault(&c.Interval, DefaultInterval)
	setDefault(&c.Deadline, DefaultDeadline)
	setDefault(&c.ColdDeadline, DefaultColdDeadline)
	setDefault(&c.RetryMin, DefaultRetryMin)
	setDefault(&c.RetryMax, DefaultRetryMax)
	setDefault(&c.KillAfter, DefaultKillAfter)
	setDefault(&c.MaxRSS, DefaultMaxRSS)
	setDefault(&c.MaxAge, DefaultMaxAge)
	if c.Exe == "" {
		// The running program, also where its file was replaced meanwhile.
		c.Exe = "/proc/self/exe"
	}
	if c.Args == nil {
		c.Args = []string{"worker"}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

func setDefault[T time.Duration | int64](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Reader looks at the GPUs of this node through a worker process, and never
// waits for the driver itself. Make one with NewReader. All methods may be
// called concurrently; Frame has one caller, because each frame holds what
// came since the frame before.
type Reader struct {
	cfg   Config
	clock func() time.Duration
	wake  chan struct{} // something happened that step should see

	mu    sync.Mutex // guards what follows
	known []*known   // by index, then UUID
	// current is the worker that frames are made of. next is its replacement,
	// while both run. leaving were told to end and have not.
	current, next *child
	leaving       []*child
	// reason and detail say why a GPU that current has not looked at is
	// unobserved, and why the driver is not up.
	reason, detail string
	driver         metric.Driver
	unloaded       bool // the driver was seen to be away since it was last up
	xids           []metric.Xid
	paused         bool
	running        bool
	waiters        []chan struct{} // of Pause
	plan           schedule
}

// known is a GPU that the node has or had.
type known struct {
	metric.GPU
	slot *childSlot // of current; set by assign
	// energy is the newest reading of the energy counter, in joules; it fell
	// at fellAt.
	energy float64
	fellAt time.Duration
}

// NewReader returns a reader that has not looked yet. Run makes it look.
func NewReader(cfg Config) *Reader {
	cfg.complete()
	r := &Reader{cfg: cfg, clock: BootClock, wake: make(chan struct{}, 1), reason: metric.ReasonNeverSeen}
	for _, g := range cfg.Known {
		r.know(g)
	}
	return r
}

// know returns the entry of a GPU, which it adds or brings up to date.
func (r *Reader) know(g metric.GPU) *known {
	i := slices.IndexFunc(r.known, func(k *known) bool { return k.UUID == g.UUID })
	if i < 0 {
		i = len(r.known)
		r.known = append(r.known, &known{})
	}
	k := r.known[i]
	k.GPU = g
	slices.SortFunc(r.known, func(a, b *known) int {
		if a.Index != b.Index {
			return a.Index - b.Index
		}
		return strings.Compare(a.UUID, b.UUID)
	})
	return k
}

// Run starts and watches worker processes until ctx ends; it then ends them
// and returns nil, within five seconds. A worker that is stuck in the driver
// is left behind. It returns an error at once for a Library or Groups that
// cannot be. Run must not be called twice.
func (r *Reader) Run(ctx context.Context) error {
	if r.cfg.Library != "" && !filepath.IsAbs(r.cfg.Library) {
		return fmt.Errorf("driver library %q: not an absolute path", r.cfg.Library)
	}
	if err := CheckGroups(r.cfg.Groups); err != nil {
		return err
	}
	r.setRunning(true)
	defer r.setRunning(false)
	ticker := time.NewTicker(max(min(r.cfg.Interval/2, longestStep), shortestStep))
	defer ticker.Stop()
	for {
		r.step(r.clock())
		select {
		case <-ctx.Done():
			r.end()
			return nil
		case <-r.wake:
		case <-ticker.C:
		}
	}
}

// How often the supervisor looks at what nobody tells it: time that passed.
const (
	shortestStep = 20 * time.Millisecond
	longestStep  = 500 * time.Millisecond
)

func (r *Reader) setRunning(v bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = v
	r.release()
}

// poke makes the supervisor look at once.
func (r *Reader) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// pauseLimit is how long Pause waits.
const pauseLimit = 2 * time.Second

// Pause lets go of the driver: it ends the worker, and returns when no process
// of ours has a handle of it open. It fails after two seconds, or when ctx
// ends, if a worker is stuck in the driver; the reader is paused all the same,
// until Resume. Pausing twice changes nothing.
func (r *Reader) Pause(ctx context.Context) error {
	gone := make(chan struct{})
	r.mu.Lock()
	r.paused = true
	r.waiters = append(r.waiters, gone)
	r.release()
	r.mu.Unlock()
	r.poke()
	limit := time.NewTimer(pauseLimit)
	defer limit.Stop()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("pause: %w (%s)", ctx.Err(), r.holding())
	case <-limit.C:
		return fmt.Errorf("pause: %s after %s", r.holding(), pauseLimit)
	}
}

// Resume takes the driver up again. Without a pause it changes nothing.
func (r *Reader) Resume() {
	r.mu.Lock()
	if r.paused {
		r.paused = false
		r.plan = schedule{kills: r.plan.kills}
		r.reason, r.detail = metric.ReasonPaused, "resumed"
	}
	r.mu.Unlock()
	r.poke()
}

// Paused reports whether the reader is paused.
func (r *Reader) Paused() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.paused
}

// release wakes the callers of Pause if no worker is left.
func (r *Reader) release() {
	if !r.paused || r.current != nil || r.next != nil || len(r.leaving) > 0 {
		return
	}
	for _, w := range r.waiters {
		close(w)
	}
	r.waiters = nil
}

// holding names the workers that have not ended.
func (r *Reader) holding() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var pids []string
	for _, c := range r.children() {
		pids = append(pids, fmt.Sprint(c.pid()))
	}
	return fmt.Sprintf("worker process %s still holds the driver", strings.Join(pids, ", "))
}

// children returns every worker that was not seen to exit.
func (r *Reader) children() []*child {
	out := slices.Clone(r.leaving)
	for _, c := range []*child{r.current, r.next} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}
