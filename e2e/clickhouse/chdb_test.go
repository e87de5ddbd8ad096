//go:build e2e_clickhouse

package clickhouse_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/clickhouse"
	"github.com/gpumeter/gpumeter/usage"
)

const sqlFolder = "../../collector/store/clickhouse/sql"

// TestStatementsRunOnTodaysClickHouse runs every statement of the store on an
// old server and on libchdb, a ClickHouse of today as a library, with the same
// rows, and wants the same answers.
func TestStatementsRunOnTodaysClickHouse(t *testing.T) {
	path := os.Getenv("GPUMETER_CHDB")
	if path == "" {
		t.Skip("GPUMETER_CHDB does not name a libchdb.so; it is in the npm package @chdb/lib-linux-x64-gnu")
	}
	c := startServers(t, 1, 1)
	old := oldEngine{"http://" + c.servers()[0].http + "/?database=both"}
	fill(t, c.store("both"))
	today := openChdb(t, path)
	t.Logf("ClickHouse %s and %s", old.run(t, "SELECT version()"), today.run(t, "SELECT version()"))
	for _, table := range schema(t, today) {
		rows := old.run(t, "SELECT * FROM "+table)
		if rows == "" {
			t.Errorf("table %s is empty: nothing is compared", table)
			continue
		}
		today.run(t, "INSERT INTO "+table+" FORMAT TSV\n"+rows)
	}
	for _, e := range []engine{old, today} {
		e.run(t, "ALTER TABLE batches DELETE WHERE day = 1 AND part = 0 AND received_ms < 5") // none: how versions write it
	}
	stamps, err := os.ReadFile(filepath.Join(sqlFolder, "stamps.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := partitions(today.run(t, string(stamps))), partitions(old.run(t, string(stamps))); !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("partitions are called %q today, and were called %q", got, want)
	}
	for name, text := range statements(t) {
		t.Run(name, func(t *testing.T) {
			for _, e := range []engine{old, today} {
				for _, temporary := range temporaries[name] {
					e.run(t, "CREATE TABLE "+temporary+" ENGINE = Memory AS "+rowsOf[temporary+" of "+name])
				}
			}
			answer := func(e engine) []string {
				rows := e.run(t, text)
				if written, ok := writes[name]; ok {
					rows = e.run(t, written)
				}
				if name == "mutations" {
					rows = strings.NewReplacer("(", "", ")", "").Replace(rows) // as versions like
				}
				return sorted(strings.ReplaceAll(rows, ", ", ",")) // as in names of partitions
			}
			got, want := answer(today), answer(old)
			if !slices.Equal(got, want) || len(got) == 0 && name != "raced" {
				t.Errorf("today %d rows, before %d:\n%.2000s\n%.2000s", len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for _, e := range []engine{old, today} {
				for _, temporary := range temporaries[name] {
					e.run(t, "DROP TABLE "+temporary)
				}
			}
		})
	}
}

// writes reads what statements write.
var writes = map[string]string{
	"roll":        "SELECT * FROM hours WHERE attempt = 77",
	"prune_keep":  "SELECT * FROM batches WHERE part = 77 AND merged = 0",
	"prune_merge": "SELECT * FROM batches ARRAY JOIN records WHERE part = 77 AND merged > 0",
}

// engine runs one statement and returns its answer as tab-separated lines. An
// error fails the test.
type engine interface {
	run(t *testing.T, statement string) string
}

// oldEngine is a server.
type oldEngine struct{ url string }

func (e oldEngine) run(t *testing.T, statement string) string {
	t.Helper()
	res, err := http.Post(e.url, "text/plain", strings.NewReader(statement))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("before: %.300s: %v: %s", statement, err, body)
	}
	return string(body)
}

// chdb is a ClickHouse in this process.
type chdb struct {
	conn    uintptr
	query   func(conn uintptr, query string, n uintptr, format string, m uintptr) uintptr
	problem func(result uintptr) string
	buffer  func(result uintptr) string
	destroy func(result uintptr)
}

func openChdb(t *testing.T, path string) *chdb {
	t.Helper()
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		t.Fatal(err)
	}
	e := &chdb{}
	var connect func(argc int32, argv []*byte) *uintptr
	purego.RegisterLibFunc(&connect, lib, "chdb_connect")
	purego.RegisterLibFunc(&e.query, lib, "chdb_query_n")
	purego.RegisterLibFunc(&e.problem, lib, "chdb_result_error")
	purego.RegisterLibFunc(&e.buffer, lib, "chdb_result_buffer")
	purego.RegisterLibFunc(&e.destroy, lib, "chdb_destroy_query_result")
	arguments := [][]byte{[]byte("chdb\x00"), []byte("--path=" + t.TempDir() + "\x00")}
	e.conn = *connect(2, []*byte{&arguments[0][0], &arguments[1][0]})
	e.run(t, "CREATE DATABASE both")
	e.run(t, "USE both")
	return e
}

func (e *chdb) run(t *testing.T, statement string) string {
	t.Helper()
	const format = "TSV"
	r := e.query(e.conn, statement, uintptr(len(statement)), format, uintptr(len(format)))
	defer e.destroy(r)
	if text := e.problem(r); text != "" {
		t.Fatalf("today: %.300s: %s", statement, text)
	}
	return strings.Clone(e.buffer(r))
}

// schema makes the tables of the store and returns their names.
func schema(t *testing.T, e engine) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sqlFolder, "0002_schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for s := range strings.SplitSeq(string(text), ";\n") {
		if _, rest, ok := strings.Cut(s, "CREATE TABLE IF NOT EXISTS "); ok {
			name, _, _ := strings.Cut(rest, " ")
			out = append(out, name)
			e.run(t, strings.ReplaceAll(s, "{engine}", "ReplacingMergeTree()")+" SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1")
		}
	}
	return out
}

