package duckdb_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

const day = 24 * hour

// clock is a store's time.
type clock struct{ ms int64 }

func (c *clock) now() time.Time { return time.UnixMilli(c.ms) }

func openAt(t *testing.T, dir string, c *clock) *duckdb.DB {
	t.Helper()
	db, err := duckdb.Open(t.Context(), dir, duckdb.Options{Threads: 1, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// steady are the batches of one agent over some hours, ten minutes each, chained.
func steady(t *testing.T, agent int, hours int64, edit func(i int64, b *usage.Batch)) []usage.Sealed {
	t.Helper()
	var edits []func(*usage.Batch)
	for i := range hours * 6 {
		edits = append(edits, func(b *usage.Batch) {
			b.Records = b.Records[:2]
			for k := range b.Records {
				r := &b.Records[k]
				r.StartMs, r.EndMs = t0+i*10*minute, t0+(i+1)*10*minute
				r.BusyMs, r.IdleMs = 4*minute, 6*minute
			}
			if edit != nil {
				edit(i, b)
			}
		})
	}
	return chained(t, agent, edits...)
}

// lived lets a store live through some days: batches come, one with an event,
// one late, one again with other content; documents are put; days are closed,
// records pruned, and days written anew without them.
func lived(t *testing.T, dir string, c *clock) *duckdb.DB {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db := openAt(t, dir, c)
	a := steady(t, 1, 48, func(i int64, b *usage.Batch) {
		if i == 100 {
			b.Events = []usage.Event{{AtMs: t0 + i*10*minute, Kind: usage.EventXid, GPU: b.GPUs[0].UUID, Value: 31}}
		}
		if i > 200 {
			b.Records[1].Holder.Name = fmt.Sprint("late-", i)
		}
	})
	twin := steady(t, 2, 8, func(_ int64, b *usage.Batch) { // the same GPUs, by another exporter
		b.Evidence, b.Node.Name = usage.EvidencePrometheus, a[0].Batch.Node.Name
		b.GPUs = slices.Clone(a[0].Batch.GPUs)
		for k := range b.Records {
			b.Records[k].GPU = b.GPUs[k].UUID
		}
	})
	late := steady(t, 3, 10, nil)
	for i, s := range a {
		c.ms = t0 + int64(i+1)*10*minute
		_, err := db.Append(ctx, []usage.Sealed{s})
		must(err)
		if i < len(twin) && i%7 != 0 {
			_, err := db.Append(ctx, []usage.Sealed{twin[i]})
			must(err)
		}
		if i%50 == 0 {
			must(db.Beat(ctx, contract.Life{FromMs: t0, ToMs: c.ms}))
			must(db.PutDocument(ctx, fmt.Sprintf("doc/%d", i), fmt.Appendf(nil, "body %d", i)))
			_, err := db.CloseDays(ctx, c.now())
			must(err)
		}
	}
	_, err := db.Append(ctx, steady(t, 1, 1, func(_ int64, b *usage.Batch) { b.IntervalMs = 7 })[:1]) // in conflict
	must(err)
	c.ms += day
	_, err = db.Append(ctx, late)
	must(err)
	c.ms += day
	_, err = db.CloseDays(ctx, c.now())
	must(err)
	for from := t0; from < c.ms; {
		done, err := db.Prune(ctx, store.Pruning{FromMs: from, ToMs: c.ms})
		must(err)
		from = done.NextMs
	}
	// Once more what is gone, and a record of an hour that is.
	_, err = db.Append(ctx, append(a[40:50:50], steady(t, 4, 10, func(_ int64, b *usage.Batch) {
		b.Node, b.GPUs = a[0].Batch.Node, slices.Clone(a[0].Batch.GPUs)
		for k := range b.Records {
			b.Records[k].GPU = b.GPUs[k].UUID
		}
	})...))
	must(err)
	if n, err := db.ThinDays(ctx); n != 0 || err != nil {
		t.Fatalf("%d days were thinned before what was pruned is in a day, %v", n, err)
	}
	c.ms += day
	if n, err := db.CloseDays(ctx, c.now()); n != 1 || err != nil {
		t.Fatalf("%d days were closed, %v", n, err)
	}
	if n, err := db.ThinDays(ctx); n < 2 || err != nil {
		t.Fatalf("%d days were thinned, %v", n, err)
	}
	if n, err := db.ThinDays(ctx); n != 0 || err != nil {
		t.Fatalf("%d days were thinned the second time, %v", n, err)
	}
	c.ms += day
	_, err = db.CloseDays(ctx, c.now()) // what was thinned is listed
	must(err)
	must(db.RollUp(ctx, c.now()))
	return db
}

func thinned(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := lived(t, dir, &clock{}).Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tables returns the rows of every table, sorted.
func tables(t *testing.T, dir string) map[string][]string {
	t.Helper()
	db, err := sql.Open("duckdb", filepath.Join(dir, database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	out := map[string][]string{}
	for _, c := range columns(t, filepath.Join(dir, database)) {
		if _, ok := out[c.table]; ok {
			continue
		}
		out[c.table] = texts(t, db, "SELECT CAST(t AS VARCHAR) FROM "+c.table+" t ORDER BY 1")
	}
	return out
}

// texts returns the answer to a query for one text a row.
func texts(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := []string{}
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRebuildMakesTheSameStore holds every row of a store that was made anew
// against the one that lived.
func TestRebuildMakesTheSameStore(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), &clock{}
	db := lived(t, dir, c)
	counts, err := db.Counts(t.Context())
	if err != nil || counts.Pruned == 0 {
		t.Fatalf("counts = %+v, %v", counts, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	want := tables(t, dir)
	if err := os.WriteFile(filepath.Join(dir, database), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := duckdb.Rebuild(t.Context(), dir, duckdb.Options{Threads: 1, Now: c.now}, c.now())
	if err != nil || r.StoreID != db.ID() || r.Records != counts.Records || r.Batches != counts.Batches || r.Days < 4 {
		t.Fatalf("rebuilt %+v, %v, want %+v", r, err, counts)
	}
	if body, err := os.ReadFile(filepath.Join(r.Aside, database)); err != nil || string(body) != "damaged" {
		t.Errorf("set aside: %q, %v", body, err)
	}
	got := tables(t, dir)
	for name := range want {
		if d := cmp.Diff(want[name], got[name]); d != "" {
			t.Errorf("table %s (-was +rebuilt):\n%.2000s", name, d)
		}
	}
	db = openAt(t, dir, c)
	defer db.Close()
	days, err := db.AuditDays(t.Context(), func(f store.Finding) { t.Errorf("%s: %s", f.Where, f.Problem) })
	if err != nil || days != r.Days {
		t.Errorf("%d days audited, %v, want %d", days, err, r.Days)
	}
	// It goes on as if nothing had happened.
	c.ms += day
	if _, err := db.Append(t.Context(), steady(t, 6, 1, nil)); err != nil {
		t.Error(err)
	}
	c.ms += day
	if n, err := db.CloseDays(t.Context(), c.now()); n == 0 || err != nil {
		t.Errorf("%d days closed, %v", n, err)
	}
}

// TestAuditDaysFindsEveryChangedByte changes bytes of every file of every day.
func TestAuditDaysFindsEveryChangedByte(t *testing.T) {
	t.Parallel()
	dir := thinned(t)
	db := openAt(t, dir, &clock{})
	defer db.Close()
	findings := func() (out []string) {
		if _, err := db.AuditDays(t.Context(), func(f store.Finding) { out = append(out, f.Where+": "+f.Problem) }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if f := findings(); len(f) > 0 {
		t.Fatalf("found %q where nothing was changed", f)
	}
	files, err := filepath.Glob(filepath.Join(dir, "days", "*", "*"))
	if err != nil || len(files) < 20 {
		t.Fatalf("files %q, %v", files, err)
	}
	for _, path := range files {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(dir, path)
		try := func(what string, change func() error) {
			t.Helper()
			if err := change(); err != nil {
				t.Fatal(err)
			}
			if f := findings(); len(f) == 0 {
				t.Errorf("%s: not found that %s", name, what)
			}
			if err := os.WriteFile(path, body, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, at := range []int{0, len(body) / 2, len(body) - 1} {
			changed := slices.Clone(body)
			changed[at] ^= 1
			try(fmt.Sprintf("byte %d was changed", at), func() error { return os.WriteFile(path, changed, 0o600) })
		}
		try("it was cut off", func() error { return os.Truncate(path, int64(len(body)-1)) })
		try("it is missing", func() error { return os.Remove(path) })
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(files[0]), "more"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if f := findings(); len(f) != 1 || !strings.Contains(f[0], "it is no file of the day") {
		t.Errorf("one file too many: %q", f)
	}
}

// TestRebuildRefusesWhatIsNotWhole leaves the folder as it is where a day is
// damaged or missing.
func TestRebuildRefusesWhatIsNotWhole(t *testing.T) {
	t.Parallel()
	f := func(name, want string, damage func(days []string) error) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := thinned(t)
			days, err := filepath.Glob(filepath.Join(dir, "days", "*"))
			if err != nil || len(days) < 4 {
				t.Fatalf("days %q, %v", days, err)
			}
			if err := damage(days); err != nil {
				t.Fatal(err)
			}
			before := tables(t, dir)
			_, err = duckdb.Rebuild(t.Context(), dir, duckdb.Options{Threads: 1}, time.UnixMilli(t0+90*day))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("rebuild: %v, want %q", err, want)
			}
			if d := cmp.Diff(before, tables(t, dir)); d != "" {
				t.Errorf("the store was changed:\n%s", d)
			}
		})
	}
	f("a byte", "it was changed: its SHA-256 is", func(days []string) error {
		return os.WriteFile(filepath.Join(days[1], "batches.parquet"), []byte("PAR1"), 0o600)
	})
	f("a day in between", "one between them is missing", func(days []string) error { return os.RemoveAll(days[1]) })
	f("the first day", "there was one before it", func(days []string) error { return os.RemoveAll(days[0]) })
	f("all days", "there is no closed day", func(days []string) error {
		for _, d := range days {
			if err := os.RemoveAll(d); err != nil {
				return err
			}
		}
		return nil
	})
	f("a day of another name", "and lies in", func(days []string) error { return os.Rename(days[1], days[1]+"x") })
}

// TestCloseDaysFinishesWhatWasCutShort gives a listed day its name, and takes
// away one that was not listed.
func TestCloseDaysFinishesWhatWasCutShort(t *testing.T) {
	t.Parallel()
	dir := thinned(t)
	days, err := filepath.Glob(filepath.Join(dir, "days", "*"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(days[0], days[0]+".unfinished"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(days[1]+".unfinished", 0o750); err != nil {
		t.Fatal(err)
	}
	db := openAt(t, dir, &clock{})
	defer db.Close()
	if n, err := db.CloseDays(context.Background(), time.UnixMilli(t0)); n != 0 || err != nil {
		t.Errorf("%d days closed, %v", n, err)
	}
	if after, err := filepath.Glob(filepath.Join(dir, "days", "*")); err != nil || !slices.Equal(after, days) {
		t.Errorf("days are %q, %v, want %q", after, err, days)
	}
	if _, err := db.AuditDays(t.Context(), func(f store.Finding) { t.Errorf("%s: %s", f.Where, f.Problem) }); err != nil {
		t.Error(err)
	}
}

// TestNothingIsReceivedOnAClosedDay sets the clock back behind a closed day.
func TestNothingIsReceivedOnAClosedDay(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), &clock{t0}
	db := openAt(t, dir, c)
	all := steady(t, 1, 2, nil)
	for i, ms := range []int64{t0, t0 + 2*day, t0} {
		c.ms = ms
		if _, err := db.CloseDays(t.Context(), c.now()); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Append(t.Context(), all[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	links, err := db.Links(t.Context(), all[0].Batch.Agent, all[0].Batch.Epoch, 1, 3)
	if err != nil || len(links) != 3 || links[2].ReceivedMs != (t0/day+1)*day {
		t.Errorf("links = %+v, %v, want the third received when the first day had ended, at %d", links, err, (t0/day+1)*day)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// daily is a store that closes days again and again while it is written to, as
// if months went by.
type daily struct {
	*duckdb.DB
	t *testing.T
	r *rand.Rand
}

func (s daily) Append(ctx context.Context, batches []usage.Sealed) ([]store.Status, error) {
	statuses, err := s.DB.Append(ctx, batches)
	if s.r.IntN(2) == 0 {
		if _, err := s.CloseDays(context.WithoutCancel(ctx), time.Now().AddDate(0, 0, s.r.IntN(5000))); err != nil {
			s.t.Errorf("close days: %v", err)
		}
	}
	return statuses, err
}

// openDaily finishes what was cut short, and audits all days.
func openDaily(t *testing.T, dir string) store.Store {
	s := daily{open(t, dir).(*duckdb.DB), t, storetest.NewRand(uint64(time.Now().UnixNano()))}
	if _, err := s.CloseDays(context.Background(), time.UnixMilli(0)); err != nil {
		t.Errorf("finish days: %v", err)
	}
	if _, err := s.AuditDays(context.Background(), func(f store.Finding) { t.Errorf("%s: %s", f.Where, f.Problem) }); err != nil {
		t.Error(err)
	}
	return s
}

func TestDBSurvivesKillWhileDaysClose(t *testing.T) {
	t.Parallel()
	storetest.Crash{Open: openDaily, Whole: true}.AtRandom(t, 5)
}
