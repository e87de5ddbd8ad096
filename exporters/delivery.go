package exporters

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// Delivery counts what an exporter that sends could send, and logs when that
// begins and ends to fail. Its methods may be called concurrently.
type Delivery struct {
	log   *slog.Logger
	now   func() time.Time
	descs [4]*metric.Desc

	mu                    sync.Mutex // guards what follows
	sent, failed, dropped uint64
	success               time.Time
	failing               bool
}

// NewDelivery returns the count of the exporter of a name: "otlp", "influx".
// now is the wall clock.
func NewDelivery(name string, log *slog.Logger, now func() time.Time) *Delivery {
	return &Delivery{log: log.With("exporter", name), now: now, descs: deliveryDescs(name)}
}

// deliveryDescs are values sent, values dropped, failures and the last success.
func deliveryDescs(name string) [4]*metric.Desc {
	row := func(property, help string) *metric.Desc {
		return &metric.Desc{Name: "gpumeter.agent.export." + property, Kind: metric.Counter, Help: help,
			Labels: []metric.Label{{Name: "exporter", Value: name}}}
	}
	out := [4]*metric.Desc{
		row("values", "Values that a backend took from the agent."),
		row("dropped", "Values that were given up, because a backend did not take them."),
		row("failures", "Requests or writes to a backend that did not succeed."),
		row("last.success.timestamp", "When a backend last took something, in seconds since 1970."),
	}
	out[3].Kind, out[3].Unit = metric.Gauge, metric.Seconds
	return out
}

// DeliveryDescs lists the metrics that a Delivery of a name can have.
func DeliveryDescs(name string) []*metric.Desc {
	d := deliveryDescs(name)
	return d[:]
}

// Sent says that a backend took so many values.
func (d *Delivery) Sent(values int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent += uint64(values)
	d.success = d.now()
	if d.failing {
		d.failing = false
		d.log.Info("values are exported again")
	}
}

// Failed says that a request or a write did not succeed. Only the first of
// several is logged.
func (d *Delivery) Failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed++
	if !d.failing {
		d.failing = true
		d.log.Warn("values are not exported", "err", Brief(err.Error()))
	}
}

// Dropped says that so many values were given up.
func (d *Delivery) Dropped(values int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dropped += uint64(values)
}

// Readings returns the counts. The time of the last success is absent where
// there was none.
func (d *Delivery) Readings() []metric.Reading {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := []metric.Reading{
		{Desc: d.descs[0], Value: float64(d.sent)},
		{Desc: d.descs[1], Value: float64(d.dropped)},
		{Desc: d.descs[2], Value: float64(d.failed)},
	}
	if !d.success.IsZero() {
		out = append(out, metric.Reading{Desc: d.descs[3], Value: float64(d.success.UnixMilli()) / 1e3})
	}
	return out
}

// maxBrief bounds what a foreign server may put into our log, in bytes.
const maxBrief = 400

// Brief makes one bounded line of foreign text.
func Brief(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if len(s) > maxBrief {
		return strings.ToValidUTF8(s[:maxBrief], "") + "…"
	}
	return s
}

// maxText bounds a label value, in bytes.
const maxText = 1024

// Text makes a label value that every dialect can carry of what drivers, users
// and clouds wrote: valid UTF-8, bounded.
func Text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}
