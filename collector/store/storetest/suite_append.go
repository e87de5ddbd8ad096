package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

func keepsItsID(t *testing.T, open Open) {
	dir := t.TempDir()
	st := open(t, dir)
	first := st.ID()
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	if got := st.ID(); got != first || len(got) != 32 {
		t.Errorf("id after reopening = %q, want %q, 32 hex digits", got, first)
	}
	if other := fresh(t, open).ID(); other == first {
		t.Errorf("two stores have the id %q", other)
	}
}

func startsEmpty(t *testing.T, open Open) {
	st, ctx := fresh(t, open), context.Background()
	wantCounts(t, st, store.Counts{})
	wantSeqs(t, st, id(1), id(1), nil)
	extent, err := st.Extent(ctx)
	if err != nil || extent != (store.Extent{}) {
		t.Errorf("extent = %v, %v, want none", extent, err)
	}
	presence, err := st.Presence(ctx)
	if err != nil || len(presence) != 0 {
		t.Errorf("presence = %v, %v, want none", presence, err)
	}
	answer, err := st.Sums(ctx, contract.Query{Spans: []contract.Span{{Unit: 1, FromMs: t0, ToMs: t0 + hour}}, Edges: []int64{t0, t0 + hour}})
	if err != nil || len(answer.Sums)+len(answer.Straddles) != 0 {
		t.Errorf("sums = %+v, %v, want none", answer, err)
	}
	statuses, err := st.Append(ctx, nil)
	if err != nil || len(statuses) != 0 {
		t.Errorf("append of nothing = %v, %v", statuses, err)
	}
}

func storesABatchOnce(t *testing.T, open Open) {
	dir := t.TempDir()
	st := open(t, dir)
	b := []usage.Sealed{records(1, 1, busy("GPU-a", t0, t0+minute), busy("GPU-b", t0, t0+minute))}
	add(t, st, b)
	want := store.Counts{Records: 2, Batches: 1, Units: 2}
	wantCounts(t, st, want)
	add(t, st, b, store.Duplicate)
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	add(t, st, b, store.Duplicate)
	wantCounts(t, st, want)
	wantSeqs(t, st, id(1), id(1), usage.Ranges{{Lo: 1, Hi: 1}})
	wantSeqs(t, st, id(1), id(2), nil)
	// The same number in another epoch is another batch.
	other := from(1, 1, func(b *usage.Batch) {
		b.Epoch, b.Records = id(2), []usage.Record{busy("GPU-a", t0+minute, t0+2*minute)}
	})
	add(t, st, []usage.Sealed{other})
	derived := from(2, 1, func(b *usage.Batch) { b.Evidence = usage.EvidencePrometheus })
	add(t, st, []usage.Sealed{derived})
	add(t, st, []usage.Sealed{derived, other}, store.Duplicate, store.Duplicate)
	wantCounts(t, st, store.Counts{Records: 3, Batches: 3, Units: 2})
}

func keepsTheFirstOfAConflict(t *testing.T, open Open) {
	dir := t.TempDir()
	st := open(t, dir)
	first := records(1, 1, busy("GPU-a", t0, t0+minute))
	second := records(1, 1, busy("GPU-a", t0, t0+2*minute))
	third := records(1, 1, busy("GPU-z", t0, t0+minute))
	// The evidence is not part of the identity.
	fourth := from(1, 1, func(b *usage.Batch) { b.Evidence = usage.EvidencePrometheus })
	add(t, st, []usage.Sealed{first})
	add(t, st, []usage.Sealed{second}, store.Conflict)
	add(t, st, []usage.Sealed{second, first, third, fourth}, store.Conflict, store.Duplicate, store.Conflict, store.Conflict)
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	add(t, st, []usage.Sealed{second, fourth}, store.Conflict, store.Conflict)
	wantCounts(t, st, store.Counts{Records: 1, Batches: 1, Conflicts: 3, Units: 1})
	if extent, err := st.Extent(context.Background()); err != nil || extent != (store.Extent{FromMs: t0, ToMs: t0 + minute}) {
		t.Errorf("extent = %v, %v: the conflict counts", extent, err)
	}
}

func judgesWithinOneCall(t *testing.T, open Open) {
	st := fresh(t, open)
	a := records(1, 7, busy("GPU-a", t0, t0+minute))
	other := records(1, 7, busy("GPU-a", t0, t0+second))
	add(t, st, []usage.Sealed{a, other, a, other}, store.Committed, store.Conflict, store.Duplicate, store.Conflict)
	wantCounts(t, st, store.Counts{Records: 1, Batches: 1, Conflicts: 1, Units: 1})
}

