package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gpumeter/gpumeter/contract"
)

// trancheLabels are on everything that is said of a tranche.
var trancheLabels = []string{"cloud", "contract", "tranche", "gpu_model"}

func trancheDesc(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("gpumeter_contract_"+name, help, append(trancheLabels[:len(trancheLabels):len(trancheLabels)], more...), nil)
}

var (
	tallyTime = trancheDesc("gpu_seconds_total", "Contracted GPU time by what became of it, up to the watermark; all buckets together are what was contracted.", "bucket")
	tallyFix  = trancheDesc("corrections_gpu_seconds", "What late records of the last 35 days would change in gpumeter_contract_gpu_seconds_total, which never takes back.", "bucket")
	tallyOver = trancheDesc("overage_gpu_seconds_total", "Time of matching GPUs beyond the contracted count, up to the watermark.")
	tallySM   = trancheDesc("sm_active_gpu_seconds_total", "Integral of SM activity over the time in which it was known, up to the watermark.")
	tallySMOf = trancheDesc("sm_known_gpu_seconds_total", "GPU time in which SM activity was known, up to the watermark.")
	termGPUs  = trancheDesc("gpus", "GPUs that are contracted now.")
	termStart = trancheDesc("start_timestamp_seconds", "When the tranche begins.")
	termEnd   = trancheDesc("end_timestamp_seconds", "When the tranche ends.")
	termPrice = trancheDesc("price_per_gpu_hour", "Committed price of a GPU-hour now.", "currency")
	termSLA   = trancheDesc("availability_target_ratio", "Uptime that the provider promises.")

	tallyStray    = prometheus.NewDesc("gpumeter_uncontracted_gpu_seconds_total", "Time of GPUs that no contract covers, up to the watermark.", []string{"cloud", "gpu_model"}, nil)
	tallyAt       = prometheus.NewDesc("gpumeter_contract_watermark_timestamp_seconds", "Up to when the contract counters have counted.", nil, nil)
	tallyFailures = prometheus.NewDesc("gpumeter_contract_counter_errors_total", "Times that the contract counters could not advance.", nil, nil)
	fleetGPUs     = prometheus.NewDesc("gpumeter_fleet_gpus", "GPUs by what is known of them now: reporting, silent (for up to a day), or missing from a node that reports.", []string{"cloud", "gpu_model", "state"}, nil)
	fleetNodes    = prometheus.NewDesc("gpumeter_fleet_nodes", "Nodes by what is known of them now: reporting, or silent (for up to a day).", []string{"cloud", "state"}, nil)
)

// Describe implements prometheus.Collector.
func (t *tally) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{tallyTime, tallyFix, tallyOver, tallySM, tallySMOf, termGPUs, termStart, termEnd, termPrice, termSLA,
		tallyStray, tallyAt, tallyFailures, fleetGPUs, fleetNodes} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (t *tally) Collect(ch chan<- prometheus.Metric) {
	t.mu.Lock()
	counts, corrections, fleet, failures := t.shown, t.corrections, t.fleet, t.failures
	t.mu.Unlock()
	out := sink{ch}
	contracts := t.contracts()
	for i := range contracts {
		for k := range contracts[i].Tranches {
			c, x := &contracts[i], &contracts[i].Tranches[k]
			out.terms(c, x, t.now())
			key, labels := c.ID+"/"+x.ID, labelsOf(c, x)
			if counted, ok := counts.Tranches[key]; ok {
				out.counted(&counted, labels)
			}
			if off, ok := corrections[key]; ok {
				for b, ms := range off {
					out.gauge(tallyFix, seconds(ms), append(labels, contract.Bucket(b).String())...)
				}
			}
		}
	}
	for key, ms := range counts.Uncontracted {
		cloud, model := cutKey(key)
		out.counter(tallyStray, seconds(ms), cloud, model)
	}
	if counts.AtMs > 0 {
		out.gauge(tallyAt, seconds(counts.AtMs))
	}
	out.counter(tallyFailures, float64(failures))
	for k, n := range fleet.GPUs {
		out.gauge(fleetGPUs, float64(n), k.Provider, k.Model, k.State)
	}
	for k, n := range fleet.Nodes {
		out.gauge(fleetNodes, float64(n), k.Provider, k.State)
	}
}

// labelsOf returns the values of trancheLabels, with no room to append in.
func labelsOf(c *contract.Contract, t *contract.Tranche) []string {
	return []string{c.Provider, c.ID, t.ID, t.Model}[:4:4]
}

func seconds(ms int64) float64 { return float64(ms) / 1000 }

// sink sends metrics to who gathers them.
type sink struct{ ch chan<- prometheus.Metric }

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sink) counter(d *prometheus.Desc, v float64, labels ...string) {
	s.ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

func (s sink) counted(x *trancheCount, labels []string) {
	for b, ms := range x.Buckets {
		s.counter(tallyTime, seconds(ms), append(labels, contract.Bucket(b).String())...)
	}
	s.counter(tallyOver, seconds(x.OverageMs), labels...)
	s.counter(tallySM, seconds(x.SMActiveMs), labels...)
	s.counter(tallySMOf, seconds(x.SMKnownMs), labels...)
}

// terms says what was agreed. A price that is not known is absent.
func (s sink) terms(c *contract.Contract, x *contract.Tranche, now time.Time) {
	ms, labels := now.UnixMilli(), labelsOf(c, x)
	s.gauge(termGPUs, float64(x.GPUsAt(ms)), labels...)
	s.gauge(termStart, seconds(x.StartMs()), labels...)
	s.gauge(termEnd, seconds(x.EndMs), labels...)
	for _, r := range x.Rates {
		if r.FromMs <= ms && ms < r.ToMs {
			s.gauge(termPrice, float64(r.PerGPUHour)/1e6, append(labels, c.Currency)...)
		}
	}
	for i := range c.SLAs {
		if c.SLAs[i].ID == x.SLA {
			s.gauge(termSLA, float64(c.SLAs[i].Target)/contract.Whole, labels...)
		}
	}
}
