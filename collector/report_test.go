package collector_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/contract"
)

func TestReportKeepsEachContractsCalendar(t *testing.T) {
	r := fleetReport(t, collector.Ask{Month: "2026-10"})
	got := map[string]string{}
	for _, s := range r.Contracts {
		got[s.Contract] = s.From.UTC().Format(time.RFC3339) + " " + s.To.UTC().Format(time.RFC3339)
	}
	want := map[string]string{
		"aws-p5-odcr": "2026-10-01T00:00:00Z 2026-11-01T00:00:00Z",
		"az-h200-ri":  "2026-09-30T22:00:00Z 2026-10-31T23:00:00Z", // clocks go back on the 25th
		"cw-h100-res": "2026-10-01T04:00:00Z 2026-11-01T04:00:00Z",
		"gcp-a3u-fut": "2026-10-01T07:00:00Z 2026-11-01T07:00:00Z",
		"oci-gb200":   "2026-10-01T00:00:00Z 2026-11-01T00:00:00Z",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("periods differ (-want +got):\n%s", d)
	}
	if r.Quality.Conflicts != 1 || r.Quality.Quarantined != 3 || r.Quality.OverlapRecords != 2880 {
		t.Errorf("quality = %+v", r.Quality)
	}
}

func TestReportGoesToWhatIsSettled(t *testing.T) {
	f := func(name string, ask collector.Ask, wantName, from, to string) {
		t.Helper()
		r := fleetReport(t, ask)
		s := r.Contracts[0]
		if got := s.From.Format(time.RFC3339) + " " + s.To.Format(time.RFC3339); got != from+" "+to || r.Period != wantName {
			t.Errorf("%s: %q is %s, want %q and %s %s", name, r.Period, got, wantName, from, to)
		}
		if got := r.AsOf.Format(time.RFC3339); got != "2026-11-02T12:00:00Z" {
			t.Errorf("%s: as of %s", name, got)
		}
	}
	f("month to date", collector.Ask{}, "2026-11", "2026-11-01T00:00:00Z", "2026-11-02T12:00:00Z")
	f("a month that goes on", collector.Ask{Month: "2026-11"}, "2026-11", "2026-11-01T00:00:00Z", "2026-11-02T12:00:00Z")
	f("since", collector.Ask{Since: 48 * time.Hour}, "last 2d", "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z")
	f("hours", collector.Ask{Since: 36 * time.Hour}, "last 36h", "2026-11-01T00:00:00Z", "2026-11-02T12:00:00Z")
	f("minutes", collector.Ask{Since: 90 * time.Minute}, "last 90m", "2026-11-02T10:30:00Z", "2026-11-02T12:00:00Z")
	f("from", collector.Ask{From: "2026-11-01"}, "since 2026-11-01", "2026-11-01T00:00:00Z", "2026-11-02T12:00:00Z")
	f("from and to", collector.Ask{From: "2026-11-01", To: "2026-11-02T06:00:00Z"}, "2026-11-01 to 2026-11-02T06:00:00Z", "2026-11-01T00:00:00Z", "2026-11-02T06:00:00Z")
	f("to in the future", collector.Ask{From: "2026-11-01", To: "2026-12-01"}, "2026-11-01 to 2026-12-01", "2026-11-01T00:00:00Z", "2026-11-02T12:00:00Z")
}

// TestReportOfOneContractIsItsPartOfAll holds that leaving the others out of
// the report does not change who stood for the contract.
func TestReportOfOneContractIsItsPartOfAll(t *testing.T) {
	all := fleetReport(t, collector.Ask{Month: "2026-10"})
	for _, want := range all.Contracts {
		one := fleetReport(t, collector.Ask{Month: "2026-10", Contract: want.Contract})
		if len(one.Contracts) != 1 || len(one.Uncontracted) != 0 {
			t.Fatalf("%s: %d contracts, %d uncontracted", want.Contract, len(one.Contracts), len(one.Uncontracted))
		}
		got := one.Contracts[0]
		if got.Total.Buckets[contract.Undelivered] != want.Total.Buckets[contract.Undelivered] || got.Total.OverageMs != want.Total.OverageMs ||
			got.Total.ContractedMs != want.Total.ContractedMs || got.Total.UnconfirmedMs != want.Total.UnconfirmedMs {
			t.Errorf("%s alone: %+v, among all: %+v", want.Contract, got.Total.Buckets, want.Total.Buckets)
		}
		if len(got.Total.Days) != len(want.Total.Days) {
			t.Errorf("%s has %d days alone, %d among all", want.Contract, len(got.Total.Days), len(want.Total.Days))
		}
	}
}

