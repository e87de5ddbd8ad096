package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"
	"time"

	"github.com/gpumeter/gpumeter/sim/fleet"
)

// demoContractsText is the example contract file with its dates left out.
// examples/contracts.yaml is made from it; a test keeps the two together.
//
//go:embed demo_contracts.yaml.tmpl
var demoContractsText string

var demoContractsTemplate = template.Must(template.New("contracts.yaml").Option("missingkey=error").Parse(demoContractsText))

// demoTerms is what the example contracts depend on.
type demoTerms struct {
	Headline string
	// Agents says whether real agents stand in the ramps, from Live on.
	Agents bool
	live   time.Time
	start  time.Time // day 0, in UTC
	fleet  *fleet.Fleet
}

// Day returns the date of a day of the story.
func (d demoTerms) Day(n int) string {
	return d.start.UTC().AddDate(0, 0, n).Format(time.DateOnly)
}

// Live returns when the real agents' nodes are contracted: the whole 5 minutes
// before the demo's first start.
func (d demoTerms) Live() string {
	return d.live.UTC().Truncate(5 * time.Minute).Format(time.RFC3339)
}

// First returns how many GPUs of a pool are contracted at first.
func (d demoTerms) First(pool string) (int, error) {
	first, _, ok := d.fleet.Contracted(pool)
	if !ok {
		return 0, fmt.Errorf("pool %q is not contracted", pool)
	}
	return first, nil
}

// Full returns how many GPUs of a pool are contracted when it has grown.
func (d demoTerms) Full(pool string) (int, error) {
	_, full, ok := d.fleet.Contracted(pool)
	if !ok {
		return 0, fmt.Errorf("pool %q is not contracted", pool)
	}
	return full, nil
}

// Spend returns an amount for a pool: so much for each of its contracted GPUs.
func (d demoTerms) Spend(pool string, each int) (int, error) {
	n, err := d.Full(pool)
	return n * each, err
}

// Plus returns the contracted GPUs of a pool and those of its real agents.
func (d demoTerms) Plus(pool string) (int, error) {
	_, n, _ := d.fleet.Contracted(pool)
	found := false
	for _, a := range demoNodes {
		if a.tranche == pool {
			n += a.gpus
			found = true
		}
	}
	if !found {
		return 0, fmt.Errorf("pool %q has no agent", pool)
	}
	return n, nil
}

// demoContracts writes the example contract file.
func demoContracts(d demoTerms) ([]byte, error) {
	var b bytes.Buffer
	if err := demoContractsTemplate.Execute(&b, d); err != nil {
		return nil, fmt.Errorf("write example contracts: %w", err)
	}
	return b.Bytes(), nil
}
