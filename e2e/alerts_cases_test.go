//go:build e2e

package e2e_test

import (
	"fmt"
	"slices"
)

// lasting is longer than any case.
const lasting = 700

// nodeTarget and collectorTarget are the labels of a scrape.
const (
	nodeTarget      = `job="g",instance="n1"`
	collectorTarget = `job="c",instance="c"`
	ofTranche       = `cloud="aws",contract="c1",tranche="t1",gpu_model="H100"`
	tranche         = collectorTarget + "," + ofTranche
	onlyContract    = `cloud="aws",contract="c1"`
	gpu3            = `cloud="aws",node="n1",gpu="3",uuid="GPU-3"`
	node1           = `cloud="aws",node="n1"`
)

// flat keeps a value.
func flat(v string) string { return fmt.Sprintf("%sx%d", v, lasting) }

// turns has one value up to a step, and another one from it on.
func turns(at int, before, after string) string {
	return fmt.Sprintf("%sx%d %sx%d", before, at-1, after, lasting)
}

// comes is a series that is not there before a step.
func comes(at int, v string) string { return fmt.Sprintf("_x%d %sx%d", at, v, lasting) }

// grows is a counter.
func grows(perMinute string) string { return fmt.Sprintf("0+%sx%d", perMinute, lasting) }

// info is who stands behind the node's target.
func info() string {
	return `gpumeter_node_info{` + nodeTarget + `,cloud="aws",node="n1",region="r"} ` + flat("1")
}

// eight is a metric of the eight GPUs of a node, of which number 3 is another.
func eight(name, labels, well, sick string) []string {
	out := []string{info()}
	for i := range 8 {
		v := well
		if i == 3 {
			v = sick
		}
		if v != "" {
			out = append(out, fmt.Sprintf("%s{%s,gpu=\"%d\",uuid=\"GPU-%d\"%s} %s", name, nodeTarget, i, i, labels, v))
		}
	}
	return out
}

// ofNode is a metric of a node.
func ofNode(name, labels, v string) []string {
	return []string{info(), name + "{" + nodeTarget + labels + "} " + v}
}

// buckets are the counters of a tranche; the rest of a hundred GPUs are busy.
func buckets(bucket string, gpus float64) []string {
	counter := func(b string, n float64) string {
		return fmt.Sprintf("gpumeter_contract_gpu_seconds_total{%s,bucket=%q} %s", tranche, b, grows(fmt.Sprint(n*60)))
	}
	return []string{counter(bucket, gpus), counter("busy", 100-gpus)}
}

// promised adds a promise of 99 %.
func promised(series []string) []string {
	return append(series, "gpumeter_contract_availability_target_ratio{"+tranche+"} "+flat("0.99"))
}

// held are so many GPUs that one user holds, busy for so many seconds a minute.
func held(n int, busy string) []string {
	out := slices.Concat(eight("gpu_observed_seconds_total", "", grows("60"), grows("60")), eight("gpu_busy_seconds_total", "", grows(busy), grows(busy))[1:])
	for i := range n {
		out = append(out, fmt.Sprintf(`gpu_holder_info{%s,gpu="%d",uuid="GPU-%d",kind="user",group="team",name="ann",basis="process"} %s`, nodeTarget, i, i, flat("1")))
	}
	return out
}

// alertCases are the cases of all alerts.
func alertCases() []alertCase {
	return slices.Concat(hardwareCases(), supplyCases(), wasteCases(), pipelineCases())
}

