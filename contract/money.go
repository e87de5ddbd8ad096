package contract

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Money is an amount in micro-units (millionths) of one currency. int64 holds
// nine trillion units.
type Money int64

// micro is the number of micro-units in one unit.
const micro = 1_000_000

// hourMs is the number of milliseconds that a rate per GPU-hour is for.
const hourMs = 3_600_000

// String returns the amount with six decimals, "37.083334".
func (m Money) String() string {
	sign, u := "", uint64(m)
	if m < 0 {
		sign, u = "-", uint64(-m)
	}
	return fmt.Sprintf("%s%d.%06d", sign, u/micro, u%micro)
}

// ParseMoney reads a decimal amount such as "2.35" exactly. It refuses signs,
// exponents and more than six decimals: a price that cannot be held exactly
// must not be rounded in silence.
func ParseMoney(s string) (Money, error) {
	whole, frac, _ := strings.Cut(s, ".")
	if whole == "" || len(frac) > 6 || len(whole) > 12 || strings.Trim(whole+frac, "0123456789") != "" || strings.HasSuffix(s, ".") {
		return 0, fmt.Errorf("amount %q is not a decimal number with at most six decimals", s)
	}
	n, err := strconv.ParseInt(whole+(frac + "000000")[:6], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("amount %q: %w", s, err)
	}
	return Money(n), nil
}

// price is ms × rate ÷ hourMs as whole micro-units and the remainder, in
// hourMs-ths of a micro-unit. ms and rate are not negative.
func price(ms int64, rate Money) (whole, rem uint64) {
	hi, lo := bits.Mul64(uint64(ms), uint64(rate))
	return bits.Div64(hi, lo, hourMs)
}

// total is ms × rate, rounded half even to micro-units.
func total(ms int64, rate Money) Money {
	whole, rem := price(ms, rate)
	if rem*2 > hourMs || (rem*2 == hourMs && whole%2 == 1) {
		whole++
	}
	return Money(whole)
}

// apportion splits an amount over the parts ms[i] × rate: each part is
// floored, and what is missing to sum goes in single micro-units to the
// largest remainders; ties go to the larger part, then to the first.
func apportion(sum Money, ms []int64, rate Money) []Money {
	out := make([]Money, len(ms))
	rems := make([]uint64, len(ms))
	left := sum
	for i, v := range ms {
		whole, rem := price(v, rate)
		out[i], rems[i] = Money(whole), rem
		left -= Money(whole)
	}
	for ; left > 0; left-- {
		best := -1
		for i := range ms {
			if ms[i] > 0 && (best < 0 || rems[i] > rems[best] || (rems[i] == rems[best] && ms[i] > ms[best])) {
				best = i
			}
		}
		out[best]++
		rems[best] = 0
	}
	return out
}
