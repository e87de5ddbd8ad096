package nvml

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gpumeter/gpumeter/metric"
)

// codable is a message that can be written and read.
type codable interface {
	append([]byte) []byte
	decode([]byte) error
}

// unused returns an empty message of a kind; nil if there is none.
func unused(k kind) codable {
	switch k {
	case kindSettings:
		return &settings{}
	case kindHello:
		return &hello{}
	case kindGPU:
		return &identity{}
	case kindLook:
		return &look{values: make([]float64, len(Table))}
	case kindXid:
		return &xid{}
	case kindBeat:
		return &beat{}
	case kindStale, kindDown:
		return &note{}
	case kindLayout:
		return &layout{}
	case kindPortions:
		return &portions{}
	}
	return nil
}

func examples() []codable {
	values := make([]float64, len(Table))
	for i := range values {
		values[i] = float64(i) * 1.5
		if i%3 == 0 {
			values[i] = math.NaN()
		}
	}
	return []codable{
		&settings{"/usr/lib/libnvidia-ml.so.1", time.Second, []string{"ecc", "nvlink"}},
		&hello{tableSum(Table, InstanceTable), "580.95.05", "13.580", 8},
		&identity{3, metric.GPU{UUID: "GPU-1", Index: 3, Name: "NVIDIA H100", Serial: "165", PCI: "0:1B:0", VBIOS: "96", MemoryBytes: 80 << 30,
			Device: "nvidia3", Part: "692", Architecture: "hopper", Capability: "9.0", GSP: "580", InfoROM: "G520",
			Platform: metric.Platform{Chassis: "1", Slot: "2", Tray: "3", Host: "4", Module: "5"}, Fabric: "f", Clique: "7"}},
		&look{slot: 7, condition: metric.Good, ended: 12 * time.Second, since: 10 * time.Second, at: 11 * time.Second,
			util: metric.KnownShare(0.25), active: metric.KnownShare(0.125), processesKnown: true, processes: []metric.Process{{PID: 7, MemoryBytes: 1}, {PID: 9}}, values: values},
		&xid{2, 79, 5 * time.Second, 3 * time.Second},
		&beat{time.Second, []inFlight{{}, {since: 3 * time.Second, cold: true}}},
		&note{kindStale, "", "the driver has 7 GPUs, it had 8"},
		&note{kindDown, metric.ReasonNoDriver, "not at /usr/lib"},
		&layout{slot: 2, generation: 7, divided: true, instances: []placed{
			{1, "4g.40gb", 4, 7, []placedCompute{{0, "MIG-a", 1}, {2, "MIG-b", 3}}}, {13, "", 1, 7, []placedCompute{{0, "MIG-c", 1}}},
		}},
		&layout{slot: 255, generation: 8},
		&portions{2, 7, []portion{
			{metric.KnownShare(0.5), metric.Share{}, values[:len(InstanceTable)], []holders{{true, []metric.Process{{PID: 7, MemoryBytes: 1}}}, {}}},
			{metric.Share{}, metric.KnownShare(1), values[1 : len(InstanceTable)+1], []holders{{known: true}}},
		}},
	}
}

var exact = cmp.Options{
	cmp.AllowUnexported(settings{}, hello{}, identity{}, look{}, xid{}, beat{}, inFlight{}, note{},
		layout{}, placed{}, placedCompute{}, portions{}, portion{}, holders{}),
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
}

func TestMessagesSurviveTheWire(t *testing.T) {
	var wire []byte
	for _, m := range examples() {
		wire = m.append(wire)
	}
	r := bytes.NewReader(wire)
	for _, want := range examples() {
		k, message, err := readMessage(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := unused(k)
		if err := got.decode(message); err != nil {
			t.Errorf("decode %T: %v", want, err)
		}
		if d := cmp.Diff(want, got, exact); d != "" {
			t.Errorf("%T (-want +got):\n%s", want, d)
		}
	}
}

// TestDecodeRefusesDamage cuts and lengthens every message.
func TestDecodeRefusesDamage(t *testing.T) {
	for _, m := range examples() {
		whole := m.append(nil)[4:]
		k := kind(whole[0])
		for n := 1; n < len(whole); n++ {
			if err := unused(k).decode(whole[:n]); err == nil {
				t.Errorf("%T cut to %d of %d bytes is accepted", m, n, len(whole))
			}
		}
		if err := unused(k).decode(append(whole, 0)); err == nil {
			t.Errorf("%T with a byte too many is accepted", m)
		}
	}
}

func TestReadMessageRefusesLengths(t *testing.T) {
	for _, n := range []uint32{0, maxMessage + 1, math.MaxUint32} {
		b := binary.LittleEndian.AppendUint32(nil, n)
		if _, _, err := readMessage(bytes.NewReader(append(b, 1)), nil); err == nil {
			t.Errorf("length %d is accepted", n)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	m := &note{kindDown, "r", strings.Repeat("x", 100_000)}
	got := &note{}
	if err := got.decode(m.append(nil)[4:]); err != nil || len(got.detail) != maxText {
		t.Errorf("decode = %v with %d bytes, want %d", err, len(got.detail), maxText)
	}
}

// FuzzDecode asserts that what is accepted is written again as it was read, so
// that no two messages mean the same and none means more than it says.
func FuzzDecode(f *testing.F) {
	for _, m := range examples() {
		f.Add(m.append(nil)[4:])
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) == 0 {
			return
		}
		m := unused(kind(message[0]))
		if m == nil || m.decode(message) != nil {
			return
		}
		if again := m.append(nil)[4:]; !bytes.Equal(again, message) {
			t.Errorf("%x is read as %+v and written as %x", message, m, again)
		}
	})
}