func takesSeqsInAnyOrder(t *testing.T, open Open) {
	dir := t.TempDir()
	st := open(t, dir)
	r := rand.New(rand.NewPCG(3, 3))
	var want usage.Ranges
	var batches []usage.Sealed
	for _, i := range r.Perm(300) {
		seq := uint64(i)*30 + 1 // over several thousand numbers
		if i%3 != 0 {
			seq = uint64(i) + 20_000 // pairs, with holes
		}
		batches = append(batches, records(1, seq))
		want = want.Add(seq)
	}
	add(t, st, batches[:200])
	add(t, st, batches[200:])
	huge := ^uint64(0)
	add(t, st, []usage.Sealed{records(1, huge)})
	want = want.Add(huge)
	wantSeqs(t, st, id(1), id(1), want)
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	wantSeqs(t, st, id(1), id(1), want)
}

func appendsNothingWhenCancelled(t *testing.T, open Open) {
	dir := t.TempDir()
	st := open(t, dir)
	add(t, st, []usage.Sealed{records(1, 1, busy("GPU-a", t0, t0+minute))})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	batches := []usage.Sealed{records(1, 2, busy("GPU-b", t0, t0+minute)), records(1, 1)}
	if _, err := st.Append(ctx, batches); !errors.Is(err, context.Canceled) {
		t.Fatalf("append with a cancelled context: %v, want context.Canceled", err)
	}
	if err := st.Quarantine(ctx, batches[0].Batch.ID(), batches[0], "x"); !errors.Is(err, context.Canceled) {
		t.Fatalf("quarantine with a cancelled context: %v, want context.Canceled", err)
	}
	want := store.Counts{Records: 1, Batches: 1, Units: 1}
	wantCounts(t, st, want)
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	wantCounts(t, st, want)
	add(t, st, batches, store.Committed, store.Conflict)
}

func appendsABatchWithoutRecords(t *testing.T, open Open) {
	st := fresh(t, open)
	b := from(1, 1, func(b *usage.Batch) {
		b.GPUs = []usage.GPU{{UUID: "GPU-a", Model: "H100"}}
		b.Events = []usage.Event{{AtMs: t0, Kind: usage.EventAgentStart}}
	})
	add(t, st, []usage.Sealed{b})
	wantCounts(t, st, store.Counts{Batches: 1})
	presence, err := st.Presence(context.Background())
	if err != nil || len(presence) != 0 {
		t.Errorf("presence = %v, %v: a GPU without a record is nowhere", presence, err)
	}
}

func quarantinesOnce(t *testing.T, open Open) {
	dir := t.TempDir()
	st, ctx := open(t, dir), context.Background()
	bad, other := usage.Sealed{Body: []byte("\xff{"), Hash: usage.Hash{1}}, usage.Sealed{Hash: usage.Hash{2}}
	at := usage.ID{Agent: id(1), Epoch: id(1), Seq: 2}
	good := records(1, 1, busy("GPU-a", t0, t0+minute))
	put := func(id usage.ID, s usage.Sealed) {
		t.Helper()
		if err := st.Quarantine(ctx, id, s, "a sum \xff is negative"); err != nil {
			t.Fatalf("quarantine: %v", err)
		}
	}
	add(t, st, []usage.Sealed{good})
	put(at, bad)
	put(at, bad)
	put(good.Batch.ID(), good) // committed: nothing to keep
	want := store.Counts{Records: 1, Batches: 1, Quarantined: 1, Units: 1}
	wantCounts(t, st, want)
	put(at, other)
	put(good.Batch.ID(), bad)
	want.Quarantined = 3
	wantCounts(t, st, want)
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	put(at, bad)
	wantCounts(t, st, want)
	wantSeqs(t, st, id(1), id(1), usage.Ranges{{Lo: 1, Hi: 2}})
	// Its seq is taken: what comes under it changes no sum.
	late := records(1, 2, busy("GPU-a", t0+minute, t0+2*minute))
	add(t, st, []usage.Sealed{late, late}, store.Conflict, store.Duplicate)
	want.Conflicts = 1
	wantCounts(t, st, want)
	if err := st.Quarantine(ctx, usage.ID{Agent: "\xff", Seq: 1}, bad, ""); err == nil {
		t.Error("quarantine under an identity that is not text: no error")
	}
}

