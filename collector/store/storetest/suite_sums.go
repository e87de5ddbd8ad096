package storetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// ask asks for spans of the one unit that a store has.
func ask(t *testing.T, st store.Store, edges []int64, spans ...contract.Span) contract.Answer {
	t.Helper()
	presence, err := st.Presence(context.Background())
	if err != nil || len(presence) == 0 {
		t.Fatalf("presence = %v, %v", presence, err)
	}
	for i := range spans {
		spans[i].Unit = presence[0].Unit
	}
	return query(t, st, contract.Query{Spans: spans, Edges: edges})
}

// query returns an answer without zero sums, in one order.
func query(t *testing.T, st store.Store, q contract.Query) contract.Answer {
	t.Helper()
	a, err := st.Sums(context.Background(), q)
	if err != nil {
		t.Fatalf("sums: %v", err)
	}
	a.Sums = slices.DeleteFunc(a.Sums, func(s contract.Sum) bool { return s.Sums == usage.Sums{} })
	sortAnswer(&a)
	return a
}

func busySum(key, slot int, ms int64) contract.Sum {
	return contract.Sum{Key: key, Slot: slot, Sums: usage.Sums{BusyMs: ms}}
}

func wantAnswer(t *testing.T, got, want contract.Answer) {
	t.Helper()
	for i := range got.Straddles {
		got.Straddles[i].Unit = 0
	}
	sortAnswer(&want)
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("answer (-got +want):\n%s", diff)
	}
}

func addsUpByKeyAndSlot(t *testing.T, open Open) {
	st := fresh(t, open)
	var list []usage.Record
	for i := range int64(6) {
		list = append(list, busy("GPU-a", t0+i*minute, t0+(i+1)*minute))
	}
	full := usage.Sums{UnhealthyMs: 1, UnallocatedMs: 2, IdleMs: 3, UnmeasuredMs: 4, BusyMs: 5,
		SMActiveMs: 6, SMKnownMs: 7, EnergyMJ: 1 << 50, EnergyKnownMs: 8}
	list = append(list, usage.Record{GPU: "GPU-a", StartMs: t0 + 6*minute, EndMs: t0 + 7*minute, Sums: full})
	add(t, st, []usage.Sealed{records(1, 1, list...)})
	got := ask(t, st, []int64{t0, t0 + 2*minute, t0 + 5*minute, t0 + 7*minute},
		contract.Span{FromMs: t0 - hour, ToMs: t0 + minute, Key: 3},
		contract.Span{FromMs: t0 + minute, ToMs: t0 + 3*minute, Key: 0},
		contract.Span{FromMs: t0 + 3*minute, ToMs: t0 + 3*minute, Key: 9},
		contract.Span{FromMs: t0 + 4*minute, ToMs: t0 + 5*minute, Key: 3},
		contract.Span{FromMs: t0 + 6*minute, ToMs: math.MaxInt64, Key: 1})
	wantAnswer(t, got, contract.Answer{Sums: []contract.Sum{
		busySum(0, 0, minute), busySum(0, 1, minute), {Key: 1, Slot: 2, Sums: full}, busySum(3, 0, minute), busySum(3, 1, minute),
	}})
}

func addsUpByHolder(t *testing.T, open Open) {
	dir := t.TempDir()
	st := open(t, dir)
	a := usage.Holder{Basis: usage.BasisKubelet, Kind: "pod", Group: "ml", Name: "a", Part: "main"}
	b, c := a, a
	b.Part, c.Labels = "side", "team=x"
	nobody := usage.Holder{Basis: usage.BasisKubelet}
	var list []usage.Record
	for i, h := range []usage.Holder{a, b, c, a, nobody, {}, a} { // each a third of a minute, two to the last
		r := busy("GPU-a", t0+int64(i/3)*minute, t0+int64(i/3+1)*minute)
		r.Holder, r.BusyMs = h, 20*second
		list = append(list, r)
	}
	add(t, st, []usage.Sealed{records(1, 1, list...)})
	// Another agent's claim to the second minute does not own it, and its
	// holder is not spoken of.
	lost := busy("GPU-a", t0+minute, t0+2*minute)
	lost.Holder.Kind = "user"
	add(t, st, []usage.Sealed{records(2, 1, lost)})
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	presence, err := st.Presence(context.Background())
	if err != nil || len(presence) == 0 {
		t.Fatalf("presence = %v, %v", presence, err)
	}
	q := contract.Query{By: contract.ByHolder, Edges: []int64{t0, t0 + hour}, Spans: []contract.Span{
		{Unit: presence[0].Unit, FromMs: t0, ToMs: t0 + 2*minute, Key: 1}, {Unit: presence[0].Unit, FromMs: t0 + 2*minute, ToMs: t0 + 2*minute + second, Key: 2},
	}}
	sum := func(group int, ms int64) contract.Sum {
		return contract.Sum{Key: 1, Group: group, Sums: usage.Sums{BusyMs: ms}}
	}
	f := func(by contract.By, groups []string, sums ...contract.Sum) {
		t.Helper()
		q.By = by
		wantAnswer(t, query(t, st, q), contract.Answer{Groups: groups, Sums: sums, Straddles: []contract.Straddle{{Record: list[6]}}, Overlaps: 1})
	}
	f(contract.ByHolder, []string{"", "pod ml/a"}, sum(0, 40*second), sum(1, 80*second))
	f(contract.ByTeam, []string{"", "ml", "x"}, sum(0, 40*second), sum(1, 60*second), sum(2, 20*second))
	f(contract.ByNode, nil, busySum(1, 0, 2*minute)) // that is for the keys to say
	f("", nil, busySum(1, 0, 2*minute))
}

