package duckdb_test

import (
	"fmt"
	"testing"

	"github.com/gpumeter/gpumeter/usage"
)

const (
	minute = int64(60_000)
	hour   = 60 * minute
	t0     = int64(1_790_000_000_000) / hour * hour
)

// node makes the batch number seq of one node with eight busy GPUs, about the
// window that starts at startMs.
func node(tb testing.TB, n int, seq uint64, startMs, lengthMs int64) usage.Sealed {
	tb.Helper()
	b := usage.Batch{
		Agent: fmt.Sprintf("%032x", n+1), Epoch: fmt.Sprintf("%032x", 1), Seq: seq, Evidence: usage.EvidenceAgent,
		IntervalMs: 1000, Prev: usage.Hash{byte(n), byte(seq), 1}.String(),
		Node: usage.Node{Name: fmt.Sprintf("node-%d", n), Driver: "580", Cloud: usage.Cloud{Provider: "aws", Region: "us-east-1"}},
	}
	for i := range 8 {
		uuid := fmt.Sprintf("GPU-%08x-%d", n, i)
		b.GPUs = append(b.GPUs, usage.GPU{UUID: uuid, Model: "H100", Index: i, MemoryBytes: 80 << 30})
		busy := lengthMs * int64((n+i*7+int(seq))%97) / 97
		b.Records = append(b.Records, usage.Record{
			GPU: uuid, StartMs: startMs, EndMs: startMs + lengthMs,
			Holder: usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Group: "team", Name: fmt.Sprint((n + int(seq)/50) % 1000)},
			Sums: usage.Sums{BusyMs: busy, IdleMs: lengthMs - busy, SMActiveMs: busy / 2, SMKnownMs: lengthMs,
				EnergyMJ: busy * 600, EnergyKnownMs: lengthMs},
		})
	}
	s, err := usage.Seal(b)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
