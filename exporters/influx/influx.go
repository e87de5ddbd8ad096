// Package influx writes the newest look at a node's GPUs as lines of InfluxDB's
// line protocol: to a stream, to a file, or to a server that has the write
// endpoints of InfluxDB 1 or 2.
//
// In our own layout a measurement is a subject (gpumeter_gpu, gpumeter_host), a
// tag is identity, and a field is a metric under the name that Prometheus users
// know, without the subject: "gpu.memory.used" is memory_used_bytes of
// gpumeter_gpu. What users write, such as the names of holders, is a field and
// never a tag. LayoutTelegraf writes what telegraf's nvidia_smi plugin would,
// so that panels made for it keep working.
//
// A field has one type for ever: bytes and counts that only grow are integers,
// all other numbers are floats, up is 0 or 1, lost and unobserved are booleans.
package influx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
)

// Layout says how metrics are named.
type Layout string

// The layouts that there are.
const (
	LayoutGpumeter Layout = "gpumeter"
	LayoutTelegraf Layout = "telegraf"
)

// Precision is the unit of timestamps.
type Precision string

// The precisions that there are.
const (
	Nanosecond  Precision = "ns"
	Microsecond Precision = "us"
	Millisecond Precision = "ms"
	Second      Precision = "s"
)

// Defaults of Config.
const (
	DefaultInterval    = 10 * time.Second
	DefaultTimeout     = 10 * time.Second
	DefaultBufferBytes = 8 << 20 // compressed: hours of a node of eight GPUs
)

const (
	// grace is how long what waits may take to go out when the agent ends.
	grace = 5 * time.Second
	// stuck is how much longer a write that heeds no end may take.
	stuck = time.Second
)

// Config says what to write and where to. Snapshot and one of Writer, File and
// URL are required.
type Config struct {
	// Writer is a stream, such as standard output.
	Writer io.Writer
	// File is appended to. It is opened anew when it was renamed or removed, so
	// that others can rotate it.
	File string
	// Target is a server; "/write" or "/api/v2/write" is added to its path.
	exporters.Target
	// Database and RetentionPolicy are for the endpoint of InfluxDB 1, Org and
	// Bucket for that of InfluxDB 2. A server needs a database or a bucket.
	Database, RetentionPolicy string
	Org, Bucket               string
	// User and PasswordFile are for basic authentication, TokenFile is for a
	// token. The files are read for every request, so that a changed secret
	// needs no restart.
	User, PasswordFile string
	TokenFile          string

	Layout    Layout    // LayoutGpumeter if empty
	Precision Precision // Nanosecond if empty
	// Tags stand on every line. The layout's own tags of the same name win.
	Tags map[string]string
	// Interval is the time between two snapshots; Timeout bounds one request.
	Interval, Timeout time.Duration
	// BufferBytes bounds what waits for a backend; the oldest is given up first.
	BufferBytes int
	// Snapshot returns the newest snapshot, which nobody changes afterwards.
	// It must not wait.
	Snapshot func() exporters.Snapshot
	// MaxAge is how old a frame may be; 0 means exporters.DefaultMaxAge.
	MaxAge time.Duration
	Now    func() time.Time
	Log    *slog.Logger
	// Rand returns numbers in [0, 1), for jitter.
	Rand func() float64
}

// Exporter writes. Make one with New.
type Exporter struct {
	cfg      Config
	sink     sink
	queue    *queue
	delivery *exporters.Delivery
}

// New checks the configuration and reads the files that it names; it connects
// to nobody and opens no file for writing.
func New(cfg Config) (*Exporter, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("export to InfluxDB: %w", err)
	}
	s, err := newSink(cfg)
	if err != nil {
		return nil, fmt.Errorf("export to InfluxDB: %w", err)
	}
	return &Exporter{cfg: cfg, sink: s, queue: newQueue(cfg.BufferBytes), delivery: exporters.NewDelivery("influx", cfg.Log, cfg.Now)}, nil
}

func (c Config) withDefaults() Config {
	if c.Layout == "" {
		c.Layout = LayoutGpumeter
	}
	if c.Precision == "" {
		c.Precision = Nanosecond
	}
	if c.Interval <= 0 {
		c.Interval = DefaultInterval
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.BufferBytes <= 0 {
		c.BufferBytes = DefaultBufferBytes
	}
	if c.MaxAge <= 0 {
		c.MaxAge = exporters.DefaultMaxAge
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	return c
}

func (c Config) validate() error {
	if _, ok := precisions[c.Precision]; !ok {
		return fmt.Errorf("precision %q is none of ns, us, ms and s", string(c.Precision))
	}
	if c.Layout != LayoutGpumeter && c.Layout != LayoutTelegraf {
		return fmt.Errorf("layout %q is neither gpumeter nor telegraf", string(c.Layout))
	}
	for name := range c.Tags {
		if name == "" || name != tagText(name) || name[0] == '_' || name == "time" {
			return fmt.Errorf("tag %q is no name for a tag", name)
		}
	}
	places := 0
	for _, given := range []bool{c.Writer != nil, c.File != "", c.URL != ""} {
		if given {
			places++
		}
	}
	if places != 1 {
		return errors.New("want one place to write to: a stream, a file or a URL")
	}
	return nil
}

// Run writes a snapshot at every interval until ctx ends, then once more, and
// gives what waits a few seconds to go out. It is called once. A backend that
// fails is tried again, with growing pauses, while new lines wait in the buffer.
func (e *Exporter) Run(ctx context.Context) error {
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var sender sync.WaitGroup
	sender.Go(func() { e.send(sending) })
	tick := time.NewTicker(e.cfg.Interval)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		e.collect()
	}
	e.queue.close()
	return e.finish(&sender, stop)
}

// finish waits for the sender: for a while for it to send what there is, and
// then for it to stop. A write to a stream or a file that heeds no end is left
// behind, with the goroutine that is in it: the process is about to end.
func (e *Exporter) finish(sender *sync.WaitGroup, stop func()) error {
	done := make(chan struct{})
	go func() { defer close(done); sender.Wait() }()
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		stop()
		late.Reset(stuck)
		select {
		case <-done:
		case <-late.C:
			return errors.New("end export to InfluxDB: a write does not end")
		}
	}
	if n := e.queue.drop(); n > 0 {
		e.delivery.Dropped(n)
		e.cfg.Log.Warn("values were not exported before the end", "exporter", "influx", "values", n)
	}
	return nil
}

// collect puts the newest snapshot into the queue.
func (e *Exporter) collect() {
	s := e.cfg.Snapshot()
	batches, bad := encode(&s, &e.cfg)
	for _, b := range batches {
		e.delivery.Dropped(e.queue.push(e.sink.pack(b)))
	}
	if bad != nil {
		e.delivery.Failed(bad)
	}
}

// Readings returns how the exporter fares, by Descs. It may be called at any
// time.
func (e *Exporter) Readings() []metric.Reading { return e.delivery.Readings() }

// Descs lists the metrics that Readings can have.
func Descs() []*metric.Desc { return exporters.DeliveryDescs("influx") }
