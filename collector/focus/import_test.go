package focus

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

var update = flag.Bool("update", false, "write the golden files anew")

var importedAt = time.Date(2026, 10, 20, 6, 0, 0, 0, time.UTC)

// header and row make a Cost and Usage export of the least columns.
const header = "BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ChargeFrequency,ServiceProviderName,ListCost,ContractedCost,BilledCost,EffectiveCost\n"

func row(day int, cost string) string {
	return fmt.Sprintf("1,USD,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,2026-10-%02dT00:00:00Z,2026-10-%02dT01:00:00Z,Usage,Usage-Based,Amazon Web Services,%s,%s,%s,%s\n", day, day, cost, cost, cost, cost)
}

// file writes a file and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustImport(t *testing.T, f *Folder, o Options, paths ...string) Result {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = importedAt
	}
	r, err := f.Import(paths, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustLoad(t *testing.T, f *Folder) *Ledger {
	t.Helper()
	l, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// billedIn adds up the billed cost of a ledger.
func billedIn(l *Ledger) contract.Money {
	var sum contract.Money
	for _, b := range l.Bills {
		for _, c := range b.Charges {
			sum += c.Costs.Amount[2]
		}
	}
	return sum
}

func TestImportAddsUpDaysExactlyAndOnce(t *testing.T) {
	f := NewFolder(t.TempDir())
	// A third of a micro-unit three times is one; each rounded would be none.
	third := "0.000000333333333333333333333334"
	r := mustImport(t, f, Options{}, file(t, "a.csv", header+row(1, third)+row(1, third)+row(1, "3.333333333333333333333333333332E-7")+row(2, "2.5")+row(2, "-0.5")))
	if r.Known || r.Delivery.Charges != 2 || r.Delivery.Files[0].Rows != 5 {
		t.Errorf("result = %+v of %+v", r, r.Delivery)
	}
	l := mustLoad(t, NewFolder(filepath.Dir(f.dir))) // from disk
	if len(l.Bills) != 1 || len(l.Bills[0].Charges) != 2 {
		t.Fatalf("bills = %+v", l.Bills)
	}
	b := l.Bills[0]
	if b.Provider != "aws" || b.Account != "1" || b.Currency != "USD" || b.Source != "000001.json.gz" {
		t.Errorf("bill = %+v", b)
	}
	if got := b.Charges[0].Costs.Amount; got != [4]contract.Money{1, 1, 1, 1} {
		t.Errorf("costs of the 1st = %v, want one micro-unit each", got)
	}
	if got := b.Charges[1].Costs.Amount[2]; got != 2_000_000 {
		t.Errorf("cost of the 2nd = %d", got)
	}
	if c := b.Charges[1]; c.ToMs-c.FromMs != 3_600_000 {
		t.Errorf("an hour's charge lasts %d ms", c.ToMs-c.FromMs)
	}
	// The month is not over: the bill goes as far as its metered rows.
	if want := time.Date(2026, 10, 2, 1, 0, 0, 0, time.UTC); b.CoversToMs != want.UnixMilli() {
		t.Errorf("covers to %s, want %s", time.UnixMilli(b.CoversToMs).UTC(), want)
	}
}

// TestHalfABillIsNoBill imports after the end of a month what was exported in
// the middle of it.
func TestHalfABillIsNoBill(t *testing.T) {
	after := Options{Now: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}
	october := func(day, hour int) int64 { return time.Date(2026, 10, day, hour, 0, 0, 0, time.UTC).UnixMilli() }
	f := func(o Options, want int64, rows ...string) {
		t.Helper()
		folder := NewFolder(t.TempDir())
		mustImport(t, folder, o, file(t, "a.csv", header+strings.Join(rows, "")))
		if b := mustLoad(t, folder).Bills[0]; b.CoversToMs != want {
			t.Errorf("%d rows: it covers to %s, want %s", len(rows), time.UnixMilli(b.CoversToMs).UTC(), time.UnixMilli(want).UTC())
		}
	}
	f(after, october(15, 1), row(1, "1"), row(15, "1"))
	f(after, october(30, 1), row(30, "1")) // nothing of the last day
	f(after, october(32, 0), row(1, "1"), row(31, "1"))
	f(after, october(32, 0), strings.Replace(row(1, "1"), "Usage,Usage-Based", "Purchase,One-Time", 1)) // nothing metered
	after.Complete = true
	f(after, october(32, 0), row(15, "1"))

	// The word that it is complete is news about files that are known.
	folder := NewFolder(t.TempDir())
	half := file(t, "a.csv", header+row(15, "1"))
	mustImport(t, folder, Options{Now: after.Now}, half)
	if r := mustImport(t, folder, after, half); r.Known || r.Replaced != 1 || mustLoad(t, folder).Bills[0].CoversToMs != october(32, 0) {
		t.Errorf("the same files, complete: %+v", r)
	}
}

func TestImportOfTheSameFilesChangesNothing(t *testing.T) {
	f := NewFolder(t.TempDir())
	a, b := file(t, "a.csv", header+row(1, "1")), file(t, "b.csv", header+row(2, "2"))
	mustImport(t, f, Options{}, a, b)
	later := file(t, "again.csv", header+row(2, "2"))
	if r := mustImport(t, f, Options{Now: importedAt.Add(time.Hour)}, later, a); !r.Known || r.Delivery.Name != "000001.json.gz" {
		t.Errorf("the same content again: %+v", r)
	}
	if l := mustLoad(t, f); len(l.Deliveries) != 1 || billedIn(l) != 3_000_000 {
		t.Errorf("%d deliveries, %s billed", len(l.Deliveries), billedIn(l))
	}
	if _, err := f.Import([]string{file(t, "none.csv", header)}, Options{Now: importedAt}); err == nil || !strings.Contains(err.Error(), "there is no row") {
		t.Errorf("a file without rows: %v", err)
	}
	if _, err := f.Import([]string{b, later}, Options{Now: importedAt}); err == nil || !strings.Contains(err.Error(), "same content") {
		t.Errorf("one content twice in one import: %v", err)
	}
}

func TestLaterDeliveryReplacesTheBill(t *testing.T) {
	f := NewFolder(t.TempDir())
	mustImport(t, f, Options{}, file(t, "a.csv", header+row(1, "1")))
	r := mustImport(t, f, Options{}, file(t, "b.csv", header+row(1, "1")+row(2, "2")))
	if r.Replaced != 1 || billedIn(mustLoad(t, f)) != 3_000_000 {
		t.Errorf("replaced %d, billed %s", r.Replaced, billedIn(mustLoad(t, f)))
	}
	r = mustImport(t, f, Options{Add: true}, file(t, "c.csv", header+row(3, "4")))
	if r.Replaced != 0 || billedIn(mustLoad(t, f)) != 7_000_000 {
		t.Errorf("adding: replaced %d, billed %s", r.Replaced, billedIn(mustLoad(t, f)))
	}
	r = mustImport(t, f, Options{Feed: "other"}, file(t, "d.csv", header+row(3, "8")))
	if r.Replaced != 0 || billedIn(mustLoad(t, f)) != 15_000_000 {
		t.Errorf("another feed: replaced %d, billed %s", r.Replaced, billedIn(mustLoad(t, f)))
	}
	r = mustImport(t, f, Options{}, file(t, "e.csv", header+row(1, "16")))
	if r.Replaced != 2 || billedIn(mustLoad(t, f)) != 24_000_000 {
		t.Errorf("again: replaced %d, billed %s", r.Replaced, billedIn(mustLoad(t, f)))
	}
}

func TestImportKeepsNothingOfWhatIsWrong(t *testing.T) {
	bad := func(want, text string) {
		t.Helper()
		data := t.TempDir()
		f := NewFolder(data)
		good := file(t, "good.csv", header+row(1, "1"))
		_, err := f.Import([]string{good, file(t, "bad.csv", text)}, Options{Now: importedAt})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Import = %v, want %q", err, want)
		}
		if names, _ := filepath.Glob(filepath.Join(data, "focus", "*")); len(names) > 0 {
			t.Errorf("%q: there is %v", want, names)
		}
	}
	bad("is empty", "")
	with := func(old, now string) string { return header + row(1, "1") + strings.Replace(row(2, "2"), old, now, 1) }
	bad("bad.csv, row 2, column ChargePeriodStart: \"5/1/25\" is not a time such as", with("2026-10-02T00:00:00Z", "5/1/25"))
	bad("bad.csv, row 2, column ListCost: \"1,5\" is not a decimal number", with(",2,2,2,2", ",\"1,5\",2,2,2"))
	bad("bad.csv, row 2, column ListCost: \"0x10\" is not", with(",2,2,2,2", ",0x10,2,2,2"))
	bad("row 2, column BillingAccountId: is null", with("1,USD", "NULL,USD"))
	bad("row 2, column BillingCurrency: \"usd\" is not", with("USD", "usd"))
	bad("row 2, column ChargeCategory: \"Use\" is not one of Usage,", with("Usage,", "Use,"))
	bad("row 2, column ChargePeriodEnd: is not after ChargePeriodStart", with("2026-10-02T01:00:00Z", "2026-10-01T23:00:00Z"))
	bad("row 2: wrong number of fields", with("USD", "USD,"))
	bad("row 2, column BillingPeriodEnd: is more than twelve years", with("2026-11-01", "2066-11-01"))
	bad("bad.csv has no column ChargePeriodEnd", strings.Replace(header, "ChargePeriodEnd", "End", 1)+row(1, "1"))
	bad("bad.csv has the column \"ListCost\" twice", strings.Replace(header, "EffectiveCost", "ListCost", 1)+row(1, "1"))
	bad("say whose it is with --provider", strings.Replace(header, "ServiceProviderName", "Seller", 1)+row(1, "1"))
	bad("is not UTF-8", with("Amazon", "Am\xffzon"))
	bad("is longer than", with("Amazon", strings.Repeat("A", 5000)))
	bad("is a quote left open?", header+"\""+strings.Repeat("x", 5<<20))
	bad("element 1", strings.Replace(header, "EffectiveCost", "EffectiveCost,ContractApplied", 1)+strings.TrimSuffix(row(1, "1"), "\n")+`,"{""Elements"":[{}]}"`+"\n")
	bad("beyond nine trillion", with(",2,2,2,2", ",2,2,9e13,2"))
}

func TestImportReadsGzipAndByteOrderMark(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte("\uFEFF" + header + row(1, "1.5")))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f := NewFolder(t.TempDir())
	mustImport(t, f, Options{}, file(t, "A.CSV.GZ", zipped.String()))
	if got := billedIn(mustLoad(t, f)); got != 1_500_000 {
		t.Errorf("billed %s", got)
	}
	if _, err := f.Import([]string{file(t, "b.csv.gz", zipped.String()[:60])}, Options{Now: importedAt}); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("a file that is cut: %v", err)
	}
	if _, err := f.Import([]string{file(t, "b.xlsx", "PK")}, Options{Now: importedAt}); err == nil || !strings.Contains(err.Error(), "is not named .csv") {
		t.Errorf("another kind of file: %v", err)
	}
}

