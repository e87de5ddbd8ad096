package dashboards

// What leads from one dashboard to another, with the time range.
const (
	toContract = "/d/gpumeter-contract?var-datasource=${datasource}&var-contract=${__data.fields.contract}&${__url_time_range}"
	toNode     = "/d/gpumeter-node?var-datasource=${datasource}&var-node=${__data.fields.node}&${__url_time_range}"
)

// choices of the dashboards on contracts.
var choices = []Variable{
	{Name: "cloud", Label: "Cloud", Of: "gpumeter_contract_gpus", Key: "cloud"},
	{Name: "contract", Label: "Contract", Of: `gpumeter_contract_gpus{cloud=~"$cloud"}`, Key: "contract"},
	{Name: "model", Label: "Model", Of: `gpumeter_contract_gpus{cloud=~"$cloud",contract=~"$contract"}`, Key: "gpu_model"},
}

// terms are the moments at which contracts change.
var terms = []Note{
	{Name: "Contract file changed", Color: "blue", Expr: "max(gpumeter_collector_contract_file_modified_timestamp_seconds) * 1000", Text: "The contract file was written.", On: true},
	{Name: "Tranche begins", Color: "green", Expr: said("gpumeter_contract_start_timestamp_seconds", ofContract) + " * 1000", Text: "{{contract}}/{{tranche}} begins"},
	{Name: "Tranche ends", Color: "orange", Expr: said("gpumeter_contract_end_timestamp_seconds", ofContract) + " * 1000", Text: "{{contract}}/{{tranche}} ends"},
}

// late says what the counters are not.
const late = " Live figures: they follow ten minutes behind and never take back. The report is what counts."

// contractsBoard asks whether what is paid for is what comes.
func contractsBoard() Board {
	return Board{
		UID: "gpumeter-contracts", Title: "GPU Meter / Contracts", From: "now-30d", UTC: true, Variables: choices, Notes: terms,
		About: "Do we get what we pay for, and where not?",
		Rows: []Row{
			{"Over the time chosen", contractsHeadline()},
			{"By contract", []Panel{contractsTable()}},
			{"Where it went", contractsLosses()},
			{"Day by day", []Panel{{
				Kind: Series, Title: "Contracted GPU-hours by day and bucket", Unit: "h", W: 24, H: 9, Stack: true, Interval: "1d",
				About:   "Every contracted GPU-hour of a day is in exactly one bucket; together they are what was contracted." + late,
				Queries: []Query{{Expr: spent("bucket", ".+", "1d") + " / 3600", Legend: "{{bucket}}"}},
			}}},
			{"Attention", contractsAttention()},
		},
	}
}

func contractsHeadline() []Panel {
	out := []Panel{{Kind: Stat, Title: "GPUs contracted", Unit: "short", W: 3, About: "GPUs that are contracted now, by the contract file.",
		Queries: []Query{{Expr: "sum(" + said("gpumeter_contract_gpus", ofContract) + ")"}}}}
	for _, s := range stages {
		colors := promises
		if s.name == "allocated" || s.name == "busy" {
			colors = uses
		}
		out = append(out, Panel{Kind: Stat, Title: "Of that " + s.name, Unit: "percentunit", W: 3, Steps: colors, About: s.about + late,
			Queries: []Query{{Expr: share("", s.buckets, "$__range")}}})
	}
	return append(out,
		Panel{Kind: Stat, Title: "Of that effective", Unit: "percentunit", W: 3, Steps: uses, Absent: "n/a",
			About:   "SM activity as a share of contracted GPU time, of the tranches whose GPUs report it; n/a where none does. Never a guess." + late,
			Queries: []Query{{Expr: effective("", "$__range")}}},
		Panel{Kind: Stat, Title: "Paid per busy GPU-hour", Unit: "short", W: 3, Absent: "no prices",
			About:   "What is contracted, at the price that is committed now, divided by the busy GPU-hours of what has a price, by currency. No price in the contract file is no figure." + late,
			Queries: []Query{{Expr: perBusyHour("$__range"), Legend: "{{currency}}"}}},
	)
}

