package dashboards

// xids marks the errors that the driver reports.
var xids = Note{Name: "Xid", Color: "red", Text: "Xid {{xid}} ({{severity}}) on GPU {{gpu}}, {{uuid}}", Expr: "max by (job, instance, gpu, uuid, xid, severity) (gpu_xid_last_timestamp_seconds) * 1000"}

// healthBoard asks what has to be drained, reset, replaced or claimed.
func healthBoard() Board {
	note := xids
	note.Expr = "max by (cloud, node, gpu, uuid, xid, severity) (" + located(`gpu_xid_last_timestamp_seconds{severity=~"reset|replace|service"}`) + ") * 1000"
	return Board{
		UID: "gpumeter-health", Title: "GPU Meter / Supply and health", From: "now-24h", Notes: []Note{note},
		Variables: []Variable{{Name: "cloud", Label: "Cloud", Of: "gpumeter_fleet_gpus", Key: "cloud"}},
		About:     "What has to be drained, reset, replaced or claimed now?",
		Rows: []Row{
			{"Now", healthNow()},
			{"To do", []Panel{healthList(), {Kind: Alarms, Title: "Alerts on hardware", W: 8, H: 9, About: "Alerts that ask for an act on a node.", Body: `{action=~"reset|reboot|replace|inspect"}`}}},
			{"Nodes", []Panel{{
				Kind: Timeline, Title: "Nodes", Unit: "percentunit", W: 24, H: 10, About: "Share of the node's GPUs that answer. A node without series is a gap: nothing is known of it, and that is not calm.",
				Steps:   []Step{{0, "red"}, {0.001, "orange"}, {1, "green"}},
				Queries: []Query{{Expr: "avg by (node) (" + located("max by (job, instance, gpu, uuid) (gpu_up)") + ")", Legend: "{{node}}"}},
			}}},
			{"Faults", healthFaults()},
			{"Heat, power and links", healthLimits()},
		},
	}
}

func healthNow() []Panel {
	state := func(s string) string {
		return "sum(" + said("gpumeter_fleet_gpus", ofCloud+`,state="`+s+`"`) + ") or vector(0) and on () count(gpumeter_collector_info) > 0"
	}
	return []Panel{
		{Kind: Stat, Title: "GPUs contracted", Unit: "short", About: "By the contract file, now.", Queries: []Query{{Expr: "sum(" + said("gpumeter_contract_gpus", ofCloud) + ")"}}},
		{Kind: Stat, Title: "GPUs reporting", Unit: "short", About: "GPUs of which the collector has records of the last ten minutes.", Queries: []Query{{Expr: state("reporting")}}},
		{Kind: Stat, Title: "GPUs silent", Unit: "short", Steps: notices, About: "GPUs of which nothing was heard for ten minutes up to a day, without a goodbye.", Queries: []Query{{Expr: state("silent")}}},
		{Kind: Stat, Title: "GPUs missing", Unit: "short", Steps: faults, About: "GPUs that a node of its type has and that were never seen.", Queries: []Query{{Expr: state("missing")}}},
		{Kind: Stat, Title: "GPUs lost", Unit: "short", Steps: faults, About: "GPUs that the driver calls lost.", Queries: []Query{{Expr: "count(" + located("gpu_lost") + ") or count(" + located("gpu_up") + ") * 0"}}},
		{Kind: Stat, Title: "Nodes silent", Unit: "short", Steps: notices, About: "Nodes of which nothing was heard for ten minutes up to a day, without a goodbye.", Queries: []Query{{Expr: "sum(" + said("gpumeter_fleet_nodes", ofCloud+`,state="silent"`) + ") or vector(0) and on () count(gpumeter_collector_info) > 0"}}},
	}
}

// healthList is everything that asks for an act, in one table.
func healthList() Panel {
	gpu := "max by (job, instance, gpu, uuid) "
	return Panel{Kind: Table, Title: "GPUs that need something", Unit: "short", W: 16, H: 9, Absent: "nothing",
		About: "Each row is one reason to drain, reset or replace a GPU. The runbook of the alert of the same name says what to do.",
		Queries: []Query{{Expr: or(
			fault("lost", gpu+"(gpu_lost) > 0"),
			fault("recovery action", gpu+"(gpu_recovery_action) > 0"),
			fault("uncorrected memory errors", gpu+`(gpu_ecc_errors_total{type="volatile_uncorrected"}) > 0`),
			fault("memory unrepairable", gpu+`({__name__=~"gpu_row_remap_failure|gpu_memory_unrepairable|gpu_ecc_sram_threshold_exceeded"}) > 0`),
			fault("repair pending", gpu+`({__name__=~"gpu_row_remap_pending|gpu_page_retirement_pending|gpu_repair_pending"}) > 0`),
			fault("fabric unhealthy", gpu+"(gpu_fabric_health_summary) > 1"),
			fault("unobserved", gpu+"(gpu_unobserved) > 0"),
		)}},
		Columns: []Column{{Field: "cloud", Title: "cloud"}, {Field: "node", Title: "node", Link: toNode}, {Field: "gpu", Title: "GPU"}, {Field: "uuid", Title: "UUID"}, {Field: "fault", Title: "fault"}, {Field: "Value #A", Title: "value"}},
	}
}

