package contract

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
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

// errAmount is what money arithmetic says instead of wrapping around.
var errAmount = errors.New("amount is beyond nine trillion units, or negative")

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
	if whole == "" || len(frac) > 6 || strings.Trim(whole+frac, "0123456789") != "" || strings.HasSuffix(s, ".") {
		return 0, fmt.Errorf("amount %q is not a decimal number with at most six decimals", s)
	}
	n, err := strconv.ParseInt(whole+(frac + "000000")[:6], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("amount %q is beyond nine trillion units", s)
	}
	return Money(n), nil
}

// tariff is an amount for so much GPU time.
type tariff struct {
	amount Money
	perMs  uint64
}

// hourly is an amount for each GPU-hour.
func hourly(m Money) tariff { return tariff{m, hourMs} }

// tariff is the price m of a GPU-hour under the rate.
func (r *Rate) tariff(m Money) tariff {
	switch {
	case r.MonthMs == 0:
		return hourly(m)
	case m > math.MaxInt64/BilledHours: // which validation refuses
		return tariff{-1, 1}
	}
	return tariff{m * BilledHours, uint64(r.MonthMs)}
}

// committed is the price of contracted time, over that of overage.
func (r *Rate) committed() tariff { return r.tariff(r.PerGPUHour) }
func (r *Rate) over() tariff      { return r.tariff(r.OveragePerGPUHour) }

// price is ms × tariff as whole micro-units and the remainder, in perMs-ths of a
// micro-unit. It refuses what Money cannot hold: 400,000 GPUs
// for ten years at 250 units an hour still fit.
func price(ms int64, t tariff) (whole, rem uint64, err error) {
	if ms < 0 || t.amount < 0 {
		return 0, 0, errAmount
	}
	hi, lo := bits.Mul64(uint64(ms), uint64(t.amount))
	if hi >= t.perMs { // Div64 would panic: the quotient needs more than 64 bits
		return 0, 0, errAmount
	}
	whole, rem = bits.Div64(hi, lo, t.perMs)
	if whole >= math.MaxInt64 { // at the limit, rounding up would wrap
		return 0, 0, errAmount
	}
	return whole, rem, nil
}

// total is ms × tariff, rounded half even to micro-units.
func total(ms int64, t tariff) (Money, error) {
	whole, rem, err := price(ms, t)
	if rem*2 > t.perMs || (rem*2 == t.perMs && whole%2 == 1) {
		whole++
	}
	return Money(whole), err
}

// add is a + b, both not negative.
func add(a, b Money) (Money, error) {
	if a < 0 || b < 0 || a > math.MaxInt64-b {
		return 0, errAmount
	}
	return a + b, nil
}

// apportion splits an amount over the parts ms[i] × tariff: each part is
// floored, and what is missing to sum goes in single micro-units to the
// largest remainders; ties go to the larger part, then to the first. The sum
// must be that of the parts, rounded to a neighbouring micro-unit.
func apportion(sum Money, ms []int64, t tariff) ([]Money, error) {
	out := make([]Money, len(ms))
	rems := make([]uint64, len(ms))
	var order []int
	left := sum
	for i, v := range ms {
		whole, rem, err := price(v, t)
		if err != nil {
			return nil, err
		}
		out[i], rems[i] = Money(whole), rem
		left -= Money(whole)
		if v > 0 {
			order = append(order, i)
		}
	}
	if left < 0 || left > Money(len(order)) {
		return nil, fmt.Errorf("apportion %s: the parts differ from it by %s", sum, left)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(rems[b], rems[a]), cmp.Compare(ms[b], ms[a]))
	})
	for _, i := range order[:left] {
		out[i]++
	}
	return out, nil
}