// contractsTable has a row for each tranche.
func contractsTable() Panel {
	const by = "cloud, contract, tranche, gpu_model"
	p := Panel{Kind: Table, Title: "Tranches", Unit: "short", W: 24, H: 9,
		About: "One row for each tranche. Shares are of contracted GPU time, over the time chosen." + late,
		Queries: []Query{
			{Expr: "max by (" + by + ") (gpumeter_contract_gpus{" + ofContract + "})"},
			{Expr: "max by (" + by + ") (gpumeter_contract_end_timestamp_seconds{" + ofContract + "} - time())"},
		},
		Columns: []Column{{Field: "cloud", Title: "cloud"}, {Field: "contract", Title: "contract", Link: toContract}, {Field: "tranche", Title: "tranche"},
			{Field: "gpu_model", Title: "model"}, {Field: "Value #A", Title: "GPUs"}, {Field: "Value #B", Title: "ends in", Unit: "s"}},
	}
	for _, s := range stages {
		p.Queries = append(p.Queries, Query{Expr: share(by, s.buckets, "$__range")})
		p.Columns = append(p.Columns, Column{Field: "Value #" + letter(len(p.Queries)-1), Title: s.name, Unit: "percentunit", Bar: true})
	}
	p.Queries = append(p.Queries, Query{Expr: effective(by, "$__range")},
		Query{Expr: "sum by (" + by + ") (" + lost(by+", currency", "undelivered|unhealthy|unobserved|unallocated|idle|unmeasured", "$__range") + ")"})
	n := len(p.Queries)
	p.Columns = append(p.Columns, Column{Field: "Value #" + letter(n-2), Title: "effective", Unit: "percentunit", Bar: true}, Column{Field: "Value #" + letter(n-1), Title: "paid and not busy", Unit: "short"})
	return p
}

// actors are who can get back what is lost.
var actors = []struct{ who, buckets string }{
	{"provider", "undelivered|unhealthy"},
	{"platform", "unobserved|unallocated|unmeasured"},
	{"teams", "idle"},
}

func contractsLosses() []Panel {
	who := Panel{Kind: Bars, Title: "Who can act", Unit: "h", W: 8, About: "GPU-hours that were contracted and not busy, by who can do something about it: the provider (undelivered, unhealthy), the platform (unobserved, unallocated, unmeasured), the teams (idle)." + late}
	for _, a := range actors {
		who.Queries = append(who.Queries, Query{Expr: spent("", a.buckets, "$__range") + " / 3600", Legend: a.who})
	}
	return []Panel{
		{Kind: Bars, Title: "GPU-hours by bucket", Unit: "h", W: 8, About: "Contracted GPU-hours that were not busy, by what became of them." + late,
			Queries: []Query{{Expr: "sort_desc(" + spent("bucket", "undelivered|unobserved|unhealthy|unallocated|idle|unmeasured", "$__range") + " / 3600)", Legend: "{{bucket}}"}}},
		{Kind: Bars, Title: "Money by bucket and cloud", Unit: "short", W: 8, Absent: "no prices", About: "The same at the price that is committed now, in the currency of the contract." + late,
			Queries: []Query{{Expr: "topk(12, " + lost("cloud, bucket, currency", "undelivered|unobserved|unhealthy|unallocated|idle|unmeasured", "$__range") + " > 0)", Legend: "{{cloud}} {{bucket}} ({{currency}})"}}},
		who,
	}
}

func contractsAttention() []Panel {
	return []Panel{
		{Kind: Alarms, Title: "Alerts on supply and money", W: 8, About: "Alerts for who talks to the cloud and who plans the money.", Body: `{audience=~"provider|finance"}`},
		{Kind: Table, Title: "Claims", Unit: "short", W: 8, Absent: "nothing to claim",
			About:   "What can be claimed for incidents of the last three months, and when the next claim is too late. What was claimed already is not known here.",
			Queries: []Query{{Expr: said("gpumeter_claim_owed_amount", ofCloud), Empty: "a fleet may have nothing to claim"}, {Expr: said("gpumeter_claim_incidents", ofCloud), Empty: "a fleet may have nothing to claim"}, {Expr: said("gpumeter_claim_deadline_timestamp_seconds", ofCloud) + " - time()", Empty: "agreements may state no deadline"}},
			Columns: []Column{{Field: "cloud", Title: "cloud"}, {Field: "contract", Title: "contract", Link: toContract}, {Field: "currency", Title: "currency"},
				{Field: "Value #A", Title: "owed"}, {Field: "Value #B", Title: "incidents"}, {Field: "Value #C", Title: "too late in", Unit: "s"}}},
		{Kind: Table, Title: "Commitments", Unit: "short", W: 8, Absent: "no spend commitment",
			About:   "Money that was committed to, what is drawn of it, and what will be missing at the end at the recent rate.",
			Queries: []Query{{Expr: said("gpumeter_commitment_committed_amount", "")}, {Expr: said("gpumeter_commitment_drawn_amount", "")}, {Expr: said("gpumeter_commitment_remaining_amount", "")}, {Expr: said("gpumeter_commitment_shortfall_amount", "")}, {Expr: said("gpumeter_commitment_end_timestamp_seconds", "") + " - time()"}, {Expr: "time() - " + said("gpumeter_commitment_drawn_through_timestamp_seconds", "")}},
			Columns: []Column{{Field: "contract", Title: "contract", Link: toContract}, {Field: "commitment", Title: "commitment"}, {Field: "currency", Title: "currency"}, {Field: "Value #A", Title: "committed"},
				{Field: "Value #B", Title: "drawn"}, {Field: "Value #C", Title: "remaining"}, {Field: "Value #D", Title: "will be missing"}, {Field: "Value #E", Title: "ends in", Unit: "s"}, {Field: "Value #F", Title: "known to", Unit: "s"}}},
	}
}
