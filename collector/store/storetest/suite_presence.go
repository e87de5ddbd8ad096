package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

var decommission = contract.Decommission.Milliseconds()

// there is a presence of GPU-a in node-1, as from makes it.
func there(fromMs, toMs int64, goodbye bool) contract.Presence {
	return contract.Presence{GPU: "GPU-a", Model: "H100", Node: "node-1", Provider: "aws", Account: "a", Region: "r",
		StartMs: fromMs, EndMs: toMs, Goodbye: goodbye}
}

// present returns presences without their units' numbers, in one order. It
// fails the test unless each unit's are by start and stand together.
func present(t *testing.T, st store.Store) []contract.Presence {
	t.Helper()
	out, err := st.Presence(context.Background())
	if err != nil {
		t.Fatalf("presence: %v", err)
	}
	ended := map[int64]int64{}
	for i, p := range out {
		if end, ok := ended[p.Unit]; ok && (out[i-1].Unit != p.Unit || p.StartMs-end <= decommission) {
			t.Errorf("presence %d of unit %d starts at %d, after one that ended at %d", i, p.Unit, p.StartMs, end)
		}
		ended[p.Unit] = p.EndMs
	}
	for i := range out {
		out[i].Unit = 0
	}
	slices.SortFunc(out, comparePresence)
	return out
}

func wantPresence(t *testing.T, st store.Store, want ...contract.Presence) {
	t.Helper()
	slices.SortFunc(want, comparePresence)
	if diff := cmp.Diff(present(t, st), want); diff != "" {
		t.Errorf("presence (-got +want):\n%s", diff)
	}
}

func bridgesSilence(t *testing.T, open Open) {
	a, b := busy("GPU-a", t0, t0+minute), busy("GPU-a", t0+minute+decommission, t0+2*minute+decommission)
	late := busy("GPU-a", b.EndMs+decommission+1, b.EndMs+decommission+minute)
	st := fresh(t, open)
	add(t, st, []usage.Sealed{records(1, 3, late), records(1, 1, a)})
	wantPresence(t, st, there(a.StartMs, a.EndMs, false), there(late.StartMs, late.EndMs, false))
	// Another stream's records of the same unit count too.
	add(t, st, []usage.Sealed{records(2, 1, b)})
	wantPresence(t, st, there(a.StartMs, b.EndMs, false), there(late.StartMs, late.EndMs, false))
	// One millisecond more joins them all.
	add(t, st, []usage.Sealed{records(1, 4, busy("GPU-a", b.EndMs, b.EndMs+1))})
	wantPresence(t, st, there(a.StartMs, late.EndMs, false))
}

func tellsUnitsApart(t *testing.T, open Open) {
	dir := t.TempDir()
	st := open(t, dir)
	seq := uint64(0)
	say := func(edit func(*usage.Batch)) {
		seq++
		at := t0 + int64(seq)*hour
		add(t, st, []usage.Sealed{from(1, seq, func(b *usage.Batch) {
			b.Records = []usage.Record{busy("GPU-a", at, at+minute)}
			b.GPUs = []usage.GPU{{UUID: "GPU-a", Model: "H100"}}
			edit(b)
		})})
	}
	say(func(*usage.Batch) {})
	say(func(b *usage.Batch) { b.Node.Driver, b.Node.Agent = "580", "2" })
	say(func(b *usage.Batch) { b.GPUs[0].Index, b.GPUs[0].Name, b.GPUs[0].MemoryBytes = 7, "NVIDIA H100", 1 })
	wantCounts(t, st, store.Counts{Records: 3, Batches: 3, Units: 1})
	moved := there(t0+4*hour, t0+4*hour+minute, false)
	moved.Node = "node-2"
	say(func(b *usage.Batch) { b.Node.Name = "node-2" })
	reserved := there(t0+5*hour, t0+5*hour+minute, false)
	reserved.Reservation = "cr-1"
	say(func(b *usage.Batch) { b.Node.Cloud.Reservation = "cr-1" })
	say(func(b *usage.Batch) { b.Node.Cloud.InstanceID = "i-1" })
	say(func(b *usage.Batch) { b.GPUs[0].Model = "H200" })
	h200 := there(t0+7*hour, t0+7*hour+minute, false)
	h200.Model = "H200"
	say(func(*usage.Batch) {}) // back again
	pooled := there(t0+9*hour, t0+9*hour+minute, false)
	pooled.Zone, pooled.InstanceType, pooled.Cluster, pooled.NodePool, pooled.Rack = "r-1b", "p5", "east", "pool-1", "r7"
	say(func(b *usage.Batch) {
		c := &b.Node.Cloud
		c.Zone, c.InstanceType, c.Cluster, c.NodePool, c.Rack = "r-1b", "p5", "east", "pool-1", "r7"
	})
	say(func(b *usage.Batch) { b.Node.ExpectedGPUs = 8 })
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	wantCounts(t, st, store.Counts{Records: 10, Batches: 10, Units: 7})
	instance := there(t0+6*hour, t0+6*hour+minute, false)
	instance.InstanceID = "i-1"
	wantPresence(t, st, there(t0+hour, t0+8*hour+minute, false), moved, reserved, h200, instance, pooled,
		there(t0+10*hour, t0+10*hour+minute, false))
}

