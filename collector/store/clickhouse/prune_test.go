package clickhouse_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// aging is a store whose batches are all long there when it prunes.
type aging struct {
	*clickhouse.DB
	clock *atomic.Int64 // seconds
}

func (s aging) now() time.Time { return time.Unix(s.clock.Load(), 0) }

func (s aging) Prune(ctx context.Context, p store.Pruning) (store.Pruned, error) {
	s.clock.Add(7200)
	return s.DB.Prune(ctx, p)
}

// newClock is some months after the suite's time.
func newClock() *atomic.Int64 {
	clock := &atomic.Int64{}
	clock.Store(begin/1000 + 100*86_400)
	return clock
}

// openAging opens a store that goes by a clock.
func openAging(t *testing.T, dir string, clock *atomic.Int64) aging {
	t.Helper()
	open(t, dir).Close() // dropped with the test
	o := options(t, dir)
	o.Now = func() time.Time { return time.Unix(clock.Load(), 0) }
	db, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return aging{db, clock}
}

func TestDBPrunes(t *testing.T) {
	clock := newClock()
	storetest.RunPrune(t, func(t *testing.T, dir string) store.Store { return openAging(t, dir, clock) })
}

// steady are all ten-minute windows of some hours of some nodes, of a GPU each,
// busy for as many milliseconds as the batch's number says.
func steady(t *testing.T, nodes, hours int) (out []usage.Sealed) {
	t.Helper()
	const window = hour / 6
	for n := range nodes {
		for i := range int64(hours) * 6 {
			gpu, from := fmt.Sprint("GPU-", n), begin+i*window
			s, err := usage.Seal(usage.Batch{
				Agent: fmt.Sprintf("%032x", n+1), Epoch: strings.Repeat("e", 32), Seq: uint64(i + 1), Evidence: usage.EvidenceAgent,
				Node: usage.Node{Name: fmt.Sprint("node-", n)}, GPUs: []usage.GPU{{UUID: gpu, Model: "H100"}},
				Records: []usage.Record{{GPU: gpu, StartMs: from, EndMs: from + window, Sums: usage.Sums{BusyMs: i + 1, IdleMs: window - i - 1}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
	}
	return out
}

// wholeOf asks for all that all units did, by hours.
func wholeOf(t *testing.T, st store.Store, hours int) (answer contract.Answer, counts store.Counts) {
	t.Helper()
	presence, err := st.Presence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := contract.Query{}
	for i := range int64(hours) + 1 {
		q.Edges = append(q.Edges, begin+i*hour)
	}
	slices.SortFunc(presence, func(a, b contract.Presence) int { return strings.Compare(a.GPU, b.GPU) })
	for i, p := range presence {
		q.Spans = append(q.Spans, contract.Span{Unit: p.Unit, Key: i, FromMs: p.StartMs, ToMs: p.EndMs})
	}
	if answer, err = st.Sums(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(answer.Sums, func(a, b contract.Sum) int { return a.Key*1000 + a.Slot - b.Key*1000 - b.Slot })
	if counts, err = st.Counts(t.Context()); err != nil {
		t.Fatal(err)
	}
	return answer, counts
}

// wantRows holds how many batches are left on one node. On a cluster of 2018 some
// that are deleted stay: those that came last in their part of a day.
func wantRows(t *testing.T, st aging, want int64) {
	t.Helper()
	if options(t, t.Name()).Address.Cluster != "" {
		return
	}
	if n, err := st.Rows(t.Context()); err != nil || n != uint64(want) {
		t.Errorf("%d rows are left, %v, want %d", n, err, want)
	}
}

// always lets all go that may.
var always = store.Pruning{FromMs: 0, ToMs: begin + 1000*hour}

// pruneAll prunes day by day, and returns how many records went.
func pruneAll(t *testing.T, st store.Pruner) (records int64) {
	t.Helper()
	for p := always; p.FromMs < p.ToMs; {
		done, err := st.Prune(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		p.FromMs, records = done.NextMs, records+done.Records
	}
	return records
}

// TestWhatWasPrunedIsDeleted looks at the rows that are left, an hour after the
// pruning, and at what becomes of a pruning that was broken off.
func TestWhatWasPrunedIsDeleted(t *testing.T) {
	clock, dir := newClock(), t.TempDir()
	st := openAging(t, dir, clock)
	defer st.Close()
	const nodes, hours = 3, 34 // from 14:00 on, over a midnight
	batches := steady(t, nodes, hours)
	if _, err := st.Append(t.Context(), batches); err != nil {
		t.Fatal(err)
	}
	clock.Add(7200)
	if err := st.RollUp(t.Context(), st.now()); err != nil {
		t.Fatal(err)
	}
	answer, counts := wholeOf(t, st, hours)
	day := time.UnixMilli(begin).UTC()
	if err := st.PruneHalf(t.Context(), uint32(day.Year()*10_000+int(day.Month())*100+day.Day()), always); err != nil {
		t.Fatal(err)
	}
	same := func(what string, pruned int64) {
		t.Helper()
		a, c := wholeOf(t, st, hours)
		if fmt.Sprint(a) != fmt.Sprint(answer) {
			t.Errorf("%s the sums are\n%v, were\n%v", what, a, answer)
		}
		if counts.Pruned = pruned; c != counts {
			t.Errorf("%s the counts are %+v, want %+v", what, c, counts)
		}
	}
	same("after a pruning that was broken off", 0)
	const went = nodes * (hours - 2) * 6
	clock.Add(7200)
	if n := pruneAll(t, st.DB); n != went {
		t.Errorf("%d records were pruned, want %d", n, went)
	}
	same("after pruning", went)
	clock.Add(7200)
	if err := st.RollUp(t.Context(), st.now()); err != nil { // deletes
		t.Fatal(err)
	}
	wantRows(t, st, nodes*(hours-2+2*6)) // one of each hour and the batches of two
	same("after deleting", went)
	other := openAging(t, dir, clock) // knows nothing yet
	defer other.Close()
	for _, db := range []aging{st, other} {
		got, err := db.Append(t.Context(), batches)
		if err != nil || slices.ContainsFunc(got, func(s store.Status) bool { return s != store.Duplicate }) {
			t.Errorf("sent again: %v, %v", got, err)
		}
		seqs, err := db.Seqs(t.Context(), batches[0].Batch.Agent, batches[0].Batch.Epoch)
		if err != nil || len(seqs) != 1 || seqs[0] != (usage.Range{Lo: 1, Hi: hours * 6}) {
			t.Errorf("committed numbers are %v, %v", seqs, err)
		}
	}
	same("after all was sent again", went)
}

// TestPruneByTwoBesideAppends lets two collectors prune at once while a twin of
// every agent tells of the same GPUs, and the clock goes on by half an hour at a
// time: whatever comes first, each window counts once.
func TestPruneByTwoBesideAppends(t *testing.T) {
	clock, dir := newClock(), t.TempDir()
	a, b := openAging(t, dir, clock), openAging(t, dir, clock)
	defer a.Close()
	defer b.Close()
	const nodes, hours = 3, 40
	batches := steady(t, nodes, hours)
	r := rand.New(rand.NewPCG(7, 8))
	late := map[int]bool{}
	var first, rest []usage.Sealed
	for i, s := range batches {
		if h := i / 6 % hours; late[h] || r.IntN(20) == 0 { // some hours of all nodes come late
			late[h] = true
			rest = append(rest, s)
			continue
		}
		first = append(first, s)
	}
	for _, s := range batches {
		twin := s.Batch
		twin.Agent = strings.Repeat("f", 28) + twin.Agent[28:]
		sealed, err := usage.Seal(twin)
		if err != nil {
			t.Fatal(err)
		}
		rest = append(rest, sealed)
	}
	r.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	if _, err := a.Append(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	clock.Add(7200)
	appended := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		defer close(appended)
		for some := range slices.Chunk(rest, 37) {
			if _, err := b.Append(t.Context(), some); err != nil {
				t.Error(err)
			}
		}
	})
	for _, db := range []aging{a, b} {
		running.Go(func() {
			for p, more := always, true; more; {
				clock.Add(1800)
				done, err := db.DB.Prune(t.Context(), p)
				if err != nil {
					t.Error(err)
					return
				}
				if p.FromMs = done.NextMs; p.FromMs >= p.ToMs {
					p = always
				}
				select {
				case <-appended:
					more = false
				default:
				}
			}
		})
	}
	running.Wait()
	clock.Add(7200)
	pruneAll(t, a)
	clock.Add(7200)
	if err := a.RollUp(t.Context(), a.now()); err != nil {
		t.Fatal(err)
	}
	answer, counts := wholeOf(t, b, hours)
	if len(answer.Sums) != nodes*hours || len(answer.Straddles) > 0 || answer.Overlaps != nodes*hours*6 {
		t.Fatalf("%d sums, %d straddles, %d overlaps", len(answer.Sums), len(answer.Straddles), answer.Overlaps)
	}
	for _, s := range answer.Sums {
		first := int64(s.Slot)*6 + 1
		if want := 6*first + 15; s.BusyMs != want || s.BusyMs+s.IdleMs != hour {
			t.Errorf("node %d was busy for %d of %d ms in hour %d, want %d", s.Key, s.BusyMs, s.BusyMs+s.IdleMs, s.Slot, want)
		}
	}
	if counts.Batches != 2*nodes*hours*6 || counts.Records != counts.Batches || counts.Pruned == 0 {
		t.Errorf("counts = %+v", counts)
	}
	wantRows(t, a, counts.Batches-counts.Pruned+counts.Pruned/6)
}

// TestALateBatchCountsWhateverTheClock lets a collector whose clock is months
// behind take a batch of a day that was pruned.
func TestALateBatchCountsWhateverTheClock(t *testing.T) {
	clock, dir := newClock(), t.TempDir()
	st := openAging(t, dir, clock)
	defer st.Close()
	batches := steady(t, 2, 10)
	if _, err := st.Append(t.Context(), batches[:60]); err != nil {
		t.Fatal(err)
	}
	clock.Add(7200)
	if n := pruneAll(t, st.DB); n != 8*6 {
		t.Fatalf("%d records were pruned", n)
	}
	behind := &atomic.Int64{}
	behind.Store(begin / 1000)
	other := openAging(t, dir, behind)
	defer other.Close()
	if _, err := other.Append(t.Context(), batches); err != nil {
		t.Fatal(err)
	}
	sums := func() {
		t.Helper()
		if answer, _ := wholeOf(t, st, 10); len(answer.Sums) != 20 || answer.Overlaps != 0 || answer.Sums[7].BusyMs != 6*43+15 {
			t.Errorf("%d sums, %d overlaps, want those of two nodes: %v", len(answer.Sums), answer.Overlaps, answer.Sums)
		}
	}
	sums() // beside what is not deleted yet
	clock.Add(7200)
	if err := st.RollUp(t.Context(), st.now()); err != nil {
		t.Fatal(err)
	}
	wantRows(t, st, 8+2*6+60)
	sums()
	links, err := st.Links(t.Context(), batches[0].Batch.Agent, batches[0].Batch.Epoch, 0, math.MaxInt64)
	if err != nil || len(links) != 12 {
		t.Errorf("%d batches of the first agent are told, %v, want those of two hours", len(links), err)
	}
}

// TestNothingGoesThatJustCame prunes right after batches came, of which others
// may be on their way.
func TestNothingGoesThatJustCame(t *testing.T) {
	clock := newClock()
	st := openAging(t, t.TempDir(), clock)
	defer st.Close()
	batches := steady(t, 2, 10)
	late := 5 * 6 // of the second node
	if _, err := st.Append(t.Context(), slices.Concat(batches[:60+late], batches[60+late+1:])); err != nil {
		t.Fatal(err)
	}
	clock.Add(7200)
	if _, err := st.Append(t.Context(), batches[60+late:60+late+1]); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{(8 + 7) * 6, 6} {
		if n := pruneAll(t, st.DB); n != want {
			t.Errorf("%d records were pruned in round %d, want %d", n, i, want)
		}
		clock.Add(7200)
	}
}
