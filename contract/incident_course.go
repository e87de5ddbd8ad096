package contract

// Standing is how many GPUs of a tranche were contracted and stood, over a span
// of time.
type Standing struct {
	FromMs, ToMs      int64
	Contracted, Stood int
}

// Course returns the contracted and the standing GPUs of a tranche in
// [fromMs, toMs), in order of time: the evidence of a late delivery. contract
// and tranche index what Place was given.
func Course(contracts []Contract, p Placements, contract, tranche int, fromMs, toMs int64) []Standing {
	q := &inquest{w: &Watch{Contracts: contracts, AsOfMs: toMs}, placed: p}
	turns := q.turns(contract, tranche)
	var out []Standing
	stood := 0
	for i, x := range turns {
		stood += x.placed
		if i+1 == len(turns) || turns[i+1].ms == x.ms {
			continue
		}
		s := timeSpan{x.ms, turns[i+1].ms}.clip(timeSpan{fromMs, toMs})
		if s.ms() == 0 {
			continue
		}
		now := Standing{s.fromMs, s.toMs, contracts[contract].Tranches[tranche].GPUsAt(x.ms), stood}
		if n := len(out); n > 0 && out[n-1].Contracted == now.Contracted && out[n-1].Stood == now.Stood {
			out[n-1].ToMs = now.ToMs
			continue
		}
		out = append(out, now)
	}
	return out
}
