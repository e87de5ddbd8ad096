package contractfile

import (
	"strconv"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// text keeps a value as it was written, so that an account 012345678901 stays
// what it is.
func (d decoder) text(key string, s scalar, to *string) error {
	if s.Node == nil {
		return nil
	}
	if s.Tag == "!!bool" {
		return d.wrong(s.Line, "%s is %s, which YAML takes for yes or no: put it in quotes", key, s.Value)
	}
	*to = s.Value
	return nil
}

// named is one text among others.
type named struct {
	key  string
	from scalar
	to   *string
}

func (d decoder) allTexts(fields ...named) error {
	for _, f := range fields {
		if err := d.text(f.key, f.from, f.to); err != nil {
			return err
		}
	}
	return nil
}

func (d decoder) texts(key string, list []scalar) ([]string, error) {
	var out []string
	for _, s := range list {
		var v string
		if err := d.text("an entry of "+key, s, &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// whole reads a whole number; an absent one is zero.
func (d decoder) whole(key string, s scalar) (int, error) {
	if s.Node == nil {
		return 0, nil
	}
	n, err := strconv.Atoi(s.Value)
	if err != nil || s.Tag != "!!int" {
		return 0, d.wrong(s.Line, "%s %q is not a whole number", key, clip(s.Value))
	}
	return n, nil
}

// yes reads a truth value; an absent one is false.
func (d decoder) yes(key string, s scalar) (bool, error) {
	switch {
	case s.Node == nil:
		return false, nil
	case s.Tag == "!!bool":
		return strings.EqualFold(s.Value, "true"), nil
	}
	return false, d.wrong(s.Line, "%s %q is not true or false", key, clip(s.Value))
}

// money reads an amount; an absent one is zero.
func (d decoder) money(key string, s scalar) (contract.Money, error) {
	if s.Node == nil {
		return 0, nil
	}
	m, err := contract.ParseMoney(s.Value)
	if err != nil {
		return 0, d.wrong(s.Line, "%s: amount %q is not a decimal number with at most six decimals, such as \"2.35\"", key, clip(s.Value))
	}
	return m, nil
}

// millionths reads a decimal number, such as a factor, exactly.
func (d decoder) millionths(key string, s scalar) (int64, error) {
	m, err := contract.ParseMoney(s.Value)
	if err != nil {
		return 0, d.wrong(s.Line, "%s %q is not a decimal number with at most six decimals, such as \"0.85\"", key, clip(s.Value))
	}
	return int64(m), nil
}

// percent reads a percentage as millionths of the whole.
func (d decoder) percent(key string, s scalar) (int64, error) {
	m, err := contract.ParseMoney(s.Value)
	if err != nil || m%100 != 0 {
		return 0, d.wrong(s.Line, "%s %q is not a percentage with at most four decimals, such as 99.95", key, clip(s.Value))
	}
	return int64(m) / 100, nil
}

// span reads a length of time: 14d, 36h, 90m. An absent one is zero.
func (d decoder) span(key string, s scalar) (time.Duration, error) {
	if s.Node == nil {
		return 0, nil
	}
	units := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute}
	number := strings.TrimRight(s.Value, "dhm")
	unit, ok := units[strings.TrimPrefix(s.Value, number)]
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || !ok {
		return 0, d.wrong(s.Line, "%s %q is not a length of time, such as 14d, 36h or 90m", key, clip(s.Value))
	}
	return time.Duration(n) * unit, nil
}
