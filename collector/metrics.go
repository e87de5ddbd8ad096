package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// metrics are about the collector itself. What contracts and GPUs did is in
// reports.
type metrics struct {
	registry      *prometheus.Registry
	batches       *prometheus.CounterVec
	records       prometheus.Counter
	quarantined   prometheus.Counter
	refusedPosts  *prometheus.CounterVec
	commitErrors  prometheus.Counter
	ledgerErrors  prometheus.Counter
	tidyErrors    prometheus.Counter
	prunedRecords prometheus.Counter
	backupErrors  prometheus.Counter
	commitSeconds prometheus.Histogram
	reportSeconds prometheus.Histogram
}

// newMetrics registers the metrics of c.
func newMetrics(c *Collector) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gpumeter_collector_batches_total", Help: "Batches that the store answered for, by what became of them.",
		}, []string{"status"}),
		records:     counter("gpumeter_collector_records_total", "Records of committed batches."),
		quarantined: counter("gpumeter_collector_quarantined_batches_total", "Batches kept aside because they could not be accepted, with repetitions."),
		refusedPosts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gpumeter_collector_refused_posts_total", Help: "Posts of which nothing was acknowledged, by HTTP status.",
		}, []string{"code"}),
		commitErrors:  counter("gpumeter_collector_commit_errors_total", "Commits that the store refused."),
		ledgerErrors:  counter("gpumeter_collector_ledger_errors_total", "Times that closing or correcting months ended with an error."),
		tidyErrors:    counter("gpumeter_collector_tidy_errors_total", "Times that closing days or pruning old records ended with an error."),
		prunedRecords: counter("gpumeter_collector_pruned_records_total", "Records taken away because hour records say the same."),
		backupErrors:  counter("gpumeter_collector_backup_errors_total", "Backups that could not be made."),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gpumeter_collector_commit_seconds", Help: "How long the store took for a commit.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}),
		reportSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gpumeter_collector_report_seconds", Help: "How long a report took.",
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30},
		}),
	}
	for _, s := range []store.Status{store.Committed, store.Duplicate, store.Conflict} {
		m.batches.WithLabelValues(string(s)) // a counter that appears late hides its first increase
	}
	m.registry.MustRegister(m.batches, m.records, m.quarantined, m.refusedPosts, m.commitErrors, m.ledgerErrors,
		m.tidyErrors, m.prunedRecords, m.backupErrors, m.commitSeconds, m.reportSeconds,
		&gauges{c}, c.tally, c.outlook, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Descs is all that /metrics of a collector can say, for who checks names
// against it.
func Descs() []*prometheus.Desc {
	ch := make(chan *prometheus.Desc)
	go func() {
		defer close(ch)
		New(Config{Now: time.Now}).metrics.registry.Describe(ch)
	}()
	var out []*prometheus.Desc
	for d := range ch {
		out = append(out, d)
	}
	return out
}

func (m *metrics) count(s store.Status, b *usage.Batch) {
	m.batches.WithLabelValues(string(s)).Inc()
	if s == store.Committed {
		m.records.Add(float64(len(b.Records)))
	}
}

func (m *metrics) countPruned(p store.Pruned) { m.prunedRecords.Add(float64(p.Records)) }

// gauges are read from the collector when they are asked for.
type gauges struct{ c *Collector }

var (
	queueDesc      = prometheus.NewDesc("gpumeter_collector_queued_posts", "Posts that wait for a commit; live ones go first.", []string{"lane"}, nil)
	heldDesc       = prometheus.NewDesc("gpumeter_collector_held_bytes", "Bytes of posts that are read or wait for a commit.", nil, nil)
	contractsDesc  = prometheus.NewDesc("gpumeter_collector_contracts", "Contracts in force.", nil, nil)
	modifiedDesc   = prometheus.NewDesc("gpumeter_collector_contract_file_modified_timestamp_seconds", "When the contract file in force was written.", nil, nil)
	okDesc         = prometheus.NewDesc("gpumeter_collector_contract_file_ok", "1 if the contract file as it is now is in force, 0 if an earlier one is.", nil, nil)
	failuresDesc   = prometheus.NewDesc("gpumeter_collector_contract_file_errors_total", "Times that the contract file was read and found wrong.", nil, nil)
	backupDesc     = prometheus.NewDesc("gpumeter_collector_last_backup_timestamp_seconds", "When the latest backup that is whole was begun; absent while there is none.", nil, nil)
	checkpointDesc = prometheus.NewDesc("gpumeter_collector_checkpoint_errors_total", "Times that the embedded store could not move its log into the database; what is committed stays in the log.", nil, nil)
	infoDesc       = prometheus.NewDesc("gpumeter_collector_info", "Always 1; the labels tell the version and the store.", []string{"version", "store_id"}, nil)
)

// checkpointer is a store that moves what it logged into a file from time to
// time. The metric is there for others, too: an alert adds it up.
type checkpointer interface {
	CheckpointErrors() int64
}

// Describe implements prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueDesc, heldDesc, contractsDesc, modifiedDesc, okDesc, failuresDesc, backupDesc, checkpointDesc, infoDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. It looks whether the contract file
// changed, so that a bad one is noticed also while nobody asks for a report.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	book := g.c.cfg.Book.state()
	for l, n := range g.c.queue.lengths() {
		ch <- prometheus.MustNewConstMetric(queueDesc, prometheus.GaugeValue, float64(n), lane(l).String())
	}
	gauge(heldDesc, float64(g.c.held.used.Load()))
	gauge(contractsDesc, float64(book.contracts))
	if !book.modified.IsZero() {
		gauge(modifiedDesc, float64(book.modified.UnixMilli())/1000)
	}
	if at := g.c.cfg.Backups.last(); !at.IsZero() {
		gauge(backupDesc, float64(at.Unix()))
	}
	ok := 1.0
	if book.failing {
		ok = 0
	}
	gauge(okDesc, ok)
	ch <- prometheus.MustNewConstMetric(failuresDesc, prometheus.CounterValue, float64(book.failures))
	failed := int64(0)
	if st, ok := g.c.cfg.Store.(checkpointer); ok {
		failed = st.CheckpointErrors()
	}
	ch <- prometheus.MustNewConstMetric(checkpointDesc, prometheus.CounterValue, float64(failed))
	ch <- prometheus.MustNewConstMetric(infoDesc, prometheus.GaugeValue, 1, g.c.cfg.Version, g.c.cfg.Store.ID())
}