// Real exports differ from the letter of the specification: the word NULL,
// times without T and Z, other cases, and empty texts.
func TestImportTakesTheQuirksOfRealExports(t *testing.T) {
	text := "Id,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ChargeClass,ChargeFrequency,CommitmentDiscountId,ProviderName,ListCost,ContractedCost,BilledCost,EffectiveCost\n" +
		"7,ocid1.tenancy,USD,2024-09-01 00:00:00,2024-10-01 00:00:00,2024-09-03 05:00:00,2024-09-03 06:00:00,usage,NULL,Usage-based,,Oracle,NULL,,0.25,0.25\n"
	f := NewFolder(t.TempDir())
	mustImport(t, f, Options{Complete: true}, file(t, "oracle.csv", text))
	b := mustLoad(t, f).Bills[0]
	c := b.Charges[0]
	if b.Provider != "oracle" || c.Costs.Known != [4]bool{false, false, true, true} || c.Costs.Amount[2] != 250_000 {
		t.Errorf("bill %s, costs %+v", b.Provider, c.Costs)
	}
	want := contract.Columns{"ServiceProviderName": "Oracle", "BillingAccountId": "ocid1.tenancy", "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based"}
	if fmt.Sprint(c.Columns) != fmt.Sprint(want) {
		t.Errorf("columns = %v, want %v", c.Columns, want)
	}
	if b.CoversToMs != b.ToMs {
		t.Error("a month that is over is not complete")
	}
}

