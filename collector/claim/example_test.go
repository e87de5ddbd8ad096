package claim_test

import (
	"os"
	"time"

	"github.com/gpumeter/gpumeter/collector/claim"
	"github.com/gpumeter/gpumeter/contract"
)

func ExampleText() {
	d := contract.Docket{Period: "2026-10", AsOf: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Incidents: []contract.Incident{{
		ID: "inc-1f0c2a9b7d3e", Contract: "cw", Tranche: "h100", Kind: contract.GPULost, Site: contract.Site{Node: "n7"}, Most: 1,
		From: time.Date(2026, 10, 5, 9, 0, 0, 0, time.UTC), To: time.Date(2026, 10, 5, 11, 0, 0, 0, time.UTC),
		GPUMs: 7_200_000, Currency: "USD", Amount: 5_000_000, Class: contract.Uncovered,
		Rule: "GPU lost: the tranche names no promise of uptime",
	}}}
	_ = claim.Text(os.Stdout, d)
	// Output:
	// Incidents of 2026-10, as of 2026-11-01 00:00 UTC
	//
	// The provider's, but not covered: 1 incident, 2.00 GPU-hours, worth 5.00 USD
	//
	// ID                CONTRACT  WHAT      WHERE  FROM                  LASTED  GPUS  GPU-HOURS  AMOUNT    OWED  CLAIM BY
	// inc-1f0c2a9b7d3e  cw/h100   GPU lost  n7     2026-10-05 09:00 UTC  2h      1     2.00       5.00 USD  0.00  –
	//
	//   inc-1f0c2a9b7d3e: GPU lost: the tranche names no promise of uptime
}
