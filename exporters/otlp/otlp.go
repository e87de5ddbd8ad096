// Package otlp sends the newest look at a node's GPUs to OpenTelemetry, over
// OTLP/HTTP or gRPC.
//
// Metrics that the semantic conventions have (hw.*, system.*) go by their
// names, instruments and units there; all others by our own dotted names. A
// counter of seconds ends in ".time", as "gpu.unobserved" is a state of ours
// and an integral of ours too.
//
// hw.id is the GPU's UUID. For a part of a divided GPU it is the UUID of its
// compute instance, or "GPU-…/7", with the driver's id of the GPU instance,
// where there is not exactly one; hw.parent is then the GPU. hw.model is the
// driver's product name and hw.name the device ("nvidia3"), as the conventions
// mean them.
//
// Sums are cumulative. The integrals of the agent start where Config.Started
// says. When the driver's counters began nobody knows: the first point of each
// has its own time as start, which the OTLP data model calls an unknown start,
// and keeps it. A counter that fell was reset; its new start is the time of the
// last point before.
package otlp

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
)

// Protocol says in which way OTLP travels.
type Protocol string

// The protocols that there are.
const (
	HTTP Protocol = "http" // protobuf in HTTP requests
	GRPC Protocol = "grpc"
)

// Defaults of Config, and what bounds an export.
const (
	DefaultInterval = 15 * time.Second
	DefaultTimeout  = 10 * time.Second
	// maxPoints in one request keep it below the 4 MiB that a gRPC server
	// takes by default: a point with its attributes is less than 600 bytes.
	maxPoints = 5000
	// grace is how long the last export may take when the agent ends.
	grace = 5 * time.Second
)

// Config says what to send and where to. URL and Snapshot are required.
type Config struct {
	// Target is the receiver. Over HTTP a URL without a path gets /v1/metrics,
	// over gRPC it has none.
	exporters.Target
	Protocol Protocol // HTTP if empty
	// HeadersFile holds lines "Name: value" that go with each request; it is
	// read for every request, so that a changed secret needs no restart.
	// Empty lines and those that begin with "#" mean nothing.
	HeadersFile string
	// Headers go with each request too; those of the file win. They end in
	// process lists and configuration dumps, and are for what is no secret.
	Headers map[string]string
	// Interval is the time between two exports; Timeout bounds one, with what
	// the SDK sends again in it.
	Interval, Timeout time.Duration
	// Snapshot returns the newest snapshot, which nobody changes afterwards.
	// It must not wait.
	Snapshot func() exporters.Snapshot
	// Started is when the Totals of the snapshots began at zero; the zero time
	// where they are kept over restarts.
	Started time.Time
	// MaxAge is how old a frame may be; 0 means exporters.DefaultMaxAge.
	MaxAge time.Duration
	Now    func() time.Time
	Log    *slog.Logger
}

// Exporter sends. Make one with New.
type Exporter struct {
	cfg      Config
	delivery *exporters.Delivery
	producer *producer
	client   sdk.Exporter
}

// New checks the configuration and reads the files that it names; it connects
// to nobody.
func New(ctx context.Context, cfg Config) (*Exporter, error) {
	cfg = cfg.withDefaults()
	client, err := newClient(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("export over OTLP: %w", err)
	}
	return newExporter(cfg, client), nil
}

func newExporter(cfg Config, client sdk.Exporter) *Exporter {
	e := &Exporter{cfg: cfg, delivery: exporters.NewDelivery("otlp", cfg.Log, cfg.Now)}
	e.producer = &producer{cfg: cfg, environment: resource.Environment()}
	e.client = &watched{Exporter: client, delivery: e.delivery, resource: e.producer.resource}
	return e
}

func (c Config) withDefaults() Config {
	if c.Protocol == "" {
		c.Protocol = HTTP
	}
	if c.Interval <= 0 {
		c.Interval = DefaultInterval
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
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
	return c
}

// Run exports at every interval until ctx ends, and then once more, for at most
// a few seconds. It is called once. What cannot be sent is counted and given
// up: the next export has newer values.
func (e *Exporter) Run(ctx context.Context) error {
	reader := sdk.NewPeriodicReader(e.client,
		sdk.WithInterval(e.cfg.Interval), sdk.WithTimeout(e.cfg.Timeout),
		sdk.WithProducer(e.producer), sdk.WithMaxExportBatchSize(maxPoints))
	// The resource is put in at each export: a node learns in time where it stands.
	provider := sdk.NewMeterProvider(sdk.WithReader(reader), sdk.WithResource(resource.Empty()))
	<-ctx.Done()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := provider.Shutdown(last); err != nil {
		return fmt.Errorf("end export over OTLP: %w", err)
	}
	return nil
}

// Readings returns how the exporter fares, by Descs. It may be called at any
// time.
func (e *Exporter) Readings() []metric.Reading { return e.delivery.Readings() }

// Descs lists the metrics that Readings can have.
func Descs() []*metric.Desc { return exporters.DeliveryDescs("otlp") }
