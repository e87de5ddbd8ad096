package contract

// ahead is what a commitment would draw in a span after Through.
type ahead func(timeSpan) (Money, error)

// nothing is drawn any more.
func nothing(timeSpan) (Money, error) { return 0, nil }

// goesOn is so much, evenly, over so many milliseconds of the past, and so on.
func goesOn(drawn Money, windowMs int64) ahead {
	return func(s timeSpan) (Money, error) { return mulDiv(drawn, s.ms(), windowMs) }
}

// floors states the floors as they are at Through.
func (a *account) floors() ([]FloorState, error) {
	states, _, err := a.fill(nothing)
	return states, err
}

// fill goes through the floors if a rate goes on from Through, and returns
// their states and the sum of what is missing in them.
func (a *account) fill(rate ahead) ([]FloorState, Money, error) {
	var out []FloorState
	var missing, carried Money
	for _, f := range a.m.Floors {
		drawn, err := a.with(rate, timeSpan{f.FromMs, f.ToMs})
		if err != nil {
			return nil, 0, err
		}
		counted, err := plus(drawn, carried)
		if err != nil {
			return nil, 0, err
		}
		s := FloorState{
			From: a.c.local(f.FromMs), To: a.c.local(f.ToMs), Amount: f.Amount, Drawn: drawn, Carried: carried,
			Missing: max(0, f.Amount-counted),
		}
		s.State = a.floorState(f, s.Missing)
		out = append(out, s)
		if missing, err = add(missing, s.Missing); err != nil {
			return nil, 0, err
		}
		if carried = 0; a.m.CarryExcess {
			carried = max(0, counted-f.Amount)
		}
	}
	return out, missing, nil
}

func (a *account) floorState(f Floor, missing Money) string {
	switch {
	case a.in.AtMs < f.FromMs:
		return "ahead"
	case missing == 0:
		return "met"
	case a.throughMs >= f.ToMs:
		return "missed"
	}
	return "open"
}

// with is what is drawn in a span, a rate going on from Through.
func (a *account) with(rate ahead, s timeSpan) (Money, error) {
	_, _, drawn, err := a.drawn(s)
	if err != nil {
		return 0, err
	}
	more, err := rate(s.clip(timeSpan{a.throughMs, a.m.EndMs}))
	if err != nil {
		return 0, err
	}
	return plus(drawn, more)
}

// short is what is missing at the end if a rate goes on: in each floor, and of
// the total beyond what was drawn or paid for floors.
func (a *account) short(rate ahead, committed, atEnd Money) (Money, error) {
	_, missing, err := a.fill(rate)
	if err != nil {
		return 0, err
	}
	rest, err := plus(committed, -atEnd)
	if err != nil {
		return 0, err
	}
	return max(missing, rest), nil
}
