package web_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector/web"
	"github.com/gpumeter/gpumeter/contract"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 11, 2, 12, 2, 30, 0, time.UTC)

// fleet is the report of five clouds that a test of package collector keeps.
func fleet(t testing.TB) *contract.Report { return stored(t, "fleet.json") }

// fleetBy is the same report, broken down by team.
func fleetBy(t testing.TB) *contract.Report { return stored(t, "fleet-team.json") }

func stored(t testing.TB, name string) *contract.Report {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "report", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var r contract.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

func render(t testing.TB, p web.Page) string {
	t.Helper()
	p.Now, p.Version = now, "1.2.3"
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs: run the test with -update and read the diff", name)
	}
}

func TestPageAsServed(t *testing.T) {
	golden(t, "fleet.html", render(t, web.Page{Report: fleet(t), HasContracts: true, Query: url.Values{"month": {"2026-10"}}}))
	golden(t, "fleet-team.html", render(t, web.Page{Report: fleetBy(t), HasContracts: true, Query: url.Values{"month": {"2026-10"}, "by": {"team"}}}))
	golden(t, "no-data.html", render(t, web.Page{
		Problem: "no data for 2026-07: the store holds no records yet", NoData: true, HasContracts: true, Query: url.Values{"month": {"2026-07"}},
	}))
	golden(t, "awaited.html", render(t, web.Page{
		Problem: "no data for 2026-11 yet: seen since 10:00:37 UTC: 2 GPUs of 1 node (gpu-0)", NoData: true, Awaited: true, HasContracts: true,
	}))
	golden(t, "no-contracts.html", render(t, web.Page{Problem: "no data for 2026-11: the store holds no records yet", NoData: true}))
}

// TestPageNamesTimeBeforeTheFirstRecord holds that it stands among what the
// figures can be trusted by.
func TestPageNamesTimeBeforeTheFirstRecord(t *testing.T) {
	r := fleet(t)
	at := time.Date(2026, 10, 5, 10, 0, 37, 0, time.UTC)
	r.Quality.RecordedSince = &at
	const want = `<li class="look"><span aria-hidden="true">▲</span> nothing was metered before 2026-10-05 10:00 UTC: what was contracted until then is undelivered</li>`
	if page := render(t, web.Page{Report: r, HasContracts: true}); !strings.Contains(page, want) {
		t.Errorf("no %q in %s", want, page)
	}
}

// TestPolicyAllowsTheStyle holds that the page's only style sheet has the
// hash that the policy names, and that nothing else is on the page that the
// policy would forbid.
func TestPolicyAllowsTheStyle(t *testing.T) {
	page := render(t, web.Page{Report: fleetBy(t), HasContracts: true})
	_, rest, ok := strings.Cut(page, "<style>")
	style, _, closed := strings.Cut(rest, "</style>")
	if !ok || !closed {
		t.Fatal("the page has no style sheet")
	}
	hash := sha256.Sum256([]byte(style))
	if want := "'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'"; !strings.Contains(web.Policy(), want) {
		t.Errorf("policy %q lacks %s", web.Policy(), want)
	}
	if !strings.HasPrefix(web.Policy(), "default-src 'none'; ") {
		t.Errorf("policy %q does not begin with nothing", web.Policy())
	}
	for _, forbidden := range []string{"<script", " style=", "<link", "<img", "http://", " onclick", "@import"} {
		if strings.Contains(page, forbidden) {
			t.Errorf("the page has %q", forbidden)
		}
	}
}

func TestPageIsSmall(t *testing.T) {
	const limit = 400 << 10 // five contracts with a month of days each
	if n := len(render(t, web.Page{Report: fleetBy(t), HasContracts: true})); n > limit {
		t.Errorf("%d bytes, more than %d", n, limit)
	}
}

