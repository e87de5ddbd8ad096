package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs: run the test with -update and read the diff\n%s", name, got)
	}
}

var testMachine = machine{cpu: "Some CPU", cores: 2, memory: 23.6, load: "0.12", goes: "go1.26.0", commit: "abcdef1"}

func parsed(t *testing.T, text string) result {
	t.Helper()
	got, err := parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestTablePrintsWhatWasMeasured has a row with its ratio, one without, and one
// that was not measured.
func TestTablePrintsWhatWasMeasured(t *testing.T) {
	post, look := run{"./collector", "Post", "1x", ""}, run{"./agent/nvml", "Look", "1x", ""}
	results := map[run]result{
		post: parsed(t, `goos: linux
BenchmarkPost/minute-2    30000    691714 ns/op    798.7 p99-ms    25000 records/s    367 allocs/op
BenchmarkPost/bare-2      30000     22033 ns/op   500000 records/s
PASS
`),
		look: parsed(t, "BenchmarkLook-2   20000   12345 ns/op   0 allocs/op\n"),
	}
	var out bytes.Buffer
	err := printTable(&out, testMachine, []row{
		{"ingest", post, "minute", "records/s", "≥ 16,667", "bare"},
		{"… 99 % within", post, "minute", "p99-ms", "", ""},
		{"look", look, "", "ns/op", "", ""},
		{"look: allocations", look, "", "allocs/op", "0", ""},
		{"backlog", post, "backlog", "s/report", "≤ 5", "bare"},
	}, results)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "table.txt", out.Bytes())
}

func TestParseRefusesWhatIsNoFigure(t *testing.T) {
	_, err := parse(strings.NewReader("BenchmarkLook-2  200  many ns/op\n"))
	if err == nil || !strings.Contains(err.Error(), `"many" is not a figure`) {
		t.Errorf("error %v", err)
	}
}

func TestFigureHasThreeDigitsThatCount(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := figure(v); got != want {
			t.Errorf("figure(%v) = %q, want %q", v, got, want)
		}
	}
	f(0, "0")
	f(0.04567, "0.0457")
	f(12.345, "12.3")
	f(999.4, "999")
	f(999.6, "1,000")
	f(1000, "1,000")
	f(1234567, "1,234,567")
}

// TestPlotDraws holds the plot, and that it is XML.
func TestPlotDraws(t *testing.T) {
	points := []point{
		{1000, 30, 0.1, 0.03, 150}, {10_000, 30, 0.4, 0.2, 230}, {100_000, 30, 4, 2.2, 900},
		{10_000, 1, 0.08, 0.02, 160}, {10_000, 365, 3, 2, 500},
	}
	svg := draw(testMachine, points)
	golden(t, "plot.svg", svg)
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := printPoints(&out, testMachine, points); err != nil {
		t.Fatal(err)
	}
	golden(t, "plot.txt", out.Bytes())
}

// TestRowsNameBenchmarksThatThereAre looks for the function of each row, and
// for the units that it reports.
func TestRowsNameBenchmarksThatThereAre(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows {
		name, _, _ := strings.Cut(r.bench, "/")
		files, err := filepath.Glob(filepath.Join("..", r.folder, "*_timing_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text...)
		}
		if !bytes.Contains(all, []byte("func Benchmark"+name+"(b *testing.B)")) {
			t.Errorf("row %q: no Benchmark%s in %s", r.name, name, r.folder)
		}
		if r.metric != "ns/op" && r.metric != "allocs/op" && !bytes.Contains(all, []byte(`"`+r.metric+`"`)) {
			t.Errorf("row %q: no benchmark of %s reports %s", r.name, r.folder, r.metric)
		}
		for _, part := range []string{r.part, r.bare} {
			said, _, counted := strings.Cut(part, "=") // "gpus=%d"
			if counted {
				said += "=%d"
			}
			if part != "" && !bytes.Contains(all, []byte(`"`+said+`"`)) {
				t.Errorf("row %q: no benchmark of %s has a part %s", r.name, r.folder, part)
			}
		}
		if key := r.name + r.String(); seen[key] {
			t.Errorf("row %q stands twice", r.name)
		} else {
			seen[key] = true
		}
	}
}

// TestRunTableMeasures runs the one benchmark that takes no time.
func TestRunTableMeasures(t *testing.T) {
	t.Chdir("..")
	var out bytes.Buffer
	if err := runTable(t.Context(), regexp.MustCompile("^batch of 8 records: seal$"), &out); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "batch of 8 records: seal") || strings.Contains(got, "not measured") {
		t.Errorf("printed\n%s", got)
	}
	if err := runTable(t.Context(), regexp.MustCompile("no such row"), io.Discard); err == nil {
		t.Error("a table of no rows is no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out.Reset()
	if err := runTable(ctx, regexp.MustCompile("seal"), &out); !errors.Is(err, context.Canceled) || !strings.Contains(out.String(), "not measured") {
		t.Errorf("interrupted, %v, and printed\n%s", err, &out)
	}
}