func TestImportReadsWhatTheCloudApplied(t *testing.T) {
	text := func(applied string) string {
		return strings.TrimSuffix(header, "\n") + ",ContractApplied,ResourceId\n" +
			strings.TrimSuffix(row(1, "10"), "\n") + ",\"" + strings.ReplaceAll(applied, `"`, `""`) + "\",CMT-1\n"
	}
	f := NewFolder(t.TempDir())
	mustImport(t, f, Options{}, file(t, "a.csv", text(`{"Elements":[
		{"ContractId":"C","ContractCommitmentId":"CMT-1","ContractCommitmentAppliedCost":4.5},
		{"ContractID":"C","ContractCommitmentID":"CMT-2","ContractCommitmentAppliedCost":"5.5","ContractCommitmentAppliedQuantity":null},
		{"ContractId":"C","ContractCommitmentId":"CMT-3","ContractCommitmentAppliedQuantity":1,"ContractCommitmentAppliedUnit":"GPU-Hours"}]}`)))
	got := mustLoad(t, f).Bills[0].Charges[0].Applied
	want := []contract.Applied{{Commitment: "CMT-1", Cost: 4_500_000, Own: true}, {Commitment: "CMT-2", Cost: 5_500_000}}
	if !slices.Equal(got, want) {
		t.Errorf("applied = %+v, want %+v", got, want)
	}
	for applied, want := range map[string]string{
		`{"Elements":[{"ContractId":"C","ContractCommitmentID":"CMT-1","ContractCommitmentAppliedCost":4.5}]}`: "mixes the spellings",
		`{"Elements":[]}`: "without Elements",
		`[1]`:             "is not a ContractApplied object",
		`{"Elements":[{"ContractId":"C","ContractCommitmentAppliedCost":4.5}]}`:                                                                      "has no ContractCommitmentId",
		`{"Elements":[{"ContractId":"C","ContractCommitmentId":"CMT-1"}]}`:                                                                           "not either a cost or a quantity",
		`{"Elements":[{"ContractId":"C","ContractCommitmentId":"CMT-1","ContractCommitmentAppliedCost":4.5,"ContractCommitmentAppliedQuantity":1}]}`: "not either a cost or a quantity",
	} {
		_, err := f.Import([]string{file(t, "b.csv", text(applied))}, Options{Now: importedAt})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "row 1, column ContractApplied") {
			t.Errorf("%s: %v, want %q", applied, err, want)
		}
	}
}

