package contractfile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector/contractfile"
	"github.com/gpumeter/gpumeter/contract"
)

func ms(t *testing.T, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

func TestLoadReadsTheExample(t *testing.T) {
	got, err := contractfile.Load("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 {
		t.Fatalf("%d contracts, want 2", len(got))
	}
	cw := got[0]
	if cw.Zone.String() != "America/New_York" || cw.Title != "H100 reserved capacity" || cw.Source != "testdata/example.yaml:5" {
		t.Errorf("contract = %+v", cw)
	}
	want := contract.Tranche{
		ID: "h100", Model: "H100",
		Scope: contract.Scope{Regions: []string{"us-east-04", "us-west-01"}},
		Steps: []contract.Step{{FromMs: ms(t, "2026-04-01T04:00:00Z"), GPUs: 256}, {FromMs: ms(t, "2026-07-01T04:00:00Z"), GPUs: 512}},
		EndMs: ms(t, "2028-04-01T04:00:00Z"),
		Rates: []contract.Rate{
			{FromMs: ms(t, "2026-04-01T04:00:00Z"), ToMs: ms(t, "2027-04-01T04:00:00Z"), PerGPUHour: 2_350_000, OveragePerGPUHour: 3_100_000, HasOverage: true},
			{FromMs: ms(t, "2027-04-01T04:00:00Z"), ToMs: ms(t, "2028-04-01T04:00:00Z"), PerGPUHour: 2_200_000, OveragePerGPUHour: 3_000_000, HasOverage: true},
		},
	}
	if d := cmp.Diff(want, cw.Tranches[0]); d != "" {
		t.Errorf("tranche differs (-want +got):\n%s", d)
	}
	if a := got[1].Tranches[0].Scope.Accounts[0]; a != "012345678901" {
		t.Errorf("account = %q: its leading zero is part of it", a)
	}
	if r := got[1].Tranches[0].Rates[0]; r.HasOverage {
		t.Errorf("rate = %+v: no overage price was given", r)
	}
}

// TestParseSaysWhatIsWrongAndWhere reads testdata/bad: the first line of each
// file is the error it must give, after the file's name.
func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(text), "\n")
			want := "contracts.yaml" + strings.TrimPrefix(first, "# ")
			got, err := contractfile.Parse("contracts.yaml", strings.NewReader(string(text)))
			if err == nil {
				t.Fatalf("Parse accepted it: %+v", got)
			}
			if err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
		})
	}
}

func TestParseRefusesAFileTooLarge(t *testing.T) {
	_, err := contractfile.Parse("big.yaml", strings.NewReader("contracts: []\n#"+strings.Repeat("x", contractfile.MaxBytes)))
	var e *contractfile.Error
	if !errors.As(err, &e) || !strings.Contains(e.Problem, "larger than") {
		t.Errorf("err = %v", err)
	}
}

func TestParseAcceptsNoContracts(t *testing.T) {
	got, err := contractfile.Parse("contracts.yaml", strings.NewReader("contracts: []\n"))
	if err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestParseTakesADateForMidnightInTheBillingZone(t *testing.T) {
	f := func(zone, start, want string) {
		t.Helper()
		got, err := contractfile.Parse("c", strings.NewReader(fmt.Sprintf(
			"contracts: [{id: c, provider: p, currency: USD, billing_timezone: %s, tranches: [{id: t, model: H100, start: %s, end: 2030-01-01, gpus: 1}]}]", zone, start)))
		if err != nil {
			t.Error(err)
			return
		}
		if from := time.UnixMilli(got[0].Tranches[0].StartMs()).UTC().Format(time.RFC3339); from != want {
			t.Errorf("%s in %s = %s, want %s", start, zone, from, want)
		}
	}
	f("UTC", "2026-10-01", "2026-10-01T00:00:00Z")
	f("Asia/Kolkata", "2026-10-01", "2026-09-30T18:30:00Z")
	f("America/New_York", "2026-10-01T12:00", "2026-10-01T16:00:00Z")
	f("America/New_York", "2026-10-01T12:00:00Z", "2026-10-01T12:00:00Z")
	f("America/New_York", "2026-12-01 12:00", "2026-12-01T17:00:00Z")
}

func TestLoadNamesAMissingFile(t *testing.T) {
	_, err := contractfile.Load("testdata/nowhere.yaml")
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "testdata/nowhere.yaml") {
		t.Errorf("err = %v", err)
	}
}

// FuzzParse holds that a text is either refused with a file and line, or gives
// contracts that make sense.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, name := range append(files, "testdata/example.yaml", "testdata/terms.yaml") {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := contractfile.Parse("f.yaml", strings.NewReader(text))
		if err != nil {
			var e *contractfile.Error
			if !errors.As(err, &e) || e.File != "f.yaml" || e.Line < 1 || e.Problem == "" || got != nil {
				t.Errorf("error %v of type %T, with %v", err, err, got)
			}
			return
		}
		if err := contract.ValidateAll(got); err != nil {
			t.Errorf("accepted, although %v", err)
		}
	})
}

func ExampleParse() {
	_, err := contractfile.Parse("contracts.yaml", strings.NewReader(`
contracts:
  - id: acme
    vendor: aws
`))
	fmt.Println(err)
	// Output: contracts.yaml:4: unknown key "vendor" in a contract, which knows id, title, provider, currency, billing_timezone, cut_off, tranches, commitments, slas, notices
}
