package web

import (
	"fmt"
	"math"
	"strings"

	"github.com/gpumeter/gpumeter/contract"
)

// The charts have a fixed size in their own units; the page scales them.
const (
	chartWidth = 460
	labelWidth = 88 // of the names left of the bars
	valueWidth = 72 // of the figures right of them
	rowHeight  = 24
	barHeight  = 15
	dayHeight  = 120 // of the columns of days
	maxColumns = 93  // a quarter; longer spans are drawn as groups of days
)

// rect is a rectangle in a chart, with the text that describes it.
type rect struct {
	Class, Title        string
	X, Y, Width, Height string
}

// label is a text in a chart.
type label struct {
	Class, Text string
	X, Y        string
}

// bridge is a waterfall: each bar of a bucket hangs where it was taken off.
type bridge struct {
	Height      int
	Description string
	Bars        []rect
	Labels      []label
}

func px(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}

func bridgeOf(l *contract.Line) bridge {
	scale := float64(chartWidth-labelWidth-valueWidth) / float64(l.ContractedMs)
	out := bridge{Description: "Of " + contract.Hours(l.ContractedMs) + " contracted GPU-hours"}
	row, left := 0, l.ContractedMs
	for i, d := range l.Waterfall() {
		class, from := "stage", int64(0)
		switch {
		case d.Off:
			left -= d.Ms
			class, from = "b-"+d.Bucket.String(), left
			out.Description += fmt.Sprintf(", %s were %s", contract.Hours(d.Ms), d.Name)
		case d.Name == contract.Busy.String():
			class = "b-busy"
			out.Description += fmt.Sprintf(", and %s were busy", contract.Hours(d.Ms))
		case i > 0:
			continue // the stages between have no bar of their own: it would hide the gap
		}
		width := float64(d.Ms) * scale
		if d.Ms > 0 {
			width = math.Max(width, 1.5) // what is there at all is seen
		}
		x := float64(labelWidth) + math.Min(float64(from)*scale, float64(chartWidth-labelWidth-valueWidth)-width)
		y := row * rowHeight
		out.Bars = append(out.Bars, rect{class, fmt.Sprintf("%s: %s GPU-hours, %s of contracted", d.Name, contract.Hours(d.Ms), contract.Share(d.Ms, l.ContractedMs)),
			px(x), fmt.Sprint(y + 4), px(width), fmt.Sprint(barHeight)})
		out.Labels = append(out.Labels,
			label{"name", d.Name, "0", fmt.Sprint(y + 16)},
			label{"value", contract.Share(d.Ms, l.ContractedMs), fmt.Sprint(chartWidth), fmt.Sprint(y + 16)})
		row++
	}
	out.Height = row * rowHeight
	return out
}

// days is the chart of shares by day, with its table. The page stretches it;
// its axis is text outside of it.
type days struct {
	Title string // "each day", or "each 7 days"
	Bars  []rect
	Axis  []string
	Rows  []dayRow
}

type dayRow struct {
	Date, Contracted string
	Shares           []string
}

// daysOf draws one column for each day, as shares of what was contracted on it.
func daysOf(list []contract.Day) days {
	out := days{Title: "each day"}
	list, per := grouped(list)
	if per > 1 {
		out.Title = fmt.Sprintf("each %d days", per)
	}
	if len(list) == 0 {
		return out
	}
	pitch := float64(chartWidth) / float64(len(list))
	for i := range list {
		out.column(&list[i], float64(i)*pitch, pitch)
		row := dayRow{Date: list[i].Date, Contracted: contract.Hours(list[i].ContractedMs)}
		for b := range contract.Buckets {
			row.Shares = append(row.Shares, contract.Share(list[i].Buckets[b], list[i].ContractedMs))
		}
		out.Rows = append(out.Rows, row)
	}
	out.Axis = []string{list[0].Date}
	if n := len(list); n > 2 {
		out.Axis = append(out.Axis, list[n/2].Date)
	}
	if n := len(list); n > 1 {
		out.Axis = append(out.Axis, list[n-1].Date)
	}
	return out
}

// stacked is the order of the buckets in a column, from the bottom: what was
// of use stands on the ground.
var stacked = []contract.Bucket{
	contract.Busy, contract.Unmeasured, contract.Idle, contract.Unallocated,
	contract.Unhealthy, contract.Unobserved, contract.Undelivered,
}

func (d *days) column(day *contract.Day, x, pitch float64) {
	if day.ContractedMs == 0 {
		return
	}
	gap := math.Min(2, pitch/5)
	y := float64(dayHeight)
	for _, b := range stacked {
		ms := day.Buckets[b]
		if ms == 0 {
			continue
		}
		height := float64(ms) / float64(day.ContractedMs) * dayHeight
		y -= height
		d.Bars = append(d.Bars, rect{"b-" + b.String(), fmt.Sprintf("%s %s: %s of contracted", day.Date, b, contract.Share(ms, day.ContractedMs)),
			px(x + gap/2), px(math.Max(y, 0)), px(pitch - gap), px(height)})
	}
}

// grouped adds up days until there is room for them.
func grouped(list []contract.Day) (out []contract.Day, per int) {
	per = (len(list) + maxColumns - 1) / maxColumns
	if per <= 1 {
		return list, per
	}
	for i := 0; i < len(list); i += per {
		sum := contract.Day{Date: list[i].Date}
		for _, d := range list[i:min(i+per, len(list))] {
			sum.ContractedMs += d.ContractedMs
			sum.Buckets.Add(d.Buckets)
		}
		out = append(out, sum)
	}
	return out, per
}
