package contractfile

import (
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// commitmentBuild makes one spend commitment out of its entry.
type commitmentBuild struct {
	build
	entry *commitmentEntry
}

func (b commitmentBuild) commitment() (contract.Commitment, error) {
	m := contract.Commitment{Source: b.at(b.entry.Line)}
	for _, step := range []func(*contract.Commitment) error{b.names, b.words, b.term, b.amounts, b.floors} {
		if err := step(&m); err != nil {
			return m, err
		}
	}
	var err error
	m.Eligible, err = b.applicability(&b.entry.Eligible)
	return m, err
}

func (b commitmentBuild) names(m *contract.Commitment) error {
	e := b.entry
	return b.allTexts(named{"id", e.ID, &m.ID}, named{"title", e.Title, &m.Title}, named{"cloud_id", e.CloudID, &m.CloudID})
}

// words reads what is one of a few words. Without them a commitment is a pool
// that charges draw down after discounts, and what is missing is payable.
func (b commitmentBuild) words(m *contract.Commitment) error {
	e := b.entry
	model, basis, shortfall, interval := string(contract.Discontinuous), string(contract.ContractedCost), string(contract.TrueUp), ""
	err := b.allTexts(named{"model", e.Model, &model}, named{"basis", e.Basis, &basis},
		named{"shortfall", e.Shortfall, &shortfall}, named{"interval", e.Interval, &interval})
	for _, known := range []contract.CommitmentModel{contract.Discontinuous, contract.Continuous} {
		if strings.EqualFold(model, string(known)) {
			model = string(known)
		}
	}
	m.Model, m.Basis = contract.CommitmentModel(model), contract.CostBasis(basis)
	m.Shortfall, m.Interval = contract.ShortfallRule(shortfall), contract.Interval(interval)
	return err
}

func (b commitmentBuild) term(m *contract.Commitment) (err error) {
	if m.FromMs, err = b.moment("start", b.entry.Start); err != nil {
		return err
	}
	m.EndMs, err = b.moment("end", b.entry.End)
	return err
}

func (b commitmentBuild) amounts(m *contract.Commitment) (err error) {
	e := b.entry
	if m.Total, err = b.money("total", e.Total); err != nil {
		return err
	}
	if m.PerInterval, err = b.money("per_interval", e.PerInterval); err != nil {
		return err
	}
	if m.OtherPerDay, err = b.money("other_per_day", e.OtherPerDay); err != nil {
		return err
	}
	m.CarryExcess, err = b.yes("carry_excess", e.CarryExcess)
	return err
}

// floors reads the least amounts; without to a floor lasts until the next one
// begins, the last to the end.
func (b commitmentBuild) floors(m *contract.Commitment) error {
	list := b.entry.Floors
	for i := range list {
		f := contract.Floor{ToMs: m.EndMs}
		var err error
		if f.Amount, err = b.money("amount", list[i].Amount); err != nil {
			return err
		}
		if f.FromMs, err = b.moment("from", list[i].From); err != nil {
			return err
		}
		switch {
		case list[i].To.Node != nil:
			f.ToMs, err = b.moment("to", list[i].To)
		case i+1 < len(list):
			f.ToMs, err = b.moment("from", list[i+1].From)
		}
		if err != nil {
			return err
		}
		m.Floors = append(m.Floors, f)
	}
	return nil
}
