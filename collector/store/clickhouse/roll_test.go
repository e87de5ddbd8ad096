package clickhouse_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// rolling is a store that makes hour records up to some moment after every
// call that writes, in turns with another collector.
type rolling struct {
	*clickhouse.DB
	other *clickhouse.DB
	t     *testing.T
	r     *rand.Rand
}

// begin is when the suite's time begins.
const begin = int64(1_790_000_000_000) / hour * hour

func (s rolling) Append(ctx context.Context, batches []usage.Sealed) ([]store.Status, error) {
	statuses, err := s.DB.Append(ctx, batches)
	if err == nil && s.r.IntN(6) == 0 {
		const days = 14
		now := time.UnixMilli(begin + s.r.Int64N(days*24)*hour)
		if err := []*clickhouse.DB{s.DB, s.other}[s.r.IntN(2)].RollUp(context.WithoutCancel(ctx), now); err != nil {
			s.t.Errorf("roll up: %v", err)
		}
	}
	return statuses, err
}

func openRolling(t *testing.T, dir string) store.Store {
	other := open(t, dir).(*clickhouse.DB)
	t.Cleanup(func() { other.Close() })
	return rolling{open(t, dir).(*clickhouse.DB), other, t, storetest.NewRand(1)}
}

// TestDBPassesTheSuiteOnHourRecords holds sums over hour records against the
// same slow model, in any order of arrival.
func TestDBPassesTheSuiteOnHourRecords(t *testing.T) { storetest.Run(t, openRolling) }

