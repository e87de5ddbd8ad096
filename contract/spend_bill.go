package contract

import "strings"

// Bill is what a cloud charged one account for one billing period, as far as
// it was imported.
type Bill struct {
	Provider     string // as Contract.Provider spells it
	Account      string
	Currency     string // ISO 4217
	FromMs, ToMs int64  // the billing period, half-open
	// CoversToMs is up to when the charges are taken to be complete: the end
	// of the period, or less while it is open.
	CoversToMs int64
	Charges    []Charge
	// Source names the import that it came with.
	Source string
}

// Charge is one charge of a bill, or many alike: those of a day with the same
// columns are one.
type Charge struct {
	FromMs, ToMs int64 // the charge period, half-open; equal is a moment
	Columns      Columns
	Costs        Costs
	// Applied is what the cloud itself says that the charge draws down.
	Applied []Applied
}

// Columns are the values of SpendDimensions that a charge has. Charges share
// them: they must not be changed.
type Columns map[string]string

// Costs are the four costs of a charge, in the order of CostBases. Credits are
// negative. A cost that the export did not state is not known.
type Costs struct {
	Amount [4]Money
	Known  [4]bool
}

// CostBases lists the costs in the order of Costs.
var CostBases = [4]CostBasis{ListCost, ContractedCost, BilledCost, EffectiveCost}

// Of returns one of the costs, and whether it is known.
func (c *Costs) Of(b CostBasis) (Money, bool) {
	for i, name := range CostBases {
		if name == b {
			return c.Amount[i], c.Known[i]
		}
	}
	return 0, false
}

// Applied is the part of a charge that a cloud applies to a commitment.
type Applied struct {
	Commitment string // its id in the cloud's words
	Cost       Money
	// Own says that the charge is the commitment itself: its purchase, or the
	// part of it that was not used.
	Own bool
}

// chargeFate is what a charge is to a commitment.
type chargeFate int

const (
	passesBy chargeFate = iota // does not concern it
	draws                      // draws it down
	unused                     // bills what was left of it
	costless                   // would draw it down, but lacks the cost that counts
)

// names reports whether any charge of the bill names the commitment: then the
// cloud applies it, and its word holds for the whole bill.
func (b *Bill) names(m *Commitment) bool {
	for i := range b.Charges {
		for _, a := range b.Charges[i].Applied {
			if strings.EqualFold(a.Commitment, m.cloudID()) {
				return true
			}
		}
	}
	return false
}

// toward says what a charge is to a commitment, and how much of it. Where the
// bill names the commitment, only what the cloud applied draws it down.
func (x *Charge) toward(m *Commitment, named bool) (Money, chargeFate, error) {
	if cost, ok := x.leftOf(m); ok {
		return cost, unused, nil
	}
	if named {
		return x.applied(m)
	}
	if x.Columns["ChargeCategory"] == "Tax" && !m.Eligible.asks("ChargeCategory") || x.prepays(m.Basis) {
		return 0, passesBy, nil
	}
	portion, ok := m.Eligible.Of(func(d string) string { return x.Columns[d] })
	if !ok {
		return 0, passesBy, nil
	}
	cost, known := x.Costs.Of(m.Basis)
	if !known {
		return 0, costless, nil
	}
	cost, err := mulDiv(cost, portion.Cost, Whole)
	return cost, draws, err
}

// leftOf returns the cost of a charge that bills what was left of the
// commitment.
func (x *Charge) leftOf(m *Commitment) (Money, bool) {
	left := x.Columns["CommitmentDiscountStatus"] == "Unused" && strings.EqualFold(x.Columns["CommitmentDiscountId"], m.cloudID())
	for _, a := range x.Applied {
		left = left || a.Own && x.Columns["ChargeCategory"] == "Usage" && strings.EqualFold(a.Commitment, m.cloudID())
	}
	cost, _ := x.Costs.Of(EffectiveCost)
	return cost, left
}

// applied is what the cloud says the charge draws from the commitment.
func (x *Charge) applied(m *Commitment) (Money, chargeFate, error) {
	var sum Money
	fate := passesBy
	for _, a := range x.Applied {
		if a.Own || !strings.EqualFold(a.Commitment, m.cloudID()) {
			continue
		}
		var err error
		if sum, err = plus(sum, a.Cost); err != nil {
			return 0, passesBy, err
		}
		fate = draws
	}
	return sum, fate, nil
}

// prepays reports whether the charge buys in advance what other charges carry
// again: list and contracted costs stand in both, and count with the usage.
func (x *Charge) prepays(b CostBasis) bool {
	billed, _ := x.Costs.Of(BilledCost)
	effective, known := x.Costs.Of(EffectiveCost)
	return x.Columns["ChargeCategory"] == "Purchase" && billed != 0 && known && effective == 0 && (b == ListCost || b == ContractedCost)
}

// once reports whether the charge counts in full when it begins; others accrue
// evenly over their period.
func (x *Charge) once() bool {
	return x.Columns["ChargeFrequency"] == "One-Time" && x.Columns["ChargeCategory"] == "Purchase"
}

// asks reports whether any rule looks at a dimension.
func (a *Applicability) asks(dimension string) bool {
	for _, rules := range [][]Rule{a.Inclusions, a.Exclusions} {
		for i := range rules {
			if rules[i].Dimension == dimension {
				return true
			}
		}
	}
	return false
}
