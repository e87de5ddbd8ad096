package contract

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// expiries lists the ends that are ahead, of commitments, of their floors and
// of tranches.
func expiries(in *SpendInput, spends []CommitmentSpend) []Expiry {
	out := []Expiry{}
	at := utcTime(in.AtMs)
	put := func(e Expiry) {
		if e.At.After(at) {
			e.Days = int64(e.At.Sub(at) / (24 * time.Hour))
			out = append(out, e)
		}
	}
	for i := range spends {
		s := &spends[i]
		stake := s.Remaining
		if s.Model == Continuous {
			stake = nil
		}
		put(Expiry{Contract: s.Contract, Kind: "commitment", ID: s.Commitment, At: s.To, AtStake: stake, Currency: s.Currency})
		for _, f := range s.Floors {
			put(Expiry{Contract: s.Contract, Kind: "floor", ID: s.Commitment, At: f.To, AtStake: &Figure{f.Missing, "floor − drawn"}, Currency: s.Currency})
		}
	}
	for i := range in.Contracts {
		c := &in.Contracts[i]
		for k := range c.Tranches {
			put(Expiry{Contract: c.ID, Kind: "tranche", ID: c.Tranches[k].ID, At: c.local(c.Tranches[k].EndMs), Currency: c.Currency})
		}
	}
	slices.SortStableFunc(out, func(a, b Expiry) int { return a.At.Compare(b.At) })
	return out
}

func (b BillState) compare(o BillState) int {
	return cmp.Or(
		strings.Compare(b.Provider, o.Provider), strings.Compare(b.Account, o.Account), b.From.Compare(o.From),
		strings.Compare(b.Source, o.Source), strings.Compare(b.Currency, o.Currency),
	)
}

// StatedCommitment is a row of a cloud's own list of commitments.
type StatedCommitment struct {
	ID           string
	Contract     string
	Provider     string // as Contract.Provider spells it
	Currency     string
	Category     string // "Spend" or "Usage"
	Model        string // empty is not stated
	FromMs, ToMs int64
	// Cost is the committed amount, where HasCost.
	Cost    Money
	HasCost bool
	Status  string // lifecycle; empty is not stated
	Source  string
}

// stated lays what clouds say of a commitment beside the contract file.
func stated(c *Contract, m *Commitment, committed Money, rows []StatedCommitment) []Stated {
	var out []Stated
	for i := range rows {
		r := &rows[i]
		if r.Provider != c.Provider || !strings.EqualFold(r.ID, m.cloudID()) {
			continue
		}
		put := func(field, cloud, file string) {
			out = append(out, Stated{field, cloud, file, cloud == file, r.Source})
		}
		if r.HasCost {
			put("committed", r.Cost.String()+" "+r.Currency, committed.String()+" "+c.Currency)
		}
		put("from", utcTime(r.FromMs).Format(time.RFC3339), utcTime(m.FromMs).Format(time.RFC3339))
		put("to", utcTime(r.ToMs).Format(time.RFC3339), utcTime(m.EndMs).Format(time.RFC3339))
		if r.Model != "" {
			put("model", r.Model, string(m.Model))
		}
	}
	return out
}
