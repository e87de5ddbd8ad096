package contractfile

import (
	"fmt"
	"time"

	"github.com/gpumeter/gpumeter/contract"
)

// build makes one contract out of its entry.
type build struct {
	decoder
	entry *contractEntry
	zone  *time.Location
}

func (b build) contract() (contract.Contract, error) {
	e := b.entry
	c := contract.Contract{Source: b.at(e.Line)}
	err := b.allTexts(named{"id", e.ID, &c.ID}, named{"title", e.Title, &c.Title},
		named{"provider", e.Provider, &c.Provider}, named{"currency", e.Currency, &c.Currency})
	if err != nil {
		return c, err
	}
	if c.Zone, err = b.location(); err != nil {
		return c, err
	}
	b.zone = c.Zone
	if c.CutOff, err = b.span("cut_off", e.CutOff); err != nil {
		return c, err
	}
	if c.SLAs, err = each(e.SLAs, b.sla); err != nil {
		return c, err
	}
	if c.Notices, err = each(e.Notices, b.notice); err != nil {
		return c, err
	}
	if c.Tranches, err = each(e.Tranches, func(t *trancheEntry) (contract.Tranche, error) { return trancheBuild{b, t}.tranche() }); err != nil {
		return c, err
	}
	c.Commitments, err = each(e.Commitments, func(m *commitmentEntry) (contract.Commitment, error) { return commitmentBuild{b, m}.commitment() })
	return c, err
}

// each makes one thing out of each entry.
func each[E, T any](entries []E, read func(*E) (T, error)) ([]T, error) {
	var out []T
	for i := range entries {
		x, err := read(&entries[i])
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

func (b build) at(line int) string { return fmt.Sprintf("%s:%d", b.name, line) }

func (b build) location() (*time.Location, error) {
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
