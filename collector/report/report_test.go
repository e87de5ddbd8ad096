package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, d)
	}
}

// fleet is the report of five clouds that a test of package collector keeps.
func fleet(t testing.TB) contract.Report { return stored(t, "fleet.json") }

// fleetBy is the same report, broken down by team.
func fleetBy(t testing.TB) contract.Report { return stored(t, "fleet-team.json") }

func stored(t testing.TB, name string) contract.Report {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var r contract.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// worked is the worked example of the design: 24 GPUs for an hour.
func worked(t testing.TB) contract.Report {
	t.Helper()
	from := time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC)
	to := from.Add(time.Hour)
	c := []contract.Contract{{
		ID: "acme-h100", Provider: "aws", Currency: "USD", Zone: time.UTC,
		Tranches: []contract.Tranche{{
			ID: "h100", Model: "H100", EndMs: to.UnixMilli(),
			Steps: []contract.Step{{FromMs: from.UnixMilli(), GPUs: 24}},
			Rates: []contract.Rate{{FromMs: from.UnixMilli(), ToMs: to.UnixMilli(), PerGPUHour: 2_500_000}},
		}},
	}}
	var placed contract.Placements
	for i := range 24 {
		begin := from
		if i >= 16 {
			begin = from.Add(15 * time.Minute)
		}
		placed.List = append(placed.List, contract.Placement{Unit: int64(i), GPU: string(rune('a' + i)), FromMs: begin.UnixMilli(), ToMs: to.UnixMilli()})
	}
	period := contract.Period{Name: "2026-10-01 10:00 to 11:00", FromMs: from.UnixMilli(), ToMs: to.UnixMilli()}
	sums := usage.Sums{UnhealthyMs: 1_800_000, UnallocatedMs: 7_200_000, IdleMs: 12_000_000, BusyMs: 53_400_000}
	r, err := contract.NewPlan(c, placed, []contract.Period{period}, period).
		Build(contract.Answer{Sums: []contract.Sum{{Sums: sums}}}, to)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func text(t testing.TB, r contract.Report, o report.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.Text(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTextAsPrinted(t *testing.T) {
	golden(t, "worked-80.txt", text(t, worked(t), report.Options{}))
	golden(t, "fleet-80.txt", text(t, fleet(t), report.Options{Width: 80}))
	golden(t, "fleet-120.txt", text(t, fleet(t), report.Options{Width: 120}))
	golden(t, "fleet-team-80.txt", text(t, fleetBy(t), report.Options{Width: 80}))
	golden(t, "fleet-team-120.txt", text(t, fleetBy(t), report.Options{Width: 120}))
}

func TestMarkdownAsPrinted(t *testing.T) {
	f := func(name string, r contract.Report) {
		t.Helper()
		var b bytes.Buffer
		if err := report.Markdown(&b, r); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		cells := 0 // of the table that a line is in
		for line := range strings.Lines(b.String()) {
			n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
			if n > 0 && cells > 0 && n != cells {
				t.Errorf("%s: a row of %d cells in a table of %d: %s", name, n-1, cells-1, line)
			}
			cells = n
		}
	}
	f("worked.md", worked(t))
	f("fleet-team.md", fleetBy(t))
	r := fleet(t)
	r.Contracts[0].Contract, r.Contracts[0].Tranches[0].Tranche = `a|b\|c`, "<script>"
	f("fleet.md", r)
}

func TestTextKeepsToTheWidth(t *testing.T) {
	for _, width := range []int{80, 120} {
		both := string(text(t, fleet(t), report.Options{Width: width})) + string(text(t, fleetBy(t), report.Options{Width: width}))
		for line := range strings.Lines(both) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns of %d: %s", n, width, line)
			}
		}
	}
}

func TestTextHasColoursOnlyWhenAsked(t *testing.T) {
	r := fleet(t)
	if plain := text(t, r, report.Options{}); bytes.ContainsRune(plain, '\x1b') {
		t.Error("plain text has escape sequences")
	}
	if !bytes.ContainsRune(text(t, r, report.Options{Color: true}), '\x1b') {
		t.Error("coloured text has none")
	}
}

func TestColorsAreForTerminals(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	none := func(string) string { return "" }
	if report.Colors(f, none) {
		t.Error("a file gets colours")
	}
	null, err := os.Open(os.DevNull) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if !report.Colors(null, none) {
		t.Error("a terminal gets no colours")
	}
	for _, key := range []string{"NO_COLOR", "TERM"} {
		if report.Colors(null, func(k string) string { return map[bool]string{true: "dumb"}[k == key] }) {
			t.Errorf("%s is not honoured", key)
		}
	}
}

func TestTextSaysMismatch(t *testing.T) {
	r := worked(t)
	if s := string(text(t, r, report.Options{})); strings.Contains(s, "MISMATCH") || strings.Count(s, "✓") != 2 {
		t.Errorf("good sums are not confirmed:\n%s", s)
	}
	r.Contracts[0].Total.Buckets[contract.Idle]--
	r.Contracts[0].Total.Cost.Buckets[contract.Idle]++
	if s := string(text(t, r, report.Options{})); strings.Count(s, "MISMATCH") != 2 {
		t.Errorf("wrong sums are not told:\n%s", s)
	}
}

func TestTextPrintsEverySumOfTheWorkedExample(t *testing.T) {
	s := string(text(t, worked(t), report.Options{}))
	for _, want := range []string{
		"86,400 GPU-s = 86,400 GPU-s ✓", "60.000000 USD = 60.000000 USD ✓",
		"61.81 % of contracted, bounds [61.81 %, 67.36 %]", "71.77 % of observed",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("text lacks %q:\n%s", want, s)
		}
	}
}

