package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// RunPrune holds a store that is a store.Pruner to what that promises. Prune
// must find hour records made of all that was appended.
func RunPrune(t *testing.T, open Open) {
	for _, test := range []struct {
		claim string
		run   func(*testing.T, Open)
	}{
		{"AnswersTheSameAfterPruning", answersTheSameAfterPruning},
		{"KeepsWhatIsWanted", keepsWhatIsWanted},
		{"CountsOnceWhatComesYearsLate", countsOnceWhatComesYearsLate},
		{"RemembersWhoOwnedAfterAMove", remembersWhoOwned},
		{"DividesHoursThatAreGone", dividesHoursThatAreGone},
		{"PrunesNothingOfHoursInWhichSomethingHappened", prunesNothingEventful},
	} {
		t.Run(test.claim, func(t *testing.T) { test.run(t, open) })
	}
}

// prune lets a store take away all that it may, and returns how many records.
func prune(t *testing.T, st store.Store, p store.Pruning) (records int64) {
	t.Helper()
	for {
		got, err := st.(store.Pruner).Prune(context.Background(), p)
		if err != nil {
			t.Fatalf("prune: %v", err)
		}
		records += got.Records
		if got.NextMs >= p.ToMs {
			return records
		}
		if got.NextMs < p.FromMs || got.NextMs == p.FromMs && got.Records > 0 {
			t.Fatalf("prune from %d goes on at %d", p.FromMs, got.NextMs)
		}
		p.FromMs = got.NextMs
	}
}

// wide is all time that a calm fleet may be pruned of.
var wide = store.Pruning{FromMs: 0, ToMs: t0 + 1000*hour}

func answersTheSameAfterPruning(t *testing.T, open Open) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir, model := t.TempDir(), NewModel()
			st := open(t, dir)
			r := rand.New(rand.NewPCG(seed, 13))
			batches := calm(seed)
			r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
			addAll(t, r, batches, st, model)
			var known []question
			p := wide
			for range 3 {
				spans, edges := randomQuery(r, present(t, model))
				q := question{spans, edges}
				known = append(known, q)
				p.Same = append(p.Same, q.in(t, st))
			}
			if n := prune(t, st, p); n == 0 {
				t.Error("nothing was pruned")
			}
			compareCalm(t, st, model, known, r)
			// All of it again, in another order: nothing counts twice.
			r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
			add(t, st, batches, slices.Repeat([]store.Status{store.Duplicate}, len(batches))...)
			compareCalm(t, st, model, known, r)
			closeStore(t, st)
			st = open(t, dir)
			defer closeStore(t, st)
			compareCalm(t, st, model, known, r)
			if n := prune(t, st, p); n != 0 {
				t.Errorf("%d records more were pruned the second time", n)
			}
			compareCalm(t, st, model, known, r)
		})
	}
}

// quiet appends minutes of one GPU in which nothing happened, of some hours.
func quiet(t *testing.T, st store.Store, hours int) {
	t.Helper()
	var batches []usage.Sealed
	for i := range int64(hours) * 6 {
		batches = append(batches, records(1, uint64(i+1), busy("GPU-a", t0+i*10*minute, t0+(i+1)*10*minute)))
	}
	add(t, st, batches)
}

// unitIn returns the unit of the one GPU that was in a node.
func unitIn(t *testing.T, st store.Store, node string) int64 {
	t.Helper()
	presence, err := st.Presence(context.Background())
	if err != nil {
		t.Fatalf("presence: %v", err)
	}
	i := slices.IndexFunc(presence, func(p contract.Presence) bool { return p.Node == node })
	if i < 0 {
		t.Fatalf("nothing was present in %s: %v", node, presence)
	}
	return presence[i].Unit
}