func hardwareCases() []alertCase {
	const xid79 = `,xid="79",severity="replace"`
	fires := func(alert, name string, at int, labels string, series []string) alertCase {
		return alertCase{alert: alert, name: name, series: series, fires: at, labels: labels}
	}
	silent := func(alert, name string, series []string) alertCase {
		return alertCase{alert: alert, name: name, series: series, fires: never, until: 120}
	}
	withBusy := func(temperature, busy string) []string {
		return append(eight("gpu_temperature_celsius", "", flat("40"), flat(temperature)), eight("gpu_busy_seconds_total", "", grows("50"), grows(busy))[1:]...)
	}
	withWidth := func(width string) []string {
		return append(eight("gpu_pcie_width", "", flat("16"), width), eight("gpu_pcie_width_max", "", flat("16"), flat("16"))[1:]...)
	}
	return []alertCase{
		fires("GPUMeterGPULost", "one of eight", 6, gpu3, eight("gpu_lost", `,reason="lost"`, "", comes(5, "1"))),
		silent("GPUMeterGPULost", "for less than a minute", eight("gpu_lost", `,reason="lost"`, "", "_x5 1 stale")),

		fires("GPUMeterRecoveryActionNeeded", "one of eight", 5, gpu3, eight("gpu_recovery_action", "", flat("0"), turns(5, "0", "1"))),
		silent("GPUMeterRecoveryActionNeeded", "none", eight("gpu_recovery_action", "", flat("0"), flat("0"))),

		fires("GPUMeterXidFatal", "the first one", 5, gpu3+`,xid="79"`, eight("gpu_xid_last_timestamp_seconds", xid79, "", comes(5, "-299"))),
		silent("GPUMeterXidFatal", "ten minutes ago", eight("gpu_xid_last_timestamp_seconds", xid79, "", comes(5, "-300"))),
		silent("GPUMeterXidFatal", "of an application", eight("gpu_xid_last_timestamp_seconds", `,xid="31",severity="application"`, "", comes(5, "300"))),

		fires("GPUMeterXidAppRepeated", "eleven", 5, gpu3, eight("gpu_xid_total", `,xid="31",severity="application"`, flat("0"), turns(5, "0", "11"))),
		silent("GPUMeterXidAppRepeated", "ten", eight("gpu_xid_total", `,xid="31",severity="application"`, flat("0"), turns(5, "0", "10"))),
		silent("GPUMeterXidAppRepeated", "ten, and the counter begins anew", eight("gpu_xid_total", `,xid="31",severity="application"`, flat("9"), turns(5, "9", "0"))),

		fires("GPUMeterGPUMissing", "one", 10, node1, ofNode("gpumeter_node_gpus_missing", "", turns(5, "0", "1"))),
		silent("GPUMeterGPUMissing", "none", ofNode("gpumeter_node_gpus_missing", "", flat("0"))),

		fires("GPUMeterUncorrectableECC", "one error", 5, gpu3, eight("gpu_ecc_errors_total", `,type="volatile_uncorrected"`, flat("0"), turns(5, "0", "1"))),
		silent("GPUMeterUncorrectableECC", "none", eight("gpu_ecc_errors_total", `,type="volatile_uncorrected"`, flat("0"), flat("0"))),
		silent("GPUMeterUncorrectableECC", "before the last reset", eight("gpu_ecc_errors_total", `,type="aggregate_uncorrected"`, flat("0"), flat("7"))),

		fires("GPUMeterMemoryUnrepairable", "a row", 5, gpu3, eight("gpu_row_remap_failure", "", flat("0"), turns(5, "0", "1"))),
		fires("GPUMeterMemoryUnrepairable", "the memory", 5, gpu3, eight("gpu_memory_unrepairable", "", flat("0"), turns(5, "0", "1"))),
		fires("GPUMeterMemoryUnrepairable", "SRAM", 5, gpu3, eight("gpu_ecc_sram_threshold_exceeded", "", flat("0"), turns(5, "0", "1"))),
		silent("GPUMeterMemoryUnrepairable", "nothing", eight("gpu_row_remap_failure", "", flat("0"), flat("0"))),

		fires("GPUMeterRepairPending", "a row", 65, gpu3, eight("gpu_row_remap_pending", "", flat("0"), turns(5, "0", "1"))),
		fires("GPUMeterRepairPending", "a TPC", 65, gpu3, eight("gpu_repair_pending", `,unit="tpc"`, flat("0"), turns(5, "0", "1"))),
		silent("GPUMeterRepairPending", "nothing", eight("gpu_row_remap_pending", "", flat("0"), flat("0"))),
		silent("GPUMeterRepairPending", "reset within the hour", eight("gpu_row_remap_pending", "", flat("0"), "1x58 0x300")),

		fires("GPUMeterHWThermalSlowdown", "one of eight", 30, gpu3, eight("gpu_throttle_seconds_total", `,reason="hw_thermal"`, grows("0"), grows("12.1"))),
		silent("GPUMeterHWThermalSlowdown", "a fifth of the time", eight("gpu_throttle_seconds_total", `,reason="hw_thermal"`, grows("0"), grows("12"))),
		silent("GPUMeterHWThermalSlowdown", "by power", eight("gpu_throttle_seconds_total", `,reason="power"`, grows("60"), grows("60"))),

		fires("GPUMeterPowerBrake", "one of eight", 20, gpu3, eight("gpu_throttle_seconds_total", `,reason="hw_power_brake"`, grows("0"), grows("3.05"))),
		silent("GPUMeterPowerBrake", "a twentieth of the time", eight("gpu_throttle_seconds_total", `,reason="hw_power_brake"`, grows("0"), grows("3"))),

		fires("GPUMeterHotWhileIdle", "one of eight", 31, gpu3, withBusy("71", "1")),
		silent("GPUMeterHotWhileIdle", "70 degrees", withBusy("70", "1")),
		silent("GPUMeterHotWhileIdle", "and busy", withBusy("85", "6")),

		fires("GPUMeterNVLinkDown", "one link", 10, gpu3, eight("gpu_nvlink_links_up", "", flat("18"), turns(5, "18", "17"))),
		silent("GPUMeterNVLinkDown", "none was ever up", eight("gpu_nvlink_links_up", "", flat("0"), flat("0"))),

		fires("GPUMeterPCIeWidthDegraded", "one lane", 20, gpu3, withWidth(turns(5, "16", "15"))),
		silent("GPUMeterPCIeWidthDegraded", "all lanes", withWidth(flat("16"))),

		fires("GPUMeterLemonNode", "three", 5, node1, eight("gpu_xid_total", xid79, "", comes(5, "3"))),
		silent("GPUMeterLemonNode", "two", eight("gpu_xid_total", xid79, "", comes(5, "2"))),
		{alert: "GPUMeterLemonNode", name: "two before the week and two in it", step: "1h", fires: never, until: 190, series: eight("gpu_xid_total", xid79, "", "2x170 4x100")},
	}
}