func healthFaults() []Panel {
	return []Panel{
		{Kind: Series, Title: "Xids", Unit: "short", W: 8, Stack: true, Absent: "no Xid",
			About:   "Errors that the driver reported, by code, so far as counters were there before them. docs/xids.md says what each means.",
			Queries: []Query{{Expr: "sum by (xid, severity) (" + located("increase(gpu_xid_total[$__rate_interval])") + ")", Legend: "{{xid}} ({{severity}})"}}},
		{Kind: Table, Title: "Last Xids", Unit: "short", W: 8, Absent: "no Xid", About: "The last time that each error was reported about each GPU.",
			Queries: []Query{{Expr: "sort_desc(max by (node, gpu, xid, severity) (" + located("gpu_xid_last_timestamp_seconds") + ") * 1000)"}},
			Columns: []Column{{Field: "node", Title: "node", Link: toNode}, {Field: "gpu", Title: "GPU"}, {Field: "xid", Title: "Xid"}, {Field: "severity", Title: "severity"}, {Field: "Value #A", Title: "last", Unit: "dateTimeFromNow"}}},
		{Kind: Table, Title: "Memory", Unit: "short", W: 8, Absent: "no GPU says", About: "Memory errors and remapped rows of each GPU, the worst first.",
			Queries: []Query{
				{Expr: "max by (node, gpu) (" + located(`gpu_ecc_errors_total{type="volatile_uncorrected"}`) + ")"},
				{Expr: "max by (node, gpu) (" + located(`gpu_ecc_errors_total{type="aggregate_uncorrected"}`) + ")"},
				{Expr: "max by (node, gpu) (" + located("gpu_row_remap_uncorrectable_total") + ")"},
				{Expr: "max by (node, gpu) (" + located("gpu_row_remap_pending") + ")"},
			},
			Columns: []Column{{Field: "node", Title: "node", Link: toNode}, {Field: "gpu", Title: "GPU"}, {Field: "Value #A", Title: "uncorrected since reset"}, {Field: "Value #B", Title: "in its life"}, {Field: "Value #C", Title: "rows remapped"}, {Field: "Value #D", Title: "pending"}}},
		{Kind: Series, Title: "Unhealthy GPUs", Unit: "short", W: 12, About: "GPUs that were observed and could not be used, on average.", Queries: []Query{{Expr: "sum by (cloud) (" + located("rate(gpu_unhealthy_seconds_total[$__rate_interval])") + ")", Legend: "{{cloud}}"}}},
		{Kind: Series, Title: "Contracted GPUs not delivered, not observed, not healthy", Unit: "short", W: 12, Stack: true, About: "By the collector's counters." + late,
			Queries: []Query{{Expr: "sum by (bucket) (" + paced("gpumeter_contract_gpu_seconds_total", ofCloud+inBuckets("undelivered|unobserved|unhealthy"), "$__rate_interval") + ")", Legend: "{{bucket}}"}}},
	}
}

func healthLimits() []Panel {
	return []Panel{
		{Kind: Series, Title: "Clocks held down", Unit: "percentunit", W: 8, About: "Average share of time in which the clocks were held down, by reason. Reasons overlap; power is normal under load.",
			Queries: []Query{{Expr: "avg by (reason) (" + located("rate(gpu_throttle_seconds_total[$__rate_interval])") + ")", Legend: "{{reason}}"}}},
		{Kind: Series, Title: "Least margin to slowdown", Unit: "celsius", W: 8, About: "Degrees that are left to the temperature at which the clocks are lowered: the least of each cloud. GPUs that do not say are not in it.",
			Queries: []Query{{Expr: "min by (cloud) (" + located("gpu_temperature_margin_celsius") + ")", Legend: "{{cloud}}"}}},
		{Kind: Table, Title: "Links", Unit: "short", W: 8, Absent: "all links are up and wide", Empty: "a healthy fleet has all links up",
			About:   "GPUs with NVLinks that are down or PCIe lanes that are missing. Boards whose NVLinks are not connected show here too.",
			Queries: []Query{{Expr: or(fault("NVLinks down", byGPU("gpu_nvlink_links")+" - "+byGPU("gpu_nvlink_links_up")+" > 0"), fault("PCIe lanes missing", byGPU("gpu_pcie_width_max")+" - "+byGPU("gpu_pcie_width")+" > 0"))}},
			Columns: []Column{{Field: "node", Title: "node", Link: toNode}, {Field: "gpu", Title: "GPU"}, {Field: "fault", Title: "fault"}, {Field: "Value #A", Title: "how many"}}},
	}
}