func TestJSONIsReadBack(t *testing.T) {
	r := worked(t)
	var b bytes.Buffer
	if err := report.JSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var got contract.Report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, got); d != "" {
		t.Errorf("report differs (-want +got):\n%s", d)
	}
	if !strings.Contains(b.String(), `"schema": "gpumeter.report/v1"`) {
		t.Error("the schema is not named")
	}
}

func table(t testing.TB, r contract.Report) ([]byte, [][]string) {
	t.Helper()
	var b bytes.Buffer
	if err := report.CSV(&b, r); err != nil {
		t.Fatal(err)
	}
	cells, err := csv.NewReader(bytes.NewReader(b.Bytes())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), cells
}

func TestCSVAsWritten(t *testing.T) {
	b, _ := table(t, fleet(t))
	golden(t, "fleet.csv", b)
}

func TestCSVAddsUp(t *testing.T) {
	_, cells := table(t, fleet(t))
	column := map[string]int{}
	for i, name := range cells[0] {
		column[name] = i
	}
	totals := 0
	for _, row := range cells[1:] {
		if row[column["row"]] != "total" {
			continue
		}
		totals++
		var sum int64
		for b := range contract.Buckets {
			sum += number(t, row[column[b.String()+"_gpu_ms"]])
		}
		if want := number(t, row[column["contracted_gpu_ms"]]); sum != want {
			t.Errorf("%s: buckets are %d, contracted is %d", row[column["contract"]], sum, want)
		}
	}
	if totals != 5 {
		t.Errorf("%d totals, want 5", totals)
	}
}

// TestCSVTranchesAddUp holds every time of a contract's total against its
// tranches.
func TestCSVTranchesAddUp(t *testing.T) {
	_, cells := table(t, fleet(t))
	totals := 0
	for i, name := range cells[0] {
		if !strings.HasSuffix(name, "_gpu_ms") {
			continue
		}
		left := map[string]int64{}
		for _, row := range cells[1:] {
			if row[i] == "" {
				continue
			}
			switch contract := row[slices.Index(cells[0], "contract")]; row[0] {
			case "tranche":
				left[contract] += number(t, row[i])
			case "total":
				totals++
				left[contract] -= number(t, row[i])
			}
		}
		for contract, n := range left {
			if n != 0 {
				t.Errorf("%s: the tranches have %d more %s than the total", contract, n, name)
			}
		}
	}
	if totals < 50 {
		t.Errorf("%d totals in all columns", totals)
	}
}

