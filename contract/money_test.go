package contract

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestTotalRoundsHalfEven(t *testing.T) {
	f := func(ms int64, rate, want Money) {
		t.Helper()
		if got, err := total(ms, hourly(rate)); err != nil || got != want {
			t.Errorf("total(%d, %d) = %d, %v; want %d", ms, rate, got, err, want)
		}
	}
	f(0, 5, 0)
	f(hourMs, 2_500_000, 2_500_000)
	f(hourMs/2, 1, 0) // 0.5
	f(hourMs/2, 3, 2) // 1.5
	f(hourMs/2, 5, 2) // 2.5
	f(hourMs/2+1, 5, 3)
	f(hourMs/2-1, 3, 1)
	f(86_400_000, 2_500_000, 60_000_000)
	f(400_000*10*365*24*hourMs, 250_000_000, 400_000*10*365*24*250_000_000) // $8.8 trillion
}

func TestMoneyRefusesWhatItCannotHold(t *testing.T) {
	f := func(ms int64, rate Money) {
		t.Helper()
		if got, err := total(ms, hourly(rate)); err == nil {
			t.Errorf("total(%d, %d) = %d, want an error", ms, rate, got)
		}
		if got, err := apportion(0, []int64{ms}, hourly(rate)); err == nil {
			t.Errorf("apportion(%d × %d) = %d, want an error", ms, rate, got)
		}
	}
	f(math.MaxInt64, math.MaxInt64) // the quotient needs more than 64 bits
	f(math.MaxInt64, hourMs)
	f(math.MaxInt64, hourMs+1)
	f(-1, 1)
	f(1, -1)
	if got, err := add(math.MaxInt64, 1); err == nil {
		t.Errorf("add = %d, want an error", got)
	}
	if got, err := add(math.MaxInt64-1, 1); err != nil || got != math.MaxInt64 {
		t.Errorf("add = %d, %v; want the greatest amount", got, err)
	}
}

// The parts are within a micro-unit of what they are exactly, add up, and the
// residue went to the largest remainders.
func TestApportionAddsUpAndIsFair(t *testing.T) {
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range 2000 {
		ms := make([]int64, 1+r.IntN(12))
		var sum int64
		for i := range ms {
			if r.IntN(4) > 0 {
				ms[i] = r.Int64N(int64(1) << (1 + r.IntN(44)))
			}
			sum += ms[i]
		}
		rate := Money(r.Int64N(1 << (1 + r.IntN(26))))
		whole, err := total(sum, hourly(rate))
		if err != nil {
			t.Fatal(err)
		}
		parts, err := apportion(whole, ms, hourly(rate))
		if err != nil {
			t.Fatalf("apportion(%d, %v, %d): %v", whole, ms, rate, err)
		}
		var got Money
		least, most := big.NewInt(hourMs), big.NewInt(-1) // remainders: least of those raised, most of those not
		for i, part := range parts {
			got += part
			floor, rem := new(big.Int).QuoRem(new(big.Int).Mul(big.NewInt(ms[i]), big.NewInt(int64(rate))), big.NewInt(hourMs), new(big.Int))
			switch int64(part) - floor.Int64() {
			case 0:
				if rem.Cmp(most) > 0 {
					most = rem
				}
			case 1:
				if rem.Cmp(least) < 0 {
					least = rem
				}
			default:
				t.Fatalf("apportion(%d, %v, %d): part %d is %d", whole, ms, rate, i, part)
			}
		}
		if got != whole || most.Cmp(least) > 0 {
			t.Fatalf("apportion(%d, %v, %d) = %v: sum %d, a remainder of %s was passed over for %s", whole, ms, rate, parts, got, most, least)
		}
	}
}

func TestApportionBreaksTiesByAmountThenOrder(t *testing.T) {
	// Thirds of a micro-unit: the remainders are all alike.
	third := int64(hourMs / 3)
	parts, err := apportion(2, []int64{third, third, 4 * third}, hourly(1))
	if err != nil || parts[0] != 0 || parts[1] != 0 || parts[2] != 2 {
		t.Errorf("apportion = %v, %v; want the residue at the larger part", parts, err)
	}
	parts, err = apportion(1, []int64{third, third, third}, hourly(1))
	if err != nil || parts[0] != 1 || parts[1] != 0 || parts[2] != 0 {
		t.Errorf("apportion = %v, %v; want the residue at the first part", parts, err)
	}
}

func TestApportionRefusesAnotherSum(t *testing.T) {
	f := func(sum Money, ms ...int64) {
		t.Helper()
		if parts, err := apportion(sum, ms, hourly(1)); err == nil {
			t.Errorf("apportion(%d, %v) = %v, want an error", sum, ms, parts)
		}
	}
	f(1)
	f(1, 0, 0)
	f(math.MaxInt64, 1, 1)
	f(0, hourMs)
	f(-1, 1)
}

func TestParseMoneyRefuses(t *testing.T) {
	for _, s := range []string{"", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1 ", "0x10", "1_000", "1.0000000", "1.2.3", "NaN", "9223372036854.775808", "99999999999999"} {
		if m, err := ParseMoney(s); err == nil {
			t.Errorf("ParseMoney(%q) = %s, want an error", s, m)
		}
	}
}

func TestMoneyString(t *testing.T) {
	for m, want := range map[Money]string{0: "0.000000", 1: "0.000001", -1: "-0.000001", 37_083_334: "37.083334",
		math.MaxInt64: "9223372036854.775807", math.MinInt64: "-9223372036854.775808"} {
		if got := m.String(); got != want {
			t.Errorf("Money(%d) = %s, want %s", int64(m), got, want)
		}
	}
}

func FuzzParseMoney(f *testing.F) {
	for _, s := range []string{"2.50", "0", "000.000001", "9223372036854.775807", "1.2.3", "1e5", "-1", "٣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMoney(s)
		if err != nil {
			return
		}
		if again, err := ParseMoney(m.String()); m < 0 || err != nil || again != m {
			t.Errorf("ParseMoney(%q) = %s, read again %s, %v", s, m, again, err)
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok || want.Mul(want, big.NewRat(micro, 1)).Cmp(big.NewRat(int64(m), 1)) != 0 {
			t.Errorf("ParseMoney(%q) = %s, which it is not exactly", s, m)
		}
	})
}