func returnsWhatStraddles(t *testing.T, open Open) {
	st := fresh(t, open)
	a := busy("GPU-a", t0, t0+minute)
	a.Holder, a.BusyMs = usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Name: "1"}, 10
	b := a
	b.Holder.Name, b.Reason = "2", "driver_hang"
	c := busy("GPU-a", t0+minute, t0+2*minute)
	add(t, st, []usage.Sealed{records(1, 1, a, b, c)})
	both := contract.Answer{Straddles: []contract.Straddle{{Record: a}, {Record: b}}}
	f := func(want contract.Answer, edges []int64, spans ...contract.Span) {
		t.Helper()
		wantAnswer(t, ask(t, st, edges, spans...), want)
	}
	day := []int64{t0 - hour, t0 + hour}
	f(both, day, contract.Span{FromMs: t0 + second, ToMs: t0 + minute})
	f(both, day, contract.Span{FromMs: t0 - second, ToMs: t0 + 1})
	f(both, []int64{t0 - hour, t0 + second, t0 + minute}, contract.Span{FromMs: t0, ToMs: t0 + hour})
	f(both, []int64{t0 + second, t0 + minute}, contract.Span{FromMs: t0, ToMs: t0 + hour})
	f(both, day, contract.Span{FromMs: t0, ToMs: t0 + second, Key: 1}, contract.Span{FromMs: t0 + second, ToMs: t0 + minute, Key: 2})
	// Time that a span and the slots have in common is what counts.
	f(contract.Answer{}, []int64{t0 + second, t0 + 2*second}, contract.Span{FromMs: t0, ToMs: t0 + second})
	f(contract.Answer{}, []int64{t0 + second, t0 + 2*second}, contract.Span{FromMs: t0 + 2*second, ToMs: t0 + minute})
	f(contract.Answer{}, []int64{t0 - hour, t0}, contract.Span{FromMs: t0 - hour, ToMs: t0})
	all := both
	all.Straddles = append([]contract.Straddle{{Record: c}}, both.Straddles...)
	f(all, []int64{t0, t0 + minute - 1, t0 + minute + 1, t0 + hour}, contract.Span{FromMs: t0, ToMs: t0 + hour})
}

