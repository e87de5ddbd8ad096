package main

// row is a line of the table.
type row struct {
	name string
	run
	part   string // of the benchmark: "whole" of BenchmarkReport/whole; empty if it has none
	metric string // the unit that the benchmark reports it in
	hold   string // what DESIGN §7 or an issue holds it to; empty is nothing
	bare   string // the part that does the same with the engine alone; empty is none
}

// run is one call of go test.
type run struct {
	folder, bench string // "./collector", "Report"
	time          string // -benchtime
	flags         string // further ones, with spaces between them
}

var (
	postMinute  = run{"./collector", "Post/(minute|bare)", "30000x", ""}
	postBacklog = run{"./collector", "Post/backlog", "300x", ""}
	agent       = run{"./cmd/gpumeter-agent", "Agent", "1x", ""}
	look        = run{"./agent/nvml", "Look/default", "20000x", ""}
)

// fleetOf is a whole fleet in front of a collector.
func fleetOf(name string) run { return run{"./cmd/gpumeter", "Fleet/" + name, "1x", ""} }

// reportOf is the report of a month of so many GPUs.
func reportOf(gpus string) run { return run{"./collector", "Report", "5x", "-gpus " + gpus} }

// rows are everything that is held to a figure, and what these figures are made
// of. Those of one run are measured at once.
var rows = []row{
	{"ingest over HTTP, a minute of a node a post", postMinute, "minute", "records/s", "≥ 16,667", "bare"},
	{"… posts", postMinute, "minute", "posts/s", "", ""},
	{"… 99 % acknowledged within, 512 senders", postMinute, "minute", "p99-ms", "", ""},
	{"… bytes on the wire per record", postMinute, "minute", "wire-B/record", "", ""},
	{"bare appender, the same records", postMinute, "bare", "records/s", "", ""},
	{"ingest over HTTP, 250 minutes of a node a post", postBacklog, "backlog", "records/s", "≥ 50,000", ""},
	{"… 99 % acknowledged within, 64 senders", postBacklog, "backlog", "p99-ms", "", ""},
	{"1,000,000 GPUs live for ten minutes: records", fleetOf("million"), "million", "records", "", ""},
	{"… refused, while 5 % of the requests go wrong", fleetOf("million"), "million", "refused", "0", ""},
	{"… a minute sent late, at most", fleetOf("million"), "million", "s-behind", "", ""},
	{"… 99 % acknowledged within", fleetOf("million"), "million", "p99-ms", "", ""},
	{"… most memory while they sent", fleetOf("million"), "million", "MiB-sending", "", ""},
	{"… most memory while a report named all", fleetOf("million"), "million", "MiB-peak", "", ""},
	{"… report against the truth", fleetOf("million"), "million", "ms-wrong", "0", ""},
	{"10,000 agents back after an hour: records", fleetOf("outage"), "outage", "records", "", ""},
	{"… all there after", fleetOf("outage"), "outage", "s-drain", "", ""},
	{"… report against the truth", fleetOf("outage"), "outage", "ms-wrong", "0", ""},
	{"store append, 1,000 batches of 8 records", run{"./collector/store/duckdb", "Append", "20x", ""}, "", "records/s", "", ""},
	{"hour records made of minutes, 1,000 GPUs", run{"./collector/store/duckdb", "RollUp", "3x", ""}, "", "records/s", "", ""},
	{"bytes per hour record, 10,000 GPUs", reportOf("10000"), "whole", "B/hour-record", "≤ 40", ""},
	{"month report, 10,000 GPUs", reportOf("10000"), "whole", "s/report", "≤ 0.5", "bare"},
	{"… most memory", reportOf("10000"), "whole", "MiB-peak", "≤ 1024", ""},
	{"bare SELECT sum GROUP BY, the same rows", reportOf("10000"), "bare", "s/report", "", ""},
	{"month report, 100,000 GPUs", reportOf("100000"), "whole", "s/report", "≤ 5", "bare"},
	{"… most memory", reportOf("100000"), "whole", "MiB-peak", "≤ 1024", ""},
	{"bare SELECT sum GROUP BY, the same rows", reportOf("100000"), "bare", "s/report", "", ""},
	{"placing 100,000 GPUs in 30 tranches over a year", run{"./contract", "Place/gpus=100000", "3x", ""}, "gpus=100000", "ns/op", "", ""},
	{"batch of 8 records: seal", run{"./usage", "Seal", "20000x", ""}, "", "ns/op", "", ""},
	{"batch of 8 records: open and check", run{"./usage", "OpenAndCheck", "20000x", ""}, "", "ns/op", "", ""},
	{"agent with 8 GPUs, 1 Hz: memory of all its processes", agent, "", "PSS-MiB", "≤ 30", ""},
	{"… CPU", agent, "", "%core", "≤ 1", ""},
	{"… scrape, half within", agent, "", "scrape-p50-ms", "≤ 3", ""},
	{"… series per GPU", agent, "", "series/GPU", "≤ 150", ""},
	{"… error of a 0.4 s / 0.6 s square wave", agent, "", "%wave-error", "< 1", ""},
	{"look at a GPU in the worker: allocations", look, "default", "allocs/op", "0", ""},
	{"look at a GPU in the worker", look, "default", "ns/op", "", ""},
	{"a window into the agent's spool, fsync included", run{"./agent/spool", "Append", "200x", ""}, "", "ns/op", "", ""},
}

// units are how the table calls what the benchmarks report; a unit that is not
// here is called the same, and nanoseconds are said in what fits.
var units = map[string]string{
	"s/report": "s", "p99-ms": "ms", "scrape-p50-ms": "ms", "MiB-peak": "MiB", "PSS-MiB": "MiB",
	"wire-B/record": "B", "B/hour-record": "B", "%core": "% of a core", "%wave-error": "%", "allocs/op": "",
	"s-behind": "s", "s-drain": "s", "MiB-sending": "MiB", "ms-wrong": "ms wrong", "refused": "", "records": "",
}
