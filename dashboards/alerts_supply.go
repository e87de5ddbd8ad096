package dashboards

import "fmt"

// claimSupply is what to say of capacity that did not come.
const claimSupply = "`gpumeter claim list --contract CONTRACT` has the incidents with what the terms owe for each; `gpumeter claim export ID --out DIR` writes the evidence. Mind the deadline that it prints."

// burns are the windows of the supply budget: how many times faster than
// allowed it is used up, over a long window and, so that the alert ends when the
// trouble does, over a short one.
var burns = []struct {
	long, short string
	factor      float64
	wait        string
	severity    Severity
}{
	{"1h", "5m", 14.4, "2m", Critical},
	{"6h", "30m", 6, "15m", Critical},
	{"1d", "2h", 3, "1h", Warning},
	{"3d", "6h", 1, "3h", Warning},
}

// burn is one window of the supply budget. The factor times the budget is at
// most one half: a budget of 10 % could not be used up 14 times as fast.
func burn(i int) Alert {
	b := burns[i]
	bound := "clamp_max($threshold * (1 - contract:availability_target:ratio), 0.5)"
	return Alert{
		Name: "GPUMeterSupplyBudgetBurn", Window: b.long, Threshold: b.factor, For: b.wait, Keep: "15m",
		Expr:     fmt.Sprintf("contract:supply_failure:ratio_rate%s > %s and contract:supply_failure:ratio_rate%s > %s", b.long, bound, b.short, bound),
		Severity: b.severity, Action: Claim, Audience: Provider,
		Summary:     "{{ $labels.contract }} ({{ $labels.cloud }}): {{ $value | humanizePercentage }} of what is contracted was not delivered or not healthy within {{ $labels.window }}",
		Description: "The provider promises an availability; what is allowed to be missing is its budget. It is being used up several times as fast as it may.",
		Command:     "gpumeter claim list --contract {{ $labels.contract }}",
		Means:       "Undelivered and unhealthy GPU time, as a share of what is contracted, exceeds a multiple of one minus the availability target: 14.4 times over an hour, 6 times over six hours, 3 times over a day, or at all over three days; and still does over the short window of each. Contracts without a target are silent.",
		See:         "Dashboard *Contract detail*, row *Supply budget*; *Supply and health* for which nodes it is.",
		Do:          "Open a ticket with the provider, with the nodes that the dashboard names. The figures come ten minutes late.",
		Claim:       claimSupply,
	}
}

// ahead is how far away a moment is, if it is ahead and close.
func ahead(name string) string { return once(name+" - time() > 0") + " < $threshold" }

