//go:build e2e

package e2e_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/dashboards"
)

// remember are alerts over hours of counters: for as long as their window has
// something to say they go on without new samples. GPUMeterCollectorDown is about
// series that vanish.
var remember = map[string]bool{
	"GPUMeterContractShortfall": true, "GPUMeterPayingTwice": true, "GPUMeterContractUnderAllocated": true, "GPUMeterUnobservedHigh": true,
	"GPUMeterCollectorDown": true,
}

// variants are what must not matter to an alert: series that vanish before it
// fires, counters that begin anew while all is well, a second collector of the
// same store.
func variants(t *testing.T, a dashboards.Alert, cases []alertCase) []alertCase {
	t.Helper()
	var out []alertCase
	wait, _ := time.ParseDuration(a.For)
	for _, c := range cases {
		if c.step != "" {
			continue // of a week: as it is
		}
		if c.fires != never && wait > 2*time.Minute && !remember[a.Name] {
			v := c.with(t, "the series vanish", c.fires, func(_ string, samples []string) []string { return append(samples[:c.fires-1], "stale") })
			v.fires, v.until = never, c.fires+20
			out = append(out, v)
		}
		if c.fires == never && strings.Contains(strings.Join(c.series, " "), "_total{") {
			out = append(out, c.with(t, "counters begin anew", c.until, anew(t)))
		}
		if strings.Contains(strings.Join(c.series, " "), collectorTarget) && !strings.Contains(c.labels, "instance=") {
			out = append(out, c.twice())
		}
	}
	return out
}

// with is a case whose samples are changed.
func (c alertCase) with(t *testing.T, how string, steps int, change func(name string, samples []string) []string) alertCase {
	t.Helper()
	c.name += ", " + how
	var series []string
	for _, s := range parseSeries(t, c.series) {
		samples := change(s.Series, spread(t, s.Values, steps+30))
		series = append(series, s.Series+" "+strings.Join(samples, " "))
	}
	c.series = series
	return c
}

// twice is a case that two collectors tell.
func (c alertCase) twice() alertCase {
	c.name += ", told by two collectors"
	both := c.series[:len(c.series):len(c.series)]
	for _, s := range c.series {
		if strings.Contains(s, collectorTarget) {
			both = append(both, strings.Replace(s, collectorTarget, `job="c",instance="c2"`, 1))
		}
	}
	c.series = both
	return c
}

// anew lets counters begin at zero after a third of the time.
func anew(t *testing.T) func(string, []string) []string {
	return func(name string, samples []string) []string {
		if !strings.Contains(name, "_total{") {
			return samples
		}
		out := append([]string{}, samples...)
		at := len(out) / 3
		if out[at] == "_" || out[at] == "stale" {
			return out
		}
		base := sampleOf(t, out[at])
		for i := at; i < len(out) && out[i] != "stale" && out[i] != "_"; i++ {
			// A counter that jumped down by itself goes on from there.
			out[i] = strconv.FormatFloat(max(0, sampleOf(t, samples[i])-base), 'f', -1, 64)
		}
		return out
	}
}

func sampleOf(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var repeated = regexp.MustCompile(`^(-?[0-9.]+|_)([+-][0-9.]+)?x([0-9]+)$`)

// spread writes promtool's notation of values out, up to so many.
func spread(t *testing.T, notation string, most int) []string {
	t.Helper()
	var out []string
	for _, word := range strings.Fields(notation) {
		m := repeated.FindStringSubmatch(word)
		switch {
		case m == nil:
			out = append(out, word)
		case m[1] == "_":
			for range int(sampleOf(t, m[3])) {
				out = append(out, "_")
			}
		default:
			first, step := sampleOf(t, m[1]), 0.0
			if m[2] != "" {
				step = sampleOf(t, m[2])
			}
			for i := range int(sampleOf(t, m[3])) + 1 {
				out = append(out, strconv.FormatFloat(first+step*float64(i), 'f', -1, 64))
			}
		}
	}
	return out[:min(most, len(out))]
}

// TestSpread holds what is written out against promtool's own reading.
func TestSpread(t *testing.T) {
	const notation = "1x2 _x2 5-2x2 stale 7"
	want := "1 1 1 _ _ 5 3 1 stale 7"
	if got := strings.Join(spread(t, notation, 100), " "); got != want {
		t.Fatalf("%q is spread to %q, want %q", notation, got, want)
	}
	g := testGroup{Name: "spread", Interval: "1m", Series: []testSeries{{"a", notation}, {"b", want}}}
	for i := range 10 {
		g.Checks = append(g.Checks, testCheck{Expr: "a unless a == on () b", At: fmt.Sprintf("%dm", i)}, testCheck{Expr: "b unless b == on () a", At: fmt.Sprintf("%dm", i)})
	}
	if out := promtoolSays(t, dashboards.Rules(""), "1m", []testGroup{g}); out != "" {
		t.Error(out)
	}
}
