package clickhouse_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
)

// lagging opens a store of which the first shard has a second replica, or skips
// the test. stop and start let that fetch rows of a table no more, and again.
func lagging(t *testing.T, edit func(*clickhouse.Options)) (st aging, stop, start func(table string)) {
	t.Helper()
	clock, dir := newClock(), t.TempDir()
	open(t, dir).Close() // dropped with the test
	o := options(t, dir)
	o.Now = func() time.Time { return time.Unix(clock.Load(), 0) }
	edit(&o)
	db, err := clickhouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if n, _ := db.OnReplica(t.Context(), 1, "SELECT 1"); n < 2 {
		t.Skip("the servers have no replicas")
	}
	on := func(statement string) func(string) {
		return func(table string) {
			if _, err := db.OnReplica(t.Context(), 1, statement+table); err != nil {
				t.Error(err)
			}
		}
	}
	return aging{db, clock}, on("SYSTEM STOP FETCHES "), on("SYSTEM START FETCHES ")
}

// saysTheSame returns a function that holds what the second replica is asked
// first against what it said at first.
func saysTheSame(t *testing.T, st aging, hours int) func(what string) {
	var want string
	return func(what string) {
		t.Helper()
		st.Prefer(1)
		answer, _ := wholeOf(t, st, hours)
		if got := fmt.Sprint(answer); want == "" {
			want = got
		} else if got != want {
			t.Errorf("%s the sums are\n%s, were\n%s", what, got, want)
		}
		st.Prefer(0)
	}
}

// TestHourRecordsAreReadWhereTheyAre keeps a replica from fetching hour records.
func TestHourRecordsAreReadWhereTheyAre(t *testing.T) {
	st, stop, start := lagging(t, func(*clickhouse.Options) {})
	if _, err := st.Append(t.Context(), steady(t, 2, 10)); err != nil {
		t.Fatal(err)
	}
	same := saysTheSame(t, st, 10)
	same("at first")
	stop("hours")
	if err := st.RollUp(t.Context(), st.now()); err != nil {
		t.Fatal(err)
	}
	units, err := st.DB.UnitsByHours(t.Context(), 0, 1) // of the first shard
	again, e := st.DB.UnitsByHours(t.Context(), 0, 0)
	if err != nil || e != nil || units == 0 && again == 0 || units != again {
		t.Errorf("hour records tell of %d units, and of %d where they were made: %v, %v", units, again, err, e)
	}
	same("by hour records")
	start("hours")
}

// TestAPruningWaitsForItsQuorum keeps a replica from fetching batches for a
// while.
func TestAPruningWaitsForItsQuorum(t *testing.T) {
	st, stop, start := lagging(t, func(*clickhouse.Options) {})
	if _, err := st.Append(t.Context(), steady(t, 2, 10)); err != nil {
		t.Fatal(err)
	}
	st.clock.Add(7200)
	same := saysTheSame(t, st, 10)
	same("at first")
	const lag = 3 * time.Second
	stop("batches")
	time.AfterFunc(lag, func() { start("batches") })
	began := time.Now()
	if n := pruneAll(t, st.DB); n != 2*8*6 || time.Since(began) < lag {
		t.Errorf("%d records were pruned after %s, want a quorum to have what is left", n, time.Since(began))
	}
	same("after pruning")
}

// TestAPrunedDayIsReadWhereItIs lets a pruning count that one replica has only.
func TestAPrunedDayIsReadWhereItIs(t *testing.T) {
	st, stop, start := lagging(t, func(o *clickhouse.Options) { o.Address.Quorum = 1 })
	st.Prefer(0)
	if _, err := st.Append(t.Context(), steady(t, 2, 10)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // replicas fetch by themselves
	st.clock.Add(7200)
	same := saysTheSame(t, st, 10)
	same("at first")
	stop("batches")
	if n := pruneAll(t, st.DB); n != 2*8*6 {
		t.Errorf("%d records were pruned", n)
	}
	same("after pruning")
	start("batches")
}