func supplyCases() []alertCase {
	fires := func(alert, name string, at int, labels string, series []string) alertCase {
		return alertCase{alert: alert, name: name, series: series, fires: at, labels: labels}
	}
	silent := func(alert, name string, series []string) alertCase {
		return alertCase{alert: alert, name: name, series: series, fires: never, until: 420}
	}
	out := []alertCase{
		fires("GPUMeterContractShortfall", "one GPU", 38, ofTranche, buckets("undelivered", 1)),
		fires("GPUMeterContractShortfall", "more than half a GPU", 45, ofTranche, buckets("undelivered", 0.52)),
		silent("GPUMeterContractShortfall", "half a GPU", buckets("undelivered", 0.5)),
		silent("GPUMeterContractShortfall", "silent ones", buckets("unobserved", 10)),
		silent("GPUMeterContractShortfall", "the counter begins anew", []string{"gpumeter_contract_gpu_seconds_total{" + tranche + `,bucket="undelivered"} 100000x30 0x400`}),
	}
	for _, b := range []struct {
		window, wait string
		at, above    float64
		fires        int
	}{{"1h", "2m", 14.4, 14.5, 3}, {"6h", "15m", 6, 6.1, 16}, {"1d", "1h", 3, 3.05, 61}, {"3d", "3h", 1, 1.02, 181}} {
		id := "GPUMeterSupplyBudgetBurn/" + b.window
		out = append(out,
			fires(id, "above", b.fires, onlyContract, promised(buckets("undelivered", b.above))),
			fires(id, "unhealthy above", b.fires, onlyContract, promised(buckets("unhealthy", b.above))),
			silent(id, "at", promised(buckets("undelivered", b.at))),
			silent(id, "without a promise", buckets("undelivered", 50)),
		)
	}
	const ofMoney = `cloud="aws",contract="c1",commitment="pool",currency="USD"`
	const money = collectorTarget + "," + ofMoney
	commitment := func(shortfall string) []string {
		return []string{"gpumeter_commitment_committed_amount{" + money + "} " + flat("100"), "gpumeter_commitment_shortfall_amount{" + money + "} " + flat(shortfall)}
	}
	twice := func(overage, unallocated string) []string {
		return []string{"gpumeter_contract_overage_gpu_seconds_total{" + tranche + "} " + grows(overage), "gpumeter_contract_gpu_seconds_total{" + tranche + `,bucket="unallocated"} ` + grows(unallocated)}
	}
	deadline := func(v int) []string {
		return []string{fmt.Sprintf(`gpumeter_claim_deadline_timestamp_seconds{%s,cloud="aws",contract="c1",currency="USD"} %s`, collectorTarget, flat(fmt.Sprint(v)))}
	}
	end := func(v int) []string {
		return []string{"gpumeter_contract_end_timestamp_seconds{" + tranche + "} " + flat(fmt.Sprint(v))}
	}
	return append(out,
		fires("GPUMeterClaimWindowClosing", "less than three days", 6, `cloud="aws",contract="c1",currency="USD"`, deadline(3*86400+5*60)),
		silent("GPUMeterClaimWindowClosing", "too late", deadline(-1)),

		fires("GPUMeterPayingTwice", "both", 688, `cloud="aws",gpu_model="H100"`, twice("66", "66")),
		silent("GPUMeterPayingTwice", "one GPU", twice("60", "60")),
		silent("GPUMeterPayingTwice", "overage alone", twice("600", "0")),

		fires("GPUMeterContractUnderAllocated", "above", 181, onlyContract, buckets("unallocated", 31)),
		silent("GPUMeterContractUnderAllocated", "at", buckets("unallocated", 30)),

		fires("GPUMeterContractEnding", "less than 45 days", 66, ofTranche, end(45*86400+5*60)),
		silent("GPUMeterContractEnding", "it has ended", end(-1)),

		fires("GPUMeterCommitmentShortfall", "above", 360, ofMoney, commitment("2.05")),
		silent("GPUMeterCommitmentShortfall", "at", commitment("2")),
	)
}

