package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"slices"
)

// The plot is four panels, both axes of each in powers of ten.
const (
	panelWidth, panelHeight  = 300, 170
	marginLeft, marginTop    = 60, 66
	gapWidth, gapHeight      = 80, 70
	plotWidth, plotHeight    = marginLeft + 2*panelWidth + gapWidth + 30, marginTop + 2*panelHeight + gapHeight + 60
	wholeColour, bareColour  = "#0b6e4f", "#8a8a8a"
	frameColour, labelColour = "#bbbbbb", "#333333"
)

// series is a line of a panel.
type series struct {
	colour string
	dashed bool
	x, y   []float64
}

// panel is one small diagram.
type panel struct {
	title, under string
	ticks        []float64 // of x
	lines        []series
}

// panels lays the points out: seconds above, memory below; by fleet to the
// left, by span to the right.
func panels(points []point) []panel {
	choose := func(keep func(point) bool, x func(point) float64, title, under string) (time, memory panel) {
		var at, whole, bare, mib []float64
		chosen := slices.DeleteFunc(slices.Clone(points), func(p point) bool { return !keep(p) })
		slices.SortFunc(chosen, func(a, b point) int { return a.gpus*a.days - b.gpus*b.days })
		for _, p := range chosen {
			at, whole, bare, mib = append(at, x(p)), append(whole, p.seconds), append(bare, p.bare), append(mib, p.memory)
		}
		time = panel{"seconds, " + title, under, at, []series{{wholeColour, false, at, whole}, {bareColour, true, at, bare}}}
		memory = panel{"most memory in MiB, " + title, under, at, []series{{wholeColour, false, at, mib}}}
		return time, memory
	}
	fleet, fleetMiB := choose(func(p point) bool { return p.days == plotMonth }, func(p point) float64 { return float64(p.gpus) }, "a month", "GPUs")
	span, spanMiB := choose(func(p point) bool { return p.gpus == plotFleet }, func(p point) float64 { return float64(p.days) }, "10,000 GPUs", "days")
	return []panel{fleet, span, fleetMiB, spanMiB}
}

// draw returns the plot as SVG.
func draw(m machine, points []point) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" fill="%s">`+"\n", plotWidth, plotHeight, labelColour)
	fmt.Fprintf(&b, `<title>How a report grows with the fleet and with the span</title>`+"\n"+`<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	text(&b, marginLeft, 16, "start", "A report out of hour records (line), and DuckDB's bare SELECT sum GROUP BY over the same rows (dashed)")
	text(&b, marginLeft, 32, "start", fmt.Sprintf("%d cores, load average %s when it began, commit %s", m.cores, m.load, m.commit))
	for i, p := range panels(points) {
		p.draw(&b, float64(marginLeft+i%2*(panelWidth+gapWidth)), float64(marginTop+i/2*(panelHeight+gapHeight)))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func text(b *bytes.Buffer, x, y float64, anchor, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s">`, x, y, anchor)
	_ = xml.EscapeText(b, []byte(s)) // a buffer takes everything
	b.WriteString("</text>\n")
}

// draw writes the panel with its upper left corner at a place.
func (p *panel) draw(b *bytes.Buffer, left, top float64) {
	var x, y scale
	for _, l := range p.lines {
		x.hold(l.x...)
		y.hold(l.y...)
	}
	y.round()
	atX := func(v float64) float64 { return left + x.share(v)*panelWidth }
	atY := func(v float64) float64 { return top + (1-y.share(v))*panelHeight }
	text(b, left, top-8, "start", p.title)
	for v := y.low; v <= y.high*1.001; v *= 10 {
		fmt.Fprintf(b, `<path d="M%.1f %.1fh%d" stroke="%s" stroke-width="0.5"/>`+"\n", left, atY(v), panelWidth, frameColour)
		text(b, left-6, atY(v)+4, "end", figure(v))
	}
	for _, v := range p.ticks {
		fmt.Fprintf(b, `<path d="M%.1f %.1fv4" stroke="%s"/>`+"\n", atX(v), top+panelHeight, frameColour)
		text(b, atX(v), top+panelHeight+16, "middle", figure(v))
	}
	text(b, left+panelWidth, top+panelHeight+30, "end", p.under)
	for _, l := range p.lines {
		l.draw(b, atX, atY)
	}
}

func (l *series) draw(b *bytes.Buffer, atX, atY func(float64) float64) {
	dash := ""
	if l.dashed {
		dash = ` stroke-dasharray="4 3"`
	}
	fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.5"%s points="`, l.colour, dash)
	for i := range l.x {
		fmt.Fprintf(b, "%.1f,%.1f ", atX(l.x[i]), atY(l.y[i]))
	}
	b.WriteString(`"/>` + "\n")
	for i := range l.x {
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"><title>%s</title></circle>`+"\n", atX(l.x[i]), atY(l.y[i]), l.colour, figure(l.y[i]))
		anchor := "middle"
		if i == 0 {
			anchor = "start" // clear of the axis
		}
		if !l.dashed {
			text(b, atX(l.x[i]), atY(l.y[i])-7, anchor, figure(l.y[i]))
		}
	}
}

// scale is an axis in powers of ten. The zero scale holds nothing.
type scale struct{ low, high float64 }

// hold widens the scale to some values, which are above zero.
func (s *scale) hold(values ...float64) {
	for _, v := range values {
		if s.low == 0 {
			s.low, s.high = v, v
		}
		s.low, s.high = min(s.low, v), max(s.high, v)
	}
}

// round widens it to whole powers of ten.
func (s *scale) round() {
	s.low, s.high = math.Pow(10, math.Floor(math.Log10(s.low))), math.Pow(10, math.Ceil(math.Log10(s.high)))
}

// share is where on the scale a value stands, 0 to 1.
func (s *scale) share(v float64) float64 {
	if s.high <= s.low {
		return 0.5
	}
	return math.Log(v/s.low) / math.Log(s.high/s.low)
}
