package storetest

import (
	"context"
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
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	wantCounts(t, st, store.Counts{Records: 8, Batches: 8, Units: 5})
	wantPresence(t, st, there(t0+hour, t0+8*hour+minute, false), moved, reserved, h200, there(t0+6*hour, t0+6*hour+minute, false))
}

func believesAGoodbye(t *testing.T, open Open) {
	end := t0 + minute
	f := func(want bool, events ...usage.Event) {
		t.Helper()
		dir := t.TempDir()
		st := open(t, dir)
		add(t, st, []usage.Sealed{from(1, 1, func(b *usage.Batch) {
			b.Records, b.Events = []usage.Record{busy("GPU-a", t0, end)}, events
		})})
		wantPresence(t, st, there(t0, end, want))
		closeStore(t, st)
		st = open(t, dir)
		wantPresence(t, st, there(t0, end, want))
		// A later record takes it back.
		add(t, st, []usage.Sealed{records(1, 2, busy("GPU-a", end+hour, end+2*hour))})
		wantPresence(t, st, there(t0, end+2*hour, false))
		closeStore(t, st)
	}
	f(false)
	f(true, usage.Event{AtMs: end, Kind: usage.EventGoodbye})
	f(true, usage.Event{AtMs: end + minute, Kind: usage.EventGoodbye, GPU: "GPU-a"})
	f(false, usage.Event{AtMs: end - 1, Kind: usage.EventGoodbye})
	f(false, usage.Event{AtMs: end, Kind: usage.EventGoodbye, GPU: "GPU-b"})
	f(false, usage.Event{AtMs: end, Kind: usage.EventAgentStop})

	st := fresh(t, open)
	goodbye := func(at int64, node string) usage.Sealed {
		return from(2, uint64(at), func(b *usage.Batch) {
			b.Node.Name, b.Events = node, []usage.Event{{AtMs: at, Kind: usage.EventGoodbye}}
		})
	}
	back := end + decommission + hour
	add(t, st, []usage.Sealed{goodbye(end+1, "node-2"), records(1, 1, busy("GPU-a", t0, end)), records(1, 2, busy("GPU-a", back, back+minute))})
	wantPresence(t, st, there(t0, end, false), there(back, back+minute, false))
	// In between it ends the first of two presences, from whomever it comes.
	add(t, st, []usage.Sealed{goodbye(back-1, "node-1")})
	wantPresence(t, st, there(t0, end, true), there(back, back+minute, false))
	add(t, st, []usage.Sealed{goodbye(back+minute, "node-1")})
	wantPresence(t, st, there(t0, end, true), there(back, back+minute, true))
}