// fill lets two agents record the same GPUs in part, beside conflicts,
// quarantine, events and documents. Of two others nothing happened; the minutes
// of the first are let go before the second is heard of.
func fill(t *testing.T, address string) {
	t.Helper()
	a, err := clickhouse.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	now := start.AddDate(0, 2, 0)
	db, err := clickhouse.Open(t.Context(), clickhouse.Options{Address: a, Grace: -1, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all []usage.Sealed
	for agent := range 2 {
		for _, s := range history(t, agent) {
			b := s.Batch
			b.Events = []usage.Event{{AtMs: b.Records[0].StartMs, Kind: usage.EventGoodbye, GPU: b.GPUs[0].UUID, Detail: "it's \t"}}
			other := b
			other.IntervalMs++
			again := b
			again.Agent = fmt.Sprintf("%032x", 100+agent)
			for _, b := range []usage.Batch{b, again, other} {
				s, err := usage.Seal(b)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, s)
			}
		}
	}
	for agent, batches := range [][]usage.Sealed{append(all, calm(t, 200)...), calm(t, 201)} {
		if _, err := db.Append(t.Context(), batches); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Duration(4-3*agent) * 30 * time.Minute) // too short for what is gone to be deleted
		pruned, err := db.Prune(t.Context(), store.Pruning{FromMs: 0, ToMs: start.AddDate(0, 0, 1-agent).UnixMilli()})
		if want := int64(1-agent) * 2 * 8 * 60; err != nil || pruned.Records != want {
			t.Fatalf("%d records were pruned, %v, want %d", pruned.Records, err, want)
		}
	}
	if err := db.PutDocument(t.Context(), "a/1", []byte("body")); err != nil {
		t.Fatal(err)
	}
	if err := db.Beat(t.Context(), lifeOfTheTest); err != nil {
		t.Fatal(err)
	}
}

// calm returns ten hours of an agent that saw two GPUs busy for two holders.
func calm(t *testing.T, agent int) (out []usage.Sealed) {
	t.Helper()
	for i := range int64(600) {
		b := usage.Batch{
			Agent: fmt.Sprintf("%032x", agent), Epoch: fmt.Sprintf("%032x", 7), Seq: uint64(i + 1),
			Evidence: usage.EvidenceAgent, IntervalMs: 1000, Node: usage.Node{Name: fmt.Sprintf("node-%d", agent)},
		}
		from := start.UnixMilli() + i*60_000
		for g := range 2 {
			id := fmt.Sprintf("GPU-%d-%d", agent, g)
			b.GPUs = append(b.GPUs, usage.GPU{UUID: id, Model: "H100", Index: g})
			b.Records = append(b.Records, usage.Record{GPU: id, StartMs: from, EndMs: from + 60_000,
				Holder: usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Name: fmt.Sprint(i / 20 % 2)},
				Sums:   usage.Sums{BusyMs: i, IdleMs: 60_000 - i, EnergyMJ: 40_000_000, EnergyKnownMs: 60_000}})
		}
		s, err := usage.Seal(b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

// statements returns those of the store by their files' names, with numbers for
// their parameters, and a clock that stands.
func statements(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(sqlFolder, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		if name == "0002_schema" || name == "members" || name == "stamps" {
			continue // run elsewhere; of the cluster; compared apart
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = numbers.Replace(string(text))
		if strings.Contains(out[name], "@") {
			t.Errorf("%s: a parameter has no number", file)
		}
	}
	return out
}

// partitions returns the first column, without the spaces that versions put into
// it or not.
func partitions(stamps string) []string {
	var out []string
	for _, line := range sorted(stamps) {
		name, _, _ := strings.Cut(line, "\t")
		out = append(out, strings.ReplaceAll(name, " ", ""))
	}
	return out
}

// sorted returns the lines of an answer in one order.
func sorted(text string) []string {
	var out []string
	for line := range bytes.Lines([]byte(text)) {
		out = append(out, string(line))
	}
	slices.Sort(out)
	return out
}
