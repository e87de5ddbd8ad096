package contract

import (
	"fmt"
	"time"
)

const oneDayMs = 86_400_000

// rateDays are the spans that recent rates are of: a week, four weeks and
// about a quarter, so that weekdays weigh alike in the first two.
var rateDays = []int64{7, 28, 90}

// forecast states what is ahead of a pool of which so much is drawn.
func (a *account) forecast(out *CommitmentSpend, drawn Money) error {
	left := timeSpan{a.throughMs, a.m.EndMs}
	if left.ms() == 0 {
		return a.close(out, drawn)
	}
	required, err := mulDiv(out.Remaining.Amount, oneDayMs, left.ms())
	if err != nil {
		return err
	}
	out.Required = &Figure{required, fmt.Sprintf("remaining ÷ %s days to the end", daysText(left.ms()))}
	for _, n := range rateDays {
		if err := a.project(out, fmt.Sprintf("%dd", n), timeSpan{a.throughMs - n*oneDayMs, a.throughMs}, drawn); err != nil {
			return err
		}
	}
	out.Spread = spread(out.Forecast)
	if err := a.project(out, "to date", timeSpan{a.m.FromMs, a.throughMs}, drawn); err != nil {
		return err
	}
	if err := a.schedule(out, drawn); err != nil {
		return err
	}
	return a.judge(out, required)
}

// close states a pool whose term is over.
func (a *account) close(out *CommitmentSpend, drawn Money) error {
	missing, err := a.short(nothing, out.Committed.Amount, drawn)
	if err != nil {
		return err
	}
	out.Status = SpendMet
	if missing > 0 {
		out.Status = SpendEnded
	}
	out.Shortfall = &Figure{missing, "committed − drawn, and what floors missed"}
	out.Late, err = a.late(missing)
	return err
}

// project adds what the rate of a span comes to at the end. A span that is not
// known throughout, as one that begins before the term, has no rate.
func (a *account) project(out *CommitmentSpend, name string, window timeSpan, drawn Money) error {
	if len(window.without(a.known)) > 0 || window.ms() == 0 {
		return nil
	}
	_, _, in, err := a.drawn(window)
	if err != nil {
		return err
	}
	perDay, err := mulDiv(in, oneDayMs, window.ms())
	if err != nil {
		return err
	}
	p := Projection{
		Name: name, Days: window.ms() / oneDayMs,
		Drawn:  Figure{in, fmt.Sprintf("%s, %s to %s", a.basis(), a.moment(window.fromMs), a.moment(window.toMs))},
		PerDay: Figure{perDay, fmt.Sprintf("%s ÷ %s days", in.Exact(), daysText(window.ms()))},
	}
	if err := a.finish(out, &p, goesOn(in, window.ms()), drawn); err != nil {
		return err
	}
	p.AtEnd.Basis = fmt.Sprintf("%s drawn + %s per day for %s days", drawn.Exact(), perDay.Exact(), daysText(out.TermMs-out.ElapsedMs))
	out.Forecast = append(out.Forecast, p)
	return nil
}

// finish fills in what a projection comes to at the end.
func (a *account) finish(out *CommitmentSpend, p *Projection, rate ahead, drawn Money) error {
	more, err := rate(timeSpan{a.throughMs, a.m.EndMs})
	if err != nil {
		return err
	}
	atEnd, err := plus(drawn, more)
	if err != nil {
		return err
	}
	missing, err := a.short(rate, out.Committed.Amount, atEnd)
	if err != nil {
		return err
	}
	p.AtEnd = Figure{Amount: atEnd}
	p.Shortfall = Figure{missing, "committed − at end, and what floors miss"}
	p.Late, err = a.late(missing)
	return err
}

// late is the part of a shortfall that capacity which did not come would have
// drawn; it is absent where nothing is metered.
func (a *account) late(shortfall Money) (*Figure, error) {
	if !a.isMetered {
		return nil, nil
	}
	undelivered, err := a.undelivered.between(timeSpan{a.m.FromMs, a.throughMs})
	if err != nil {
		return nil, err
	}
	return &Figure{min(shortfall, undelivered), fmt.Sprintf("at most the undelivered GPU time × rate until then, %s", undelivered.Exact())}, nil
}

// spread is the range of some projections.
func spread(list []Projection) *Spread {
	if len(list) == 0 {
		return nil
	}
	out := &Spread{list[0].AtEnd.Amount, list[0].AtEnd.Amount, "at end by the rates of"}
	for i, p := range list {
		out.Least, out.Most = min(out.Least, p.AtEnd.Amount), max(out.Most, p.AtEnd.Amount)
		if i > 0 {
			out.Basis += ","
		}
		out.Basis += " " + p.Name
	}
	return out
}

// recent is the projection that stands for how it goes now: of four weeks, of
// one, or of the term to date.
func recent(list []Projection) *Projection {
	for _, name := range []string{"28d", "7d", "to date"} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

// judge says how the pool does.
func (a *account) judge(out *CommitmentSpend, required Money) error {
	now := recent(out.Forecast)
	if now == nil {
		out.Status = SpendUnknown
		if out.Remaining.Amount == 0 && len(out.Floors) == 0 {
			out.Status = SpendMet
		}
		return nil
	}
	out.Shortfall = &Figure{now.Shortfall.Amount, "at the rate of " + now.Name}
	out.Late = now.Late
	atRisk, err := mulDiv(max(0, now.PerDay.Amount), 5, 4)
	if err != nil {
		return err
	}
	switch {
	case out.Remaining.Amount == 0 && now.Shortfall.Amount == 0:
		out.Status = SpendMet
		return nil
	case required <= now.PerDay.Amount && now.Shortfall.Amount == 0:
		out.Status = SpendOnTrack
	case required <= atRisk && required > now.PerDay.Amount:
		out.Status = SpendAtRisk
	default:
		out.Status = SpendShort
	}
	return a.infeasible(out, now)
}

func (a *account) moment(ms int64) string {
	t := a.c.local(ms)
	if t.Equal(Midnight(t, a.c.Zone)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}

// daysText writes milliseconds as days: whole, or with two decimals.
func daysText(ms int64) string {
	if ms%oneDayMs == 0 {
		return Grouped(ms / oneDayMs)
	}
	return hundredths(ms, oneDayMs/100)
}

func utcTime(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
