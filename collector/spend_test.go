package collector_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/focus"
	"github.com/gpumeter/gpumeter/contract"
)

// committed are the contracts of the sample fleet, Oracle's with a pool.
func committed(t *testing.T) []contract.Contract {
	t.Helper()
	contracts := fleetContracts(t)
	for i := range contracts {
		if contracts[i].ID == "oci-gb200" {
			contracts[i].Commitments = []contract.Commitment{{
				ID: "credits", Model: contract.Discontinuous, Basis: contract.BilledCost, Shortfall: contract.TrueUp,
				FromMs: at("2026-10-01T00:00:00Z"), EndMs: at("2027-10-01T00:00:00Z"), Total: 4_000_000_000_000,
			}}
		}
	}
	if err := contract.ValidateAll(contracts); err != nil {
		t.Fatal(err)
	}
	return contracts
}

// What spend meters is what the report of the same span says.
func TestSpendMetersWhatTheReportSays(t *testing.T) {
	contracts := committed(t)
	spend, err := collector.Spend(t.Context(), newFleet(), contracts, &focus.Ledger{}, collector.SpendAsk{At: "2026-11-01", Contract: "oci-gb200"}, fleetNow)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := collector.Report(t.Context(), newFleet(), contracts, collector.Ask{Month: "2026-10", Contract: "oci-gb200"}, fleetNow)
	if err != nil {
		t.Fatal(err)
	}
	cost := rep.Contracts[0].Total.Cost
	want := cost.Contracted - cost.Buckets[contract.Undelivered] + cost.Overage
	s := spend.Commitments[0]
	if len(spend.Commitments) != 1 || s.Metered != want || s.Drawn.Amount != want || s.Billed != 0 || want == 0 {
		t.Errorf("metered %s, drawn %v, want %s", s.Metered, s.Drawn, want)
	}
	if late := cost.Buckets[contract.Undelivered]; s.Late == nil || s.Late.Amount != late || late == 0 {
		t.Errorf("late = %+v, want %s", s.Late, late)
	}
	for _, e := range spend.Expiries {
		if e.Contract != "oci-gb200" {
			t.Errorf("expiry of %s", e.Contract)
		}
	}
}

// Capacity for which another model stands is priced as that.
func TestSpendPricesWhatStands(t *testing.T) {
	contracts := committed(t)
	c := &contracts[slices.IndexFunc(contracts, func(c contract.Contract) bool { return c.ID == "oci-gb200" })]
	c.Tranches[0].Accepts = []contract.Substitute{{Model: c.Tranches[0].Model, Factor: contract.Whole / 2}}
	c.Tranches[0].Model = "GB300"
	spend, err := collector.Spend(t.Context(), newFleet(), contracts, &focus.Ledger{}, collector.SpendAsk{At: "2026-11-01", Contract: c.ID}, fleetNow)
	if err != nil {
		t.Fatal(err)
	}
	if s := spend.Commitments[0].Scheduled; s == nil || !strings.Contains(s.AtEnd.Basis, "GPUs of accepted models at their own") {
		t.Errorf("scheduled = %+v", s)
	}
}