// TestChartsHaveATextAndATable holds that whoever does not see the charts has
// their figures.
func TestChartsHaveATextAndATable(t *testing.T) {
	r := fleet(t)
	page := render(t, web.Page{Report: r, HasContracts: true})
	charts := strings.Count(page, `<svg role="img"`)
	if charts != 2*len(r.Contracts) {
		t.Errorf("%d charts for %d contracts", charts, len(r.Contracts))
	}
	for _, m := range regexp.MustCompile(`aria-labelledby="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		for id := range strings.FieldsSeq(m[1]) {
			if strings.Count(page, `id="`+id+`"`) != 1 {
				t.Errorf("%s does not name one element", id)
			}
		}
	}
	for _, s := range r.Contracts {
		for b := range contract.Buckets {
			if h := contract.Hours(s.Total.Buckets[b]); !strings.Contains(page, ">"+h+"</td>") {
				t.Errorf("%s: no table has the %s GPU-hours %s", s.Contract, h, b)
			}
		}
	}
}

func TestPageEscapesNames(t *testing.T) {
	r := fleet(t)
	evil := `"><script>alert(1)</script>`
	s := &r.Contracts[0]
	s.Contract, s.Title, s.Provider, s.Currency = evil, evil, evil, evil
	r.Period = evil
	r.Uncontracted[0] = contract.Stray{Provider: evil, Account: evil, Region: evil, Model: evil, Near: evil, Ms: 1}
	for _, p := range []web.Page{
		{Report: r, HasContracts: true, Query: url.Values{"month": {evil}, "contract": {evil}}},
		{Problem: evil, NoData: true, Query: url.Values{evil: {evil}}},
	} {
		if page := render(t, p); strings.Contains(page, "<script") {
			t.Errorf("a name became markup")
		}
	}
}

func TestPageTellsAMismatch(t *testing.T) {
	r := fleet(t)
	if strings.Contains(render(t, web.Page{Report: r, HasContracts: true}), "MISMATCH") {
		t.Error("good sums are doubted")
	}
	r.Contracts[0].Total.Buckets[contract.Idle]--
	if page := render(t, web.Page{Report: r, HasContracts: true}); strings.Count(page, "MISMATCH") != 2 {
		t.Errorf("a wrong sum is told %d times, want in the bar and at the contract", strings.Count(page, "MISMATCH"))
	}
}

// TestBarsKeepToTheirChart looks at every rectangle of every chart.
func TestBarsKeepToTheirChart(t *testing.T) {
	r := fleet(t)
	r.Contracts[1].Total.Buckets = contract.Time{contract.Busy: 1} // a sliver at an edge
	r.Contracts[1].Total.Buckets[contract.Undelivered] = r.Contracts[1].Total.ContractedMs - 1
	page := render(t, web.Page{Report: r, HasContracts: true})
	rects := regexp.MustCompile(`<rect class="[^"]+" x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(rects) < 100 {
		t.Fatalf("%d bars", len(rects))
	}
	for _, m := range rects {
		var v [4]float64
		for i := range v {
			if err := json.Unmarshal([]byte(m[i+1]), &v[i]); err != nil {
				t.Fatalf("%s: %v", m[0], err)
			}
		}
		if v[0] < 0 || v[1] < 0 || v[2] < 0 || v[3] < 0 || v[0]+v[2] > 460.01 || v[1]+v[3] > 200 {
			t.Errorf("%s leaves its chart", m[0])
		}
	}
}

func TestMonthsLeadBackAndForth(t *testing.T) {
	f := func(month string, want, not []string) {
		t.Helper()
		page := render(t, web.Page{Report: fleet(t), HasContracts: true, Query: url.Values{"month": {month}}})
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: no %s", month, w)
			}
		}
		for _, n := range not {
			if strings.Contains(page, n) {
				t.Errorf("%s: there is %s", month, n)
			}
		}
	}
	f("2026-10", []string{`href="?month=2026-09"`, `href="?month=2026-11"`, `api/v1/report?month=2026-10`}, nil)
	f("2026-11", []string{`href="?month=2026-10"`}, []string{`href="?month=2026-12"`})
	f("nonsense", []string{`href="?month=2026-10"`}, nil)
}

// TestPageShowsEveryGroup holds that the groups of all contracts and of each
// are on the page in figures, whatever their names, and what is unattributed
// as well.
func TestPageShowsEveryGroup(t *testing.T) {
	r := fleetBy(t)
	evil := `<script>alert("team")</script>`
	r.Breakdown.Currencies[0].Groups[0].Group = evil
	page := render(t, web.Page{Report: r, HasContracts: true, Query: url.Values{"month": {"2026-10"}, "contract": {"a&b"}}})
	if strings.Contains(page, evil) || !strings.Contains(page, "&lt;script&gt;alert(") {
		t.Error("a name is not escaped")
	}
	want := func(list []contract.Parcel) {
		for i := range list {
			row := `<td class="n">` + list[i].Cost.Contracted.Figure() + `</td><td class="n">`
			if !strings.Contains(page, row) {
				t.Errorf("the page has no row of %s %q for %s", list[i].Kind, list[i].Group, list[i].Cost.Contracted.Figure())
			}
		}
	}
	for _, s := range r.Breakdown.Currencies {
		want(s.Groups)
	}
	for _, s := range r.Contracts {
		want(s.Total.Groups)
	}
	if n := strings.Count(page, `<tr class="unattributed">`); n != 2+1+len(r.Contracts) {
		t.Errorf("%d rows of what is unattributed, want one for each currency and contract, and one", n)
	}
	if strings.Contains(page, "MISMATCH") {
		t.Error("a sum does not match")
	}
	r.Breakdown.Currencies[1].Groups[1].Buckets[contract.Busy]++
	if page := render(t, web.Page{Report: r, HasContracts: true}); strings.Count(page, "MISMATCH") != 1 {
		t.Error("a sum that does not match is not shown as such, once")
	}
}

// TestPageLinksToEveryBreakdown holds that the links keep the rest of what was
// asked for.
func TestPageLinksToEveryBreakdown(t *testing.T) {
	for _, r := range []*contract.Report{fleet(t), fleetBy(t)} {
		page := render(t, web.Page{Report: r, HasContracts: true, Query: url.Values{"month": {"2026-10"}, "contract": {"a&b"}, "revision": {"1"}, "by": {"team"}}})
		for _, by := range contract.Bys {
			link := `<a href="?by=` + string(by) + `&amp;contract=a%26b&amp;month=2026-10#showback">`
			if shown := r.Breakdown != nil && by == r.Breakdown.By; strings.Contains(page, link) == shown {
				t.Errorf("link by %s, while it is shown: %v", by, shown)
			}
		}
		if !strings.Contains(page, `<a href="?month=2026-09&amp;by=team" rel="prev">`) {
			t.Error("the month before is not by team")
		}
	}
}
