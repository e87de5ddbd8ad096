// Package trace reads recorded utilisation traces and turns them into frames,
// so that a recording is metered by the same code as a living GPU.
//
// A sample stands for the time until the next sample of its GPU, at most three
// intervals; the last sample of a GPU stands for one interval. What no sample
// stands for is unobserved.
package trace

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// Sample is one row of a trace whose utilisation is not empty.
type Sample struct {
	At   time.Time
	Util float64 // share of time, 0–1
	// MemoryKnown is false where the cell is empty.
	MemoryKnown bool
	MemoryUsed  uint64 // bytes
}

// Trace is a whole recording. Make one with Read or Open.
type Trace struct {
	// Samples holds each GPU's samples by time.
	Samples map[string][]Sample
	// Skipped counts rows without a utilisation.
	Skipped int
	// Interval is the median step between two samples of one GPU, or what
	// SetInterval set; 0 if no GPU has two samples.
	Interval time.Duration
}

// Limits of a trace.
const (
	maxGPUs = 1 << 20
	maxName = 128
	// maxSeconds bounds times to the years 1970–2255, which fit into
	// nanoseconds.
	maxSeconds = 9e9
)

// columns are the names that the header line may hold, in any order. All but
// memory_used_bytes are required.
var columns = []string{"time", "gpu", "utilization_percent", "memory_used_bytes"}

// Open reads a trace from a CSV file, or a gzip-compressed one if its name
// ends in .gz. Errors name the file and the line.
func Open(name string) (*Trace, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = bufio.NewReaderSize(f, 1<<20)
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		defer z.Close()
		r = z
	}
	t, err := Read(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// Read reads a trace as CSV with a header line. A damaged line is an error
// that names it: a trace is read whole or not at all.
func Read(r io.Reader) (*Trace, error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	head, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the trace is empty: not even a header line")
	}
	if err != nil {
		return nil, err
	}
	at, err := header(head)
	if err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	t := &Trace{Samples: map[string][]Sample{}}
	for {
		row, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err // encoding/csv names the line
		}
		if err := t.add(row, at); err != nil {
			line, _ := c.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	if len(t.Samples) == 0 {
		return nil, errors.New("the trace holds no sample with a utilization_percent")
	}
	t.sort()
	return t, nil
}

// header returns where each of columns stands, -1 for nowhere.
func header(row []string) ([]int, error) {
	at := []int{-1, -1, -1, -1}
	for i, name := range row {
		name = strings.TrimPrefix(strings.TrimSpace(name), "\ufeff")
		j := slices.Index(columns, name)
		if j < 0 {
			return nil, fmt.Errorf("unknown column %q: the columns are %s", name, strings.Join(columns, ", "))
		}
		if at[j] >= 0 {
			return nil, fmt.Errorf("column %q stands twice", name)
		}
		at[j] = i
	}
	for j, name := range columns[:3] {
		if at[j] < 0 {
			return nil, fmt.Errorf("column %q is missing", name)
		}
	}
	return at, nil
}

func (t *Trace) add(row []string, at []int) error {
	when, err := parseTime(row[at[0]])
	if err != nil {
		return err
	}
	gpu := strings.Clone(strings.TrimSpace(row[at[1]]))
	if gpu == "" || len(gpu) > maxName || strings.ContainsFunc(gpu, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }) {
		return fmt.Errorf("gpu %q is empty, longer than %d bytes or not plain text", gpu, maxName)
	}
	s := Sample{At: when}
	if s.MemoryUsed, s.MemoryKnown, err = parseMemory(row, at[3]); err != nil {
		return err
	}
	cell := strings.TrimSpace(row[at[2]])
	if cell == "" {
		t.Skipped++
		return nil
	}
	percent, err := strconv.ParseFloat(cell, 64)
	if err != nil || !(percent >= 0 && percent <= 100) {
		return fmt.Errorf("utilization_percent %q is not a number from 0 to 100", cell)
	}
	s.Util = percent / 100
	if t.Samples[gpu] == nil && len(t.Samples) == maxGPUs {
		return fmt.Errorf("more than %d GPUs", maxGPUs)
	}
	t.Samples[gpu] = append(t.Samples[gpu], s)
	return nil
}

func parseTime(cell string) (time.Time, error) {
	cell = strings.TrimSpace(cell)
	if n, err := strconv.ParseInt(cell, 10, 64); err == nil && n >= 0 && n <= maxSeconds {
		return time.Unix(n, 0).UTC(), nil
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil || !(v >= 0 && v <= maxSeconds) {
		return time.Time{}, fmt.Errorf("time %q is not Unix seconds", cell)
	}
	return time.UnixMilli(int64(math.Round(v * 1000))).UTC(), nil
}

func parseMemory(row []string, at int) (n uint64, known bool, err error) {
	if at < 0 {
		return 0, false, nil
	}
	cell := strings.TrimSpace(row[at])
	if cell == "" {
		return 0, false, nil
	}
	if n, err := strconv.ParseUint(cell, 10, 64); err == nil {
		return n, true, nil
	}
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil || !(v >= 0 && v < 1<<62) {
		return 0, false, fmt.Errorf("memory_used_bytes %q is not a number of bytes", cell)
	}
	return uint64(v), true, nil
}

// sort orders the samples and finds the interval.
func (t *Trace) sort() {
	var steps []time.Duration
	for _, ss := range t.Samples {
		slices.SortStableFunc(ss, func(a, b Sample) int { return a.At.Compare(b.At) })
		for i := 1; i < len(ss); i++ {
			if d := ss[i].At.Sub(ss[i-1].At); d > 0 {
				steps = append(steps, d)
			}
		}
	}
	if len(steps) > 0 {
		slices.Sort(steps)
		t.Interval = (steps[(len(steps)-1)/2] + steps[len(steps)/2]) / 2
	}
}

// Hold is how long one sample may stand for.
func (t *Trace) Hold() time.Duration { return metric.MaxHold * t.Interval }

// Extent returns when the first sample begins and the last ends to stand.
func (t *Trace) Extent() (from, to time.Time) {
	for g := range t.Samples {
		for _, s := range t.Spans(g) {
			if from.IsZero() || s.At.Before(from) {
				from = s.At
			}
			if s.Until.After(to) {
				to = s.Until
			}
		}
	}
	return from, to
}

// Span is the time for which one sample stands.
type Span struct {
	Sample
	Until time.Time
}

// Spans returns the time for which each sample of a GPU stands, by time.
func (t *Trace) Spans(gpu string) []Span {
	ss := t.Samples[gpu]
	out := make([]Span, 0, len(ss))
	for i, s := range ss {
		until := s.At.Add(t.Interval)
		if i+1 < len(ss) {
			until = s.At.Add(t.Hold())
			if next := ss[i+1].At; next.Before(until) {
				until = next
			}
		}
		if until.After(s.At) {
			out = append(out, Span{s, until})
		}
	}
	return out
}