// Bills come before metering, as far as they go.
func TestSpendTakesBillsBeforeMetering(t *testing.T) {
	data := t.TempDir()
	export := filepath.Join(data, "oracle.csv")
	text := "BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ProviderName,BilledCost,EffectiveCost\n" +
		"t,USD,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,2026-10-01T00:00:00Z,2026-10-02T00:00:00Z,Usage,Oracle,12345.678901,0\n"
	if err := os.WriteFile(export, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := focus.NewFolder(data)
	if _, err := folder.Import([]string{export}, focus.Options{Now: fleetNow, Complete: true}); err != nil {
		t.Fatal(err)
	}
	h := collector.New(collector.Config{
		Store: newFleet(), Book: collector.FixedBook(committed(t)), Focus: folder,
		Now: func() time.Time { return fleetNow }, Log: slog.New(slog.DiscardHandler),
	}).Handler()
	var got contract.SpendReport
	get(t, h, "/api/v1/spend", http.StatusOK, &got)
	s := got.Commitments[0]
	if got.Schema != contract.SpendSchema || s.Billed != 12_345_678_901 || s.Metered == 0 || s.Drawn.Basis != contract.BasisBoth {
		t.Errorf("billed %s, metered %s, %+v", s.Billed, s.Metered, s.Drawn)
	}
	if !s.Through.Equal(fleetNow.Add(-150 * time.Second)) { // settled, on a whole minute
		t.Errorf("through %s", s.Through)
	}
	for query, want := range map[string]string{"": "oci-gb200", "?contract=none": "unknown contract", "?until=1": "unknown parameter"} {
		w := do(h, http.MethodGet, "/spend"+query, nil)
		if !strings.Contains(w.Body.String(), want) || w.Code == http.StatusOK != (query == "") || !strings.Contains(w.Header().Get("Content-Security-Policy"), "style-src") {
			t.Errorf("page of spend%s: %d, wants %q", query, w.Code, want)
		}
	}
	get(t, h, "/api/v1/spend?contract=oci-gb200&at=2026-11-01", http.StatusOK, &got)
	if s := got.Commitments[0]; s.Metered != 0 || s.Drawn.Amount != 12_345_678_901 || s.Drawn.Basis != contract.BasisBilled {
		t.Errorf("in October: %+v, metered %s", s.Drawn, s.Metered)
	}
	for path, want := range map[string]string{
		"/api/v1/spend?at=tomorrow":        "at \"tomorrow\" is neither",
		"/api/v1/spend?at=2027-01-01":      "lies ahead",
		"/api/v1/spend?month=2026-10":      "unknown parameter \"month\"",
		"/api/v1/spend?at=1&at=2026-10-01": "at is given 2 times",
	} {
		var e struct{ Error string }
		if get(t, h, path, http.StatusBadRequest, &e); !strings.Contains(e.Error, want) {
			t.Errorf("%s: %q, want %q", path, e.Error, want)
		}
	}
	var e struct{ Error string }
	if get(t, h, "/api/v1/spend?contract=none", http.StatusNotFound, &e); !strings.Contains(e.Error, "unknown contract \"none\"") {
		t.Errorf("error %q", e.Error)
	}
}

func get(t *testing.T, h http.Handler, path string, status int, into any) {
	t.Helper()
	res := httptest.NewRecorder()
	h.ServeHTTP(res, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	if res.Code != status {
		t.Fatalf("%s: status %d, want %d: %s", path, res.Code, status, res.Body)
	}
	if err := json.Unmarshal(res.Body.Bytes(), into); err != nil {
		t.Fatal(err)
	}
}

func TestSpendWithoutAStoreKnowsBillsOnly(t *testing.T) {
	got, err := collector.Spend(t.Context(), nil, committed(t), &focus.Ledger{}, collector.SpendAsk{}, fleetNow)
	if err != nil || got.Commitments[0].Status != contract.SpendUnknown || got.Commitments[0].Drawn != nil {
		t.Errorf("Spend = %+v, %v", got.Commitments, err)
	}
	_, err = collector.Spend(t.Context(), nil, nil, &focus.Ledger{}, collector.SpendAsk{Contract: "x"}, fleetNow)
	if !errors.Is(err, collector.ErrUnknownContract) {
		t.Errorf("Spend = %v", err)
	}
}

func TestSpendAskIsReadAndWritten(t *testing.T) {
	a := collector.SpendAsk{At: "2026-10-01", Contract: "c"}
	if got, err := collector.ParseSpendAsk(a.Values()); err != nil || got != a {
		t.Errorf("ParseSpendAsk = %+v, %v", got, err)
	}
	if got, err := collector.ParseSpendAsk(url.Values{}); err != nil || got != (collector.SpendAsk{}) {
		t.Errorf("ParseSpendAsk = %+v, %v", got, err)
	}
}
