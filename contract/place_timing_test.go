package contract_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// bigFleet is n GPUs in ten contracts of three ramped tranches each over a
// year; one GPU in twenty is replaced, one in twenty changes its unit.
func bigFleet(n int) ([]contract.Contract, []contract.Presence, int64) {
	const day = 86_400_000
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	var contracts []contract.Contract
	for c := range 10 {
		x := contract.Contract{ID: fmt.Sprintf("c%d", c), Provider: fmt.Sprintf("p%d", c%5), Currency: "USD", Zone: time.UTC}
		for t := range 3 {
			x.Tranches = append(x.Tranches, contract.Tranche{
				ID: fmt.Sprintf("t%d", t), Model: "H100", Priority: t, EndMs: start + int64(300+20*t)*day,
				Steps: []contract.Step{{FromMs: start, GPUs: n / 60}, {FromMs: start + 90*day, GPUs: n / 30}, {FromMs: start + 200*day, GPUs: n / 50}},
				Rates: []contract.Rate{{FromMs: start, ToMs: start + 400*day, PerGPUHour: 2_500_000}},
			})
		}
		contracts = append(contracts, x)
	}
	var presences []contract.Presence
	add := func(gpu, node int, from, to int64) {
		presences = append(presences, contract.Presence{
			Unit: int64(len(presences)), GPU: fmt.Sprintf("GPU-%06d", gpu), Model: "H100", Node: fmt.Sprintf("n%d", node),
			Provider: fmt.Sprintf("p%d", gpu/8%6), Region: "r", StartMs: from, EndMs: to,
		})
	}
	now := start + 365*day
	for g := range n {
		from := start + int64(g%5000)*3_600_000
		switch g % 20 {
		case 0: // falls silent for good, another takes its place
			add(g, g/8, from, from+100*day)
			add(n+g, g/8, from+102*day, now)
		case 1:
			add(g, g/8, from, from+50*day)
			add(g, g/8, from+50*day, now)
		default:
			add(g, g/8, from, now)
		}
	}
	return contracts, presences, now
}

func BenchmarkPlace(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("gpus=%d", n), func(b *testing.B) {
			contracts, presences, now := bigFleet(n)
			b.ReportAllocs()
			for b.Loop() {
				if p := contract.Place(contracts, presences, now); len(p.List) < n {
					b.Fatalf("%d placements of %d GPUs", len(p.List), n)
				}
			}
		})
	}
}

// BenchmarkBuild makes the report of a year out of placements that are known.
func BenchmarkBuild(b *testing.B) {
	contracts, presences, now := bigFleet(100_000)
	p := contract.Place(contracts, presences, now)
	year := contract.Period{Name: "2026", FromMs: now - 365*86_400_000, ToMs: now}
	periods := make([]contract.Period, len(contracts))
	for i := range periods {
		periods[i] = year
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := contract.NewPlan(contracts, p, periods, year).Build(contract.Answer{}, time.UnixMilli(now)); err != nil {
			b.Fatal(err)
		}
	}
}
