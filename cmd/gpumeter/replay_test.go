package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const traceHead = "time,gpu,utilization_percent,memory_used_bytes\n"

// replayText replays a trace of the given text into dir.
func replayText(t *testing.T, dir, text string, change func(*replayArgs)) (*replayed, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	a := replayArgs{Trace: path, Data: dir, Window: time.Minute}
	if change != nil {
		change(&a)
	}
	return replay(t.Context(), a, newProgress(io.Discard, time.Now))
}

const smallTrace = traceHead + "1700000000,a,50,1\n1700000010,a,100,1\n1700000010,b,10,\n1700000020,a,0,1\n"

func TestReplayTwiceChangesNothing(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		got, err := replayText(t, dir, smallTrace, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.ObservedGPUSeconds != 40 || got.BusyGPUSeconds != 16 || got.GPUsSampled != 2 {
			t.Errorf("observed %v, busy %v of %d GPUs, want 40, 16 of 2", got.ObservedGPUSeconds, got.BusyGPUSeconds, got.GPUsSampled)
		}
	}
}

func TestReplayOfMonthsWithGapsIsQuickAndExact(t *testing.T) {
	text := traceHead + "0,a,100,1\n"
	for _, at := range []string{"1600000000", "1600000060", "1650000000", "1650000060", "1700000000"} {
		text += at + ",a,100,1\n"
	}
	got, err := replayText(t, t.TempDir(), text, func(a *replayArgs) { a.Interval = time.Minute })
	if err != nil {
		t.Fatal(err)
	}
	// Three samples stand for three minutes each before a gap, three for one.
	if want := float64(3*180 + 3*60); got.ObservedGPUSeconds != want || got.BusyGPUSeconds != want {
		t.Errorf("observed %v, busy %v, want %v of both", got.ObservedGPUSeconds, got.BusyGPUSeconds, want)
	}
}

func TestBadReplayLeavesNothingBehind(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		change func(*replayArgs)
		want   string
	}{
		"damaged line":    {smallTrace + "x,a,1,1\n", nil, `trace.csv: line 6: time "x" is not Unix seconds`},
		"one sample":      {traceHead + "1700000000,a,50,1\n", nil, "give --interval"},
		"tiny interval":   {smallTrace, func(a *replayArgs) { a.Interval = time.Microsecond }, "is not between 1ms and 24h"},
		"dirty region":    {smallTrace, func(a *replayArgs) { a.Cloud.Region = "a\tb" }, "not clean text"},
		"dirty model":     {smallTrace, func(a *replayArgs) { a.Model = strings.Repeat("x", 300) }, "model"},
		"no such trace":   {smallTrace, func(a *replayArgs) { a.Trace += ".gz" }, "no such file"},
		"odd window":      {smallTrace, func(a *replayArgs) { a.Window = 7 * time.Second }, "window 7s"},
		"no contract":     {smallTrace, func(a *replayArgs) { a.Contracts = a.Trace + ".yaml" }, "trace.csv.yaml"},
		"other recording": {smallTrace, func(a *replayArgs) { a.Data = filepath.Dir(a.Trace) + "/used" }, "is on record there already"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			change := c.change
			if name == "other recording" {
				change = func(a *replayArgs) {
					c.change(a)
					if _, err := replayText(t, a.Data, smallTrace, func(o *replayArgs) { o.Cloud.Region = "elsewhere" }); err != nil {
						t.Fatal(err)
					}
				}
			}
			_, err := replayText(t, dir, c.text, change)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("replay = %v, want an error with %q", err, c.want)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the data folder was made")
			}
		})
	}
}

func TestReplayWritesAllOrFails(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full on this system: %v", err)
	}
	defer full.Close()
	for _, format := range []string{"text", "json", "csv"} {
		if err := (&replayed{}).write(full, format); err == nil {
			t.Errorf("%s on a full disk: no error", format)
		}
	}
}
