package host_test

import (
	"fmt"

	"github.com/gpumeter/gpumeter/agent/host"
)

func ExampleDescs() {
	for _, d := range host.Descs() {
		if d.Name == "host.memory.used" {
			fmt.Println(d.Name, d.Unit, d.OTel.Name)
		}
	}
	// Output: host.memory.used bytes system.memory.usage
}
