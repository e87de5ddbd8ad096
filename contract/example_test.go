package contract_test

import (
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// Two GPUs were bought for an hour; one came, and was busy for half of it.
func Example() {
	start := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	hour := contract.Period{Name: "the first hour", FromMs: start, ToMs: start + 3_600_000}
	contracts := []contract.Contract{{
		ID: "acme-aws", Provider: "aws", Currency: "USD", Zone: time.UTC,
		Tranches: []contract.Tranche{{
			ID: "h100", Model: "H100", EndMs: hour.ToMs,
			Steps: []contract.Step{{FromMs: start, GPUs: 2}},
			Rates: []contract.Rate{{FromMs: start, ToMs: hour.ToMs, PerGPUHour: 2_500_000}},
		}},
	}}
	if err := contract.ValidateAll(contracts); err != nil {
		fmt.Println(err)
		return
	}
	presences := []contract.Presence{{Unit: 1, GPU: "GPU-1", Node: "n1", Model: "H100", Provider: "aws", StartMs: start, EndMs: hour.ToMs}}

	plan := contract.NewPlan(contracts, contract.Place(contracts, presences, hour.ToMs), []contract.Period{hour}, hour)
	query := plan.Query() // a store answers it
	answer := contract.Answer{Sums: []contract.Sum{{Key: query.Spans[0].Key, Sums: usage.Sums{IdleMs: 1_800_000, BusyMs: 1_800_000}}}}
	report, err := plan.Build(answer, time.UnixMilli(hour.ToMs).UTC())
	if err != nil {
		fmt.Println(err)
		return
	}
	total := report.Contracts[0].Total
	for bucket, ms := range total.Buckets {
		if ms > 0 {
			fmt.Printf("%-11s %4d GPU-s %s USD\n", contract.Bucket(bucket), ms/1000, total.Cost.Buckets[bucket])
		}
	}
	fmt.Printf("contracted  %4d GPU-s %s USD\n", total.ContractedMs/1000, total.Cost.Contracted)
	// Output:
	// undelivered 3600 GPU-s 2.500000 USD
	// idle        1800 GPU-s 1.250000 USD
	// busy        1800 GPU-s 1.250000 USD
	// contracted  7200 GPU-s 5.000000 USD
}
