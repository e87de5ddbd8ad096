package nvml

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
	"unsafe"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// WorkerConfig says how a worker reads. What is zero, the parent says.
type WorkerConfig struct {
	// Library is the absolute path of libnvidia-ml.so.1. If it is empty, the
	// usual places are searched.
	Library string
	// Interval is the time between looks.
	Interval time.Duration
	// Groups are the rows that are read besides those without a group.
	Groups []string
}

const (
	// farewell is how long the worker waits, when it is to end, for calls that
	// are under way. It then ends with the driver still open: the kernel
	// closes it, and a pause has to be quick.
	farewell = time.Second
	// countAfter is how many intervals pass until the driver is asked again how
	// many GPUs it has.
	countAfter = 10
	// beatEvery is the longest time between two signs of life.
	beatEvery = time.Second
	// The worker's heap is a few hundred KiB, and nothing on it is garbage.
	workerGC     = 25
	workerMemory = 24 << 20
)

// worker is the child process: the only one that opens the driver.
type worker struct {
	cfg    WorkerConfig
	clock  func() time.Duration
	lib    *library
	plan   *plan
	events *events
	count  int
	failed sync.Once
	end    context.CancelCauseFunc

	mu      sync.Mutex // guards what follows
	out     io.Writer
	slots   []*slot
	handles map[unsafe.Pointer]int
}

// RunWorker reads the driver and writes what it sees to out, until in or ctx
// ends. It is the main of a process of its own, and changes the settings of
// the Go runtime for it. It returns nil when it was asked to end, also if a
// driver call is then still under way, in a goroutine that is left behind: the
// process has to exit next. Where the driver cannot be used, it tells the
// parent why and returns the error.
func RunWorker(ctx context.Context, in io.Reader, out io.Writer, cfg WorkerConfig) error {
	// A call that takes long gives its place to others; more places would
	// only wake up more threads.
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(workerGC)
	debug.SetMemoryLimit(workerMemory)
	debug.FreeOSMemory() // of what made the table
	from := bufio.NewReaderSize(in, 512)
	if err := cfg.complete(from); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		// Ends with the parent, or with the process.
		_, _ = io.Copy(io.Discard, from)
		end(nil)
	}()
	w := &worker{cfg: cfg, clock: BootClock, plan: newPlan(Table, cfg.Groups...), end: end, out: out, handles: map[unsafe.Pointer]int{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx)
	}()
	<-ctx.Done()
	select {
	case <-done:
	case <-time.After(farewell):
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// complete takes what the configuration lacks from the parent's first message.
func (c *WorkerConfig) complete(in io.Reader) error {
	k, message, err := readMessage(in, nil)
	if err == nil && k != kindSettings {
		err = fmt.Errorf("message of kind %d instead of settings", k)
	}
	var s settings
	if err == nil {
		err = s.decode(message)
	}
	if err != nil {
		return fmt.Errorf("read settings from the parent (the worker is started by the agent only): %w", err)
	}
	if c.Library == "" {
		c.Library = s.library
	}
	if c.Interval == 0 {
		c.Interval = s.interval
	}
	if c.Groups == nil {
		c.Groups = s.groups
	}
	if err := CheckGroups(c.Groups); err != nil {
		return err
	}
	if c.Interval <= 0 {
		return fmt.Errorf("interval of %s", c.Interval)
	}
	return nil
}

// run opens the driver and reads it until ctx ends.
func (w *worker) run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { w.beat(ctx) })
	if err := w.open(); err != nil {
		w.fail(err)
		all.Wait()
		return
	}
	for _, s := range w.slots {
		all.Go(func() { s.run(ctx) })
	}
	all.Go(func() { w.events.run(ctx, w.deliver, w.redivided) })
	all.Go(func() { w.recount(ctx) })
	all.Wait()
	w.lib.shutdown()
}

// open opens the driver and greets the parent.
func (w *worker) open() error {
	lib, err := openLibrary(w.cfg.Library)
	if err != nil {
		return err
	}
	if err := lib.init(); err != nil {
		return err
	}
	n, code := lib.count()
	if code != nvml.SUCCESS {
		return &driverError{"count GPUs", code}
	}
	w.lib, w.events, w.count = lib, newEvents(lib, w.clock), min(n, maxSlots)
	slots := make([]*slot, w.count)
	for i := range slots {
		slots[i] = newSlot(w, i)
	}
	w.mu.Lock()
	w.slots = slots
	w.mu.Unlock()
	w.send((&hello{
		table:  tableSum(w.plan.rows, InstanceTable),
		driver: lib.text(fnDriverVersion), nvml: lib.text(fnNVMLVersion),
		count: w.count,
	}).append(nil))
	return nil
}

// send writes a message. A parent that does not take it is gone.
func (w *worker) send(message []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.out.Write(message); err != nil {
		w.end(nil)
	}
}

// beat tells the parent, again and again, since when which GPU has not
// answered.
func (w *worker) beat(ctx context.Context) {
	ticker := time.NewTicker(min(w.cfg.Interval, beatEvery))
	defer ticker.Stop()
	b := beat{calls: make([]inFlight, 0, maxSlots)}
	var out []byte
	for {
		w.mu.Lock()
		slots := w.slots
		w.mu.Unlock()
		b.at, b.calls = w.clock(), b.calls[:0]
		for _, s := range slots {
			b.calls = append(b.calls, inFlight{time.Duration(s.dev.calling.Load()), s.cold.Load()})
		}
		out = b.append(out[:0])
		w.send(out)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// recount asks to be replaced when GPUs came or went: a process sees the
// GPUs that there were when it opened the driver.
func (w *worker) recount(ctx context.Context) {
	every := countAfter * w.cfg.Interval
	for pause(ctx, every); ctx.Err() == nil; pause(ctx, every) {
		n, code := w.lib.count()
		if code == nvml.SUCCESS && n != w.count {
			w.send((&note{kindStale, "", fmt.Sprintf("the driver has %d GPUs, it had %d", n, w.count)}).append(nil))
		}
	}
}
