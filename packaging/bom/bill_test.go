package main

import (
	"database/sql"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
)

var update = flag.Bool("update", false, "write the golden files anew")

// collector is what the collector's program says of itself, shortened.
func collector() *debug.BuildInfo {
	return &debug.BuildInfo{
		GoVersion: "go1.26.8 X:nothing", Path: "github.com/gpumeter/gpumeter/cmd/gpumeter",
		Main: debug.Module{Path: "github.com/gpumeter/gpumeter", Version: "(devel)"},
		Deps: []*debug.Module{
			{Path: "github.com/duckdb/duckdb-go-bindings", Version: "v0.10506.0", Sum: "h1:+s/v55ghAy8MV/QJnwuafD9n+ZoYQkrRd/ceSU0KReA="},
			{Path: "github.com/mwitkow/go-conntrack", Version: "v0.0.0-20190716064945-2f068394615f", Replace: &debug.Module{Path: "./third_party/conntrack", Version: "(devel)"}},
			{Path: "example.com/old", Version: "v1.0.0", Replace: &debug.Module{Path: "example.com/fork", Version: "v1.0.1+incompatible", Sum: "h1:fork"}},
		},
	}
}

func TestBill(t *testing.T) {
	p := program{Version: "1.2.3+4.abc", Made: time.Date(2026, 11, 28, 17, 0, 0, 0, time.UTC), SHA256: "abc", CXX: "12.2.0"}
	got, err := bill(collector(), p)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "collector.cdx.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(got) != string(want) {
		t.Errorf("%v; the bill is now\n%s", err, got)
	}
}

func TestBillRefuses(t *testing.T) {
	f := func(want string, change func(*debug.BuildInfo, *program)) {
		t.Helper()
		info, p := collector(), program{Version: "1", CXX: "12.2.0"}
		change(info, &p)
		if _, err := bill(info, p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
	f("DuckDB v1.5.6 is linked: say with -cxx", func(_ *debug.BuildInfo, p *program) { p.CXX = "" })
	f(`no version of DuckDB in its bindings' "v0.0.0-2026"`, func(i *debug.BuildInfo, _ *program) { i.Deps[0].Version = "v0.0.0-2026" })
	f("does not say of which module", func(i *debug.BuildInfo, _ *program) { i.Main.Path = "" })
}

// TestDuckDBHasTheVersionOfItsBindings asks DuckDB, which the test has linked.
func TestDuckDBHasTheVersionOfItsBindings(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	needs := regexp.MustCompile(`(?m)^\s+` + bindings + ` (\S+)`).FindSubmatch(text)
	if needs == nil {
		t.Fatalf("go.mod does not need %s", bindings)
	}
	got, err := duckdb(string(needs[1]))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var want string
	if err := db.QueryRow("SELECT version()").Scan(&want); err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("the bill says DuckDB %s, which is %s", got, want)
	}
}

// TestReadOfThisProgram has a test program, which is a program of Go, and no parts.
func TestReadOfThisProgram(t *testing.T) {
	file, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(file, program{Version: "1"})
	if err != nil || !strings.Contains(string(got), `"pkg:golang/std@`) {
		t.Errorf("%v, the bill is %s", err, got)
	}
	if _, err := read("bill.go", program{}); err == nil {
		t.Error("a text has a bill")
	}
}
