// Package kmsg reads the NVIDIA driver's error reports from the kernel's log.
//
// Only what the kernel itself wrote is believed: whoever can write to /dev/kmsg
// could otherwise make a GPU unhealthy. Every report is counted, however many
// come at once; what the kernel overwrote before it was read is counted as lost.
package kmsg

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gpumeter/gpumeter/metric"
)

// Defaults of Config.
const (
	DefaultPath  = "/dev/kmsg"
	DefaultRetry = time.Minute
)

// Config says where the log is and from where on it is read.
type Config struct {
	// Path is the log's device, DefaultPath if empty. A FIFO with lines of the
	// same form will do.
	Path string
	// Open opens the log; nil opens Path.
	Open func() (Source, error)
	// BootID identifies this boot of the node. From is the position up to which
	// the log was read before; the zero Position begins with what comes next.
	BootID string
	From   Position
	// Injected believes lines that programs wrote, too. It is for tests.
	Injected bool
	// Retry is the time between attempts to open the log.
	Retry time.Duration
	// Clock reads the node's clocks; nil asks the kernel.
	Clock func() Clocks
	Log   *slog.Logger // nil says nothing
}

// Position is a place in the log of one boot.
type Position struct {
	BootID string `json:"boot_id"`
	// Next is the sequence number of the first record that was not read.
	Next uint64 `json:"next"`
}

// Why the log is not read. The words are part of the interface: they are label
// values.
const (
	ReasonPermission = "no_permission"
	ReasonAbsent     = "absent"
	ReasonError      = "error"
)

// Stats is what a Reader did since it was made.
type Stats struct {
	Up      bool   // the log is open
	Reason  string // why not
	Records uint64 // read
	Reports uint64 // error reports among them
	// Lost counts the records that the kernel overwrote before they were read.
	Lost uint64
	// Dropped counts the reports about more GPUs than a node can have.
	Dropped uint64
	// Firmware counts lines in which the driver says that a GPU's firmware
	// (GSP) does not answer, without an error code.
	Firmware uint64
	// Slept says that the node slept in this boot: the times of reports from
	// before Run began may then be too late by as much as it slept.
	Slept bool
}

// Reader follows the log. Make one with New. Take and Stats may be called
// concurrently with Run.
type Reader struct {
	cfg Config

	mu    sync.Mutex // guards what follows
	queue queue
	next  uint64
	found bool // next is known
	stats Stats
	told  string // the reason that was logged last
}

// New returns a reader that opens nothing before Run.
func New(cfg Config) *Reader {
	cfg = cfg.withDefaults()
	r := &Reader{cfg: cfg}
	switch cfg.From.BootID {
	case "":
	case cfg.BootID:
		r.next, r.found = cfg.From.Next, true
	default:
		r.found = true // a new boot: everything in its log happened since
	}
	return r
}

func (c Config) withDefaults() Config {
	if c.Path == "" {
		c.Path = DefaultPath
	}
	if c.Open == nil {
		c.Open = func() (Source, error) { return openFile(c.Path) }
	}
	if c.Retry == 0 {
		c.Retry = DefaultRetry
	}
	if c.Clock == nil {
		c.Clock = readClocks
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Taken is what was read since the last Take.
type Taken struct {
	Xids []metric.Xid // in the order of the log
	// Position is the place after the last record that was read, for the
	// Config of the next Reader.
	Position Position
}

// Take returns what was read since the last Take. It never waits for the log.
// The zero Position says that the place is not known yet.
func (r *Reader) Take() Taken {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := Taken{Xids: r.queue.take()}
	if r.found {
		t.Position = Position{r.cfg.BootID, r.next}
	}
	return t
}

// Stats returns what the reader did so far.
func (r *Reader) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// Run follows the log until ctx ends, and returns nil. A log that cannot be
// opened or read is tried again every Config.Retry.
func (r *Reader) Run(ctx context.Context) error {
	for {
		err := r.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.down(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(r.cfg.Retry):
		}
	}
}

// follow opens the log and reads it until that goes wrong or ctx ends.
func (r *Reader) follow(ctx context.Context) error {
	src, err := r.cfg.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	stop := context.AfterFunc(ctx, func() { src.Close() })
	defer stop()
	r.up()
	t := tail{src: src, clock: r.cfg.Clock, injected: r.cfg.Injected}
	for ctx.Err() == nil {
		batch, err := t.read(idle)
		r.add(batch)
		if err != nil {
			return err
		}
	}
	return nil
}

// add takes over what one read found.
func (r *Reader) add(b batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range b.records {
		if r.found && rec.seq < r.next {
			continue // read before
		}
		r.stats.Records++
		if r.found {
			r.stats.Lost += rec.seq - r.next
		}
		// On the first start everything up to the end is somebody else's past.
		skip := !r.found && !b.live
		r.next = rec.seq + 1
		if skip {
			continue
		}
		r.found = true
		r.report(rec)
	}
	if b.live {
		r.found = true
	}
}

func (r *Reader) report(rec record) {
	if rec.report.Firmware {
		r.stats.Firmware++
		return
	}
	if !rec.reports || !r.queue.fresh(rec) {
		return
	}
	r.stats.Reports++
	if !r.queue.push(rec.xid()) {
		r.stats.Dropped++
	}
}

func (r *Reader) up() {
	c := r.cfg.Clock()
	r.mu.Lock()
	r.stats.Up, r.stats.Reason, r.stats.Slept = true, "", c.Boot-c.Mono > time.Second
	told := r.told
	r.told = "up"
	slept := r.stats.Slept
	r.mu.Unlock()
	if told == "up" {
		return
	}
	r.cfg.Log.Info("kernel log is read", "path", r.cfg.Path)
	if slept {
		r.cfg.Log.Info("node slept since it booted: kernel messages from before now may bear too late a time", "slept", c.Boot-c.Mono)
	}
}

// down notes why the log is not read, and says so once.
func (r *Reader) down(err error) {
	reason := ReasonError
	switch {
	case errors.Is(err, fs.ErrPermission):
		reason = ReasonPermission
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		reason = ReasonAbsent
	}
	r.mu.Lock()
	r.stats.Up, r.stats.Reason = false, reason
	told := r.told
	r.told = reason
	r.mu.Unlock()
	if told != reason {
		r.cfg.Log.Warn("kernel log is not read: errors come from the driver library alone (root or CAP_SYSLOG reads it)",
			"path", r.cfg.Path, "reason", reason, "err", err, "again", r.cfg.Retry)
	}
}

// openFile opens a device or a FIFO without waiting for a writer.
func openFile(path string) (Source, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return newFile(f)
}
