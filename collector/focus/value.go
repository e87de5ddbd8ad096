package focus

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// timeForms are the ways in which exports write times. FOCUS has the first;
// what has no zone is UTC.
var timeForms = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07",
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly,
}

// parseTime reads a time. It refuses forms such as 5/1/25: whether that is May
// or January cannot be known.
func parseTime(s string) (int64, error) {
	for _, form := range timeForms {
		if t, err := time.Parse(form, s); err == nil {
			if t.Year() < 1970 || t.Year() > 2099 {
				return 0, fmt.Errorf("%q is not between 1970 and 2099", s)
			}
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%q is not a time such as 2026-10-01T00:00:00Z", s)
}

// scale is how many decimals sums are exact to: the doubles of exports have
// many, and what lies beyond is cut.
const scale = 30

// decimal is an amount in 10^-30 units.
type decimal = big.Int

// parseDecimal reads a decimal number, perhaps with an exponent: 35.2E-7.
func parseDecimal(s string) (*decimal, error) {
	bad := fmt.Errorf("%.40q is not a decimal number", s)
	if len(s) > 64 {
		return nil, bad
	}
	mantissa, exponent := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		if exponent, err = strconv.Atoi(s[i+1:]); err != nil || exponent < -400 || exponent > 40 {
			return nil, bad
		}
		mantissa = s[:i]
	}
	negative := strings.HasPrefix(mantissa, "-")
	mantissa = strings.TrimPrefix(mantissa, "-")
	whole, frac, dot := strings.Cut(mantissa, ".")
	if whole == "" || dot && frac == "" || strings.Trim(whole+frac, "0123456789") != "" {
		return nil, bad
	}
	out, ok := new(big.Int).SetString(whole+frac, 10)
	if !ok {
		return nil, bad
	}
	shift(out, scale+exponent-len(frac))
	if negative {
		out.Neg(out)
	}
	return out, nil
}

// shift multiplies by a power of ten, and cuts what falls below one.
func shift(v *big.Int, n int) {
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n, -n))), nil)
	if n >= 0 {
		v.Mul(v, power)
		return
	}
	v.Quo(v, power)
}

// microUnit is a micro-unit in the units of a decimal.
var microUnit = new(big.Int).Exp(big.NewInt(10), big.NewInt(scale-6), nil)

var errTooMuch = errors.New("is beyond nine trillion units")

// money rounds half even to micro-units.
func money(d *decimal) (contract.Money, error) {
	whole, rest := new(big.Int).QuoRem(d, microUnit, new(big.Int))
	twice := new(big.Int).Abs(rest)
	twice.Lsh(twice, 1)
	if c := twice.Cmp(microUnit); c > 0 || c == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(int64(d.Sign())))
	}
	if !whole.IsInt64() || whole.BitLen() > 62 {
		return 0, errTooMuch
	}
	return contract.Money(whole.Int64()), nil
}
