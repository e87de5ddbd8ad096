package storetest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// label names the unit of a presence in words that all stores share.
func label(p contract.Presence) string {
	return strings.Join([]string{p.GPU, p.Model, p.Node, p.Provider, p.Account, p.Region, p.Reservation,
		p.Zone, p.InstanceType, p.InstanceID, p.Cluster, p.NodePool, p.Rack}, "|")
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

func answerTo(t *testing.T, st store.Store, spans []wanted, edges []int64, by contract.By) labelled {
	t.Helper()
	names := labels(t, st)
	units := map[string]int64{}
	for unit, l := range names {
		units[l] = unit
	}
	q := contract.Query{Edges: edges, By: by}
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
	compareEvidence(t, got, want, r)
	for range 3 {
		spans, edges := randomQuery(r, presence)
		for _, by := range []contract.By{"", contract.ByHolder, contract.ByTeam} {
			g, w := answerTo(t, got, spans, edges, by), answerTo(t, want, spans, edges, by)
			if diff := gocmp.Diff(g, w); diff != "" {
				t.Fatalf("seed %d: answer to %d spans, edges %v, by %q (-got +want):\n%s", seed, len(spans), edges, by, diff)
			}
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
	for seed := range uint64(6) {
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
	for seed := range uint64(3) {
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