// TestCSVGroupsAddUp holds the rows of groups against the rows that they are
// of, in every column that is a sum.
func TestCSVGroupsAddUp(t *testing.T) {
	_, cells := table(t, fleetBy(t))
	column := map[string]int{}
	for i, name := range cells[0] {
		column[name] = i
	}
	left := map[string]map[string]int64{} // what groups miss, by what they are of, and column
	add := func(key string, row []string, sign int64) {
		if left[key] == nil {
			left[key] = map[string]int64{}
		}
		for i, name := range cells[0] {
			part := slices.Contains([]string{"undelivered_unconfirmed_gpu_ms", "undelivered_within_grace_gpu_ms", "unhealthy_alone_gpu_ms", "substituted_gpu_ms"}, name)
			sums := strings.HasSuffix(name, "_gpu_ms") && !part || strings.HasSuffix(name, "_cost")
			if row[i] != "" && sums {
				left[key][name] += sign * number(t, strings.TrimLeft(strings.Replace(row[i], ".", "", 1), "0")+"0")
			}
		}
	}
	kinds := map[string]int{}
	for _, row := range cells[1:] {
		kind := row[column["row"]]
		kinds[kind]++
		contracts, tranche, currency := row[column["contract"]], row[column["contract"]]+"/"+row[column["tranche"]], row[column["currency"]]
		switch kind {
		case "tranche":
			add(tranche, row, 1)
		case "tranche-group":
			add(tranche, row, -1)
		case "total":
			add(contracts, row, 1)
			add(currency, row, 1)
		case "total-group":
			add(contracts, row, -1)
		case "currency-group":
			add(currency, row, -1)
		case "uncontracted":
			add(kind, row, 1)
		case "uncontracted-group":
			add("uncontracted", row, -1)
		}
	}
	for key, columns := range left {
		for name, n := range columns {
			if n != 0 {
				t.Errorf("%s: groups miss %d in %s", key, n, name)
			}
		}
	}
	for _, kind := range []string{"tranche-group", "total-group", "uncontracted-group", "currency-group"} {
		if kinds[kind] < 5 {
			t.Errorf("%d rows of %s", kinds[kind], kind)
		}
	}
}

func number(t testing.TB, s string) int64 {
	t.Helper()
	var n int64
	if err := json.Unmarshal([]byte(s), &n); err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return n
}

// TestCSVIsNoFormula holds that no text cell begins a formula, whatever names
// contain, and that the name can still be read.
func TestCSVIsNoFormula(t *testing.T) {
	r := worked(t)
	for _, evil := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1"} {
		r.Contracts[0].Title = evil
		r.Uncontracted = []contract.Stray{{Provider: evil, Account: evil, Region: evil, Model: evil, Near: evil}}
		_, cells := table(t, r)
		found := 0
		for _, row := range cells[1:] {
			for _, cell := range row {
				if strings.HasPrefix(cell, evil) {
					t.Errorf("cell %q begins a formula", cell)
				}
				if strings.HasPrefix(cell, "'"+strings.TrimSuffix(evil, "\n")) || strings.HasPrefix(cell, "'\n") {
					found++
				}
			}
		}
		if found != 7 {
			t.Errorf("%q is in %d cells, want 7", evil, found)
		}
	}
}

func TestBreakdownOfAClosedMonthSaysSo(t *testing.T) {
	r := fleetBy(t)
	r.Edition.State = contract.Closed
	if got := string(text(t, r, report.Options{})); !strings.Contains(got, "\nclosed; this is what is known now, and may differ") {
		t.Errorf("text begins %.300s", got)
	}
}

// TestNamesKeepTheirEnds holds that a name that is too long for its column is
// cut in the middle, to the width.
func TestNamesKeepTheirEnds(t *testing.T) {
	r := fleetBy(t)
	r.Breakdown.Currencies[0].Groups[0].Group = "pod llm-pretraining/dense-70b-worker-117"
	r.Breakdown.Currencies[0].Groups[1].Group = "job 表征学习表征学习表征学习表征学习/4711"
	got := string(text(t, r, report.Options{Width: 80}))
	for _, want := range []string{"\n  pod l…b-worker-117 ", "\n  job 表…征学习表征学习/4711 "} {
		if !strings.Contains(got, want) {
			t.Errorf("text lacks %q:\n%.2000s", want, got)
		}
	}
	if got := string(text(t, r, report.Options{Width: 120})); !strings.Contains(got, "dense-70b-worker-117 ") || !strings.Contains(got, "pod llm-pretraining/") {
		t.Error("a wide text cuts a name that it has room for")
	}
}
