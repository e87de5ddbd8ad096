package dashboards

// nodeBoard asks what is wrong with one node.
func nodeBoard() Board {
	note := xids
	note.Expr = onNode(note.Expr)
	note.On = true
	return Board{
		UID: "gpumeter-node", Title: "GPU Meter / Node and GPU", From: "now-6h", Notes: []Note{note},
		Variables: []Variable{
			{Name: "cloud", Label: "Cloud", Of: "gpumeter_node_info", Key: "cloud"},
			{Name: "node", Label: "Node", Of: `gpumeter_node_info{cloud=~"$cloud"}`, Key: "node", One: true},
		},
		About: "What is wrong with this one?",
		Rows: []Row{
			{"State", nodeState()},
			{"Activity", nodeActivity()},
			{"Power, heat and clocks", nodePower()},
			{"Links and errors", nodeLinks()},
			{"Holders", nodeHolders()},
			{"Host and agent", nodeHost()},
		},
	}
}

func nodeState() []Panel {
	of := func(expr string) string { return "max(" + onNode(expr) + ")" }
	return []Panel{
		{Kind: Stat, Title: "Driver", Unit: "short", Words: []Word{{0, "down", "red"}, {1, "up", "green"}}, About: "Whether the driver library answers.", Queries: []Query{{Expr: of("gpumeter_driver_up")}}},
		{Kind: Stat, Title: "GPUs", Unit: "short", About: "GPUs that the driver counts, also those that do not answer.", Queries: []Query{{Expr: of("gpumeter_driver_gpus")}}},
		{Kind: Stat, Title: "GPUs missing", Unit: "short", Steps: faults, Absent: "n/a", About: "GPUs that a node of its type has and that were never seen. n/a where nobody says how many it should have.", Queries: []Query{{Expr: of("gpumeter_node_gpus_missing")}}},
		{Kind: Stat, Title: "Recovery action", Unit: "short", Absent: "n/a", About: "What the driver asks for, the most urgent of all GPUs. n/a where no GPU can say.",
			Words:   []Word{{0, "none", "green"}, {1, "GPU reset", "orange"}, {2, "node reboot", "red"}, {3, "drain P2P", "orange"}, {4, "drain and reset", "orange"}, {5, "recover IMEX", "orange"}, {6, "bus reset", "red"}, {7, "system reboot", "red"}},
			Queries: []Query{{Expr: of("gpu_recovery_action")}}},
		{Kind: Stat, Title: "Uncorrected ECC", Unit: "short", Steps: faults, Absent: "n/a", About: "Uncorrected memory errors since the last reset, the most of all GPUs. n/a where no GPU can say.", Queries: []Query{{Expr: of(`gpu_ecc_errors_total{type="volatile_uncorrected"}`)}}},
		{Kind: Stat, Title: "Observed", Unit: "percentunit", Steps: promises, About: "Share of the last five minutes in which the GPUs were observed.",
			Queries: []Query{{Expr: "avg(" + onNode("increase(gpu_observed_seconds_total[5m]) / (increase(gpu_observed_seconds_total[5m]) + increase(gpu_unobserved_seconds_total[5m]))") + ")"}}},
		{Kind: Timeline, Title: "GPUs", Unit: "short", W: 24, H: 8, About: "Whether each GPU answers. A gap is a node that was not scraped.",
			Words: []Word{{0, "lost or unobserved", "red"}, {1, "answers", "green"}}, Queries: []Query{{Expr: onNode("gpu_up"), Legend: "GPU {{gpu}}"}}},
		{Kind: Table, Title: "What the GPUs are", Unit: "short", W: 24, H: 8, About: "Identity of each GPU, for tickets.",
			Queries: []Query{{Expr: onNode("gpu_info")}},
			Columns: []Column{{Field: "gpu", Title: "GPU"}, {Field: "model", Title: "model"}, {Field: "name", Title: "name"}, {Field: "uuid", Title: "UUID"}, {Field: "serial", Title: "serial"}, {Field: "pci", Title: "PCI"}, {Field: "driver", Title: "driver"}, {Field: "vbios", Title: "VBIOS"}}},
	}
}

// shareOf is an integral as a share of observed time.
func shareOf(name string) string {
	return rateOf("gpu_"+name+"_seconds_total") + " / " + rateOf("gpu_observed_seconds_total")
}

