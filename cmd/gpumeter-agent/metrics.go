package main

import (
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/gpumeter/gpumeter/agent"
	"github.com/gpumeter/gpumeter/agent/push"
	"github.com/gpumeter/gpumeter/agent/spool"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/prom"
	"github.com/gpumeter/gpumeter/metric"
)

// exported is what every exporter shows.
type exported struct {
	agent   *agent.Agent
	senders senders
}

func (e *exported) snapshot() exporters.Snapshot {
	s := e.agent.Snapshot()
	out := exporters.Snapshot{
		Frame: s.Frame, Node: s.Node, Totals: s.Totals, Holders: s.Holders,
		Host: slices.Concat(s.Host, e.senders.readings()),
	}
	for _, x := range s.Xids {
		out.Xids = append(out.Xids, exporters.XidCount(x))
	}
	return out
}

// metricsHandler serves the GPUs and the agent's own health.
func metricsHandler(c config, e *exported, p parts, log *slog.Logger) (http.Handler, error) {
	d, err := c.DCGM.new(e.snapshot, log)
	if err != nil {
		return nil, err
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&health{agent: e.agent, spool: p.spool, push: p.push},
	)
	mux := http.NewServeMux()
	c.DCGM.handle(mux, prom.Handler(reg, log, prom.New(prom.Options{Snapshot: e.snapshot})), d)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answerHealth(w, e.agent) })
	mux.HandleFunc("GET /{$}", landing)
	return mux, nil
}

// staleAfter is how old the newest frame may be before the agent calls itself
// ill. The driver's state has no part in it: a wedged GPU is no reason to
// restart an agent.
const staleAfter = 30 * time.Second

func answerHealth(w http.ResponseWriter, a *agent.Agent) {
	if time.Since(a.Snapshot().Frame.Wall) > staleAfter {
		http.Error(w, "the agent has not looked at its GPUs for more than 30 s", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

func landing(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(`<!doctype html><title>gpumeter-agent</title><h1>gpumeter-agent ` + version +
		`</h1><ul><li><a href="/metrics">metrics</a><li><a href="/healthz">health</a></ul>`))
}

// health is the agent's own state as metrics.
type health struct {
	agent *agent.Agent
	spool *spool.Spool
	push  *push.Pusher // nil without a collector
}

// own is one metric of the agent's own health, once for the list of all metrics
// and once for Prometheus.
type own struct {
	*metric.Desc
	prom *prometheus.Desc
}

func desc(d metric.Desc, labels ...string) own {
	d.Name = "gpumeter.agent." + d.Name
	for _, l := range labels {
		d.Labels = append(d.Labels, metric.Label{Name: l})
	}
	return own{&d, prometheus.NewDesc(prom.Name(&d), d.Help, labels, nil)}
}

var (
	buildInfo     = desc(metric.Desc{Name: "build.info", Help: "Version of the agent."}, "version", "go_version")
	framesTotal   = desc(metric.Desc{Name: "frames", Kind: metric.Counter, Help: "Looks at the node."})
	recordsTotal  = desc(metric.Desc{Name: "records", Kind: metric.Counter, Help: "Records that were put into the spool."})
	pausedState   = desc(metric.Desc{Name: "paused", Help: "1 while the agent has let go of the driver."})
	spoolPending  = desc(metric.Desc{Name: "spool.pending.batches", Help: "Batches that wait for the collector."})
	spoolBytes    = desc(metric.Desc{Name: "spool", Unit: metric.Bytes, Help: "Size of the batches in the spool."})
	spoolHeld     = desc(metric.Desc{Name: "spool.held.batches", Help: "Batches that wait in memory for a disk that takes nothing."})
	spoolFailures = desc(metric.Desc{Name: "spool.failures", Kind: metric.Counter, Help: "Writes to the spool that failed."})
	spoolDropped  = desc(metric.Desc{Name: "spool.dropped.records", Kind: metric.Counter, Help: "Records that were given up because the spool was full."})
	pushSuccess   = desc(metric.Desc{Name: "push.last.success.timestamp", Unit: metric.Seconds, Help: "When the collector last acknowledged something."})
	pushFailures  = desc(metric.Desc{Name: "push.failures", Kind: metric.Counter, Help: "Requests to the collector that did not succeed."}, "reason")
	pushAcked     = desc(metric.Desc{Name: "push.acknowledged.batches", Kind: metric.Counter, Help: "Batches that the collector acknowledged."})
)

// healthDescs lists them all.
func healthDescs() []*metric.Desc {
	var out []*metric.Desc
	for _, o := range []own{buildInfo, framesTotal, recordsTotal, pausedState, spoolPending, spoolBytes, spoolHeld, spoolFailures, spoolDropped, pushSuccess, pushFailures, pushAcked} {
		out = append(out, o.Desc)
	}
	return out
}

// Describe announces nothing, so that what there is no value for may be left out.
func (h *health) Describe(chan<- *prometheus.Desc) {}

// Collect sends the state. It may be called concurrently.
func (h *health) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d own, v float64, l ...string) {
		ch <- prometheus.MustNewConstMetric(d.prom, prometheus.GaugeValue, v, l...)
	}
	count := func(d own, v uint64, l ...string) {
		ch <- prometheus.MustNewConstMetric(d.prom, prometheus.CounterValue, float64(v), l...)
	}
	a, s := h.agent.Stats(), h.spool.Stats()
	gauge(buildInfo, 1, version, runtime.Version())
	count(framesTotal, a.Frames)
	count(recordsTotal, a.Records)
	paused := 0.0
	if a.Paused {
		paused = 1
	}
	gauge(pausedState, paused)
	gauge(spoolPending, float64(s.PendingBatches))
	gauge(spoolBytes, float64(s.Bytes))
	gauge(spoolHeld, float64(s.Held))
	count(spoolFailures, s.Failures)
	count(spoolDropped, s.DroppedRecords)
	if h.push == nil {
		return
	}
	p := h.push.Stats()
	if !p.LastSuccess.IsZero() {
		gauge(pushSuccess, float64(p.LastSuccess.UnixMilli())/1e3)
	}
	count(pushAcked, p.Acknowledged)
	for reason, n := range p.Failures {
		count(pushFailures, n, string(reason))
	}
}
