package duckdb_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// rolling is a store that makes hour records up to some moment after every
// call that writes.
type rolling struct {
	*duckdb.DB
	t *testing.T
	r *rand.Rand
}

func (s rolling) Append(ctx context.Context, batches []usage.Sealed) ([]store.Status, error) {
	statuses, err := s.DB.Append(ctx, batches)
	if err == nil && s.r.IntN(3) > 0 {
		const days = 14
		now := time.UnixMilli(t0 + s.r.Int64N(days*24)*hour)
		if err := s.RollUp(context.WithoutCancel(ctx), now); err != nil {
			s.t.Errorf("roll up: %v", err)
		}
	}
	if s.r.IntN(4) == 0 {
		s.audit()
	}
	return statuses, err
}

func (s rolling) audit() {
	s.t.Helper()
	_, err := s.Audit(context.Background(), func(f store.Finding) {
		if !strings.Contains(f.Problem, "chain of hashes") { // not all tests make one
			s.t.Errorf("%s: %s", f.Where, f.Problem)
		}
	})
	if err != nil {
		s.t.Errorf("audit: %v", err)
	}
}

// TestDBPassesTheSuiteOnHourRecords holds sums over hour records against the
// same slow model, in any order of arrival.
func TestDBPassesTheSuiteOnHourRecords(t *testing.T) {
	t.Parallel()
	storetest.Run(t, openRolling)
}

func openRolling(t *testing.T, dir string) store.Store {
	x := rolling{open(t, dir).(*duckdb.DB), t, storetest.NewRand(1)}
	x.audit()
	return x
}

func TestDBSurvivesKillWithHourRecords(t *testing.T) {
	t.Parallel()
	storetest.Crash{Open: openRolling, Whole: true}.AtRandom(t, 5)
}

// TestRollUpBesideAppends makes hour records while batches arrive in any order,
// so that some come between the look at an hour and its hour records.
func TestRollUpBesideAppends(t *testing.T) {
	t.Parallel()
	var batches []usage.Sealed
	for n := range 20 {
		for seq := range uint64(60) { // one a quarter of an hour
			batches = append(batches, node(t, n, seq+1, t0+int64(seq)*hour/4, minute))
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	db, plain := open(t, t.TempDir()).(*duckdb.DB), open(t, t.TempDir())
	defer plain.Close()
	defer db.Close()
	appended := make(chan error)
	go func() {
		var err error
		for some := range slices.Chunk(batches, 13) {
			if _, err = db.Append(t.Context(), some); err != nil {
				break
			}
		}
		appended <- err
	}()
	for done := false; !done; {
		select {
		case err := <-appended:
			if done = true; err != nil {
				t.Fatal(err)
			}
		default:
		}
		if err := db.RollUp(t.Context(), time.UnixMilli(t0+r.Int64N(20)*hour)); err != nil {
			t.Fatal(err)
		}
		rolling{DB: db, t: t}.audit()
	}
	if err := db.RollUp(t.Context(), time.UnixMilli(t0+20*hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := plain.Append(t.Context(), batches); err != nil {
		t.Fatal(err)
	}
	// Units are numbered as they came: one key for all.
	sums := func(st store.Store) []contract.Sum {
		q := contract.Query{}
		for i := range int64(17) {
			q.Edges = append(q.Edges, t0+i*hour)
		}
		for unit := range int64(160) {
			q.Spans = append(q.Spans, contract.Span{Unit: unit + 1, FromMs: t0, ToMs: t0 + 16*hour})
		}
		a, err := st.Sums(t.Context(), q)
		if err != nil || len(a.Sums) != 15 {
			t.Fatalf("%d sums, %v", len(a.Sums), err)
		}
		return a.Sums
	}
	if got, want := sums(db), sums(plain); !slices.Equal(got, want) {
		t.Errorf("sums %v\nwant %v", got, want)
	}
}
