package storetest_test

import (
	"context"
	"fmt"

	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/usage"
)

func ExampleNewModel() {
	model := storetest.NewModel()
	batch, err := usage.Seal(usage.Batch{
		Agent: "0123456789abcdef0123456789abcdef", Epoch: "0123456789abcdef0123456789abcdef", Seq: 1,
		Evidence: usage.EvidenceAgent, Node: usage.Node{Name: "node-1"},
		GPUs:    []usage.GPU{{UUID: "GPU-1", Model: "H100"}},
		Records: []usage.Record{{GPU: "GPU-1", StartMs: 0, EndMs: 60_000, Sums: usage.Sums{BusyMs: 30_000}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(model.Append(context.Background(), []usage.Sealed{batch, batch}))
	fmt.Println(model.Extent(context.Background()))
	// Output:
	// [committed duplicate] <nil>
	// {0 60000} <nil>
}
