package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"go.opentelemetry.io/otel"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/influx"
	"github.com/gpumeter/gpumeter/exporters/otlp"
	"github.com/gpumeter/gpumeter/metric"
)

// otlpConfig sends metrics to an OpenTelemetry receiver.
type otlpConfig struct {
	Endpoint    string        `yaml:"endpoint"`
	Protocol    string        `yaml:"protocol"`
	HeadersFile string        `yaml:"headers_file"`
	CAFile      string        `yaml:"ca_file"`
	CertFile    string        `yaml:"cert_file"`
	KeyFile     string        `yaml:"key_file"`
	Interval    time.Duration `yaml:"interval"`
}

func (c *otlpConfig) flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.Endpoint, "otlp-endpoint", "", "URL of an OpenTelemetry receiver that gets the metrics too")
	fs.StringVar(&c.Protocol, "otlp-protocol", string(otlp.HTTP), "http or grpc")
	fs.StringVar(&c.HeadersFile, "otlp-headers-file", "", "file of lines NAME: VALUE that go with each request, such as a token")
	fs.StringVar(&c.CAFile, "otlp-ca-file", "", "file with the certificate authority of the receiver")
	fs.StringVar(&c.CertFile, "otlp-cert-file", "", "file with the client's certificate")
	fs.StringVar(&c.KeyFile, "otlp-key-file", "", "file with the key of the client's certificate")
	fs.DurationVar(&c.Interval, "otlp-interval", otlp.DefaultInterval, "time between two exports")
}

// influxConfig writes metrics in InfluxDB's line protocol.
type influxConfig struct {
	URL             string        `yaml:"url"`
	File            string        `yaml:"file"`
	Database        string        `yaml:"database"`
	RetentionPolicy string        `yaml:"retention_policy"`
	Org             string        `yaml:"org"`
	Bucket          string        `yaml:"bucket"`
	User            string        `yaml:"user"`
	PasswordFile    string        `yaml:"password_file"`
	TokenFile       string        `yaml:"token_file"`
	CAFile          string        `yaml:"ca_file"`
	CertFile        string        `yaml:"cert_file"`
	KeyFile         string        `yaml:"key_file"`
	Layout          string        `yaml:"layout"`
	Interval        time.Duration `yaml:"interval"`
}

// standardOutput is the name of the file that is none.
const standardOutput = "-"

func (c *influxConfig) flags(fs *pflag.FlagSet) {
	fs.StringVar(&c.URL, "influx-url", "", "URL of an InfluxDB, or of what takes its line protocol, that gets the metrics too")
	fs.StringVar(&c.File, "influx-file", "", "file that gets the metrics as lines; - is standard output")
	fs.StringVar(&c.Database, "influx-database", "", "database of InfluxDB 1")
	fs.StringVar(&c.RetentionPolicy, "influx-retention-policy", "", "retention policy of InfluxDB 1 (default: the database's)")
	fs.StringVar(&c.Org, "influx-org", "", "organisation of InfluxDB 2")
	fs.StringVar(&c.Bucket, "influx-bucket", "", "bucket of InfluxDB 2")
	fs.StringVar(&c.User, "influx-user", "", "user of InfluxDB 1")
	fs.StringVar(&c.PasswordFile, "influx-password-file", "", "file with that user's password")
	fs.StringVar(&c.TokenFile, "influx-token-file", "", "file with a token")
	fs.StringVar(&c.CAFile, "influx-ca-file", "", "file with the certificate authority of the server")
	fs.StringVar(&c.CertFile, "influx-cert-file", "", "file with the client's certificate")
	fs.StringVar(&c.KeyFile, "influx-key-file", "", "file with the key of the client's certificate")
	fs.StringVar(&c.Layout, "influx-layout", string(influx.LayoutGpumeter), "gpumeter, or telegraf for the names of telegraf's nvidia_smi input")
	fs.DurationVar(&c.Interval, "influx-interval", influx.DefaultInterval, "time between two writes")
}

// sender is an exporter that sends by itself.
type sender interface {
	Run(ctx context.Context) error
	// Readings says how sending goes.
	Readings() []metric.Reading
}

// senders are the exporters that the configuration asks for.
type senders []sender

// newSenders makes them. snapshot is what they send.
func newSenders(ctx context.Context, c config, snapshot func() exporters.Snapshot, log *slog.Logger) (senders, error) {
	var out senders
	if c.OTLP.Endpoint != "" {
		e, err := newOTLP(ctx, c.OTLP, snapshot, log)
		if err != nil {
			return nil, usageError{err}
		}
		out = append(out, e)
	}
	if c.Influx.URL != "" || c.Influx.File != "" {
		e, err := newInflux(c.Influx, snapshot, log)
		if err != nil {
			return nil, usageError{err}
		}
		out = append(out, e)
	}
	return out, nil
}

func newOTLP(ctx context.Context, c otlpConfig, snapshot func() exporters.Snapshot, log *slog.Logger) (*otlp.Exporter, error) {
	// The SDK's complaints have one place in a process, standard error if none
	// is given.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("OpenTelemetry complains", "err", err) }))
	return otlp.New(ctx, otlp.Config{
		Target:   exporters.Target{URL: c.Endpoint, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile},
		Protocol: otlp.Protocol(c.Protocol), HeadersFile: c.HeadersFile, Interval: c.Interval,
		Snapshot: snapshot, Started: time.Now(), Log: log,
	})
}

func newInflux(c influxConfig, snapshot func() exporters.Snapshot, log *slog.Logger) (*influx.Exporter, error) {
	cfg := influx.Config{
		File:     c.File,
		Target:   exporters.Target{URL: c.URL, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile},
		Database: c.Database, RetentionPolicy: c.RetentionPolicy, Org: c.Org, Bucket: c.Bucket,
		User: c.User, PasswordFile: c.PasswordFile, TokenFile: c.TokenFile,
		Layout: influx.Layout(c.Layout), Interval: c.Interval, Snapshot: snapshot, Log: log,
	}
	if c.File == standardOutput {
		cfg.File, cfg.Writer = "", os.Stdout
	}
	return influx.New(cfg)
}

// run sends until ctx ends. A backend that does not take the last values is no
// reason for an agent to have failed.
func (s senders) run(ctx context.Context, log *slog.Logger) {
	var all sync.WaitGroup
	for _, e := range s {
		all.Go(func() {
			if err := e.Run(ctx); err != nil {
				log.Warn("last values are not exported", "err", err)
			}
		})
	}
	all.Wait()
}

func (s senders) readings() []metric.Reading {
	var out []metric.Reading
	for _, e := range s {
		out = append(out, e.Readings()...)
	}
	return out
}

// validate says what is wrong with settings that only make sense together.
func (c *influxConfig) validate() error {
	if c.URL != "" && c.File != "" {
		return errors.New("influx-url and influx-file are both given; give one")
	}
	if c.Interval < time.Second {
		return fmt.Errorf("influx-interval %s is less than one second", c.Interval)
	}
	return nil
}

func (c *otlpConfig) validate() error {
	if c.Interval < time.Second {
		return fmt.Errorf("otlp-interval %s is less than one second", c.Interval)
	}
	return nil
}
