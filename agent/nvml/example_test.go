package nvml_test

import (
	"fmt"

	"github.com/gpumeter/gpumeter/agent/nvml"
)

// A metric is one row of the table, with its unit and where it comes from.
func ExampleRow() {
	for i := range nvml.Table {
		if r := &nvml.Table[i]; r.Name == "gpu.energy.driver" || r.Name == "gpu.memory.used" {
			fmt.Println(r.Key(), r.Unit, r.Kind, "from", r.Source)
		}
	}
	// Output:
	// gpu.memory.used bytes gauge from nvmlDeviceGetMemoryInfo_v2
	// gpu.energy.driver joules counter from nvmlDeviceGetFieldValues(83)
}
