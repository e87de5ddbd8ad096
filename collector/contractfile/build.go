package contractfile

import (
	"fmt"
	"strconv"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// build makes one contract out of its entry.
type build struct {
	decoder
	entry *contractEntry
}

func (b build) contract() (contract.Contract, error) {
	e := b.entry
	c := contract.Contract{Source: fmt.Sprintf("%s:%d", b.name, e.Line)}
	for _, f := range []struct {
		key  string
		from scalar
		to   *string
	}{
		{"id", e.ID, &c.ID}, {"title", e.Title, &c.Title}, {"provider", e.Provider, &c.Provider}, {"currency", e.Currency, &c.Currency},
	} {
		if err := b.text(f.key, f.from, f.to); err != nil {
			return c, err
		}
	}
	var err error
	if c.Zone, err = b.zone(); err != nil {
		return c, err
	}
	for i := range e.Tranches {
		t, err := trancheBuild{b, &e.Tranches[i], c.Zone}.tranche()
		if err != nil {
			return c, err
		}
		c.Tranches = append(c.Tranches, t)
	}
	return c, nil
}

func (b build) zone() (*time.Location, error) {
	s := b.entry.Zone
	if s.Value == "" || s.Value == "Local" {
		return nil, b.wrong(s.Line, "billing_timezone %q is not the name of a time zone, such as America/New_York or UTC", s.Value)
	}
	zone, err := time.LoadLocation(s.Value)
	if err != nil {
		return nil, b.wrong(s.Line, "billing_timezone %q is not known: want a name such as America/New_York or UTC", clip(s.Value))
	}
	return zone, nil
}

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

func (d decoder) whole(key string, s scalar) (int, error) {
	n, err := strconv.Atoi(s.Value)
	if err != nil || s.Tag != "!!int" {
		return 0, d.wrong(s.Line, "%s %q is not a whole number", key, clip(s.Value))
	}
	return n, nil
}

func (d decoder) money(key string, s scalar) (contract.Money, error) {
	m, err := contract.ParseMoney(s.Value)
	if err != nil {
		return 0, d.wrong(s.Line, "%s: amount %q is not a decimal number with at most six decimals, such as \"2.35\"", key, clip(s.Value))
	}
	return m, nil
}
