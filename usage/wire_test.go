package usage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/usage"
)

const (
	agentID = "0123456789abcdef0123456789abcdef"
	epochID = "fedcba9876543210fedcba9876543210"
	gpuA    = "GPU-aaaaaaaa-0000-0000-0000-000000000000"
)

// sample returns a batch that passes Check.
func sample() usage.Batch {
	return usage.Batch{
		Agent: agentID, Epoch: epochID, Seq: 7, Evidence: usage.EvidenceAgent, IntervalMs: 1000,
		Node: usage.Node{Name: "n1", Cloud: usage.Cloud{Provider: "aws", Account: "1", Region: "us-east-1"}},
		GPUs: []usage.GPU{{UUID: gpuA, Model: "H100"}},
		Records: []usage.Record{{
			GPU: gpuA, StartMs: 60_000, EndMs: 120_000,
			Holder: usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: "ada"},
			Sums:   usage.Sums{BusyMs: 20_000, IdleMs: 40_000},
		}},
		Events: []usage.Event{{AtMs: 60_000, Kind: usage.EventXid, GPU: gpuA, Value: 13}},
	}
}

func TestSealedBatchOpensToWhatWasSealed(t *testing.T) {
	s, err := usage.Seal(sample())
	if err != nil {
		t.Fatal(err)
	}
	got, err := usage.Open(s.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	want.Version = usage.WireVersion
	if diff := cmp.Diff(want, got.Batch); diff != "" {
		t.Errorf("batch (-want +got):\n%s", diff)
	}
	if got.Hash != s.Hash {
		t.Errorf("hash %s, want %s", got.Hash, s.Hash)
	}
	if bytes.ContainsAny(s.Body, "\n\r") {
		t.Error("a sealed body holds a line break")
	}
}

// TestANodeThatSaysNothingNewIsSealedAsBefore keeps batches of agents that do
// not know these fields byte for byte.
func TestANodeThatSaysNothingNewIsSealedAsBefore(t *testing.T) {
	s, err := usage.Seal(sample())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"node_pool", "expected_gpus", "labels"} {
		if strings.Contains(string(s.Body), key) {
			t.Errorf("an unknown %s is written", key)
		}
	}
}

