package contract

// Outages reads the outages of GPUs out of stretches, which come by unit and
// start; those without unhealthy time may be left out. A window that was
// unhealthy in part lies at the edge of an outage: its unhealthy time is put
// next to that of the window before or after it, else at its start.
func Outages(stretches []Stretch) []Outage {
	var out []Outage
	for i := range stretches {
		s := &stretches[i]
		if s.UnhealthyMs <= 0 {
			continue
		}
		sick := sickPart(stretches, i)
		o := Outage{s.Unit, sick.fromMs, sick.toMs}
		if n := len(out); n > 0 && out[n-1].Unit == o.Unit && out[n-1].ToMs == o.FromMs {
			out[n-1].ToMs = o.ToMs
			continue
		}
		out = append(out, o)
	}
	return out
}

// sickPart returns where in a stretch its unhealthy time lies.
func sickPart(stretches []Stretch, i int) timeSpan {
	s := &stretches[i]
	return timeSpan{s.FromMs, s.ToMs}.side(min(s.UnhealthyMs, s.ToMs-s.FromMs), sickLast(stretches, i))
}

// sickLast reports whether the unhealthy time of a stretch lies at its end.
func sickLast(stretches []Stretch, i int) bool {
	s := &stretches[i]
	before := i > 0 && sickUntil(&stretches[i-1], s)
	return !before && i+1 < len(stretches) && sickUntil(s, &stretches[i+1])
}

// sickUntil reports whether two stretches of one unit touch and both have
// unhealthy time.
func sickUntil(a, b *Stretch) bool {
	return a.Unit == b.Unit && a.ToMs == b.FromMs && a.UnhealthyMs > 0 && b.UnhealthyMs > 0
}

// DeliversWhole reports whether any tranche is delivered by node or rack.
func DeliversWhole(contracts []Contract) bool {
	for i := range contracts {
		for j := range contracts[i].Tranches {
			if u := contracts[i].Tranches[j].Delivery.Unit; u == DeliverNode || u == DeliverRack {
				return true
			}
		}
	}
	return false
}
