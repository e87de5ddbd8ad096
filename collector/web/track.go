package web

import "github.com/gpumeter/gpumeter/contract"

// track is a commitment as a bar: what is drawn of it, how much time has passed,
// and where the recent rates lead.
type track struct {
	Description string
	Bars        []rect
	Labels      []label
	Height      int
}

// Of the track, in the units of the chart.
const (
	trackHeight = 64
	trackTop    = 20
	trackBar    = 18
)

// trackOf draws a pool of which something is known; nil is none.
func trackOf(s *contract.CommitmentSpend) *track {
	if s.Drawn == nil || s.Committed.Amount <= 0 || s.TermMs <= 0 || s.Use != nil {
		return nil
	}
	most := s.Committed.Amount
	if s.Spread != nil {
		most = max(most, s.Spread.Most)
	}
	most = max(most, s.Drawn.Amount)
	at := func(m contract.Money) float64 { return chartWidth * float64(m) / float64(most) }
	end := at(s.Committed.Amount)
	t := &track{Height: trackHeight, Description: "Drawn " + contract.Share(int64(s.Drawn.Amount), int64(s.Committed.Amount)) +
		" of what is committed, with " + contract.Share(s.ElapsedMs, s.TermMs) + " of the term passed"}
	bar := func(class, title string, from, to, y, height float64) {
		t.Bars = append(t.Bars, rect{class, title, px(from), px(y), px(max(to-from, 1)), px(height)})
	}
	bar("track", "committed: "+s.Committed.Amount.Figure(), 0, end, trackTop, trackBar)
	bar("drawn", "drawn: "+s.Drawn.Amount.Figure(), 0, at(s.Drawn.Amount), trackTop, trackBar)
	if s.Spread != nil {
		title := "at the end: " + s.Spread.Least.Figure() + " to " + s.Spread.Most.Figure()
		bar("spread", title, at(s.Spread.Least), at(s.Spread.Most), trackTop+trackBar+3, 5)
		t.Description += "; at the rates of the last days it ends at " + s.Spread.Least.Figure() + " to " + s.Spread.Most.Figure()
	}
	now := end * float64(s.ElapsedMs) / float64(s.TermMs)
	bar("mark", "time passed: "+contract.Share(s.ElapsedMs, s.TermMs), now, now+1.6, trackTop-4, trackBar+8)
	bar("mark end", "committed", end-1.6, end, trackTop-4, trackBar+8)
	class := ""
	if now > chartWidth*3/4 {
		class = "value"
	}
	t.Labels = append(t.Labels, label{class, "today: " + contract.Share(s.ElapsedMs, s.TermMs) + " of the term", px(now), px(trackTop - 8)})
	return t
}