// quarters are a minute of every quarter of an hour of some nodes, each as long
// busy as its number says.
func quarters(t *testing.T, nodes, each int) (out []usage.Sealed) {
	t.Helper()
	for n := range nodes {
		for seq := range each {
			from := begin + int64(seq)*hour/4
			gpu := fmt.Sprint("GPU-", n)
			s, err := usage.Seal(usage.Batch{
				Agent: fmt.Sprintf("%032x", n), Epoch: strings.Repeat("e", 32), Seq: uint64(seq + 1), Evidence: usage.EvidenceAgent,
				Node: usage.Node{Name: fmt.Sprint("node-", n)}, GPUs: []usage.GPU{{UUID: gpu, Model: "H100"}},
				Records: []usage.Record{{GPU: gpu, StartMs: from, EndMs: from + 60_000, Sums: usage.Sums{BusyMs: int64(n*each + seq)}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
	}
	return out
}

// TestRollUpByTwoBesideAppends lets two collectors make hour records at once
// while batches arrive in any order, so that some come between the look at a day
// and its hour records.
func TestRollUpByTwoBesideAppends(t *testing.T) {
	a, b := pair(t)
	const nodes, each = 6, 60
	batches := quarters(t, nodes, each)
	r := rand.New(rand.NewPCG(3, 4))
	r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	appended := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		defer close(appended)
		for some := range slices.Chunk(batches, 23) {
			if _, err := a.Append(t.Context(), some); err != nil {
				t.Error(err)
			}
		}
	})
	for i, db := range []*clickhouse.DB{a, b} {
		running.Go(func() {
			r := rand.New(rand.NewPCG(5, uint64(i)))
			for {
				if err := db.RollUp(t.Context(), time.UnixMilli(begin+r.Int64N(20)*hour)); err != nil {
					t.Error(err)
				}
				select {
				case <-appended:
					return
				default:
				}
			}
		})
	}
	running.Wait()
	want := make([]int64, each/4)
	for i := range nodes * each {
		want[i%each/4] += int64(i)
	}
	busy := func() (out []int64) {
		t.Helper()
		presence, err := b.Presence(t.Context())
		if err != nil || len(presence) != nodes {
			t.Fatalf("presence = %v, %v", presence, err)
		}
		q := contract.Query{}
		for i := range int64(each/4) + 1 {
			q.Edges = append(q.Edges, begin+i*hour)
		}
		for _, p := range presence {
			q.Spans = append(q.Spans, contract.Span{Unit: p.Unit, FromMs: p.StartMs, ToMs: p.EndMs})
		}
		answer, err := b.Sums(t.Context(), q)
		if err != nil || len(answer.Sums) != len(want) {
			t.Fatalf("sums = %v, %v", answer.Sums, err)
		}
		out = make([]int64, len(want))
		for _, s := range answer.Sums {
			out[s.Slot] = s.BusyMs
		}
		return out
	}
	if got := busy(); !slices.Equal(got, want) {
		t.Errorf("busy %v, want %v", got, want)
	}
	if err := a.RollUp(t.Context(), time.UnixMilli(begin+100*hour)); err != nil {
		t.Fatal(err)
	}
	if hours, _, err := b.Hours(t.Context()); err != nil || hours != 48 {
		t.Errorf("hour records tell %d hours, %v, want two days", hours, err)
	}
	if got := busy(); !slices.Equal(got, want) {
		t.Errorf("by hour records busy %v, want %v", got, want)
	}
}

// TestRollUpDropsWhatOthersReplaced makes hour records of a day three times,
// some hours apart.
func TestRollUpDropsWhatOthersReplaced(t *testing.T) {
	dir, now := t.TempDir(), time.UnixMilli(begin)
	open(t, dir).Close() // dropped with the test
	o := options(t, dir)
	o.Now = func() time.Time { return now }
	db, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for i, s := range quarters(t, 1, 3) {
		if _, err := db.Append(t.Context(), []usage.Sealed{s}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(50 * time.Minute)
		if err := db.RollUp(t.Context(), time.UnixMilli(begin+100*hour)); err != nil {
			t.Fatal(err)
		}
		want := []int{1, 2, 2}[i] // the first is too old now
		if hours, attempts, err := db.Hours(t.Context()); err != nil || hours != 24 || attempts != want {
			t.Errorf("hour records tell %d hours, %d attempts, %v, want 24 and %d", hours, attempts, err, want)
		}
		answer, _ := wholeOf(t, db, 24)
		if len(answer.Sums) != 1 || answer.Sums[0].BusyMs != int64(i*(i+1)/2) {
			t.Errorf("sums = %v after %d attempts", answer.Sums, i+1)
		}
	}
}

// TestHourRecordsEndWithTheirBatch makes hour records of a batch that loses
// afterwards to one of another day, under the same identity.
func TestHourRecordsEndWithTheirBatch(t *testing.T) {
	a, b := pair(t)
	first := minute(t, 1, 7)
	moved := first.Batch
	from := first.Batch.Records[0].StartMs + 30*24*hour
	moved.Records = []usage.Record{{GPU: "GPU-1", StartMs: from, EndMs: from + 60_000, Sums: usage.Sums{BusyMs: 9}}}
	winner, err := usage.Seal(moved)
	if err != nil {
		t.Fatal(err)
	}
	loser := first
	if bytes.Compare(loser.Hash[:], winner.Hash[:]) < 0 {
		loser, winner = winner, loser
	}
	for i, s := range []usage.Sealed{loser, winner} {
		if err := b.WriteUnseen(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		presence, err := a.Presence(t.Context())
		if err != nil || len(presence) != 1 {
			t.Fatalf("after batch %d presence = %v, %v", i, presence, err)
		}
		all := contract.Query{Edges: []int64{0, 1 << 50}, Spans: []contract.Span{{Unit: presence[0].Unit, ToMs: 1 << 50}}}
		for range 2 { // before and after
			got, err := a.Sums(t.Context(), all)
			if want := s.Batch.Records[0].BusyMs; err != nil || len(got.Sums) != 1 || got.Sums[0].BusyMs != want {
				t.Errorf("after batch %d sums = %+v, %v, want %d ms busy", i, got.Sums, err, want)
			}
			if err := a.RollUp(t.Context(), time.UnixMilli(from).AddDate(1, 0, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
}