func keepsWhatIsWanted(t *testing.T, open Open) {
	st := fresh(t, open)
	quiet(t, st, 12)
	p := wide
	p.FromMs, p.ToMs = t0+2*hour, t0+10*hour+minute
	unit := unitIn(t, st, "node-1")
	p.Keep = []contract.Span{{Unit: unit, FromMs: t0 + 5*hour - 1, ToMs: t0 + 6*hour + 1}, {Unit: 99, FromMs: t0, ToMs: t0 + 12*hour}}
	p.Same = []contract.Query{{Edges: []int64{t0, t0 + 8*hour + minute, t0 + 9*hour}, Spans: []contract.Span{{Unit: unit, FromMs: t0, ToMs: t0 + 12*hour}}}}
	// The hours 4, 5, 6 are wanted, 8 is cut.
	if n := prune(t, st, p); n != 4*6 {
		t.Errorf("%d records were pruned, want those of 4 hours", n)
	}
	left := map[int64]bool{}
	err := st.Entries(context.Background(), []contract.Span{{Unit: unit, FromMs: t0, ToMs: t0 + 12*hour}}, func(e store.Entry) error {
		left[(e.StartMs-t0)/hour] = true
		return nil
	})
	for h := range int64(12) {
		if want := !slices.Contains([]int64{2, 3, 7, 9}, h); left[h] != want {
			t.Errorf("hour %d has records: %v, want %v (%v)", h, left[h], want, err)
		}
	}
	// The last hour has nothing after it, and stays.
	if n := prune(t, st, wide); n != 6*6 {
		t.Errorf("%d records were pruned in the end, want those of 6 hours", n)
	}
}

func countsOnceWhatComesYearsLate(t *testing.T, open Open) {
	dir, model := t.TempDir(), NewModel()
	st := open(t, dir)
	var batches []usage.Sealed
	for i := range int64(calmHours) * 6 {
		s := records(5, uint64(i+1), busy("GPU-a", t0+i*10*minute, t0+(i+1)*10*minute))
		if i < 120 || i >= 180 { // for ten hours the node is cut off
			batches = append(batches, s)
		}
	}
	add(t, st, batches)
	add(t, model, batches)
	if n := prune(t, st, wide); n != (calmHours-10-4)*6 {
		t.Errorf("%d records were pruned, want all but those of the hours at the edges", n)
	}
	// More than a year later: what was cut off comes, another source tells of the
	// whole time, and what was counted comes again, with other content too.
	var late []usage.Sealed
	for i := range int64(60) {
		late = append(late, records(5, uint64(i+121), busy("GPU-a", t0+(i+120)*10*minute, t0+(i+121)*10*minute)))
	}
	for i := range int64(calmHours) * 6 {
		late = append(late, records(7, uint64(i+1), busy("GPU-a", t0+i*10*minute, t0+(i+1)*10*minute)))
	}
	r := rand.New(rand.NewPCG(1, 17))
	r.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	r = rand.New(rand.NewPCG(2, 17))
	addAll(t, r, late, st, model)
	whole := contract.Query{Edges: []int64{t0, t0 + calmHours*hour}, Spans: []contract.Span{{Unit: unitIn(t, st, "node-1"), FromMs: t0, ToMs: t0 + calmHours*hour}}}
	want := contract.Answer{Sums: []contract.Sum{busySum(0, 0, calmHours*hour)}, Overlaps: calmHours * 6}
	wantAnswer(t, query(t, st, whole), want)
	compareCalm(t, st, model, nil, r)
	add(t, st, []usage.Sealed{records(5, 20, busy("GPU-a", t0+19*10*minute, t0+19*10*minute+1))}, store.Duplicate)
	// Whoever is first to own by rank is late as well: what is gone owned.
	add(t, st, []usage.Sealed{records(1, 1, busy("GPU-a", t0+5*hour+minute, t0+5*hour+2*minute), busy("GPU-a", t0+6*hour-minute, t0+6*hour+minute))})
	want.Overlaps += 2
	wantAnswer(t, query(t, st, whole), want)
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	wantAnswer(t, query(t, st, whole), want)
	prune(t, st, wide)
	wantAnswer(t, query(t, st, whole), want)
}