func believesAGoodbye(t *testing.T, open Open) {
	end := t0 + minute
	dir := t.TempDir()
	st := open(t, dir)
	// Each case has a node and an agent of its own.
	cases := []struct {
		events []usage.Event
		want   bool
	}{
		{},
		{[]usage.Event{{AtMs: end, Kind: usage.EventGoodbye}}, true},
		{[]usage.Event{{AtMs: end + minute, Kind: usage.EventGoodbye, GPU: "GPU-a"}}, true},
		{[]usage.Event{{AtMs: end - 1, Kind: usage.EventGoodbye}}, false},
		{[]usage.Event{{AtMs: end, Kind: usage.EventGoodbye, GPU: "GPU-b"}}, false},
		{[]usage.Event{{AtMs: end, Kind: usage.EventAgentStop}}, false},
	}
	say := func(i int, seq uint64, r usage.Record, events []usage.Event) usage.Sealed {
		return from(i, seq, func(b *usage.Batch) {
			b.Node.Name, b.Records, b.Events = fmt.Sprint(i), []usage.Record{r}, events
		})
	}
	var before, after []contract.Presence
	var batches, later []usage.Sealed
	for i, c := range cases {
		p := there(t0, end, c.want)
		p.Node = fmt.Sprint(i)
		before = append(before, p)
		p.EndMs, p.Goodbye = end+2*hour, false
		after = append(after, p)
		batches = append(batches, say(i, 1, busy("GPU-a", t0, end), c.events))
		later = append(later, say(i, 2, busy("GPU-a", end+hour, end+2*hour), nil))
	}
	add(t, st, batches)
	wantPresence(t, st, before...)
	closeStore(t, st)
	st = open(t, dir)
	defer func() { closeStore(t, st) }()
	wantPresence(t, st, before...)
	add(t, st, later) // takes them back
	wantPresence(t, st, after...)
}

func believesAGoodbyeInBetween(t *testing.T, open Open) {
	end := t0 + minute
	back := end + decommission + hour
	st := fresh(t, open)
	goodbye := func(at int64, node string) usage.Sealed {
		return from(2, uint64(at), func(b *usage.Batch) {
			b.Node.Name, b.Events = node, []usage.Event{{AtMs: at, Kind: usage.EventGoodbye}}
		})
	}
	add(t, st, []usage.Sealed{goodbye(end+1, "node-2"), records(1, 1, busy("GPU-a", t0, end)), records(1, 2, busy("GPU-a", back, back+minute))})
	wantPresence(t, st, there(t0, end, false), there(back, back+minute, false))
	// It ends the first of two presences, whoever says so of the node.
	add(t, st, []usage.Sealed{goodbye(back-1, "node-1")})
	wantPresence(t, st, there(t0, end, true), there(back, back+minute, false))
	add(t, st, []usage.Sealed{goodbye(back+minute, "node-1")})
	wantPresence(t, st, there(t0, end, true), there(back, back+minute, true))
}
