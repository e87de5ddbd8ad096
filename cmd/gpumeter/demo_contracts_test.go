package main

import (
	"bytes"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/sim/fleet"
)

var updateExamples = flag.Bool("update", false, "write the golden files anew")

func termsFor(t *testing.T, gpus int, start time.Time, agents bool) demoTerms {
	t.Helper()
	f, err := fleet.New(fleet.Config{Seed: 1, GPUs: gpus, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	return demoTerms{Headline: "Contracts.", Agents: agents, live: start.Add(28*24*time.Hour + 9*time.Hour + 33*time.Minute), start: start, fleet: f}
}

// TestExampleContractsAreTheDemos keeps examples/contracts.yaml what the demo
// writes, for a demo that was first started on a fixed day.
func TestExampleContractsAreTheDemos(t *testing.T) {
	terms := termsFor(t, fleet.DefaultGPUs, time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), true)
	terms.Headline = "Example contracts: five clouds, each with a story. `gpumeter demo` writes such a file."
	got, err := demoContracts(terms)
	if err != nil {
		t.Fatal(err)
	}
	const name = "../../examples/contracts.yaml"
	if *updateExamples {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs from the demo's template (-file +template; go test ./cmd/gpumeter -update writes it anew):\n%s", name, diff)
	}
}

func TestDemoContractsAreValidForEverySizeAndDate(t *testing.T) {
	for _, start := range []string{"2026-02-20", "2026-03-09", "2026-10-31", "2027-12-31", "2028-02-29"} {
		for _, gpus := range []int{1, 60, 350, 5000} {
			for _, agents := range []bool{false, true} {
				day, err := time.Parse(time.DateOnly, start)
				if err != nil {
					t.Fatal(err)
				}
				text, err := demoContracts(termsFor(t, gpus, day, agents))
				if err != nil {
					t.Fatal(err)
				}
				contracts, err := contractfile.Parse("contracts.yaml", bytes.NewReader(text))
				if err != nil {
					t.Fatalf("from %s, %d GPUs, agents %t: %v", start, gpus, agents, err)
				}
				if len(contracts) != 5 {
					t.Errorf("%d contracts, want one for each of five clouds", len(contracts))
				}
			}
		}
	}
}

func TestEveryNodeOfAnAgentHasASeed(t *testing.T) {
	seen := map[string]bool{}
	for i := range demoNodes {
		text := demoScenario(i, 7)
		if seen[text] {
			t.Errorf("%s has the scenario of another node", demoNodes[i].name)
		}
		seen[text] = true
	}
}
