package dashboards

import "fmt"

// idleHolders counts by holder the GPUs that were held and not busy over a
// window, as far as they were observed for most of it.
func idleHolders(window string, seconds int, busy string) string {
	return fmt.Sprintf("count by (cloud, kind, group, name) ((group by (job, instance, gpu, uuid, kind, group, name) (gpu_holder_info)"+
		" and on (job, instance, gpu, uuid) (increase(gpu_busy_seconds_total[%[1]s]) / increase(gpu_observed_seconds_total[%[1]s]) < %[3]s)"+
		" and on (job, instance, gpu, uuid) (increase(gpu_observed_seconds_total[%[1]s]) > %[2]d))"+
		" * on (job, instance) group_left (cloud) group by (job, instance, cloud) (gpumeter_node_info))", window, seconds*9/10, busy)
}

// wasteAlerts are about GPUs that are held and not used. They read the agents'
// series.
func wasteAlerts() []Alert {
	const holder = "{{ $labels.kind }} {{ with $labels.group }}{{ . }}/{{ end }}{{ $labels.name }}"
	return []Alert{
		{
			Name: "GPUMeterHolderIdle", Threshold: 0.01, For: "15m",
			Expr:     idleHolders("1h", 3600, "$threshold"),
			Severity: Info, Action: TellHolder, Audience: Team,
			Summary:     holder + " holds {{ $value }} GPUs at {{ $labels.cloud }} and has not used them for an hour",
			Description: "No kernel ran on them for more than 1 % of the last hour. Nobody else can have them.",
			Command:     "gpumeter report --by team",
			Means:       "A holder (a pod, a job, a container or a user) has GPUs that were observed for nearly all of the last hour and busy for less than 1 % of it. Inference servers without requests look like this too.",
			See:         "Dashboard *Allocation and waste*, table *Held and idle*.",
			Do:          "Tell the holder. A notebook can be stopped; a server may be meant to wait.",
			Claim:       "Nothing: it is in our own hands.",
		},
		{
			Name: "GPUMeterHolderIdleExpensive", Threshold: 8, For: "15m",
			Expr:     idleHolders("4h", 4*3600, "0.01") + " >= $threshold",
			Severity: Warning, Action: Reclaim, Audience: Platform,
			Summary:     holder + " holds {{ $value }} GPUs at {{ $labels.cloud }} and has not used them for four hours",
			Description: "A node or more is blocked. That is worth a person's time.",
			Command:     "gpumeter report --by team",
			Means:       "As GPUMeterHolderIdle, over four hours and for at least eight GPUs.",
			See:         "Dashboard *Allocation and waste*, table *Held and idle*.",
			Do:          "Ask the holder, and take the GPUs back if there is no answer.",
			Claim:       "Nothing: it is in our own hands.",
		},
	}
}
