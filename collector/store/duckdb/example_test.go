package duckdb_test

import (
	"context"
	"fmt"
	"os"

	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "gpumeter")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db, err := duckdb.Open(ctx, dir, duckdb.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	hour := usage.Record{GPU: "GPU-1", StartMs: 0, EndMs: 3_600_000, Sums: usage.Sums{BusyMs: 2_700_000, IdleMs: 900_000}}
	batch, err := usage.Seal(usage.Batch{
		Agent: "0123456789abcdef0123456789abcdef", Epoch: "0123456789abcdef0123456789abcdef", Seq: 1,
		Evidence: usage.EvidenceAgent, Node: usage.Node{Name: "node-1"},
		GPUs: []usage.GPU{{UUID: "GPU-1", Model: "H100"}}, Records: []usage.Record{hour},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 { // to send a batch twice changes nothing
		fmt.Println(db.Append(ctx, []usage.Sealed{batch}))
	}
	answer, err := db.Sums(ctx, contract.Query{
		Spans: []contract.Span{{Unit: 1, FromMs: 0, ToMs: 7_200_000}},
		Edges: []int64{0, 7_200_000},
	})
	fmt.Println(answer.Sums[0].BusyMs, err)
	// Output:
	// [committed] <nil>
	// [duplicate] <nil>
	// 2700000 <nil>
}