func returnsEventsByTime(t *testing.T, open Open) {
	st, ctx := fresh(t, open), context.Background()
	xid := usage.Event{AtMs: t0 + 2, Kind: usage.EventXid, GPU: "GPU-a", Value: 79, Detail: "gone"}
	start := usage.Event{AtMs: t0, Kind: usage.EventAgentStart}
	step := usage.Event{AtMs: t0 + 2, Kind: usage.EventClockStep, Value: -5}
	old := usage.Event{AtMs: -1, Kind: usage.EventPause}
	here := from(1, 1, nil).Batch.Node.Cloud
	elsewhere := usage.Cloud{Provider: "azure", Account: "7", Region: "r", Zone: "z", InstanceType: "t", InstanceID: "i", Reservation: "v", Cluster: "c", NodePool: "p", Rack: "k"}
	add(t, st, []usage.Sealed{
		from(1, 1, func(b *usage.Batch) { b.Events = []usage.Event{xid, start} }),
		from(2, 1, nil),
		from(3, 1, func(b *usage.Batch) { b.Node.Name, b.Events = "node-0", []usage.Event{step, old} }),
		// The same name in another cloud.
		from(4, 1, func(b *usage.Batch) { b.Node.Name, b.Node.Cloud, b.Events = "node-0", elsewhere, []usage.Event{step} }),
	})
	f := func(fromMs, toMs int64, limit int, want ...store.Event) {
		t.Helper()
		got, err := st.Events(ctx, fromMs, toMs, limit)
		if err != nil {
			t.Fatalf("events: %v", err)
		}
		if diff := cmp.Diff(got, want); diff != "" && len(got)+len(want) > 0 {
			t.Errorf("events of [%d, %d), at most %d (-got +want):\n%s", fromMs, toMs, limit, diff)
		}
	}
	on := func(node string, cloud usage.Cloud, e usage.Event) store.Event {
		return store.Event{Node: node, Cloud: cloud, Event: e}
	}
	n0, n1 := "node-0", "node-1"
	all := []store.Event{on(n1, here, start), on(n0, here, step), on(n0, elsewhere, step), on(n1, here, xid)}
	slices.SortFunc(all, store.Event.Compare)
	f(t0, t0+3, 10, all...)
	f(t0, t0+3, 2, all[:2]...)
	f(t0, t0+2, 10, on(n1, here, start))
	f(-10, 0, 10, on(n0, here, old))
	f(t0+3, t0+9, 10)
	f(t0, t0+3, 0)
}

// keepsEveryText sends what a hostile but valid batch may say.
func keepsEveryText(t *testing.T, open Open) {
	dir := t.TempDir()
	st := open(t, dir)
	detail := "nul \x00, newline \n, quote ' \" and 🦉 " + strings.Repeat("x", 1000)
	holder := usage.Holder{Basis: usage.BasisKubelet, Kind: "pod", Group: "'; DROP TABLE records; --", Name: "名", Part: `\`, Labels: "team='🦉,z="}
	r := busy("GPU-'a", t0, t0+minute)
	r.Holder, r.Reason = holder, strings.Repeat("é", 128)
	other := r
	other.BusyMs, other.Holder.Labels = 0, "team=other"
	b := from(1, 1, func(b *usage.Batch) {
		b.Node.Name, b.Node.MachineID = "näme'", "\u00a0"
		b.Records = []usage.Record{r, other}
		b.GPUs = []usage.GPU{{UUID: r.GPU, Model: "M'", Index: -1, MemoryBytes: 1 << 63}}
		b.Events = []usage.Event{{AtMs: t0, Kind: "new kind", Detail: detail}}
	})
	check(t, []usage.Sealed{b})
	add(t, st, []usage.Sealed{b})
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	add(t, st, []usage.Sealed{b}, store.Duplicate)
	wantCounts(t, st, store.Counts{Records: 2, Batches: 1, Units: 1})
	events, err := st.Events(context.Background(), t0, t0+1, 1)
	if err != nil || len(events) != 1 || events[0].Detail != detail {
		t.Errorf("events = %+v, %v, want the detail %q", events, err, detail)
	}
	a := ask(t, st, []int64{t0, t0 + second}, contract.Span{FromMs: t0, ToMs: t0 + hour})
	if len(a.Straddles) != 2 || a.Straddles[0].Record != r || a.Straddles[1].Record != other {
		t.Errorf("straddling records = %+v, want %+v and %+v", a.Straddles, r, other)
	}
}
