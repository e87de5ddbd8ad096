package dashboards

import "fmt"

// dcgm is a series of dcgm-exporter, under its name up to 4.8 or that of DCGM
// 4.6, with one spelling of the label for the node.
func dcgm(names string) string {
	return fmt.Sprintf(`label_replace(max by (Hostname, hostname, gpu, UUID, modelName) ({__name__=~%q,modelName=~"$gpu"}), "Hostname", "$1", "hostname", "(.+)")`, names)
}

// dcgmBoard has what people have who come from dcgm-exporter, from its names
// alone.
func dcgmBoard() Board {
	const gpu = "{{Hostname}} GPU {{gpu}}"
	series := func(title, unit, about, names, scale string) Panel {
		return Panel{Kind: Series, Title: title, Unit: unit, W: 8, About: about, Absent: "n/a", Queries: []Query{{Expr: dcgm(names) + scale, Legend: gpu}}}
	}
	all := "DCGM_FI_DEV_GPU_TEMP|DCGM_FI_DEV_GPU_TEMP_CELSIUS"
	return Board{
		UID: "gpumeter-dcgm", Title: "GPU Meter / Coming from dcgm-exporter", From: "now-6h",
		About:     "What dcgm-exporter's names say, from whichever exporter has them.",
		Variables: []Variable{{Name: "gpu", Label: "Model", Of: `{__name__=~"` + all + `"}`, Key: "modelName"}},
		Rows: []Row{
			{"Fleet", []Panel{
				{Kind: Stat, Title: "GPUs that report", Unit: "short", About: "GPUs of which there is a temperature. A GPU that died is not in it: that is why this cannot be a denominator.", Queries: []Query{{Expr: "count(" + dcgm(all) + ")"}}},
				{Kind: Stat, Title: "GPUs gone within a day", Unit: "short", Steps: faults, About: "GPUs that reported an hour to a day ago and do not any more.", Empty: "it needs an hour of history",
					Queries: []Query{{Expr: fmt.Sprintf("count(max by (UUID) (last_over_time({__name__=~%q}[1d] offset 1h)) unless on (UUID) max by (UUID) ({__name__=~%q})) or count(max by (UUID) ({__name__=~%q} offset 1h)) * 0", all, all, all)}}},
				{Kind: Stat, Title: "Average utilisation", Unit: "percentunit", Steps: uses, About: "Average over the GPUs that report, as everybody shows it: dead and missing GPUs are left out, and a gauge that is read every 15 s misses what is in between.",
					Queries: []Query{{Expr: "avg(" + dcgm("DCGM_FI_DEV_GPU_UTIL|DCGM_FI_DEV_GPU_UTIL_RATIO") + ") / 100"}}},
				{Kind: Text, Title: "What is different here", W: 12, H: 4, About: "Where to go on.", Body: "These panels work with dcgm-exporter up to 4.8 and with DCGM 4.6's names, and with `gpumeter-agent --dcgm-names`. They count what reports; **Contracts** counts what is paid for. Utilisation read from a gauge is a sample; `gpu_busy_seconds_total` is all of it."},
			}},
			{"Activity", []Panel{
				series("Utilisation", "percentunit", "Share of the sample period in which a kernel was resident.", "DCGM_FI_DEV_GPU_UTIL|DCGM_FI_DEV_GPU_UTIL_RATIO", " / 100"),
				series("Graphics engine", "percentunit", "Share of time in which the engine was active.", "DCGM_FI_PROF_GR_ENGINE_ACTIVE|DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO", ""),
				series("Tensor pipes", "percentunit", "Share of the cycles in which a tensor pipe was active. n/a before Volta, and without profiling.", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE|DCGM_FI_PROF_TENSOR_UTIL_RATIO", ""),
				series("Memory in use", "bytes", "Frame buffer in use.", "DCGM_FI_DEV_FB_USED", " * 1048576"),
				series("Memory bandwidth", "percentunit", "Share of the memory bandwidth that was used.", "DCGM_FI_PROF_DRAM_ACTIVE|DCGM_FI_PROF_DRAM_UTIL_RATIO", ""),
				series("SM clock", "hertz", "Frequency of the SMs.", "DCGM_FI_DEV_SM_CLOCK", " * 1000000"),
			}},
			{"Health", []Panel{
				series("Power", "watt", "Power draw. A gauge: a GPU that stopped reporting keeps no value here.", "DCGM_FI_DEV_POWER_USAGE|DCGM_FI_DEV_BOARD_POWER_WATTS", ""),
				series("Temperature", "celsius", "Temperature of the GPU.", all, ""),
				series("Last Xid", "short", "Code of the last Xid, which sticks until the exporter is restarted: 0 is none.", "DCGM_FI_DEV_XID_ERRORS", ""),
				series("Remapped rows", "short", "Rows remapped after uncorrectable errors.", "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS|DCGM_FI_DEV_ROW_REMAP_UNCORRECTABLE_TOTAL", ""),
				series("PCIe replays", "short", "PCIe packets sent again, in all.", "DCGM_FI_DEV_PCIE_REPLAY_COUNTER|DCGM_FI_DEV_PCIE_REPLAY_TOTAL", ""),
				series("Energy", "joule", "Energy since the driver was loaded.", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", " / 1000"),
			}},
		},
	}
}