func wasteCases() []alertCase {
	const ann = `cloud="aws",kind="user",group="team",name="ann"`
	return []alertCase{
		{alert: "GPUMeterHolderIdle", name: "one GPU", series: held(1, "0.58"), fires: 70, labels: ann},
		{alert: "GPUMeterHolderIdle", name: "just above a hundredth of the time", series: held(8, "0.603"), fires: never, until: 300},
		{alert: "GPUMeterHolderIdle", name: "nobody holds them", series: held(0, "0"), fires: never, until: 300},
		{alert: "GPUMeterHolderIdleExpensive", name: "eight", series: held(8, "0"), fires: 232, labels: ann},
		{alert: "GPUMeterHolderIdleExpensive", name: "seven", series: held(7, "0"), fires: never, until: 500},
	}
}

func pipelineCases() []alertCase {
	fires := func(alert, name string, at int, labels string, series []string) alertCase {
		return alertCase{alert: alert, name: name, series: series, fires: at, labels: labels}
	}
	silent := func(alert, name string, series []string) alertCase {
		return alertCase{alert: alert, name: name, series: series, fires: never, until: 120}
	}
	fleet := func(reporting, silent string) []string {
		const of = "gpumeter_fleet_nodes{" + collectorTarget + `,cloud="aws",state=`
		return []string{of + `"reporting"} ` + reporting, of + `"silent"} ` + silent}
	}
	one := func(name, labels, v string) []string {
		return []string{name + "{" + collectorTarget + labels + "} " + v}
	}
	failing := func(v string) []string {
		out := one("gpumeter_collector_commit_errors_total", "", v)
		for _, name := range []string{"gpumeter_collector_checkpoint_errors_total", "gpumeter_collector_ledger_errors_total", "gpumeter_contract_counter_errors_total", "gpumeter_outlook_errors_total"} {
			out = append(out, one(name, "", flat("0"))...)
		}
		return out
	}
	const conflict, aws = `,status="conflict"`, `cloud="aws"`
	return []alertCase{
		fires("GPUMeterNodesSilent", "one", 10, aws, fleet(flat("30"), turns(5, "0", "1"))),
		silent("GPUMeterNodesSilent", "none", fleet(flat("30"), flat("0"))),

		fires("GPUMeterManyNodesSilent", "2 of 39", 5, aws, fleet(flat("37"), flat("2"))),
		silent("GPUMeterManyNodesSilent", "1 of 20", fleet(flat("19"), flat("1"))),

		fires("GPUMeterAgentsUnscraped", "one of two", 15, aws, append(fleet(flat("2"), flat("0")), info())),
		fires("GPUMeterAgentsUnscraped", "the only one", 15, aws, fleet(flat("1"), flat("0"))),
		silent("GPUMeterAgentsUnscraped", "none", append(fleet(flat("1"), flat("0")), info())),

		fires("GPUMeterDriverDown", "down", 10, node1, ofNode("gpumeter_driver_up", "", turns(5, "1", "0"))),
		silent("GPUMeterDriverDown", "up", ofNode("gpumeter_driver_up", "", flat("1"))),

		fires("GPUMeterGPUUnobserved", "one of eight", 15, gpu3, eight("gpu_unobserved", `,reason="driver_hang"`, "", comes(5, "1"))),
		silent("GPUMeterGPUUnobserved", "for nine minutes", eight("gpu_unobserved", `,reason="driver_hang"`, "", "1x9 stale")),

		fires("GPUMeterUnobservedHigh", "above", 61, onlyContract, buckets("unobserved", 2.05)),
		silent("GPUMeterUnobservedHigh", "at", buckets("unobserved", 2)),

		fires("GPUMeterHolderSourceDown", "the kubelet", 20, node1+`,source="kubelet"`, ofNode("gpumeter_holder_source_up", `,source="kubelet"`, turns(5, "1", "0"))),
		silent("GPUMeterHolderSourceDown", "up", ofNode("gpumeter_holder_source_up", `,source="kubelet"`, flat("1"))),

		fires("GPUMeterSpoolDropping", "one record", 5, node1, ofNode("gpumeter_agent_spool_dropped_records_total", "", turns(5, "0", "1"))),
		silent("GPUMeterSpoolDropping", "none, and the agent is started anew", ofNode("gpumeter_agent_spool_dropped_records_total", "", turns(20, "0", "0"))),

		fires("GPUMeterSpoolBacklog", "31", 15, node1, ofNode("gpumeter_agent_spool_pending_batches", "", flat("31"))),
		silent("GPUMeterSpoolBacklog", "30", ofNode("gpumeter_agent_spool_pending_batches", "", flat("30"))),

		fires("GPUMeterCollectorDown", "gone", 10, "", one("gpumeter_collector_info", "", "1x4 stale")),
		silent("GPUMeterCollectorDown", "there", one("gpumeter_collector_info", "", flat("1"))),

		fires("GPUMeterCountersStalled", "half an hour and a minute", 36, collectorTarget, one("gpumeter_contract_watermark_timestamp_seconds", "", flat("0"))),
		silent("GPUMeterCountersStalled", "half an hour", one("gpumeter_contract_watermark_timestamp_seconds", "", "-1800+60x200")),

		fires("GPUMeterCollectorFailing", "a commit", 5, collectorTarget, failing(turns(5, "0", "1"))),
		silent("GPUMeterCollectorFailing", "never", failing(flat("0"))),

		fires("GPUMeterBatchConflict", "one", 5, collectorTarget, one("gpumeter_collector_batches_total", conflict, turns(5, "0", "1"))),
		silent("GPUMeterBatchConflict", "none", one("gpumeter_collector_batches_total", conflict, flat("0"))),

		fires("GPUMeterContractFileBad", "bad", 10, collectorTarget, one("gpumeter_collector_contract_file_ok", "", turns(5, "1", "0"))),
		silent("GPUMeterContractFileBad", "good", one("gpumeter_collector_contract_file_ok", "", flat("1"))),
	}
}