func TestReportWithoutDataSaysWhatThereIs(t *testing.T) {
	f := func(ask collector.Ask, want string) {
		t.Helper()
		_, err := collector.Report(t.Context(), newFleet(), fleetContracts(t), ask, fleetNow)
		if !errors.Is(err, collector.ErrNoData) || err.Error() != want {
			t.Errorf("%+v: %v, want %q", ask, err, want)
		}
	}
	holds := "the store holds records from 2026-09-20T00:00:00Z to 2026-11-02T12:00:00Z"
	f(collector.Ask{Month: "2026-07"}, "no data for 2026-07: "+holds)
	f(collector.Ask{Month: "2027-01"}, "no data for 2027-01: it begins at 2027-01-01T00:00:00Z, and reports go to 2026-11-02T12:00:00Z; "+holds)
	f(collector.Ask{From: "2027-01-01"}, "no data since 2027-01-01: it begins at 2027-01-01T00:00:00Z, and reports go to 2026-11-02T12:00:00Z; "+holds)
	_, err := collector.Report(t.Context(), storetest.NewModel(), nil, collector.Ask{Month: "2026-10"}, fleetNow)
	if err == nil || err.Error() != "no data for 2026-10: the store holds no records yet" {
		t.Errorf("empty store: %v", err)
	}
}

func TestReportOfAnUnknownContractNamesTheKnown(t *testing.T) {
	_, err := collector.Report(t.Context(), newFleet(), fleetContracts(t), collector.Ask{Month: "2026-10", Contract: "acme"}, fleetNow)
	if !errors.Is(err, collector.ErrUnknownContract) ||
		err.Error() != `unknown contract "acme": the contract file has aws-p5-odcr, az-h200-ri, cw-h100-res, gcp-a3u-fut, oci-gb200` {
		t.Errorf("err = %v", err)
	}
}

// TestReportOverHTTP goes the whole way, from a post to a report.
func TestReportOverHTTP(t *testing.T) {
	book := collector.FixedBook([]contract.Contract{{
		ID: "acme", Provider: "aws", Currency: "USD", Zone: time.UTC,
		Tranches: []contract.Tranche{{
			ID: "h100", Model: "H100", EndMs: testNow.Add(time.Hour).UnixMilli(),
			Steps: []contract.Step{{FromMs: testNow.Add(-48 * time.Hour).UnixMilli(), GPUs: 1}},
			Rates: []contract.Rate{{FromMs: testNow.Add(-48 * time.Hour).UnixMilli(), ToMs: testNow.Add(time.Hour).UnixMilli(), PerGPUHour: 2_500_000}},
		}},
	}})
	h := start(t, collector.Config{Book: book})
	answer(t, post(h, lines(t, batch(agentA, 1), batch(agentA, 2), batch(agentA, 3))))
	w := do(h, "GET", "/api/v1/report?since=2d", nil)
	var r contract.Report
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || w.Code != 200 {
		t.Fatalf("status %d: %v: %s", w.Code, err, w.Body)
	}
	l := r.Contracts[0].Total
	if l.Buckets[contract.Busy] != 135_000 || l.Buckets[contract.Idle] != 45_000 || l.Buckets.Total() != l.ContractedMs {
		t.Errorf("line = %+v", l)
	}
	if r.Schema != contract.Schema {
		t.Errorf("schema %q", r.Schema)
	}
	csv := do(h, "GET", "/api/v1/report.csv?since=2d&contract=acme", nil)
	if csv.Code != 200 || !strings.HasPrefix(csv.Header().Get("Content-Type"), "text/csv") || strings.Count(csv.Body.String(), "\n") != 3 {
		t.Errorf("csv: status %d, %v:\n%s", csv.Code, csv.Header(), csv.Body)
	}
	for url, status := range map[string]int{
		"/api/v1/report?month=x": 400, "/api/v1/report?contract=x": 404, "/api/v1/report?month=2020-01": 422,
		"/api/v1/report.csv?month=x": 400,
	} {
		problem(t, do(h, "GET", url, nil), status)
	}
	grouped := do(h, "GET", "/api/v1/report?since=2d&by=holder&top=all", nil)
	if err := json.Unmarshal(grouped.Body.Bytes(), &r); err != nil || grouped.Code != 200 || r.Breakdown == nil {
		t.Fatalf("by holder: status %d: %v: %s", grouped.Code, err, grouped.Body)
	}
	if g := r.Contracts[0].Total.Groups; len(g) != 2 || g[0].Group != "user ann" || g[0].Buckets[contract.Busy] != 135_000 || g[1].Kind != contract.OfUnattributed {
		t.Errorf("groups = %+v", r.Contracts[0].Total.Groups)
	}
	for _, query := range []string{"?since=2d", "?since=2d&by=holder"} { // by team if nothing else is said
		by := map[bool]string{true: "holder", false: "team"}[strings.Contains(query, "by=")]
		if page := do(h, "GET", "/"+query, nil).Body.String(); !strings.Contains(page, `<b aria-current="true">`+by) {
			t.Errorf("page %s is not by %s", query, by)
		}
	}
	page := do(h, "GET", "/?since=2d", nil)
	if page.Code != 200 || !strings.Contains(page.Body.String(), "acme") || !strings.Contains(page.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("page: status %d, %v", page.Code, page.Header())
	}
	if empty := do(h, "GET", "/?month=2020-01", nil); empty.Code != http.StatusUnprocessableEntity || !strings.Contains(empty.Body.String(), "no data for 2020-01") {
		t.Errorf("page without data: status %d", empty.Code)
	}
}
