package dashboards

// contractBoard asks what happened to one contract.
func contractBoard() Board {
	variables := []Variable{choices[0], {Name: "contract", Label: "Contract", Of: `gpumeter_contract_gpus{cloud=~"$cloud"}`, Key: "contract", One: true}, choices[2]}
	return Board{
		UID: "gpumeter-contract", Title: "GPU Meter / Contract detail", From: "now-30d", UTC: true, Variables: variables, Notes: terms,
		About: "What happened to this contract, and what can be claimed?",
		Rows: []Row{
			{"Terms", contractTerms()},
			{"What became of it", contractChain()},
			{"Supply budget", contractBudget()},
			{"Commitments", []Panel{{
				Kind: Series, Title: "Drawn of what was committed to", Unit: "short", W: 24, Absent: "no spend commitment",
				About: "The committed amount, and how much of it is drawn.",
				Queries: []Query{{Expr: said("gpumeter_commitment_committed_amount", `contract=~"$contract"`), Legend: "committed, {{commitment}} ({{currency}})"},
					{Expr: said("gpumeter_commitment_drawn_amount", `contract=~"$contract"`), Legend: "drawn, {{commitment}} ({{currency}})"}},
			}}},
			{"How it is known", contractTrust()},
		},
	}
}

func contractTerms() []Panel {
	return []Panel{
		{Kind: Stat, Title: "GPUs contracted", Unit: "short", About: "By tranche, now.", Queries: []Query{{Expr: said("gpumeter_contract_gpus", ofContract), Legend: "{{tranche}}"}}, W: 6},
		{Kind: Stat, Title: "Price of a GPU-hour", Unit: "short", Absent: "no prices", About: "Committed price by tranche, now.", Queries: []Query{{Expr: said("gpumeter_contract_price_per_gpu_hour", ofContract), Legend: "{{tranche}} ({{currency}})"}}, W: 6},
		{Kind: Stat, Title: "Availability promised", Unit: "percentunit", Absent: "no promise", About: "Uptime that the provider promises, by tranche. Not every agreement promises one.", Queries: []Query{{Expr: said("gpumeter_contract_availability_target_ratio", ofContract), Legend: "{{tranche}}", Empty: "not every contract has a promise"}}, W: 4},
		{Kind: Stat, Title: "Since", Unit: "s", About: "For how long each tranche has run.", Queries: []Query{{Expr: "time() - " + said("gpumeter_contract_start_timestamp_seconds", ofContract), Legend: "{{tranche}}"}}},
		{Kind: Stat, Title: "Ends in", Unit: "s", About: "Time to the end of each tranche.", Queries: []Query{{Expr: said("gpumeter_contract_end_timestamp_seconds", ofContract) + " - time()", Legend: "{{tranche}}"}}},
	}
}

func contractChain() []Panel {
	chain := Panel{Kind: Bars, Title: "GPU-hours from contracted to effective", Unit: "h", W: 8, H: 10, About: "Each bar is what is left of the one above it." + late,
		Queries: []Query{{Expr: spent("", ".+", "$__range") + " / 3600", Legend: "contracted"}}}
	for _, s := range stages {
		chain.Queries = append(chain.Queries, Query{Expr: spent("", s.buckets, "$__range") + " / 3600", Legend: s.name})
	}
	chain.Queries = append(chain.Queries, Query{Expr: "sum(" + grown("gpumeter_contract_sm_active_gpu_seconds_total", ofContract, "$__range") + ") / 3600", Legend: "effective, where known"})
	return []Panel{
		chain,
		{Kind: Series, Title: "GPUs by bucket", Unit: "short", W: 16, H: 10, Stack: true, About: "How many GPUs were in each bucket; together they are what is contracted." + late,
			Queries: []Query{{Expr: "sum by (bucket) (" + paced("gpumeter_contract_gpu_seconds_total", ofContract, "$__rate_interval") + ")", Legend: "{{bucket}}"}}},
	}
}

func contractBudget() []Panel {
	budget := Panel{Kind: Series, Title: "Supply budget burn", Unit: "short", W: 16, Absent: "no promise, or the recording rules are not loaded", Empty: "the recording rules are loaded into Prometheus alone",
		About: "How many times as fast as allowed the budget of the promise is used up: 14.4 over an hour, 6 over six hours, 3 over a day and 1 over three days are alerts."}
	for _, b := range burns {
		budget.Queries = append(budget.Queries, Query{Expr: "contract:supply_failure:ratio_rate" + b.long + `{contract=~"$contract"} / on (cloud, contract) (1 - contract:availability_target:ratio)`, Legend: b.long})
	}
	return []Panel{
		{Kind: Stat, Title: "Not delivered or not healthy", Unit: "percentunit", W: 4, H: 8, Steps: []Step{{0, "green"}, {0.01, "orange"}, {0.05, "red"}}, About: "Share of contracted GPU time that the provider owes, over the time chosen." + late,
			Queries: []Query{{Expr: share("", "undelivered|unhealthy", "$__range")}}},
		{Kind: Stat, Title: "Can be claimed", Unit: "short", W: 4, H: 8, Absent: "nothing", About: "What the contract's terms owe for incidents of the last three months. `gpumeter claim list` has them one by one.",
			Queries: []Query{{Expr: said("gpumeter_claim_owed_amount", `contract=~"$contract"`), Legend: "{{currency}}", Empty: "a fleet may have nothing to claim"}}},
		budget,
	}
}

func contractTrust() []Panel {
	return []Panel{
		{Kind: Stat, Title: "Observed of delivered", Unit: "percentunit", W: 4, Steps: []Step{{0, "red"}, {0.98, "orange"}, {0.99, "green"}}, About: "Below 98 % the figures should be quoted with their bounds only." + late,
			Queries: []Query{{Expr: spent("", "unhealthy|unallocated|idle|unmeasured|busy", "$__range") + " / " + spent("", "unobserved|unhealthy|unallocated|idle|unmeasured|busy", "$__range")}}},
		{Kind: Stat, Title: "SM activity known", Unit: "percentunit", W: 4, About: "Share of observed GPU time in which the GPUs said how active their SMs were." + late,
			Queries: []Query{{Expr: "sum(" + grown("gpumeter_contract_sm_known_gpu_seconds_total", ofContract, "$__range") + ") / " + spent("", "unhealthy|unallocated|idle|unmeasured|busy", "$__range")}}},
		{Kind: Stat, Title: "Counted up to", Unit: "s", W: 4, Steps: []Step{{0, "green"}, {1200, "orange"}, {1800, "red"}}, About: "How far the counters are behind. Ten minutes are meant.",
			Queries: []Query{{Expr: "time() - max(gpumeter_contract_watermark_timestamp_seconds)"}}},
		{Kind: Series, Title: "Corrections", Unit: "h", W: 12, About: "GPU-hours by which late records would change the counters. They are in the report already.", Empty: "there is none before the first full hour",
			Queries: []Query{{Expr: "sum by (bucket) (" + said("gpumeter_contract_corrections_gpu_seconds", ofContract) + ") / 3600", Legend: "{{bucket}}"}}},
	}
}
