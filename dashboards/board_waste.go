package dashboards

// idleNow are the GPUs that are held and were not busy over a window.
func idleNow(window string) string {
	return "group by (job, instance, gpu, uuid, kind, group, name, basis) (gpu_holder_info) and on (job, instance, gpu, uuid) (increase(gpu_busy_seconds_total[" + window + "]) / increase(gpu_observed_seconds_total[" + window + "]) < 0.01)"
}

// wasteBoard asks who holds GPUs and does nothing with them.
func wasteBoard() Board {
	return Board{
		UID: "gpumeter-waste", Title: "GPU Meter / Allocation and waste", From: "now-7d", Variables: choices,
		About: "Who holds GPUs and does nothing with them, and what stands free meanwhile?",
		Rows: []Row{
			{"Of what is healthy", wasteHeadline()},
			{"Holders", wasteHolders()},
			{"Over time", wasteCourse()},
			{"How well", wasteQuality()},
		},
	}
}

func wasteHeadline() []Panel {
	const healthy = "unallocated|idle|unmeasured|busy"
	of := func(title, buckets, about string) Panel {
		return Panel{Kind: Stat, Title: title, Unit: "percentunit", Steps: uses, About: about + late,
			Queries: []Query{{Expr: spent("", buckets, "$__range") + " / " + spent("", healthy, "$__range")}}}
	}
	return []Panel{
		of("Allocated", "idle|unmeasured|busy", "Healthy GPU time in which somebody held the GPU."),
		of("Busy", "busy", "Healthy GPU time in which a kernel ran."),
		{Kind: Stat, Title: "SM activity", Unit: "percentunit", Steps: uses, Absent: "n/a", About: "SM activity of the GPU time in which it was known." + late,
			Queries: []Query{{Expr: "sum(" + grown("gpumeter_contract_sm_active_gpu_seconds_total", ofContract, "$__range") + ") / (sum(" + grown("gpumeter_contract_sm_known_gpu_seconds_total", ofContract, "$__range") + ") > 0)"}}},
		{Kind: Stat, Title: "GPUs unallocated", Unit: "short", About: "Healthy contracted GPUs that nobody held, on average over the last hour." + late,
			Queries: []Query{{Expr: "sum(" + paced("gpumeter_contract_gpu_seconds_total", ofContract+inBuckets("unallocated"), "1h") + ")"}}},
		{Kind: Stat, Title: "GPUs idle", Unit: "short", About: "Contracted GPUs that were held while no kernel ran, on average over the last hour." + late,
			Queries: []Query{{Expr: "sum(" + paced("gpumeter_contract_gpu_seconds_total", ofContract+inBuckets("idle"), "1h") + ")"}}},
		{Kind: Stat, Title: "GPUs in no contract", Unit: "short", About: "GPUs that no contract covers, on average over the last hour.",
			Queries: []Query{{Expr: "sum(" + paced("gpumeter_uncontracted_gpu_seconds_total", ofCloud+","+ofModel, "1h") + ")"}}},
	}
}

func wasteHolders() []Panel {
	const holder = "cloud, kind, group, name"
	return []Panel{
		{Kind: Table, Title: "Held and idle", Unit: "short", W: 12, H: 9, Absent: "nobody", Empty: "idleness takes a quarter of an hour to show",
			About:   "Holders of GPUs on which a kernel ran for less than 1 % of the last 15 minutes, and of the last hour, as far as they were observed. Servers that wait for requests look like this too.",
			Queries: []Query{{Expr: "sort_desc(count by (" + holder + ") (" + located(idleNow("15m")) + "))"}, {Expr: "count by (" + holder + ") (" + located(idleNow("1h")) + ")"}},
			Columns: []Column{{Field: "cloud", Title: "cloud"}, {Field: "kind", Title: "kind"}, {Field: "group", Title: "group"}, {Field: "name", Title: "name"}, {Field: "Value #A", Title: "GPUs, 15 minutes"}, {Field: "Value #B", Title: "GPUs, one hour"}}},
		{Kind: Table, Title: "Holders now", Unit: "short", W: 12, H: 9, Absent: "nobody holds a GPU", About: "Who holds GPUs now, how many, and how busy they were over the last 15 minutes. A GPU that several hold counts for each.",
			Queries: []Query{
				{Expr: "sort_desc(count by (" + holder + ") (" + located("group by (job, instance, gpu, uuid, kind, group, name) (gpu_holder_info)") + "))"},
				{Expr: "avg by (" + holder + ") (" + located("group by (job, instance, gpu, uuid, kind, group, name) (gpu_holder_info) * on (job, instance, gpu, uuid) group_left () (increase(gpu_busy_seconds_total[15m]) / increase(gpu_observed_seconds_total[15m]))") + ")"},
			},
			Columns: []Column{{Field: "cloud", Title: "cloud"}, {Field: "kind", Title: "kind"}, {Field: "group", Title: "group"}, {Field: "name", Title: "name"}, {Field: "Value #A", Title: "GPUs"}, {Field: "Value #B", Title: "busy", Unit: "percentunit", Bar: true}}},
	}
}

func wasteCourse() []Panel {
	return []Panel{
		{Kind: Series, Title: "Healthy GPUs", Unit: "short", W: 12, Stack: true, About: "Healthy contracted GPUs by what became of them." + late,
			Queries: []Query{{Expr: "sum by (bucket) (" + paced("gpumeter_contract_gpu_seconds_total", ofContract+inBuckets("unallocated|idle|unmeasured|busy"), "$__rate_interval") + ")", Legend: "{{bucket}}"}}},
		{Kind: Series, Title: "Paying twice", Unit: "short", W: 12, About: "GPUs of one model that are bought beyond the contracted number, and contracted ones that nobody holds. Both at once is money." + late,
			Queries: []Query{
				{Expr: "sum by (cloud, gpu_model) (" + paced("gpumeter_contract_overage_gpu_seconds_total", ofContract, "$__rate_interval") + ")", Legend: "{{cloud}} {{gpu_model}}: overage"},
				{Expr: "sum by (cloud, gpu_model) (" + paced("gpumeter_contract_gpu_seconds_total", ofContract+inBuckets("unallocated"), "$__rate_interval") + ")", Legend: "{{cloud}} {{gpu_model}}: unallocated"},
			}},
	}
}

func wasteQuality() []Panel {
	ratio := func(name string) string {
		return "sum by (node) (" + located("rate(gpu_"+name+"_seconds_total[$__rate_interval])") + ") / sum by (node) (" + located("rate(gpu_observed_seconds_total[$__rate_interval])") + ")"
	}
	return []Panel{
		{Kind: Series, Title: "Busy share by node", Unit: "percentunit", W: 12, About: "Share of observed time in which a kernel ran, by node. One line far below the others is a straggler.", Queries: []Query{{Expr: ratio("busy"), Legend: "{{node}}"}}},
		{Kind: Series, Title: "SM activity by node", Unit: "percentunit", W: 12, Absent: "n/a", About: "The same for SM activity. GPUs before Hopper do not say.", Queries: []Query{{Expr: ratio("sm_active"), Legend: "{{node}}"}}},
	}
}
