package contractfile

import (
	"errors"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// locate gives an error of contract.ValidateAll the line of what it is about.
func (d decoder) locate(err error, entries []contractEntry) error {
	var f *contract.FieldError
	if !errors.As(err, &f) || f.Contract >= len(entries) {
		return &Error{d.name, 1, err.Error()}
	}
	c := &entries[f.Contract]
	line := c.lineOf(f.Field)
	if f.Tranche >= 0 && f.Tranche < len(c.Tranches) {
		line = c.Tranches[f.Tranche].lineOf(f.Field, f.Item)
	}
	return &Error{d.name, line, inFileWords(f)}
}

// inFileWords says what is wrong with the key's name in the file where it
// differs from the vocabulary's.
func inFileWords(f *contract.FieldError) string {
	g := *f
	switch f.Field {
	case "zone":
		g.Field = "billing_timezone"
	case "steps":
		g.Field = "step"
	case "rates":
		g.Field = "rate"
	case "pins":
		g.Field = "pin"
	}
	if g.Item < 0 { // "steps never have", "rates make"
		g.Field = f.Field
	}
	return strings.TrimSpace(g.Error())
}

func (c *contractEntry) lineOf(field string) int {
	return lineOf(c.Line, map[string]scalar{
		"id": c.ID, "title": c.Title, "provider": c.Provider, "currency": c.Currency, "zone": c.Zone,
	}[field])
}

func (t *trancheEntry) lineOf(field string, item int) int {
	inScope := func(list []scalar) scalar {
		if item >= 0 && item < len(list) {
			return list[item]
		}
		return scalar{}
	}
	switch field {
	case "steps":
		if item >= 0 && item < len(t.Ramp) {
			return t.Ramp[item].Line
		}
		return lineOf(t.Line, t.GPUs)
	case "rates":
		if item >= 0 && item < len(t.Rates) {
			return t.Rates[item].Line
		}
		return lineOf(t.Line, t.PerHour)
	}
	return lineOf(t.Line, map[string]scalar{
		"id": t.ID, "model": t.Model, "end": t.End,
		"accounts": inScope(t.Scope.Accounts), "regions": inScope(t.Scope.Regions),
		"reservations": inScope(t.Scope.Reservations), "pins": inScope(t.Scope.Pins),
	}[field])
}

// lineOf is the line of a value, or of what it should stand in.
func lineOf(parent int, s scalar) int {
	if s.Node != nil {
		return s.Line
	}
	return parent
}
