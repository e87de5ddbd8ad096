package storetest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

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
	if diff := gocmp.Diff(got, want); diff != "" {
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
	window := func(i int64) usage.Record { return busy("GPU-a", t0+i*minute, t0+(i+1)*minute) }
	edges := []int64{t0, t0 + hour}
	all := contract.Span{FromMs: t0, ToMs: t0 + hour}
	// f appends batches of one unit, and wants so many busy minutes.
	f := func(minutes, overlaps int64, batches ...usage.Sealed) {
		t.Helper()
		check(t, batches)
		st := fresh(t, open)
		for _, b := range batches {
			add(t, st, []usage.Sealed{b})
		}
		got := ask(t, st, edges, all)
		want := contract.Answer{Sums: []contract.Sum{busySum(0, 0, minutes*minute)}, Overlaps: overlaps}
		wantAnswer(t, got, want)
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

	// The owner may stand under another unit, which nobody asks for.
	st := fresh(t, open)
	add(t, st, []usage.Sealed{records(2, 1, window(0), window(1))})
	add(t, st, []usage.Sealed{from(1, 1, func(b *usage.Batch) { b.Node.Name, b.Records = "node-2", []usage.Record{window(0)} })})
	unit := int64(0)
	presence, err := st.Presence(context.Background())
	for _, p := range presence {
		if p.Node == "node-1" {
			unit = p.Unit
		}
	}
	if err != nil || unit == 0 {
		t.Fatalf("presence = %v, %v", presence, err)
	}
	all.Unit = unit
	wantAnswer(t, query(t, st, contract.Query{Spans: []contract.Span{all}, Edges: edges}),
		contract.Answer{Sums: []contract.Sum{busySum(0, 0, minute)}, Overlaps: 1})
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

// label names the unit of a presence in words that all stores share.
func label(p contract.Presence) string {
	return strings.Join([]string{p.GPU, p.Model, p.Node, p.Provider, p.Account, p.Region, p.Reservation}, "|")
}

func comparePresence(a, b contract.Presence) int {
	return cmp.Or(cmp.Compare(label(a), label(b)), cmp.Compare(a.StartMs, b.StartMs))
}

// labels returns the labels of a store's units.
func labels(t *testing.T, st store.Store) map[int64]string {
	t.Helper()
	presence, err := st.Presence(context.Background())
	if err != nil {
		t.Fatalf("presence: %v", err)
	}
	out := map[int64]string{}
	for _, p := range presence {
		out[p.Unit] = label(p)
	}
	return out
}

// wanted is a span of a labelled unit.
type wanted struct {
	label string
	contract.Span
}

// randomQuery cuts the time of all presences at random, sometimes where
// records end.
func randomQuery(r *rand.Rand, presence []contract.Presence) (out []wanted, edges []int64) {
	at := func() int64 {
		const days = 12
		ms := t0 + r.Int64N(days*24)*hour
		if r.IntN(2) == 0 {
			ms += r.Int64N(hour)
		}
		return ms
	}
	cuts := func(n int) []int64 {
		list := make([]int64, n)
		for i := range list {
			list[i] = at()
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	seen := map[string]bool{}
	for _, p := range presence {
		if l := label(p); !seen[l] {
			seen[l] = true
			c := append(append([]int64{t0 - 1000*hour}, cuts(2+r.IntN(6))...), t0+9000*hour)
			for i := range len(c) - 1 {
				if r.IntN(6) > 0 {
					out = append(out, wanted{l, contract.Span{FromMs: c[i], ToMs: c[i+1], Key: r.IntN(4)}})
				}
			}
		}
	}
	for edges = nil; len(edges) < 2; {
		edges = cuts(2 + r.IntN(9))
	}
	if r.IntN(2) == 0 {
		edges[0], edges[len(edges)-1] = t0-2000*hour, t0+10000*hour
	}
	return out, edges
}

// labelled is an answer in the words that all stores share.
type labelled struct {
	contract.Answer
	Units []string // of the straddles, in their order
}

func answerTo(t *testing.T, st store.Store, spans []wanted, edges []int64) labelled {
	t.Helper()
	names := labels(t, st)
	units := map[string]int64{}
	for unit, l := range names {
		units[l] = unit
	}
	q := contract.Query{Edges: edges}
	for _, s := range spans {
		s.Unit = units[s.label]
		q.Spans = append(q.Spans, s.Span)
	}
	out := labelled{Answer: query(t, st, q)}
	slices.SortStableFunc(out.Straddles, func(a, b contract.Straddle) int {
		return cmp.Compare(names[a.Unit], names[b.Unit])
	})
	for i := range out.Straddles {
		out.Units = append(out.Units, names[out.Straddles[i].Unit])
		out.Straddles[i].Unit = 0
	}
	return out
}

// compareStores holds a store against the model: counts, presence, events and
// the answers to some random queries.
func compareStores(t *testing.T, got store.Store, want *Model, seed uint64) {
	t.Helper()
	ctx, r := context.Background(), rand.New(rand.NewPCG(seed, 2))
	counts, err := want.Counts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, got, counts)
	presence := present(t, want)
	wantPresence(t, got, presence...)
	gotExtent, err := got.Extent(ctx)
	wantExtent, _ := want.Extent(ctx)
	if err != nil || gotExtent != wantExtent {
		t.Errorf("extent = %v, %v, want %v", gotExtent, err, wantExtent)
	}
	gotEvents, err := got.Events(ctx, 0, math.MaxInt64, 1000)
	wantEvents, _ := want.Events(ctx, 0, math.MaxInt64, 1000)
	if diff := gocmp.Diff(gotEvents, wantEvents); err != nil || diff != "" {
		t.Errorf("events: %v (-got +want):\n%s", err, diff)
	}
	for range 5 {
		spans, edges := randomQuery(r, presence)
		g, w := answerTo(t, got, spans, edges), answerTo(t, want, spans, edges)
		if diff := gocmp.Diff(g, w); diff != "" {
			t.Fatalf("seed %d: answer to %d spans, edges %v (-got +want):\n%s", seed, len(spans), edges, diff)
		}
	}
}

// addAll appends batches in calls of some, with some said twice.
func addAll(t *testing.T, r *rand.Rand, batches []usage.Sealed, stores ...store.Store) {
	t.Helper()
	check(t, batches)
	for len(batches) > 0 {
		n := 1 + r.IntN(min(len(batches), 20))
		call := batches[:n:n]
		if r.IntN(4) == 0 {
			call = append(call, call[r.IntN(n)])
		}
		var first []store.Status
		for i, st := range stores {
			statuses, err := st.Append(context.Background(), call)
			if err != nil {
				t.Fatalf("append: %v", err)
			}
			if i == 0 {
				first = statuses
			}
			if diff := gocmp.Diff(statuses, first); diff != "" {
				t.Fatalf("statuses differ:\n%s", diff)
			}
		}
		batches = batches[n:]
	}
}

func agreesWithModel(t *testing.T, open Open) {
	for seed := range uint64(16) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			st, model := fresh(t, open), NewModel()
			r := rand.New(rand.NewPCG(seed, 3))
			batches := randomBatches(seed, 240)
			half := len(batches) / 2
			addAll(t, r, batches[:half], st, model)
			compareStores(t, st, model, seed)
			addAll(t, r, batches[half:], st, model)
			compareStores(t, st, model, seed+100)
		})
	}
}