func TestProviderIsWhoIsPaid(t *testing.T) {
	f := func(want string, names ...string) {
		t.Helper()
		if got := provider(names...); got != want {
			t.Errorf("provider(%q) = %q, want %q", names, got, want)
		}
	}
	f("aws", "Amazon Web Services EMEA SARL")
	f("azure", "Microsoft")
	f("aws", "DataStreamer", "AWS Marketplace")
	f("acme co", "Acme Co", "")
	f("acme co", "", "Acme Co")
	f("", "", "")
}

func TestImportsAtOneTimeAllCount(t *testing.T) {
	data := t.TempDir()
	var wg sync.WaitGroup
	for i := range 8 {
		path := file(t, "a.csv", strings.ReplaceAll(header+row(1, "1"), "\n1,", fmt.Sprintf("\naccount-%d,", i/2)))
		wg.Go(func() {
			if _, err := NewFolder(data).Import([]string{path}, Options{Now: importedAt}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if l := mustLoad(t, NewFolder(data)); len(l.Deliveries) != 4 || billedIn(l) != 4_000_000 {
		t.Errorf("%d deliveries, %s billed", len(l.Deliveries), billedIn(l))
	}
}

func TestLoadRefusesWhatIsDamaged(t *testing.T) {
	f := NewFolder(t.TempDir())
	mustImport(t, f, Options{}, file(t, "a.csv", header+row(1, "1")))
	before := mustLoad(t, f)
	path := filepath.Join(f.dir, "000001.json.gz")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewFolder(filepath.Dir(f.dir)).Load(); err == nil || !strings.Contains(err.Error(), "000001.json.gz") {
			t.Fatalf("cut at byte %d of %d: %v", n, len(whole), err)
		}
	}
	for n := 10; n < len(whole); n++ { // the header of gzip says nothing of the content
		changed := bytes.Clone(whole)
		changed[n] ^= 0x10
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		// Some bits are only there to fill a byte.
		if l, err := NewFolder(filepath.Dir(f.dir)).Load(); err == nil && fmt.Sprint(l.Bills) != fmt.Sprint(before.Bills) {
			t.Fatalf("byte %d of %d changed, and nothing noticed", n, len(whole))
		}
	}
}

// TestDeliveryFileIsStable holds the form on disk: what is there must be read
// for ever.
func TestDeliveryFileIsStable(t *testing.T) {
	const golden = "testdata/delivery.json"
	want := &Delivery{
		Schema: deliverySchema, ImportedAt: importedAt, Feed: "f", Adds: true, Digest: "d", Files: []File{{"a.csv", "s", 2}}, Charges: 2,
		Bills: []contract.Bill{{Provider: "aws", Account: "1", Currency: "USD", FromMs: 1, ToMs: 2, CoversToMs: 2, Charges: []contract.Charge{
			{FromMs: 1, ToMs: 2, Columns: contract.Columns{"ChargeCategory": "Usage"}, Costs: contract.Costs{Amount: [4]contract.Money{1, -2, 0, 0}, Known: [4]bool{true, true, true, false}}},
			{FromMs: 1, ToMs: 1, Columns: contract.Columns{"ChargeCategory": "Credit"}, Applied: []contract.Applied{{Commitment: "c", Cost: 3, Own: true}}},
		}}},
		Stated: []contract.StatedCommitment{{ID: "c", Contract: "k", Provider: "aws", Currency: "USD", Category: "Spend", Model: "Continuous", FromMs: 1, ToMs: 2, Cost: 5, HasCost: true, Status: "Active"}},
	}
	var zipped bytes.Buffer
	if err := want.write(&zipped); err != nil {
		t.Fatal(err)
	}
	if *update {
		z, err := gzip.NewReader(bytes.NewReader(zipped.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if _, err := text.ReadFrom(z); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	z := gzip.NewWriter(&again)
	_, _ = z.Write(text)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := readDelivery(&again)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(got.Bills)
	b, _ := json.Marshal(want.Bills)
	c, _ := json.Marshal(got.Stated)
	d, _ := json.Marshal(want.Stated)
	if !bytes.Equal(a, b) || !bytes.Equal(c, d) || got.Digest != "d" || !got.Adds {
		t.Errorf("read %s %s\nwant %s %s", a, c, b, d)
	}
}
