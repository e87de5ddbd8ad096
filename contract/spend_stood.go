package contract

// Stood is how many GPUs of each model hold seats of a tranche at a moment.
type Stood struct {
	Bought   int   // of the model that was bought
	Accepted []int // of each of Tranche.Accepts; nil is none of any
}

// StoodAt counts the GPUs in the seats of every tranche just before a moment, by
// contract and tranche. It takes what Place was given and what it returned.
func StoodAt(contracts []Contract, p Placements, presences []Presence, ms int64) [][]Stood {
	models := make(map[int64]string, len(presences))
	for i := range presences {
		models[presences[i].Unit] = presences[i].Model
	}
	out := make([][]Stood, len(contracts))
	for i := range contracts {
		out[i] = make([]Stood, len(contracts[i].Tranches))
	}
	for i := range p.List {
		x := &p.List[i]
		if x.Fate != Placed || ms <= x.FromMs || x.ToMs < ms {
			continue
		}
		t, s := &contracts[x.Contract].Tranches[x.Tranche], &out[x.Contract][x.Tranche]
		sub := t.substitute(models[x.Unit])
		if models[x.Unit] == t.Model || sub < 0 {
			s.Bought++
			continue
		}
		if s.Accepted == nil {
			s.Accepted = make([]int, len(t.Accepts))
		}
		s.Accepted[sub]++
	}
	return out
}

// rows are some seats of a tranche and whose price they have.
type rows struct {
	above, upTo int
	sub         int
}

// rows cuts the seats of a tranche by price: those with GPUs as bought first,
// as they keep their seats when the tranche shrinks, then those with accepted
// ones, and then those that nobody holds, at the price as bought.
func (s *Stood) rows() []rows {
	out := []rows{{0, s.Bought, asBought}}
	at := s.Bought
	for sub, n := range s.Accepted {
		out = append(out, rows{at, at + n, sub})
		at += n
	}
	return append(out, rows{at, maxGPUs, asBought})
}

// seatMs is the contracted time of some seats in [fromMs, toMs).
func (t *Tranche) seatMs(r rows, fromMs, toMs int64) int64 {
	part := Tranche{EndMs: t.EndMs, Steps: make([]Step, len(t.Steps))}
	for i, s := range t.Steps {
		part.Steps[i] = Step{s.FromMs, max(0, min(s.GPUs, r.upTo)-r.above)}
	}
	return part.contractedMs(fromMs, toMs)
}