func nodeActivity() []Panel {
	gpu := "GPU {{gpu}}"
	return []Panel{
		{Kind: Series, Title: "Busy", Unit: "percentunit", W: 8, About: "Share of observed time in which a kernel ran. Exact at any scrape interval: it is made of counters of time.", Queries: []Query{{Expr: onNode(shareOf("busy")), Legend: gpu}}},
		{Kind: Series, Title: "SM activity", Unit: "percentunit", W: 8, About: "Share of the SMs' cycles in which a warp was resident. n/a where the GPU cannot say (before Hopper).", Queries: []Query{{Expr: orNA(shareOf("sm_active")), Legend: gpu}}},
		{Kind: Series, Title: "Tensor activity", Unit: "percentunit", W: 8, About: "Share of the cycles in which a tensor pipe was active. n/a where the GPU cannot say.", Queries: []Query{{Expr: orNA(shareOf("tensor_active")), Legend: gpu}}},
		{Kind: Series, Title: "Memory in use", Unit: "bytes", W: 8, About: "Memory in use, without what the driver reserves.", Queries: []Query{{Expr: onNode("gpu_memory_used_bytes"), Legend: gpu}}},
		{Kind: Series, Title: "Memory bandwidth", Unit: "percentunit", W: 8, About: "Memory bandwidth used as a share of what there is. n/a where the GPU cannot say.", Queries: []Query{{Expr: orNA(shareOf("memory_active")), Legend: gpu}}},
		{Kind: Series, Title: "MIG instances", Unit: "percentunit", W: 8, Absent: "not divided", Empty: "the demo has no divided GPU", About: "SM activity of the instances of divided GPUs.", Queries: []Query{{Expr: onNode("gpu_instance_sm_active_ratio"), Legend: "GPU {{gpu}} instance {{gpu_instance}}"}}},
	}
}

func nodePower() []Panel {
	gpu := "GPU {{gpu}}"
	return []Panel{
		{Kind: Series, Title: "Power", Unit: "watt", W: 8, About: "From the counter of energy, so that no peak is missed between scrapes.", Queries: []Query{{Expr: onNode(rateOf("gpu_energy_joules_total")), Legend: gpu}}},
		{Kind: Series, Title: "Temperature", Unit: "celsius", W: 8, About: "Temperature of the GPU.", Queries: []Query{{Expr: onNode("gpu_temperature_celsius"), Legend: gpu}}},
		{Kind: Series, Title: "Margin to slowdown", Unit: "celsius", W: 8, About: "Degrees to the temperature at which the clocks are lowered. n/a where the GPU does not say.", Queries: []Query{{Expr: orNA("gpu_temperature_margin_celsius"), Legend: gpu}}},
		{Kind: Series, Title: "Throttling", Unit: "percentunit", W: 12, About: "Share of time in which the clocks were held down, the most of all GPUs, by reason.", Queries: []Query{{Expr: "max by (reason) (" + onNode(rateOf("gpu_throttle_seconds_total")) + ")", Legend: "{{reason}}"}}},
		{Kind: Series, Title: "SM clock", Unit: "hertz", W: 12, About: "Frequency of the SMs.", Queries: []Query{{Expr: onNode(`gpu_clock_hertz{domain="sm"}`), Legend: gpu}}},
	}
}

func nodeLinks() []Panel {
	return []Panel{
		{Kind: Series, Title: "NVLink", Unit: "Bps", W: 8, Absent: "n/a", About: "Bytes per second over all NVLinks of a GPU.", Queries: []Query{{Expr: onNode("sum by (job, instance, gpu, direction) (" + rateOf("gpu_nvlink_io_bytes_total") + ")"), Legend: "GPU {{gpu}} {{direction}}"}}},
		{Kind: Series, Title: "PCIe", Unit: "Bps", W: 8, Absent: "n/a", About: "Bytes per second over PCIe.", Queries: []Query{{Expr: onNode("sum by (job, instance, gpu, direction) (" + rateOf("gpu_pcie_io_bytes_total") + ")"), Legend: "GPU {{gpu}} {{direction}}"}}},
		{Kind: Series, Title: "Errors on links", Unit: "short", W: 8, Absent: "n/a", About: "Errors on NVLinks by kind, and PCIe packets that were sent again, per second.",
			Queries: []Query{{Expr: "sum by (type) (" + onNode(rateOf("gpu_nvlink_errors_total")) + ")", Legend: "NVLink {{type}}"}, {Expr: "sum(" + onNode(rateOf("gpu_pcie_replay_total")) + ")", Legend: "PCIe replay"}}},
		{Kind: Table, Title: "Links up", Unit: "short", W: 12, Absent: "n/a", About: "NVLinks that are up of those that there are, and PCIe lanes now and at most.",
			Queries: []Query{{Expr: byGPUOfNode("gpu_nvlink_links_up")}, {Expr: byGPUOfNode("gpu_nvlink_links")}, {Expr: byGPUOfNode("gpu_pcie_width")}, {Expr: byGPUOfNode("gpu_pcie_width_max")}},
			Columns: []Column{{Field: "gpu", Title: "GPU"}, {Field: "Value #A", Title: "NVLinks up"}, {Field: "Value #B", Title: "NVLinks"}, {Field: "Value #C", Title: "PCIe lanes"}, {Field: "Value #D", Title: "at most"}}},
		{Kind: Table, Title: "Xids", Unit: "short", W: 12, Absent: "no Xid", About: "Errors that the driver reported about each GPU, and when last.",
			Queries: []Query{{Expr: "max by (gpu, xid, severity) (" + onNode("gpu_xid_total") + ")"}, {Expr: "max by (gpu, xid, severity) (" + onNode("gpu_xid_last_timestamp_seconds") + ") * 1000"}},
			Columns: []Column{{Field: "gpu", Title: "GPU"}, {Field: "xid", Title: "Xid"}, {Field: "severity", Title: "severity"}, {Field: "Value #A", Title: "count"}, {Field: "Value #B", Title: "last", Unit: "dateTimeFromNow"}}},
	}
}