func letsTheOwnerCount(t *testing.T, open Open) {
	st := fresh(t, open)
	window := func(i int64) usage.Record { return busy("GPU-a", t0+i*minute, t0+(i+1)*minute) }
	// f appends batches about a GPU of their own, each in a call, and wants so
	// many busy minutes.
	cases := 0
	f := func(minutes, overlaps int64, batches ...usage.Sealed) {
		t.Helper()
		cases++
		gpu := fmt.Sprint("GPU-", cases)
		for _, s := range batches {
			s = about(s.Batch, gpu, cases)
			check(t, []usage.Sealed{s})
			add(t, st, []usage.Sealed{s})
		}
		want := contract.Answer{Sums: []contract.Sum{busySum(0, 0, minutes*minute)}, Overlaps: overlaps}
		wantAnswer(t, query(t, st, hourOf(t, st, gpu, "node-1")), want)
	}
	prometheus := func(agent int, list ...usage.Record) usage.Sealed {
		return from(agent, 1, func(b *usage.Batch) { b.Evidence, b.Records = usage.EvidencePrometheus, list })
	}
	long := busy("GPU-a", t0+30*second, t0+150*second) // over half of 0, 1, half of 2
	f(3, 0, records(1, 1, window(0)), records(2, 1, window(1)), prometheus(0, window(2)))
	f(1, 1, records(2, 1, window(0)), records(1, 1, window(0)))
	f(2, 1, prometheus(0, window(0), window(1)), records(9, 1, window(1)))
	f(3, 1, records(1, 1, window(0), window(1), window(2)), records(2, 1, long))
	f(2, 3, records(2, 1, window(0), window(1), window(2)), records(1, 1, long))
	// One that lost still owns against the next: C loses to B, and B to A.
	a, b, c := busy("GPU-a", t0, t0+minute), busy("GPU-a", t0+30*second, t0+90*second), busy("GPU-a", t0+minute, t0+2*minute)
	f(1, 2, records(3, 1, c), records(2, 1, b), records(1, 1, a))
	// A clock set back: the earlier batch of one stream owns.
	f(2, 1, records(1, 1, window(0), window(1)), records(1, 2, window(1)))
	f(2, 1, records(1, 2, window(1)), records(1, 1, window(0), window(1)))
	// Holders of one window share it, and lose together.
	x, y := window(0), window(0)
	x.BusyMs, y.BusyMs = minute/2, minute/2
	y.Holder.Name = "y"
	f(1, 0, records(1, 1, x, y))
	f(1, 2, records(2, 1, x, y), records(1, 1, window(0)))

	// They may meet outside of the time that is asked for.
	add(t, st, []usage.Sealed{
		about(records(2, 1, busy("", t0-hour/2, t0+hour/2)).Batch, "GPU-y", 98),
		about(records(1, 1, busy("", t0-hour, t0-1)).Batch, "GPU-y", 98),
		about(records(2, 2, busy("", t0+hour/2, t0+hour+hour/2)).Batch, "GPU-y", 98),
		about(records(1, 2, busy("", t0+hour+1, t0+2*hour)).Batch, "GPU-y", 98),
	})
	wantAnswer(t, query(t, st, hourOf(t, st, "GPU-y", "node-1")), contract.Answer{Overlaps: 2})
	// The owner may stand under another unit, which nobody asks for.
	add(t, st, []usage.Sealed{about(records(2, 1, window(0), window(1)).Batch, "GPU-x", 99)})
	add(t, st, []usage.Sealed{from(1, 50, func(b *usage.Batch) {
		b.Node.Name, b.Records = "node-2", []usage.Record{busy("GPU-x", t0, t0+minute)}
	})})
	wantAnswer(t, query(t, st, hourOf(t, st, "GPU-x", "node-1")),
		contract.Answer{Sums: []contract.Sum{busySum(0, 0, minute)}, Overlaps: 1})
	wantAnswer(t, query(t, st, hourOf(t, st, "GPU-x", "node-2")),
		contract.Answer{Sums: []contract.Sum{busySum(0, 0, minute)}})
}

// about says of another GPU, in another epoch, what b says.
func about(b usage.Batch, gpu string, epoch int) usage.Sealed {
	b.Epoch, b.GPUs, b.Records = id(epoch), nil, slices.Clone(b.Records)
	for i := range b.Records {
		b.Records[i].GPU = gpu
	}
	return seal(b)
}

// hourOf asks for the first hour of a GPU in a node.
func hourOf(t *testing.T, st store.Store, gpu, node string) contract.Query {
	t.Helper()
	presence, err := st.Presence(context.Background())
	for _, p := range presence {
		if p.GPU == gpu && p.Node == node {
			return contract.Query{Edges: []int64{t0, t0 + hour}, Spans: []contract.Span{{Unit: p.Unit, FromMs: t0, ToMs: t0 + hour}}}
		}
	}
	t.Fatalf("%s is not in %s: presence = %v, %v", gpu, node, presence, err)
	return contract.Query{}
}

func addsUpNothing(t *testing.T, open Open) {
	st := fresh(t, open)
	add(t, st, []usage.Sealed{records(1, 1, busy("GPU-a", t0, t0+minute))})
	wide := []int64{math.MinInt64, math.MinInt64 / 2, math.MaxInt64}
	wantAnswer(t, ask(t, st, wide, contract.Span{FromMs: math.MinInt64, ToMs: math.MaxInt64, Key: 5}),
		contract.Answer{Sums: []contract.Sum{busySum(5, 1, minute)}})
	wantAnswer(t, ask(t, st, []int64{math.MinInt64, -5, -1}, contract.Span{FromMs: math.MinInt64, ToMs: math.MaxInt64}), contract.Answer{})
	wantAnswer(t, query(t, st, contract.Query{Edges: wide}), contract.Answer{})
	for _, unit := range []int64{-1, 0, 77, math.MaxInt64} {
		wantAnswer(t, query(t, st, contract.Query{Edges: wide, Spans: []contract.Span{{Unit: unit, FromMs: 0, ToMs: math.MaxInt64}}}), contract.Answer{})
	}
}
