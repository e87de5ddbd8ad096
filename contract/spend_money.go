package contract

import (
	"math"
	"math/bits"
)

// plus is a + b of either sign.
func plus(a, b Money) (Money, error) {
	sum := a + b
	if (b > 0 && sum < a) || (b < 0 && sum > a) || sum == math.MinInt64 {
		return 0, errAmount
	}
	return sum, nil
}

// mulDiv is m × num ÷ den, rounded half even, with a 128-bit product. num is
// not negative and den is positive; m has either sign.
func mulDiv(m Money, num, den int64) (Money, error) {
	whole, rem, err := quotient(m, num, den)
	if err != nil {
		return 0, err
	}
	if d := uint64(den); rem > d-rem || (rem == d-rem && whole%2 == 1) {
		whole++
	}
	return signed(whole, m)
}

// truncDiv is m × num ÷ den without its fraction, so that the differences of a
// growing num add up to m.
func truncDiv(m Money, num, den int64) (Money, error) {
	whole, _, err := quotient(m, num, den)
	if err != nil {
		return 0, err
	}
	return signed(whole, m)
}

// quotient is |m| × num ÷ den and its remainder.
func quotient(m Money, num, den int64) (whole, rem uint64, err error) {
	if num < 0 || den <= 0 || m == math.MinInt64 {
		return 0, 0, errAmount
	}
	hi, lo := bits.Mul64(uint64(max(m, -m)), uint64(num))
	if hi >= uint64(den) {
		return 0, 0, errAmount
	}
	whole, rem = bits.Div64(hi, lo, uint64(den))
	if whole >= math.MaxInt64 { // at the limit, rounding up would wrap
		return 0, 0, errAmount
	}
	return whole, rem, nil
}

func signed(whole uint64, like Money) (Money, error) {
	if like < 0 {
		return -Money(whole), nil
	}
	return Money(whole), nil
}
