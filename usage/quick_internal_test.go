package usage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
)

// quickSample has every field of the wire, and what stands in several records.
func quickSample() Batch {
	r := Record{
		GPU: "GPU-a", StartMs: 60_000, EndMs: 120_000,
		Holder: Holder{Basis: BasisKubelet, Kind: "pod", Group: "ml", Name: "train-0", Part: "main", Labels: "team=search"},
		Sums:   Sums{UnhealthyMs: 1, UnallocatedMs: 2, IdleMs: 3, UnmeasuredMs: 4, BusyMs: 5, SMActiveMs: 6, SMKnownMs: 7, EnergyMJ: 8, EnergyKnownMs: 9},
	}
	other := Record{GPU: "GPU-b", StartMs: -1, EndMs: math.MaxInt64 / 10, Reason: "driver_hang"}
	return Batch{
		Version: WireVersion, Agent: strings.Repeat("a", 32), Epoch: strings.Repeat("b", 32), Seq: 17, Prev: strings.Repeat("c", 64),
		Evidence: EvidenceAgent, IntervalMs: 1000, ClockOffsetMs: -12,
		Node: Node{Name: "n-1", MachineID: "m", Driver: "580.95.05", Agent: "1.0", ExpectedGPUs: 8, Cloud: Cloud{
			Provider: "aws", Account: "1", Region: "r", Zone: "z", InstanceType: "t", InstanceID: "i", Reservation: "cr", Cluster: "c", NodePool: "p", Rack: "k",
		}},
		GPUs: []GPU{
			{UUID: "GPU-a", Model: "H100", Name: "NVIDIA H100", Index: 0, Serial: "s", PCI: "0:1", MemoryBytes: 80 << 30},
			{UUID: "GPU-b", Model: "H100", Name: "NVIDIA H100", Index: 1},
		},
		Records: []Record{r, r, other, r},
		Events:  []Event{{AtMs: 1, Kind: EventXid, GPU: "GPU-a", Value: 79, Detail: "off the bus"}, {AtMs: 2, Kind: EventAgentStop}},
	}
}

func sealed(t testing.TB, b Batch) []byte {
	t.Helper()
	s, err := Seal(b)
	if err != nil {
		t.Fatal(err)
	}
	return s.Body
}

// agrees decodes a body both ways; quick says whether the quick one could.
func agrees(t *testing.T, body []byte) (quick bool) {
	t.Helper()
	var got, want Batch
	if !decodeQuick(body, &got) {
		return false
	}
	if err := json.Unmarshal(body, &want); err != nil {
		t.Fatalf("quick reads what is no batch (%v): %q", err, body)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("quick reads\n%+v\nwant\n%+v\nof %s", got, want, body)
	}
	return true
}

// TestDecodeQuickReadsWhatSealWrites would not notice a slow way that is taken
// for everything, if it did not want the quick one.
func TestDecodeQuickReadsWhatSealWrites(t *testing.T) {
	none := Batch{Version: WireVersion}
	empty := Batch{GPUs: []GPU{}, Records: []Record{}, Events: []Event{}}
	for _, b := range []Batch{quickSample(), none, empty} {
		if body := sealed(t, b); !agrees(t, body) {
			t.Errorf("not read quickly: %s", body)
		}
	}
}

// TestDecodeQuickLeavesTheRest changes a batch in ways that encoding/json has
// its own mind about.
func TestDecodeQuickLeavesTheRest(t *testing.T) {
	body := string(sealed(t, quickSample()))
	f := func(old, new string) {
		t.Helper()
		changed := strings.Replace(body, old, new, 1)
		if changed == body {
			t.Fatalf("the batch lacks %q", old)
		}
		if agrees(t, []byte(changed)) {
			t.Errorf("read quickly with %q for %q", new, old)
		}
	}
	f(`"seq":17`, `"seq":-17`)
	f(`"seq":17`, `"seq":017`)
	f(`"seq":17`, `"seq":1e2`)
	f(`"seq":17`, `"seq":18446744073709551615`)
	f(`"seq":17`, `"seq":`)
	f(`"seq":17`, `"seq":17,"seq":18`)
	f(`"seq":17`, `"SEQ":17`)
	f(`"seq":17`, `"seq": 17`)
	f(`"seq":17`, `"seq":17,"later":{}`)
	f(`"seq":17,`, `"seq":17`)
	f(`"clock_offset_ms":-12`, `"clock_offset_ms":-0`)
	f(`"clock_offset_ms":-12`, `"clock_offset_ms":--12`)
	f(`train-0`, `train\u002d0`)
	f(`train-0`, "train\x01")
	f(`train-0`, "tr\xffain")
	f(`train-0`, "trän")
	f(`"gpus":[`, `"gpus":[,`)
	f(`],"records"`, `,],"records"`)
	f(`],"records"`, `}],"records"`)
	f(`{"v"`, ` {"v"`)
	for n := range len(body) {
		if agrees(t, []byte(body[:n])) {
			t.Errorf("read quickly though cut after %d bytes", n)
		}
	}
	if agrees(t, []byte(body+"}")) || agrees(t, []byte(body+body)) {
		t.Error("read quickly with more behind it")
	}
}

// TestDecodeQuickKeepsTextsOnce shares what stands in several records.
func TestDecodeQuickKeepsTextsOnce(t *testing.T) {
	b := quickSample()
	b.Records = nil
	for i := range 100 {
		b.Records = append(b.Records, quickSample().Records[0])
		b.Records[i].StartMs = int64(i)
	}
	body := sealed(t, b)
	few := testing.AllocsPerRun(10, func() {
		if !decodeQuick(body, new(Batch)) {
			t.Fatal("not read quickly")
		}
	})
	if few > 60 {
		t.Errorf("%v allocations for 100 records of one holder", few)
	}
}

// FuzzDecodeQuick wants no difference wherever the quick way is taken.
func FuzzDecodeQuick(f *testing.F) {
	f.Add(sealed(f, quickSample()))
	f.Add([]byte(`{"v":1,"agent":"","epoch":"","seq":0,"evidence":"","interval_ms":0,"node":{"name":"","cloud":{}},"gpus":null,"records":null}`))
	f.Add([]byte(fmt.Sprintf(`{"seq":%d,"records":[{"gpu":"GPU-a"},{"gpu":"GPU-a"}]}`, math.MaxInt64)))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		if agrees(t, body); !bytes.Equal(body, before) {
			t.Error("the body is changed")
		}
	})
}
