package dashboards

import "fmt"

// recordingRules are what several alerts and panels look at, worked out once.
// They are named level:metric:operation, as Prometheus advises.
func recordingRules() []Rule {
	rules := []Rule{{
		Record: "contract:availability_target:ratio",
		Expr:   "max by (cloud, contract) (gpumeter_contract_availability_target_ratio)", // of tranches: the strictest
	}}
	for _, w := range []string{"5m", "30m", "1h", "2h", "6h", "1d", "3d"} {
		rules = append(rules, Rule{Record: "contract:supply_failure:ratio_rate" + w, Expr: contractShare("undelivered|unhealthy", w)})
	}
	for _, w := range []string{"6h", "3d"} {
		rules = append(rules, Rule{Record: "contract:unallocated:ratio_rate" + w, Expr: contractShare("unallocated", w)})
	}
	return rules
}

// contractShare is the share of what is contracted that fell into some buckets
// over a window. A window in which nothing was counted has no share.
func contractShare(buckets, window string) string {
	return "sum by (cloud, contract) (" + paced("gpumeter_contract_gpu_seconds_total", fmt.Sprintf("bucket=~%q", buckets), window) + ") / (sum by (cloud, contract) (" + paced("gpumeter_contract_gpu_seconds_total", "", window) + ") > 0)"
}
