package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/contract"
)

// spending is a report that has something of everything: the spend agreement
// of the FOCUS specification after three months, with monthly minimums and
// without; a pool with capacity that comes late; a plan; and one of which
// nothing is known.
func spending(t *testing.T) contract.SpendReport {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	on := func(zone *time.Location, month, day int) int64 {
		return time.Date(2025, time.Month(month), day, 0, 0, 0, 0, zone).UnixMilli()
	}
	const unit = 1_000_000
	agreement := contract.Commitment{
		ID: "a1", Title: "Spend agreement", Model: contract.Discontinuous, Basis: contract.ContractedCost, Shortfall: contract.TrueUp,
		FromMs: on(time.UTC, 4, 1), EndMs: on(time.UTC, 16, 1), Total: 1_200 * unit,
	}
	minimum := agreement
	minimum.ID, minimum.CarryExcess = "a2", true
	for i := range 12 {
		minimum.Floors = append(minimum.Floors, contract.Floor{FromMs: on(time.UTC, 4+i, 1), ToMs: on(time.UTC, 5+i, 1), Amount: 60 * unit})
	}
	pool := contract.Commitment{
		ID: "capacity", Model: contract.Discontinuous, Basis: contract.BilledCost, Shortfall: contract.TrueUp,
		FromMs: on(zone, 4, 1), EndMs: on(zone, 16, 1), Total: 2_000_000 * unit,
	}
	plan := contract.Commitment{
		ID: "plan", Model: contract.Continuous, Basis: contract.EffectiveCost, Shortfall: contract.Forfeit,
		FromMs: on(time.UTC, 4, 1), EndMs: on(time.UTC, 16, 1), PerInterval: 90 * unit, Interval: contract.Monthly,
	}
	contracts := []contract.Contract{
		{ID: "acme", Provider: "acme", Currency: "USD", Zone: time.UTC, Commitments: []contract.Commitment{agreement, minimum, plan}},
		{ID: "cw", Provider: "coreweave", Currency: "USD", Zone: zone, Commitments: []contract.Commitment{pool}, Tranches: []contract.Tranche{{
			ID: "h100", Model: "H100", Steps: []contract.Step{{FromMs: on(zone, 4, 1), GPUs: 96}}, EndMs: on(zone, 16, 1),
			Rates: []contract.Rate{{FromMs: on(zone, 4, 1), ToMs: on(zone, 16, 1), PerGPUHour: 2_350_000}},
		}}},
		{ID: "new", Provider: "none", Currency: "EUR", Zone: time.UTC, Commitments: []contract.Commitment{agreement}},
	}
	in := &contract.SpendInput{Contracts: contracts, AtMs: on(time.UTC, 7, 1), Stated: []contract.StatedCommitment{
		{ID: "a1", Provider: "acme", Currency: "USD", Cost: 1_000 * unit, HasCost: true, FromMs: agreement.FromMs, ToMs: agreement.EndMs, Source: "000002.json.gz"},
	}}
	for i, used := range []contract.Money{48, 120, 60} {
		m := used * unit
		b := contract.Bill{Provider: "acme", Account: "000-00-000", Currency: "USD", FromMs: on(time.UTC, 4+i, 1), ToMs: on(time.UTC, 5+i, 1), CoversToMs: on(time.UTC, 5+i, 1), Source: "000001.json.gz"}
		b.Charges = []contract.Charge{{
			FromMs: b.FromMs, ToMs: b.ToMs, Columns: contract.Columns{"ChargeCategory": "Usage"},
			Costs: contract.Costs{Amount: [4]contract.Money{m * 5 / 4, m, m, m}, Known: [4]bool{true, true, true, true}},
		}}
		in.Bills = append(in.Bills, b)
	}
	left := in.Bills[1].Charges[0]
	left.Columns = contract.Columns{"ChargeCategory": "Usage", "CommitmentDiscountId": "a1", "CommitmentDiscountStatus": "Unused"}
	noCost := in.Bills[1].Charges[0]
	noCost.Costs = contract.Costs{}
	in.Bills[1].Charges = append(in.Bills[1].Charges, left, noCost)
	stray := in.Bills[0]
	stray.Provider, stray.Charges = "elsewhere", nil
	in.Bills = append(in.Bills, stray)
	var days []contract.MeteredDay
	for d := range 91 {
		gpus := contract.Money(96)
		if d < 30 {
			gpus = 32
		}
		if d != 40 { // a day that nobody metered
			days = append(days, contract.MeteredDay{FromMs: on(zone, 4, 1+d), ToMs: on(zone, 4, 2+d), Delivered: gpus * 24 * 2_350_000, Undelivered: (96 - gpus) * 24 * 2_350_000})
		}
	}
	in.Metered = [][]contract.MeteredDay{nil, days, nil}
	r, err := contract.Spend(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSpendIsGolden(t *testing.T) {
	r := spending(t)
	for name, write := range map[string]func(*bytes.Buffer) error{
		"spend.txt":  func(b *bytes.Buffer) error { return report.SpendText(b, r, report.Options{Width: 120}) },
		"spend.md":   func(b *bytes.Buffer) error { return report.SpendMarkdown(b, r) },
		"spend.csv":  func(b *bytes.Buffer) error { return report.SpendCSV(b, r) },
		"spend.json": func(b *bytes.Buffer) error { return report.SpendJSON(b, r) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}

func TestSpendJSONIsReadAgain(t *testing.T) {
	r := spending(t)
	var b bytes.Buffer
	if err := report.SpendJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var again contract.SpendReport
	if err := json.Unmarshal(b.Bytes(), &again); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, again, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); d != "" {
		t.Errorf("read again (-written +read):\n%s", d)
	}
}

// Each row of the CSV is an amount with its basis, exact.
func TestSpendCSVIsExact(t *testing.T) {
	var b bytes.Buffer
	if err := report.SpendCSV(&b, spending(t)); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	found := map[string]string{}
	for _, row := range rows[1:] {
		if row[at["basis"]] == "" {
			t.Errorf("%v has no basis", row)
		}
		found[row[at["contract"]]+" "+row[at["commitment"]]+" "+row[at["figure"]]] = row[at["amount"]]
	}
	for figure, want := range map[string]string{
		"acme a1 drawn": "228.000000", "acme a1 remaining": "972.000000", "acme a1 to_date.at_end": "914.505495",
		"acme a2 floor.1.missing": "12.000000", "acme a2 floor.3.carried": "180.000000", "acme plan used": "198.000000", "acme plan unused": "72.000000", "acme plan overage": "150.000000",
	} {
		if found[figure] != want {
			t.Errorf("%s = %q, want %s", figure, found[figure], want)
		}
	}
	if _, there := found["new a1 drawn"]; there {
		t.Error("an amount is told of which nothing is known")
	}
}

// TestSpendDocsNameEveryField holds docs/spend.md against the JSON and the CSV.
func TestSpendTextSaysWhichBillIsPartial(t *testing.T) {
	r := spending(t)
	b := &r.Bills[0]
	b.CoversTo, b.Partial = b.From.AddDate(0, 0, 14), true
	var out bytes.Buffer
	if err := report.SpendText(&out, r, report.Options{Width: 100}); err != nil {
		t.Fatal(err)
	}
	if want := b.Source + ": charges go to " + b.CoversTo.Format("2006-01-02 15:04") + " UTC only, of a period to "; !strings.Contains(out.String(), want) {
		t.Errorf("the text has no %q:\n%s", want, out.String())
	}
}

func TestSpendDocsNameEveryField(t *testing.T) {
	page, err := os.ReadFile("../../docs/spend.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(spending(t))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	spendFields(reflect.TypeFor[contract.SpendReport](), fields)
	if len(fields) < 50 {
		t.Fatalf("found %d fields only", len(fields))
	}
	for f := range fields {
		if !strings.Contains(string(page), "`"+f+"`") {
			t.Errorf("docs/spend.md does not name %s", f)
		}
		if !bytes.Contains(text, []byte(`"`+f+`":`)) {
			t.Errorf("the sample has no %s", f)
		}
	}
	for _, d := range contract.SpendDimensions {
		if !strings.Contains(string(page), "`"+d+"`") {
			t.Errorf("docs/spend.md does not name the column %s", d)
		}
	}
}

func spendFields(t reflect.Type, into map[string]bool) {
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		spendFields(t.Elem(), into)
	case reflect.Struct:
		for i := range t.NumField() {
			if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && !into[name] {
				into[name] = true
				spendFields(t.Field(i).Type, into)
			}
		}
	}
}
