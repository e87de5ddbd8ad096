package contract

import (
	"math/big"
	"strconv"
	"strings"
)

// Figures for people. They are rounded, half away from zero; what is exact is
// in the integers behind them.

// Grouped writes an integer with thousands separators: 86,400.
func Grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Hours writes GPU-milliseconds as GPU-hours with two decimals: "17,856.00".
func Hours(ms int64) string { return hundredths(ms, hourMs/100) }

// Figure writes the amount with two decimals and thousands separators:
// "44,640.00".
func (m Money) Figure() string { return hundredths(int64(m), micro/100) }

// Exact is the whole amount for people: "74,054.400003", "3.00".
func (m Money) Exact() string {
	s := m.String()
	whole, frac, _ := strings.Cut(s, ".")
	sign := ""
	if m < 0 {
		sign, whole = "-", whole[1:]
	}
	n, _ := strconv.ParseUint(whole, 10, 63) // at most MaxInt64 ÷ 10⁶
	frac = frac[:2] + strings.TrimRight(frac[2:], "0")
	return sign + Grouped(int64(n)) + "." + frac
}

// hundredths writes n ÷ unit as a number of hundredths.
func hundredths(n, unit int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	n, rest := n/unit, n%unit
	if 2*rest >= unit {
		n++
	}
	cents := strconv.FormatInt(100+n%100, 10)[1:]
	if n == 0 {
		sign = ""
	}
	return sign + Grouped(n/100) + "." + cents
}

// Share writes part ÷ whole as a percentage with two decimals, "61.81 %". What
// is neither nothing nor everything never reads as "0.00 %" or "100.00 %"; a
// share of nothing is "n/a".
func Share(part, whole int64) string {
	if whole == 0 {
		return "n/a"
	}
	n := new(big.Int).Mul(big.NewInt(part), big.NewInt(20_000))
	n.Add(n, big.NewInt(whole)).Div(n, new(big.Int).Mul(big.NewInt(2), big.NewInt(whole)))
	switch s := hundredths(n.Int64(), 1); {
	case s == "0.00" && part > 0:
		return "<0.01 %"
	case s == "100.00" && part < whole:
		return ">99.99 %"
	default:
		return s + " %"
	}
}

// PerHour is the cost of each of a number of GPU-milliseconds as an hourly
// price, rounded down; it is false where there are none.
func (m Money) PerHour(ms int64) (Money, bool) {
	if ms <= 0 {
		return 0, false
	}
	n := new(big.Int).Mul(big.NewInt(int64(m)), big.NewInt(hourMs))
	n.Div(n, big.NewInt(ms))
	return Money(n.Int64()), n.IsInt64()
}

// HourPrices are what an hour of a GPU came to: as it was bought, for each hour
// in which it was busy, and for each hour with all of its SMs active. A price
// that is not known is negative.
type HourPrices struct{ Paid, Busy, Effective Money }

// enoughKnown is the share of healthy time, in hundredths, for which SM activity
// must be known for an effective hour to have a price.
const enoughKnown = 98

// HourPrices divides the contracted cost by hours. ok is false where part of the
// time has no rate.
func (l *Line) HourPrices() (p HourPrices, ok bool) {
	if l.Cost.UnpricedMs > 0 || l.ContractedMs == 0 {
		return HourPrices{}, false
	}
	per := func(ms int64) Money {
		if price, ok := l.Cost.Contracted.PerHour(ms); ok {
			return price
		}
		return -1
	}
	p = HourPrices{per(l.ContractedMs), per(l.Buckets[Busy]), -1}
	healthy := l.ContractedMs - l.Buckets[Undelivered] - l.Buckets[Unobserved] - l.Buckets[Unhealthy]
	if l.SMKnownMs >= healthy/100*enoughKnown {
		p.Effective = per(l.SMActiveMs)
	}
	return p, true
}
