package trace_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/trace"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

const head = "time,gpu,utilization_percent,memory_used_bytes\n"

func play(t *testing.T, tr *trace.Trace) usage.Sums {
	t.Helper()
	var gpus []string
	for g := range tr.Samples {
		gpus = append(gpus, g)
	}
	p := tr.Player(gpus, "H100")
	m := meter.New(meter.Config{Interval: tr.Interval, Grace: p.Grace(), Holders: trace.Holders, Basis: usage.BasisMemory}, meter.State{})
	var s usage.Sums
	add := func(cs []meter.Closed) {
		for _, c := range cs {
			for _, r := range c.Records {
				s.Add(r.Sums)
			}
		}
	}
	if err := p.Frames(func(f metric.Frame) error { add(m.Observe(f)); return nil }); err != nil {
		t.Fatal(err)
	}
	add(m.Flush())
	return s
}

func TestSampleStandsUntilTheNextAtMostThreeIntervals(t *testing.T) {
	tr, err := trace.Read(strings.NewReader(head +
		"100,a,50,1\n110,a,100,1\n120,a,0,0\n" + // 10 s busy 5, 10 s busy 10, then 3 intervals of nothing
		"200,a,100,1\n" + // one interval, the last
		"205,b,,77\n210,b,10,\n"))
	if err != nil {
		t.Fatal(err)
	}
	tr.Interval = 10 * time.Second
	want := usage.Sums{BusyMs: 26_000, IdleMs: 5_000, UnallocatedMs: 30_000, UnmeasuredMs: 9_000}
	if got := play(t, tr); got != want {
		t.Errorf("sums = %+v, want %+v", got, want)
	}
	if tr.Skipped != 1 {
		t.Errorf("skipped %d rows, want 1", tr.Skipped)
	}
}

func TestIntervalIsTheMedianStep(t *testing.T) {
	tr, err := trace.Read(strings.NewReader(head + "0,a,0,\n57,a,0,\n114,a,0,\n1000,a,0,\n0,b,0,\n57,b,0,\n"))
	if err != nil {
		t.Fatal(err)
	}
	if tr.Interval != 57*time.Second {
		t.Errorf("interval = %s, want 57s", tr.Interval)
	}
}

func TestReadNamesTheDamagedLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "the trace is empty",
		"time,gpu\n":                     `line 1: column "utilization_percent" is missing`,
		"time,gpu,util\n":                `line 1: unknown column "util"`,
		head:                             "holds no sample",
		head + "1,a,5,1\nx,a,5,1\n":      `line 3: time "x" is not Unix seconds`,
		head + "1,a,101,1\n":             `line 2: utilization_percent "101" is not a number from 0 to 100`,
		head + "1,a,NaN,1\n":             `line 2: utilization_percent "NaN"`,
		head + "1,a,5,-1\n":              `line 2: memory_used_bytes "-1"`,
		head + "1,,5,1\n":                `line 2: gpu ""`,
		head + "1,a,5,1\n2,a,5\n":        "record on line 3: wrong number of fields",
		head + "1,a,5,1\n1e30,a,5,1\n":   `line 3: time "1e30"`,
		head + "1,a,5,1\n\"2,a,5,1\n3,a": "line 3",
	} {
		_, err := trace.Read(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Read(%q) = %v, want an error with %q", text, err, want)
		}
	}
}

// TestSumsEqualExactArithmetic plays random traces and compares with a timeline
// of single seconds.
func TestSumsEqualExactArithmetic(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var b strings.Builder
		b.WriteString(head)
		const interval, end = 30, 5000
		var observed, busy float64
		for g := range 1 + rnd.IntN(5) {
			for at := rnd.IntN(300); at < end; {
				next := at + 1 + rnd.IntN(2*interval)
				if rnd.IntN(15) == 0 {
					next += rnd.IntN(400)
				}
				u := rnd.IntN(10_001)
				fmt.Fprintf(&b, "%d,g%d,%d.%02d,%d\n", at, g, u/100, u%100, rnd.IntN(2)*1000)
				until := min(next, at+3*interval)
				if next >= end {
					until = at + interval
				}
				for range until - at {
					observed++
					busy += float64(u) / 10_000
				}
				at = next
			}
		}
		tr, err := trace.Read(strings.NewReader(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		tr.Interval = interval * time.Second
		got := play(t, tr)
		if float64(got.ObservedMs()) != observed*1000 {
			t.Errorf("seed %d: observed %d ms, want %.0f", seed, got.ObservedMs(), observed*1000)
		}
		if d := float64(got.BusyMs) - busy*1000; d > 5 || d < -5 {
			t.Errorf("seed %d: busy %d ms, want %.1f", seed, got.BusyMs, busy*1000)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(head + "100,a,50,1\n110,a,100,1\n")
	f.Add(head + "100.5,a,,1\n")
	f.Fuzz(func(t *testing.T, text string) {
		tr, err := trace.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		for g := range tr.Samples {
			spans := tr.Spans(g)
			for i, s := range spans {
				if !s.Until.After(s.At) || s.Until.Sub(s.At) > max(tr.Hold(), tr.Interval) {
					t.Errorf("span %v of %q is empty or longer than the hold", s, g)
				}
				if i > 0 && s.At.Before(spans[i-1].Until) {
					t.Errorf("spans of %q overlap", g)
				}
			}
		}
	})
}
