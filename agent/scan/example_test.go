package scan_test

import (
	"fmt"

	"github.com/gpumeter/gpumeter/agent/scan"
	"github.com/gpumeter/gpumeter/metric"
)

func ExampleJudge() {
	r := scan.Judge(scan.Input{Frame: metric.Frame{Driver: metric.Driver{Reason: metric.ReasonNoDriver}}})
	for _, f := range r.Findings {
		fmt.Println(f.Level, f.What, f.Remedy)
	}
	// Output: unknown There is no driver library. Install the NVIDIA driver, or name its library with --nvml.
}
