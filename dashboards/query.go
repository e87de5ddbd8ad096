package dashboards

import (
	"fmt"
	"strings"
)

// The choices at the head of a dashboard, as matchers.
const (
	ofContract = `cloud=~"$cloud",contract=~"$contract",gpu_model=~"$model"`
	ofCloud    = `cloud=~"$cloud"`
	ofModel    = `gpu_model=~"$model"`
)

// stages are the running totals of DESIGN's identity, with the buckets that
// still count.
var stages = []struct{ name, buckets, about string }{
	{"delivered", "unobserved|unhealthy|unallocated|idle|unmeasured|busy", "Contracted GPU time for which a GPU stood there."},
	{"observed", "unhealthy|unallocated|idle|unmeasured|busy", "Contracted GPU time that telemetry covers. What is not observed is not known, and neither good nor bad."},
	{"healthy", "unallocated|idle|unmeasured|busy", "Contracted GPU time in which the GPU could be used."},
	{"allocated", "idle|unmeasured|busy", "Contracted GPU time in which somebody held the GPU."},
	{"busy", "busy", "Contracted GPU time in which a kernel ran, by the driver's utilisation."},
}

// once takes what several collectors of one store say as said once: all of them
// count the same, and each is scraped.
func once(expr string) string {
	return "max by (cloud, contract, tranche, gpu_model, bucket, commitment, currency, state) (" + expr + ")"
}

// said is what collectors say now of a metric, grown by how much a counter of
// theirs grew over a window, and paced how fast on average.
func said(name, matchers string) string {
	if matchers == "" {
		return once(name)
	}
	return once(name + "{" + matchers + "}")
}

func grown(name, matchers, window string) string {
	return once(over("increase", name, matchers, window))
}

func paced(name, matchers, window string) string { return once(over("rate", name, matchers, window)) }

func over(function, name, matchers, window string) string {
	if matchers != "" {
		matchers = "{" + matchers + "}"
	}
	return function + "(" + name + matchers + "[" + window + "])"
}

// inBuckets is a further matcher.
func inBuckets(buckets string) string { return fmt.Sprintf(",bucket=~%q", buckets) }

// spent is the GPU time of buckets over a window, by labels, in seconds.
func spent(by, buckets, window string) string {
	return "sum by (" + by + ") (" + grown("gpumeter_contract_gpu_seconds_total", ofContract+inBuckets(buckets), window) + ")"
}

// share is the share of contracted GPU time that fell into buckets.
func share(by, buckets, window string) string {
	return spent(by, buckets, window) + " / " + spent(by, ".+", window)
}

// lost is the money that buckets cost over a window, at the price that
// is committed now.
func lost(by, buckets, window string) string {
	return priced(by, buckets, window, said("gpumeter_contract_price_per_gpu_hour", ""))
}

// priced adds up GPU-hours times a factor that has a currency.
func priced(by, buckets, window, factor string) string {
	return "sum by (" + by + ") (" + grown("gpumeter_contract_gpu_seconds_total", ofContract+inBuckets(buckets), window) + " / 3600 * on (cloud, contract, tranche, gpu_model) group_left (currency) " + factor + ")"
}

// perBusyHour is what was paid for a busy GPU-hour, by currency.
func perBusyHour(window string) string {
	return lost("currency", ".+", window) + " / " + priced("currency", "busy", window, "("+said("gpumeter_contract_price_per_gpu_hour", "")+" * 0 + 1)")
}

// effective is SM activity as a share of contracted GPU time, of the tranches
// whose GPUs say how active their SMs are. Others have none: it is no guess.
func effective(by, window string) string {
	return "sum by (" + by + ") (" + grown("gpumeter_contract_sm_active_gpu_seconds_total", ofContract, window) + ") / sum by (" + by + ") (" + grown("gpumeter_contract_gpu_seconds_total", ofContract, window) +
		" and on (cloud, contract, tranche, gpu_model) (" + grown("gpumeter_contract_sm_known_gpu_seconds_total", ofContract, window) + " > 0))"
}

// located adds cloud, region and node to series of GPUs or nodes.
func located(expr string) string {
	return fmt.Sprintf("(%s) * on (job, instance) group_left (cloud, region, node) group by (job, instance, cloud, region, node) (gpumeter_node_info{%s})", expr, ofCloud)
}

// onNode keeps the series of the node that was chosen, with its GPUs.
func onNode(expr string) string {
	return "(" + expr + `) and on (job, instance) gpumeter_node_info{node=~"$node"}`
}

// orNA is "not available" where a GPU of the chosen node is observed and does
// not say. NaN is shown as "n/a"; no data is shown as no data.
func orNA(expr string) string {
	return onNode("max by (job, instance, gpu, uuid) (" + expr + ") or on (job, instance, gpu, uuid) max by (job, instance, gpu, uuid) (gpu_up) * NaN")
}

// rateOf is a rate over what a graph shows between two points.
func rateOf(selector string) string { return "rate(" + selector + "[$__rate_interval])" }

// byGPU sums over everything but the GPU.
func byGPU(expr string) string { return "max by (job, instance, gpu, uuid) (" + expr + ")" }

// fault is a condition of GPUs with the word for it, for the list of what is
// to be done.
func fault(word, condition string) string {
	return fmt.Sprintf("label_replace(max by (cloud, node, gpu, uuid) (%s), \"fault\", %q, \"\", \"\")", located(condition), word)
}

// or joins lists.
func or(exprs ...string) string { return strings.Join(exprs, " or ") }