// remembersWhoOwned has one stream that tells of a GPU in two nodes at one time:
// its earlier batches own, come last, and go.
func remembersWhoOwned(t *testing.T, open Open) {
	dir := t.TempDir()
	st := open(t, dir)
	moved := func(seq uint64, fromMs int64) usage.Sealed {
		return from(1, seq, func(b *usage.Batch) {
			b.Node.Name, b.Records = "node-2", []usage.Record{busy("GPU-a", fromMs, fromMs+10*minute)}
		})
	}
	add(t, st, []usage.Sealed{moved(100, t0+5*hour)})
	quiet(t, st, 12)
	if n := prune(t, st, wide); n != 10*6 {
		t.Errorf("%d records were pruned, want those of ten hours", n)
	}
	closeStore(t, st)
	st = open(t, dir)
	defer closeStore(t, st)
	add(t, st, []usage.Sealed{moved(101, t0+5*hour+20*minute)})
	prune(t, st, wide) // makes hour records anew
	both := contract.Query{Edges: []int64{t0, t0 + 12*hour}, Spans: []contract.Span{
		{Unit: unitIn(t, st, "node-1"), FromMs: t0, ToMs: t0 + 12*hour}, {Unit: unitIn(t, st, "node-2"), FromMs: t0, ToMs: t0 + 12*hour},
	}}
	wantAnswer(t, query(t, st, both), contract.Answer{Sums: []contract.Sum{busySum(0, 0, 12*hour)}, Overlaps: 2})
}

func dividesHoursThatAreGone(t *testing.T, open Open) {
	st := fresh(t, open)
	quiet(t, st, 12)
	prune(t, st, wide)
	q := contract.Query{Edges: []int64{t0 + 3*hour + 20*minute, t0 + 6*hour}, Spans: []contract.Span{{Unit: unitIn(t, st, "node-1"), FromMs: t0, ToMs: t0 + 4*hour + minute}}}
	hourOf := func(n int64) contract.Straddle {
		return contract.Straddle{Record: busy("GPU-a", t0+n*hour, t0+(n+1)*hour)}
	}
	wantAnswer(t, query(t, st, q), contract.Answer{Straddles: []contract.Straddle{hourOf(3), hourOf(4)}})
}

func prunesNothingEventful(t *testing.T, open Open) {
	f := func(name string, want int64, edit func(*usage.Batch)) {
		t.Run(name, func(t *testing.T) {
			st := fresh(t, open)
			for i := range int64(7 * 6) {
				s := from(1, uint64(i+1), func(b *usage.Batch) {
					for _, gpu := range []string{"GPU-a", "GPU-b"} {
						b.Records = append(b.Records, busy(gpu, t0+i*10*minute, t0+(i+1)*10*minute))
					}
					if i == 20 { // in hour 3
						edit(b)
					}
				})
				add(t, st, []usage.Sealed{s})
			}
			if n := prune(t, st, wide); n != want*12 {
				t.Errorf("%d records were pruned, want those of %d hours of two GPUs", n, want)
			}
		})
	}
	f("nothing", 5, func(*usage.Batch) {})
	f("a GPU was unhealthy", 2, func(b *usage.Batch) { b.Records[0].BusyMs, b.Records[0].UnhealthyMs = 0, 10*minute })
	f("a GPU was not seen for a moment", 2, func(b *usage.Batch) { b.Records[1].BusyMs-- })
	f("a GPU was not there", 2, func(b *usage.Batch) { b.Records = b.Records[:1] })
	f("something happened", 4, func(b *usage.Batch) {
		b.Events = []usage.Event{{AtMs: b.Records[0].StartMs, Kind: usage.EventXid, Value: 31}}
	})
	f("the driver was changed", 4, func(b *usage.Batch) { b.Node.Driver = "590" })
}
