package focus

import (
	"bytes"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/gpumeter/gpumeter/contract"
)

// FuzzImport holds that any bytes are either refused with an error that names
// the file, or kept so that what is read back is what was in them: every row's
// cost is in exactly one charge.
func FuzzImport(f *testing.F) {
	f.Add([]byte(header + row(1, "1.5") + row(1, "-0.25") + row(2, "35.2E-7")))
	f.Add([]byte("\uFEFF" + header + row(3, "NULL")))
	f.Add([]byte(header + "\"" + row(3, "1")))
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, err := readCSV(io.NopCloser(bytes.NewReader(text)), false)
		if err != nil {
			return
		}
		tb, err := newTable("f.csv", rows)
		if err != nil {
			return
		}
		d := newDraft(Options{Now: importedAt})
		if err := readCosts(tb, d); err != nil {
			if !strings.HasPrefix(err.Error(), "f.csv") {
				t.Errorf("error %q does not name the file", err)
			}
			return
		}
		bills, err := d.finish()
		if err != nil {
			return
		}
		kept := &Delivery{Schema: deliverySchema, Bills: bills}
		var file bytes.Buffer
		if err := kept.write(&file); err != nil {
			t.Fatal(err)
		}
		again, err := readDelivery(&file)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := billedOf(again.Bills), billedOf(bills); got != want {
			t.Errorf("read back %s, kept %s", got, want)
		}
		within(t, text, billedOf(bills), len(d.order))
	})
}

func billedOf(bills []contract.Bill) contract.Money {
	return billedIn(&Ledger{Bills: bills})
}

// within adds the billed costs up again, row by row, and allows each charge to
// be rounded by half a micro-unit.
func within(t *testing.T, text []byte, got contract.Money, charges int) {
	t.Helper()
	rows, err := readCSV(io.NopCloser(bytes.NewReader(text)), false)
	if err != nil {
		t.Fatal(err)
	}
	tb, err := newTable("f.csv", rows)
	if err != nil {
		t.Fatal(err)
	}
	sum := new(big.Rat)
	for {
		more, err := tb.next()
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
		if s := tb.cell("BilledCost"); s != "" {
			v, ok := new(big.Rat).SetString(s)
			if !ok {
				t.Fatalf("kept %q", s)
			}
			sum.Add(sum, v)
		}
	}
	sum.Sub(sum.Mul(sum, big.NewRat(1_000_000, 1)), new(big.Rat).SetInt64(int64(got)))
	if sum.Abs(sum).Cmp(big.NewRat(int64(charges)+1, 2)) > 0 {
		t.Errorf("kept %s, off by %s micro-units in %d charges", got, sum.FloatString(3), charges)
	}
}

// FuzzDecimal holds decimals against big.Rat: what is read is exact, but for
// what lies beyond 30 decimals, and what is refused is no number.
func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0", "-1.5", "35.2E-7", "1e16", "1.1641532182693481e-10", "1E-400", "+1", ".5", "1.", "0x1", "1/2", "NaN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := parseDecimal(s)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("parseDecimal(%q) = %s, and it is no number", s, d)
		}
		unit := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(scale), nil))
		off := new(big.Rat).Sub(new(big.Rat).Mul(new(big.Rat).SetInt(d), unit), want)
		if off.Abs(off).Cmp(unit) >= 0 {
			t.Errorf("parseDecimal(%q) is off by %s", s, off.FloatString(40))
		}
	})
}

func TestMoneyRoundsHalfEven(t *testing.T) {
	f := func(s string, want contract.Money) {
		t.Helper()
		d, err := parseDecimal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := money(d); err != nil || got != want {
			t.Errorf("money(%s) = %d, %v; want %d", s, got, err, want)
		}
	}
	f("0.0000005", 0)
	f("0.0000015", 2)
	f("0.0000025", 2)
	f("0.00000250000000000000000000001", 3)
	f("-0.0000015", -2)
	f("-0.0000025", -2)
	f("250000000000", 250_000_000_000_000_000)
	if d, err := parseDecimal("9223372036855"); err != nil {
		t.Error(err)
	} else if m, err := money(d); err == nil {
		t.Errorf("money = %d, want an error", m)
	}
}

func TestTimesOfExports(t *testing.T) {
	f := func(s string, want int64) {
		t.Helper()
		if got, err := parseTime(s); err != nil || got != want {
			t.Errorf("parseTime(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	const want = 1_790_812_800_000 // 2026-10-01
	f("2026-10-01T00:00:00Z", want)
	f("2026-10-01T00:00:00.000Z", want)
	f("2026-10-01T02:00:00+02:00", want)
	f("2026-10-01 00:00:00", want)
	f("2026-10-01T00:00:00", want)
	f("2026-10-01 00:00:00.000", want)
	f("2026-10-01 00:00:00+00", want)
	f("2026-10-01", want)
	for _, s := range []string{"", "5/1/25", "01.10.2026", "1790812800", "2026-13-01", "1969-12-31", "2026-10-01T00:00"} {
		if got, err := parseTime(s); err == nil {
			t.Errorf("parseTime(%q) = %d, want an error", s, got)
		}
	}
}