func TestOpenRefusesWhatIsNotOneBatch(t *testing.T) {
	s, err := usage.Seal(sample())
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"nothing":         "",
		"not JSON":        "hello",
		"two values":      string(s.Body) + "{}",
		"another version": strings.Replace(string(s.Body), `"v":1`, `"v":2`, 1),
		"wrong type":      strings.Replace(string(s.Body), `"seq":7`, `"seq":"7"`, 1),
		"negative seq":    strings.Replace(string(s.Body), `"seq":7`, `"seq":-7`, 1),
	} {
		if _, err := usage.Open([]byte(body)); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestLinesGiveBackTheBodies(t *testing.T) {
	var post []byte
	var want []string
	for i := range 3 {
		b := sample()
		b.Seq = uint64(i + 1)
		s, err := usage.Seal(b)
		if err != nil {
			t.Fatal(err)
		}
		post = usage.AppendLine(post, s.Body, s.Hash)
		want = append(want, string(s.Body))
	}
	var got []string
	if err := usage.Lines(bytes.NewReader(post), func(b []byte) error { got = append(got, string(b)); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	post[70] ^= 1
	err := usage.Lines(bytes.NewReader(post), func([]byte) error { return nil })
	if !errors.Is(err, usage.ErrHash) || !strings.HasPrefix(err.Error(), "line 1:") {
		t.Errorf("a flipped bit gives %v, want ErrHash on line 1", err)
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	good := sample()
	if err := good.Check(); err != nil {
		t.Fatalf("sample: %v", err)
	}
	for want, spoil := range map[string]func(*usage.Batch){
		"agent":                     func(b *usage.Batch) { b.Agent = "xyz" },
		"epoch":                     func(b *usage.Batch) { b.Epoch = strings.ToUpper(epochID) },
		"seq 0":                     func(b *usage.Batch) { b.Seq = 0 },
		"evidence":                  func(b *usage.Batch) { b.Evidence = "hearsay" },
		"node has no name":          func(b *usage.Batch) { b.Node.Name = "" },
		"not clean text":            func(b *usage.Batch) { b.Node.Cloud.Account = "a\nb" },
		"is not clean text":         func(b *usage.Batch) { b.Node.Cloud.NodePool = "a\x7f" },
		"-1 expected GPUs":          func(b *usage.Batch) { b.Node.ExpectedGPUs = -1 },
		"1025 expected GPUs":        func(b *usage.Batch) { b.Node.ExpectedGPUs = usage.MaxBatchGPUs + 1 },
		"listed twice":              func(b *usage.Batch) { b.GPUs = append(b.GPUs, b.GPUs[0]) },
		"not in the batch's":        func(b *usage.Batch) { b.Records[0].GPU = "GPU-x" },
		"is empty, negative":        func(b *usage.Batch) { b.Records[0].EndMs = b.Records[0].StartMs },
		"longer than an hour":       func(b *usage.Batch) { b.Records[0].EndMs += 1 << 50 },
		"a sum is negative":         func(b *usage.Batch) { b.Records[0].BusyMs = -1 },
		"longer than its span":      func(b *usage.Batch) { b.Records[0].BusyMs = 1 << 62 },
		"observed 60001 ms":         func(b *usage.Batch) { b.Records[0].UnhealthyMs = 1 },
		"overlap":                   func(b *usage.Batch) { r := b.Records[0]; r.StartMs++; r.IdleMs = 0; b.Records = append(b.Records, r) },
		"together observed 120000":  func(b *usage.Batch) { b.Records = append(b.Records, b.Records[0]) },
		"more than any GPU draws":   func(b *usage.Batch) { b.Records[0].EnergyMJ, b.Records[0].EnergyKnownMs = 1<<40, 60_000 },
		"prev_hash":                 func(b *usage.Batch) { b.Prev = "abc" },
		"event 0":                   func(b *usage.Batch) { b.Events[0].Kind = "" },
		"holder or reason":          func(b *usage.Batch) { b.Records[0].Holder.Name = strings.Repeat("x", 300) },
		"labels \"team":             func(b *usage.Batch) { b.Records[0].Holder.Labels = "team=x,cost=1" },
		"labels \"aaa":              func(b *usage.Batch) { b.Records[0].Holder.Labels = strings.Repeat("a", 1023) + "=x" },
		"observed 60000 ms of a sp": func(b *usage.Batch) { b.Records[0].SMActiveMs = 1 },
	} {
		b := sample()
		spoil(&b)
		if err := b.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Check = %v, want an error with %q", err, want)
		}
	}
}

// FuzzOpen checks that what opens and passes Check is sane whatever bytes it
// came from, and survives being sealed again.
func FuzzOpen(f *testing.F) {
	s, err := usage.Seal(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Body)
	f.Add([]byte(`{"v":1,"records":[{"start_ms":-9223372036854775808,"end_ms":9223372036854775807}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := usage.Open(body)
		if err != nil || s.Batch.Check() != nil {
			return
		}
		perGPU := map[string]map[int64]int64{}
		for _, r := range s.Batch.Records {
			if perGPU[r.GPU] == nil {
				perGPU[r.GPU] = map[int64]int64{}
			}
			perGPU[r.GPU][r.StartMs] += r.ObservedMs()
			if n := perGPU[r.GPU][r.StartMs]; n < 0 || n > r.EndMs-r.StartMs {
				t.Errorf("accepted %d ms of a span of %d ms", n, r.EndMs-r.StartMs)
			}
		}
		again, err := usage.Seal(s.Batch)
		if err != nil {
			t.Fatalf("sealed again: %v", err)
		}
		back, err := usage.Open(again.Body)
		if err != nil {
			t.Fatalf("opened again: %v", err)
		}
		x, _ := json.Marshal(s.Batch)
		y, _ := json.Marshal(back.Batch)
		if !bytes.Equal(x, y) {
			t.Errorf("sealing changed the batch:\n%s\n%s", x, y)
		}
	})
}

func ExampleSeal() {
	s, err := usage.Seal(usage.Batch{Agent: agentID, Epoch: epochID, Seq: 1, Evidence: usage.EvidenceAgent, Node: usage.Node{Name: "n1"}})
	if err != nil {
		panic(err)
	}
	b, err := usage.Open(s.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(b.Batch.ID())
	// Output: 01234567/fedcba98/1
}
