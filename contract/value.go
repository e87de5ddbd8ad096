package contract

// Value is what a tranche's whole term is worth.
type Value struct {
	GPUMs int64 // contracted, in GPU-milliseconds
	// Amount is the price of it as bought, each rate's span rounded half even;
	// UnpricedMs is the part without a rate, which is in no amount.
	Amount     Money
	UnpricedMs int64
}

// Value adds up the term of a tranche that has passed validation.
func (t *Tranche) Value() (Value, error) {
	out := Value{GPUMs: t.contractedMs(t.StartMs(), t.EndMs)}
	out.UnpricedMs = out.GPUMs
	for i := range t.Rates {
		ms := t.contractedMs(t.Rates[i].FromMs, t.Rates[i].ToMs)
		m, err := total(ms, t.Rates[i].committed())
		if err == nil {
			out.Amount, err = add(out.Amount, m)
		}
		if err != nil {
			return Value{}, err
		}
		out.UnpricedMs -= ms
	}
	return out, nil
}