func agreesAfterReopening(t *testing.T, open Open) {
	dir, model := t.TempDir(), NewModel()
	r := rand.New(rand.NewPCG(5, 5))
	batches := randomBatches(15, 600)
	r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	for i := range 4 {
		st := open(t, dir)
		compareStores(t, st, model, uint64(i))
		addAll(t, r, batches[i*len(batches)/4:(i+1)*len(batches)/4], st, model)
		closeStore(t, st)
	}
	st := open(t, dir)
	defer closeStore(t, st)
	compareStores(t, st, model, 9)
}

func forgetsArrivalOrder(t *testing.T, open Open) {
	for seed := range uint64(4) {
		batches := randomBatches(12+seed, 200)
		model := NewModel()
		r := rand.New(rand.NewPCG(seed, 7))
		addAll(t, r, batches, model)
		for range 2 {
			r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
			st := fresh(t, open)
			addAll(t, r, batches, st)
			compareStores(t, st, model, seed)
		}
	}
}

func servesReadersWhileItAppends(t *testing.T, open Open) {
	st := fresh(t, open)
	const writers, calls = 3, 12
	add(t, st, []usage.Sealed{records(9, 1, busy("GPU-a", t0, t0+minute))})
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range calls {
				at := t0 + int64(i+1)*minute
				both := []usage.Sealed{records(w+1, uint64(2*i+1), busy("GPU-a", at, at+minute)),
					records(w+1, uint64(2*i+2), busy(fmt.Sprintf("GPU-%d", w), at, at+minute))}
				if _, err := st.Append(context.Background(), both); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	done := make(chan struct{})
	for range 2 {
		reading.Go(func() {
			for last := int64(0); ; {
				select {
				case <-done:
					return
				default:
					last = readAll(t, st, last)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	if got, want := readAll(t, st, 0), (calls+1)*minute; got != want {
		t.Errorf("GPU-a was busy for %d ms, want %d", got, want)
	}
	wantCounts(t, st, store.Counts{Records: 2*writers*calls + 1, Batches: 2*writers*calls + 1, Units: writers + 1})
}

// readAll asks everything, and returns how long GPU-a was busy. That never
// falls, and is whole windows: a reader sees all of a call or nothing, and
// each minute once.
func readAll(t *testing.T, st store.Store, last int64) int64 {
	ctx := context.Background()
	presence, err := st.Presence(ctx)
	if err != nil {
		t.Errorf("presence: %v", err)
		return last
	}
	q := contract.Query{Edges: []int64{t0, t0 + 100*hour}}
	for _, p := range presence {
		if p.GPU == "GPU-a" {
			q.Spans = append(q.Spans, contract.Span{Unit: p.Unit, FromMs: t0, ToMs: t0 + 100*hour})
		}
	}
	a, err := st.Sums(ctx, q)
	if err != nil || len(a.Sums) != 1 || len(a.Straddles) != 0 {
		t.Errorf("sums = %+v, %v", a, err)
		return last
	}
	ms := a.Sums[0].BusyMs
	if ms < last || ms%minute != 0 {
		t.Errorf("GPU-a was busy for %d ms, before for %d", ms, last)
	}
	for _, read := range []func() error{
		func() error { _, err := st.Counts(ctx); return err },
		func() error { _, err := st.Seqs(ctx, id(1), id(1)); return err },
		func() error { _, err := st.Events(ctx, 0, t0, 10); return err },
		func() error { _, err := st.Extent(ctx); return err },
	} {
		if err := read(); err != nil {
			t.Error(err)
		}
	}
	return ms
}