// byGPUOfNode is the greatest value of each GPU of the node that was chosen.
func byGPUOfNode(expr string) string { return "max by (gpu) (" + onNode(expr) + ")" }

func nodeHolders() []Panel {
	return []Panel{
		{Kind: Series, Title: "Holders", Unit: "short", W: 12, Stack: true, Absent: "nobody, or no source knows", About: "GPUs of the node by who holds them. A GPU that several hold counts for each.",
			Queries: []Query{{Expr: "count by (kind, group, name) (" + onNode("gpu_holder_info") + ")", Legend: "{{kind}} {{group}} {{name}}"}}},
		{Kind: Table, Title: "Who has which GPU", Unit: "short", W: 12, Absent: "nobody, or no source knows", About: "Now, and how it is known: by the scheduler, the kubelet, a process or memory in use.",
			Queries: []Query{{Expr: onNode("gpu_holder_info")}},
			Columns: []Column{{Field: "gpu", Title: "GPU"}, {Field: "kind", Title: "kind"}, {Field: "group", Title: "group"}, {Field: "name", Title: "name"}, {Field: "part", Title: "part"}, {Field: "basis", Title: "basis"}}},
	}
}

func nodeHost() []Panel {
	return []Panel{
		{Kind: Series, Title: "CPU", Unit: "percentunit", W: 6, About: "Share of all CPUs' time that was not idle.", Queries: []Query{{Expr: `1 - sum(` + onNode(rateOf(`host_cpu_time_seconds_total{mode="idle"}`)) + `) / sum(` + onNode(rateOf("host_cpu_time_seconds_total")) + ")", Legend: "not idle"}}},
		{Kind: Series, Title: "Memory", Unit: "bytes", W: 6, About: "Memory in use, and all of it.", Queries: []Query{{Expr: "max(" + onNode("host_memory_used_bytes") + ")", Legend: "in use"}, {Expr: "max(" + onNode("host_memory_total_bytes") + ")", Legend: "total"}}},
		{Kind: Series, Title: "Network", Unit: "Bps", W: 6, About: "Bytes per second, by interface and direction.", Queries: []Query{{Expr: onNode(rateOf("host_network_io_bytes_total")), Legend: "{{interface}} {{direction}}"}}},
		{Kind: Series, Title: "Disks", Unit: "Bps", W: 6, About: "Bytes per second, by disk and direction.", Queries: []Query{{Expr: onNode(rateOf("host_disk_io_bytes_total")), Legend: "{{device}} {{direction}}"}}},
		{Kind: Table, Title: "Agent", Unit: "short", W: 12, About: "Version of the agent and of the driver's parts.",
			Queries: []Query{{Expr: "max by (agent_version, instance_type, region) (gpumeter_node_info{node=~\"$node\"})"}},
			Columns: []Column{{Field: "agent_version", Title: "agent"}, {Field: "instance_type", Title: "instance type"}, {Field: "region", Title: "region"}}},
		{Kind: Stat, Title: "Batches waiting", Unit: "short", Steps: []Step{{0, "green"}, {5, "orange"}, {30, "red"}}, About: "Batches that wait for the collector; there is one a minute.", Queries: []Query{{Expr: "max(" + onNode("gpumeter_agent_spool_pending_batches") + ")"}}},
		{Kind: Stat, Title: "Records given up", Unit: "short", Steps: faults, About: "Records that were dropped because the spool was full, since the agent started.", Queries: []Query{{Expr: "max(" + onNode("gpumeter_agent_spool_dropped_records_total") + ")"}}},
		{Kind: Stat, Title: "Last sent", Unit: "s", Steps: []Step{{0, "green"}, {300, "orange"}, {1800, "red"}}, Absent: "never, or no collector", About: "Time since the collector last acknowledged something.", Queries: []Query{{Expr: "time() - max(" + onNode("gpumeter_agent_push_last_success_timestamp_seconds") + ")"}}},
	}
}
