package fleet_test

import (
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/sim/fleet"
)

func Example() {
	day := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	f, err := fleet.New(fleet.Config{Seed: 1, Start: day})
	if err != nil {
		fmt.Println(err)
		return
	}
	batches, records := 0, 0
	for b, err := range f.History(day, day.Add(24*time.Hour)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		batches++
		records += len(b.Batch.Records)
	}
	fmt.Println(f.Nodes(), "nodes,", f.GPUs(), "GPUs;", batches, "of the nodes on the first day:", records, "hour records")
	// Output: 153 nodes, 976 GPUs; 123 of the nodes on the first day: 18463 hour records
}