// supplyAlerts are about contracts: what came of them, and their dates. They
// read the collector's series.
func supplyAlerts() []Alert {
	return []Alert{
		{
			Name: "GPUMeterContractShortfall", Threshold: 0.5, For: "30m", Keep: "30m",
			Expr:     "sum by (cloud, contract, tranche, gpu_model) (" + paced("gpumeter_contract_gpu_seconds_total", `bucket="undelivered"`, "15m") + ") > $threshold",
			Severity: Warning, Action: Claim, Audience: Provider,
			Summary:     "{{ $value | printf \"%.0f\" }} {{ $labels.gpu_model }} of {{ $labels.contract }}/{{ $labels.tranche }} ({{ $labels.cloud }}) are not delivered",
			Description: "They are contracted and paid for, and no GPU stands for them. What fell silent less than a day ago is not in this number, but unobserved.",
			Command:     "gpumeter explain {{ $labels.contract }} undelivered",
			Means:       "At least one contracted GPU has been undelivered for half an hour: more than half a one on average, as the rate of a counter is not exact.",
			See:         "Dashboard *Contract detail*. `gpumeter explain` says which GPUs count toward the tranche, and which were refused by its scope: a wrong scope looks the same as a missing GPU.",
			Do:          "Check the scope in the contract file. If it is right, ask the provider where the GPUs are.",
			Claim:       claimSupply,
		},
		burn(0), burn(1), burn(2), burn(3),
		{
			Name: "GPUMeterClaimWindowClosing", Threshold: 3 * 86400,
			Expr:     ahead("gpumeter_claim_deadline_timestamp_seconds"),
			Severity: Warning, Action: Claim, Audience: Finance,
			Summary:     "a claim on {{ $labels.contract }} ({{ $labels.cloud }}) is too late in {{ $value | humanizeDuration }}",
			Description: "There are incidents for which the contract's terms owe a credit, and the time to claim it runs out.",
			Command:     "gpumeter claim list --contract {{ $labels.contract }}",
			Means:       "The next deadline of an incident that can be claimed is less than three days away. What was claimed already is not known here: silence the alert until the deadline then.",
			See:         "Dashboard *Contracts*, row *Attention*: what can be claimed, and until when.",
			Do:          "File the claim with the subject line and the evidence that the agreement wants; both are in the bundle.",
			Claim:       "`gpumeter claim export ID --out DIR` writes everything into one folder.",
		},
		{
			Name: "GPUMeterPayingTwice", Threshold: 1, For: "6h", Keep: "1h",
			Expr:     "sum by (cloud, gpu_model) (" + paced("gpumeter_contract_overage_gpu_seconds_total", "", "6h") + ") > $threshold and sum by (cloud, gpu_model) (" + paced("gpumeter_contract_gpu_seconds_total", `bucket="unallocated"`, "6h") + ") > $threshold",
			Severity: Warning, Action: Replan, Audience: Finance,
			Summary:     "{{ $value | printf \"%.0f\" }} {{ $labels.gpu_model }} are bought on top at {{ $labels.cloud }} while contracted ones are free",
			Description: "GPUs beyond the contracted number run at their own price, while contracted GPUs of the same model stand unallocated.",
			Command:     "gpumeter report",
			Means:       "Overage and unallocated time of one cloud and model are both above one GPU on average over six hours.",
			See:         "Dashboard *Allocation and waste*, panel *Paying twice*.",
			Do:          "Move the work into the contracted capacity, or find out why the scheduler does not (zone, label, reservation).",
			Claim:       "Nothing: it is in our own hands.",
		},
		{
			Name: "GPUMeterContractUnderAllocated", Threshold: 0.3, For: "3h", Keep: "1h",
			Expr:     "contract:unallocated:ratio_rate3d > $threshold and contract:unallocated:ratio_rate6h > $threshold",
			Severity: Warning, Action: Replan, Audience: Finance,
			Summary:     "{{ $value | humanizePercentage }} of {{ $labels.contract }} ({{ $labels.cloud }}) stood unallocated for three days",
			Description: "The GPUs are there and healthy, and nobody holds them. Slow by design: it never fires on a weekend alone.",
			Command:     "gpumeter report --since 3d",
			Means:       "More than 30 % of what is contracted was unallocated over three days, and still is over six hours.",
			See:         "Dashboard *Allocation and waste*.",
			Do:          "Give the capacity to who waits for it, or plan the contract smaller.",
			Claim:       "Nothing: it is in our own hands.",
		},
		{
			Name: "GPUMeterContractEnding", Threshold: 45 * 86400, For: "1h",
			Expr:     ahead("gpumeter_contract_end_timestamp_seconds"),
			Severity: Info, Action: Replan, Audience: Finance,
			Summary:     "{{ $labels.contract }}/{{ $labels.tranche }} ({{ $labels.cloud }}) ends in {{ $value | humanizeDuration }}",
			Description: "Renewals and returns have notice periods; work that runs there needs another place.",
			Command:     "gpumeter spend",
			Means:       "The end of a tranche is less than 45 days away.",
			See:         "Dashboard *Contracts*, row *Attention*.",
			Do:          "Renew, or plan where the work goes. Look at what the tranche was used for before renewing all of it.",
			Claim:       "File what is still open before the account is closed.",
		},
		{
			Name: "GPUMeterCommitmentShortfall", Threshold: 0.02, For: "6h", Keep: "1h",
			Expr:     said("gpumeter_commitment_shortfall_amount", "") + " / " + said("gpumeter_commitment_committed_amount", "") + " > $threshold",
			Severity: Warning, Action: Replan, Audience: Finance,
			Summary:     "{{ $value | humanizePercentage }} of commitment {{ $labels.commitment }} ({{ $labels.contract }}) will not be drawn at the recent rate",
			Description: "Money that was committed to and will not be used by its end. What becomes of the rest is the agreement's shortfall rule.",
			Command:     "gpumeter spend --contract {{ $labels.contract }}",
			Means:       "Going on as in the last weeks, more than 2 % of the committed amount is left at the end of the commitment.",
			See:         "Dashboard *Contracts*, table *Commitments*. `gpumeter spend` says how the figure is made, and which part is due to capacity that came late.",
			Do:          "Move work to where it draws the commitment down, or talk to the provider while there is time.",
			Claim:       "The part that `gpumeter spend` shows as caused by late delivery.",
		},
	}
}