// healthy are the series of a node and of a collector on which all is well. The
// counters begin anew in the middle, as after a restart.
func healthy() []string {
	const later = "9999999999"
	anew := func(perMinute string) string { return fmt.Sprintf("0+%sx180 0+%sx200", perMinute, perMinute) }
	out := []string{info()}
	for _, m := range []struct{ name, labels, values string }{
		{"gpu_up", "", flat("1")}, {"gpu_recovery_action", "", flat("0")}, {"gpu_temperature_celsius", "", flat("72")},
		{"gpu_ecc_errors_total", `,type="volatile_uncorrected"`, flat("0")}, {"gpu_row_remap_failure", "", flat("0")}, {"gpu_row_remap_pending", "", flat("0")},
		{"gpu_throttle_seconds_total", `,reason="hw_thermal"`, anew("1")}, {"gpu_throttle_seconds_total", `,reason="hw_power_brake"`, anew("0")},
		{"gpu_busy_seconds_total", "", anew("50")}, {"gpu_observed_seconds_total", "", anew("60")},
		{"gpu_nvlink_links_up", "", flat("18")}, {"gpu_pcie_width", "", flat("16")}, {"gpu_pcie_width_max", "", flat("16")},
		{"gpu_xid_total", `,xid="31",severity="application"`, "3x180 0x200"}, {"gpu_xid_total", `,xid="79",severity="replace"`, "2x180 0x200"},
		{"gpu_xid_last_timestamp_seconds", `,xid="79",severity="replace"`, flat("-86400")},
		{"gpu_holder_info", `,kind="user",group="team",name="ann",basis="process"`, flat("1")},
	} {
		well := m.values
		sick := well
		if m.labels == `,xid="79",severity="replace"` {
			well = ""
		}
		out = append(out, eight(m.name, m.labels, well, sick)[1:]...)
	}
	for _, s := range [][2]string{
		{"gpumeter_driver_up", flat("1")}, {"gpumeter_node_gpus_missing", flat("0")}, {"gpumeter_agent_spool_dropped_records_total", flat("0")}, {"gpumeter_agent_spool_pending_batches", flat("1")},
	} {
		out = append(out, ofNode(s[0], "", s[1])[1:]...)
	}
	for _, s := range [][2]string{
		{`gpumeter_collector_info{` + collectorTarget, flat("1")}, {`gpumeter_collector_contract_file_ok{` + collectorTarget, flat("1")},
		{`gpumeter_collector_commit_errors_total{` + collectorTarget, flat("0")}, {`gpumeter_collector_ledger_errors_total{` + collectorTarget, flat("0")},
		{`gpumeter_collector_checkpoint_errors_total{` + collectorTarget, flat("0")},
		{`gpumeter_contract_counter_errors_total{` + collectorTarget, flat("0")}, {`gpumeter_outlook_errors_total{` + collectorTarget, flat("0")},
		{`gpumeter_collector_batches_total{` + collectorTarget + `,status="conflict"`, flat("0")},
		{`gpumeter_contract_watermark_timestamp_seconds{` + collectorTarget, "-600+60x400"},
		{`gpumeter_fleet_nodes{` + collectorTarget + `,cloud="aws",state="reporting"`, flat("1")}, {`gpumeter_fleet_nodes{` + collectorTarget + `,cloud="aws",state="silent"`, flat("0")},
		{`gpumeter_contract_availability_target_ratio{` + tranche, flat("0.99")}, {`gpumeter_contract_end_timestamp_seconds{` + tranche, flat(later)},
		{`gpumeter_contract_overage_gpu_seconds_total{` + tranche, anew("0")},
		{`gpumeter_contract_gpu_seconds_total{` + tranche + `,bucket="undelivered"`, anew("0")}, {`gpumeter_contract_gpu_seconds_total{` + tranche + `,bucket="unhealthy"`, anew("1")},
		{`gpumeter_contract_gpu_seconds_total{` + tranche + `,bucket="unobserved"`, anew("1")}, {`gpumeter_contract_gpu_seconds_total{` + tranche + `,bucket="unallocated"`, anew("60")},
		{`gpumeter_contract_gpu_seconds_total{` + tranche + `,bucket="idle"`, anew("120")}, {`gpumeter_contract_gpu_seconds_total{` + tranche + `,bucket="busy"`, anew("298")},
	} {
		out = append(out, s[0]+"} "+s[1])
	}
	return out
}
