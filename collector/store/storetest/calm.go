package storetest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// calmHours is how long a calm fleet runs.
const calmHours = 50

// calm makes batches of two nodes of two GPUs each, ten minutes a window, in
// which now and then something happens. Another exporter's samples of the first
// node come for some hours too, under the same unit and under another.
func calm(seed uint64) []usage.Sealed {
	r := rand.New(rand.NewPCG(seed, 11))
	f := fleet{r: r, gpus: 2}
	var out []usage.Sealed
	for n := range 2 {
		b := usage.Batch{Agent: id(n + 1), Epoch: id(1), Evidence: usage.EvidenceAgent, IntervalMs: second, Node: usage.Node{Name: fmt.Sprintf("node-%d", n), Cloud: usage.Cloud{Provider: "aws"}}}
		first := t0 + r.Int64N(3)*10*minute
		for at := first; at < t0+calmHours*hour; at += 10 * minute {
			b.Seq++
			b.Records, b.Events, b.Prev = nil, nil, ""
			for g := range 2 {
				b.Records = append(b.Records, f.calmWindow(fmt.Sprintf("GPU-%d-%d", n, g), at)...)
			}
			if r.IntN(40) == 0 {
				b.Events = append(b.Events, usage.Event{AtMs: at, Kind: usage.EventXid, GPU: fmt.Sprintf("GPU-%d-0", n), Value: 31})
			}
			if r.IntN(150) > 0 { // else it never comes
				out = append(out, seal(b))
			}
		}
	}
	return append(out, f.others(out)...)
}

// calmWindow is what a GPU did, healthy throughout but for one time in a
// hundred.
func (f *fleet) calmWindow(gpu string, at int64) []usage.Record {
	const window = 10 * minute
	one := usage.Record{GPU: gpu, StartMs: at, EndMs: at + window, Holder: f.holder()}
	one.BusyMs = f.r.Int64N(window)
	one.SMKnownMs, one.SMActiveMs, one.EnergyKnownMs, one.EnergyMJ = one.BusyMs, one.BusyMs/2, window, 7*one.BusyMs
	rest := window - one.BusyMs
	switch f.r.IntN(100) {
	case 0:
		one.UnhealthyMs, one.Reason = rest, "xid_79"
		return []usage.Record{one}
	case 1:
		one.Reason = "driver_hang" // unobserved
		return []usage.Record{one}
	case 2:
		return nil
	case 3, 4, 5, 6, 7:
		two := usage.Record{GPU: gpu, StartMs: at, EndMs: at + window, Holder: f.holder(), Sums: usage.Sums{IdleMs: rest}}
		return []usage.Record{one, two}
	}
	one.IdleMs = rest
	return []usage.Record{one}
}

// others are samples of some of the batches of the first node.
func (f *fleet) others(batches []usage.Sealed) []usage.Sealed {
	var out []usage.Sealed
	for _, s := range batches {
		b := s.Batch
		if b.Agent != id(1) || b.Seq < 60 || b.Seq > 120 {
			continue
		}
		b.Agent, b.Evidence, b.Events, b.Records = id(9), usage.EvidencePrometheus, nil, slices.Clone(b.Records)
		for i := range b.Records {
			b.Records[i].Sums = usage.Sums{BusyMs: b.Records[i].BusyMs}
		}
		if b.Seq > 100 {
			b.Node.Name = "exporter-1"
		}
		if len(b.Records) > 0 {
			out = append(out, seal(b))
		}
	}
	return out
}

// fullHours is a query whose edges are full hours.
func fullHours(spans []wanted, edges []int64) ([]wanted, []int64) {
	round := func(ms int64) int64 { return ms / hour * hour }
	out := slices.Clone(spans)
	for i := range out {
		out[i].FromMs, out[i].ToMs = round(out[i].FromMs), round(out[i].ToMs)
	}
	cut := slices.Clone(edges)
	for i := range cut {
		cut[i] = round(cut[i])
	}
	if cut = slices.Compact(cut); len(cut) < 2 {
		cut = []int64{t0, t0 + hour}
	}
	return out, cut
}

// question is a query in the words that all stores share.
type question struct {
	spans []wanted
	edges []int64
}

// in returns the query in the units of a store.
func (q question) in(t *testing.T, st store.Store) contract.Query {
	t.Helper()
	units := map[string]int64{}
	for unit, l := range labels(t, st) {
		units[l] = unit
	}
	out := contract.Query{Edges: q.edges}
	for _, s := range q.spans {
		s.Unit = units[s.label]
		out.Spans = append(out.Spans, s.Span)
	}
	return out
}

// compareCalm holds all that a store says after pruning against the model, for
// the queries that it knew of, and others in full hours.
func compareCalm(t *testing.T, got store.Store, want *Model, known []question, r *rand.Rand) {
	t.Helper()
	presence := present(t, want)
	wantPresence(t, got, presence...)
	questions := slices.Clone(known)
	for range 3 {
		spans, edges := fullHours(randomQuery(r, presence))
		questions = append(questions, question{spans, edges})
	}
	for i, q := range questions {
		for _, by := range []contract.By{"", contract.ByHolder, contract.ByTeam} {
			g, w := answerTo(t, got, q.spans, q.edges, by), answerTo(t, want, q.spans, q.edges, by)
			sortStraddles(&g)
			sortStraddles(&w)
			if diff := gocmp.Diff(g, w); diff != "" {
				t.Fatalf("answer to question %d by %q (-got +want):\n%s", i, by, diff)
			}
		}
	}
	for range 3 {
		from := t0 + (r.Int64N(calmHours+10)-5)*hour
		to := from + (1+r.Int64N(calmHours))*hour
		g, w := stretches(t, got, from, to), stretches(t, want, from, to)
		if diff := gocmp.Diff(g, w); diff != "" {
			t.Fatalf("stretches from %d to %d (-got +want):\n%s", from, to, diff)
		}
	}
	counts, err := got.Counts(context.Background())
	wantedCounts, _ := want.Counts(context.Background())
	wantedCounts.Pruned = counts.Pruned
	if err != nil || counts != wantedCounts {
		t.Errorf("counts = %+v, %v, want %+v", counts, err, wantedCounts)
	}
	gotEvents, err := got.Events(context.Background(), 0, math.MaxInt64, 1000)
	wantEvents, _ := want.Events(context.Background(), 0, math.MaxInt64, 1000)
	if diff := gocmp.Diff(gotEvents, wantEvents); err != nil || diff != "" {
		t.Errorf("events: %v (-got +want):\n%s", err, diff)
	}
}

func sortStraddles(a *labelled) {
	order := make([]int, len(a.Straddles))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		x, y := a.Straddles[i], a.Straddles[j]
		return cmp.Or(cmp.Compare(a.Units[i], a.Units[j]), cmp.Compare(x.StartMs, y.StartMs), cmp.Compare(x.Holder.Name, y.Holder.Name),
			cmp.Compare(x.BusyMs, y.BusyMs), cmp.Compare(x.IdleMs, y.IdleMs))
	})
	straddles, units := make([]contract.Straddle, len(order)), make([]string, len(order))
	for i, k := range order {
		straddles[i], units[i] = a.Straddles[k], a.Units[k]
	}
	if len(order) > 0 {
		a.Straddles, a.Units = straddles, units
	}
}
