package duckdb_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/duckdb"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// chained seals batches as one agent does: each names the hash of the one
// before it.
func chained(t *testing.T, agent int, edits ...func(*usage.Batch)) []usage.Sealed {
	t.Helper()
	var out []usage.Sealed
	prev := ""
	for i, edit := range edits {
		b := node(t, agent, uint64(i+1), t0+int64(i)*minute, minute).Batch
		b.Prev = prev
		if edit != nil {
			edit(&b)
		}
		s, err := usage.Seal(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Batch.Check(); err != nil {
			t.Fatal(err)
		}
		prev = s.Hash.String()
		out = append(out, s)
	}
	return out
}

// eventful fills a store with some of everything: events, another driver, a
// node that changes its region, a clock that was set back, conflicts,
// quarantine, documents, a second stream.
func eventful(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	db := open(t, dir).(*duckdb.DB)
	a := chained(t, 1, nil,
		func(b *usage.Batch) {
			b.Events = []usage.Event{
				{AtMs: t0, Kind: usage.EventXid, GPU: b.GPUs[0].UUID, Value: 79, Detail: "gone"},
				{AtMs: t0 + 1, Kind: usage.EventAgentStart},
			}
		},
		func(b *usage.Batch) { b.Node.Driver, b.Records[0].Reason = "590", "driver_hang" },
		func(b *usage.Batch) { // reaches back
			for i := range b.Records {
				b.Records[i].StartMs, b.Records[i].EndMs = t0+minute/2, t0+minute+minute/2
			}
		},
		func(b *usage.Batch) { b.Node.Cloud.Region, b.ClockOffsetMs = "us-west-2", -3 },
		func(b *usage.Batch) { b.GPUs, b.Records = nil, nil },
		nil,
	)
	b := chained(t, 2, nil, nil, nil, func(b *usage.Batch) {
		for i := range b.Records {
			b.Records[i].StartMs, b.Records[i].EndMs = t0+hour, t0+hour+minute
		}
	})
	for i := range b { // two batches of one call, and a window with two holders
		b[i].Batch.Records[1].Holder.Labels = "team=search"
	}
	for i, call := range [][]usage.Sealed{a[:2], a[2:4], b, a[4:], chained(t, 3, nil)} {
		if _, err := db.Append(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		// Hour records of the first hour. Afterwards, the last call comes late.
		if i == 3 {
			if err := db.RollUp(t.Context(), time.UnixMilli(t0+3*hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	other := chained(t, 1, func(b *usage.Batch) { b.IntervalMs = 7 })
	if got, err := db.Append(t.Context(), other); err != nil || got[0] != store.Conflict {
		t.Fatalf("conflict = %v, %v", got, err)
	}
	bad := usage.Sealed{Body: []byte("{\xff"), Hash: usage.Hash{9}}
	if err := db.Quarantine(t.Context(), usage.ID{Agent: "a", Epoch: "e", Seq: 1}, bad, "no JSON"); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := db.PutDocument(t.Context(), fmt.Sprintf("doc/%d", i), fmt.Appendf(nil, "body %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(3) {
		if err := db.Beat(t.Context(), contract.Life{FromMs: t0, ToMs: t0 + i*minute}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// audit opens a store and audits it. An error is how Open or Audit say that
// something is wrong.
func audit(t *testing.T, dir string) (store.Audited, []string, error) {
	t.Helper()
	db, err := duckdb.Open(t.Context(), dir, duckdb.Options{ReadOnly: true, Threads: 1})
	if err != nil {
		return store.Audited{}, nil, err
	}
	defer db.Close()
	var found []string
	seen, err := db.Audit(t.Context(), func(f store.Finding) { found = append(found, f.Where+": "+f.Problem) })
	return seen, found, err
}

func TestAuditFindsNothingWhereNothingWasChanged(t *testing.T) {
	t.Parallel()
	seen, found, err := audit(t, eventful(t))
	want := store.Audited{Batches: 12, Records: 88, Events: 2, Aside: 2, Documents: 2, Lives: 3}
	if err != nil || len(found) > 0 || seen != want {
		t.Errorf("audited %+v, found %q, %v; want %+v and nothing", seen, found, err, want)
	}
}

// column is a column of a table of the store.
type column struct{ table, name, kind string }

func columns(t *testing.T, path string) []column {
	t.Helper()
	db, err := sql.Open("duckdb", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT table_name, column_name, data_type FROM information_schema.columns ORDER BY 1, ordinal_position")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []column
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.table, &c.name, &c.kind); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// changes are statements that change one value of a column.
func (c column) changes() []string {
	var values []string
	switch c.kind {
	case "BLOB":
		// Another last byte, and nothing at all.
		values = []string{fmt.Sprintf("unhex(left(hex(%[1]s), -2) || CASE WHEN right(hex(%[1]s), 2) = '00' THEN '01' ELSE '00' END)", c.name), "''::BLOB"}
	case "VARCHAR":
		values = []string{c.name + " || 'x'", "''"}
	default:
		values = []string{c.name + " + 1", "0"}
	}
	var out []string
	for _, v := range values {
		// The middle one of the rows that the value changes.
		out = append(out, fmt.Sprintf(`UPDATE %[1]s SET %[2]s = %[3]s WHERE rowid = (
			SELECT quantile_disc(rowid, 0.5) FROM %[1]s WHERE %[2]s IS DISTINCT FROM (%[3]s) AND %[2]s IS NOT NULL)`, c.table, c.name, v))
	}
	return out
}

// TestAuditFindsEveryChangedValue changes a value of each column of each table,
// takes rows away, and adds some.
func TestAuditFindsEveryChangedValue(t *testing.T) {
	t.Parallel()
	t.Run("some of everything", func(t *testing.T) { findEveryChange(t, eventful(t), nil, 150) })
	left := []string{"prunings", "pruned_hours", "pruned_courses", "pruned_batches", "late", "days", "hours", "hours_lost"}
	t.Run("after records went", func(t *testing.T) { findEveryChange(t, thinned(t), left, 80) })
}

// findEveryChange makes changes of some tables, all if there are none.
func findEveryChange(t *testing.T, dir string, some []string, atLeast int) {
	t.Helper()
	t.Parallel()
	path := filepath.Join(dir, database)
	all := columns(t, path)
	var changes, tables []string
	for _, c := range all {
		if len(some) > 0 && !slices.Contains(some, c.table) {
			continue
		}
		if !slices.Contains(tables, c.table) {
			tables = append(tables, c.table)
		}
		changes = append(changes, c.changes()...)
		if c.table != "meta" {
			changes = append(changes, fmt.Sprintf(`UPDATE %[1]s SET %[2]s = NULL WHERE rowid = (SELECT max(rowid) FROM %[1]s WHERE %[2]s IS NOT NULL)`, c.table, c.name))
		}
	}
	for _, table := range tables {
		changes = append(changes, "DELETE FROM "+table+" WHERE rowid = (SELECT min(rowid) FROM "+table+")")
		if table != "lives" && table != "rough" { // what is said twice says nothing else
			changes = append(changes, "INSERT INTO "+table+" SELECT * FROM "+table+" LIMIT 1")
		}
	}
	if len(changes) < atLeast {
		t.Fatalf("%d tables, %d changes: too few", len(tables), len(changes))
	}
	db := open(t, dir).(*duckdb.DB)
	defer db.Close()
	changed := 0
	for _, statement := range changes {
		found := 0
		n, refused, err := db.AuditAfter(t.Context(), statement, func(store.Finding) { found++ })
		switch {
		case refused != nil && !strings.Contains(refused.Error(), "NOT NULL constraint"):
			t.Fatalf("%s: %v", statement, refused)
		case n > 0:
			changed++
			if err == nil && found == 0 {
				t.Errorf("not found: %s", statement)
			}
		}
	}
	if changed < atLeast {
		t.Errorf("only %d of %d changes changed something", changed, len(changes))
	}
	if _, _, err := db.AuditAfter(t.Context(), "SELECT 1", func(f store.Finding) { t.Errorf("after all, found %+v", f) }); err != nil {
		t.Error(err)
	}
}

// TestAuditSaysWhere changes single rows and wants the batch or document by
// name.
func TestAuditSaysWhere(t *testing.T) {
	t.Parallel()
	dir := eventful(t)
	content, err := os.ReadFile(filepath.Join(dir, database))
	if err != nil {
		t.Fatal(err)
	}
	agent := fmt.Sprintf("agent %032x, epoch %032x", 3, 1)
	for statement, want := range map[string]string{
		"UPDATE records SET busy_ms = busy_ms + 1, idle_ms = idle_ms - 1 WHERE stream = 2 AND seq = 2": agent + ", seq 2: what is kept of it is not what was stored",
		"UPDATE batches SET hash = unhex(sha256('x')) WHERE stream = 2 AND seq = 2":                    agent + ", seq 3: the chain of hashes is broken",
		"UPDATE records SET seq = 9 WHERE stream = 2 AND seq = 3":                                      agent + ", seq 9: the table records has 8 rows of it, and it is not there",
		"INSERT INTO batches SELECT * FROM batches WHERE stream = 2 AND seq = 1":                       agent + ", seq 1: it stands there 2 times",
		"UPDATE batches SET digest = NULL WHERE seq = 1":                                               "table batches: 3 rows have no digest, and 0 had none",
		"UPDATE documents SET body = 'x'::BLOB WHERE name = 'doc/1'":                                   "document doc/1: it is not what was put",
		"UPDATE aside SET reason = 'other' WHERE kind = 'quarantine'":                                  "agent a, epoch e, seq 1, kept aside: it is not what was stored",
	} {
		path := filepath.Join(dir, database)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := alter(path, statement); err != nil {
			t.Fatal(err)
		}
		_, found, err := audit(t, dir)
		if err != nil || !slices.ContainsFunc(found, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%s: found %q, %v, want %q", statement, found, err, want)
		}
	}
}

// TestAuditCountsWhatIsMissing leaves a batch out, and has a batch that names
// none before it.
func TestAuditCountsWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, dir)
	a := chained(t, 1, nil, nil, nil, nil, func(b *usage.Batch) { b.Prev = "" })
	if _, err := db.Append(t.Context(), []usage.Sealed{a[4], a[0], a[3]}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	seen, found, err := audit(t, dir)
	if err != nil || len(found) > 0 || seen.Missing != 2 || seen.Unchained != 1 {
		t.Errorf("audited %+v, found %q, %v", seen, found, err)
	}
}

// TestAuditSaysWhatItCannotSee takes the digests of a store away, as of one
// that an earlier version filled.
func TestAuditSaysWhatItCannotSee(t *testing.T) {
	t.Parallel()
	dir := eventful(t)
	err := alter(filepath.Join(dir, database), `UPDATE batches SET digest = NULL; UPDATE aside SET digest = NULL;
		UPDATE inventory SET stream = NULL, seq = NULL; UPDATE doubts SET stream = NULL, seq = NULL;
		UPDATE meta SET unsealed_batches = 12, unsealed_aside = 2, unsealed_lives = 3; UPDATE lives SET digest = NULL`)
	if err != nil {
		t.Fatal(err)
	}
	seen, found, err := audit(t, dir)
	if err != nil || len(found) > 0 || seen.Unsealed != 17 {
		t.Errorf("audited %+v, found %q, %v", seen, found, err)
	}
}
