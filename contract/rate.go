package contract

import "time"

// ByMonth cuts rates where calendar months begin in a billing zone, each of
// them billed as BilledHours.
func ByMonth(rates []Rate, zone *time.Location) []Rate {
	var out []Rate
	for _, r := range rates {
		if r.FromMs >= r.ToMs {
			out = append(out, r) // for validation to refuse
			continue
		}
		for m := MonthOf(r.FromMs, zone); m.In(zone).FromMs < r.ToMs; m = m.Next() {
			p, piece := m.In(zone), r
			piece.FromMs, piece.ToMs = max(r.FromMs, p.FromMs), min(r.ToMs, p.ToMs)
			piece.MonthMs = p.ToMs - p.FromMs
			out = append(out, piece)
		}
	}
	return out
}

// AsAgreed returns the rates of a tranche without the edges of ByMonth: those
// that touch and cost the same, by months of BilledHours, as one.
func (t *Tranche) AsAgreed() []Rate {
	var out []Rate
	for _, r := range t.Rates {
		if n := len(out) - 1; n >= 0 && r.MonthMs > 0 && out[n].MonthMs > 0 && out[n].ToMs == r.FromMs && out[n].alike(r) {
			out[n].ToMs = r.ToMs
			continue
		}
		out = append(out, r)
	}
	return out
}

// alike reports whether two rates have the same prices.
func (r Rate) alike(o Rate) bool {
	r.FromMs, r.ToMs, r.MonthMs = o.FromMs, o.ToMs, o.MonthMs
	return r == o
}
