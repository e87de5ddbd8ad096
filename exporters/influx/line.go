package influx

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/gpumeter/gpumeter/exporters"
)

// What one request holds at most. InfluxDB advises 5,000 lines; servers refuse
// bodies of more than 25 MB, proxies in front of them often earlier.
const (
	maxLines = 5000
	maxBytes = 4 << 20
)

// precisions are the encoder's words for ours.
var precisions = map[Precision]lineprotocol.Precision{
	Nanosecond: lineprotocol.Nanosecond, Microsecond: lineprotocol.Microsecond,
	Millisecond: lineprotocol.Millisecond, Second: lineprotocol.Second,
}

type tag struct{ key, value string }

type field struct {
	key   string
	value lineprotocol.Value
}

// line is what has one measurement, one set of tags and one time.
type line struct {
	measurement string
	tags        []tag // sorted, each key once, none empty
	fields      []field
}

// set puts a field into the line, in the place of one of the same key.
func (l *line) set(key string, value lineprotocol.Value) {
	for i := range l.fields {
		if l.fields[i].key == key {
			l.fields[i].value = value
			return
		}
	}
	l.fields = append(l.fields, field{key, value})
}

func (l *line) text(key, value string) {
	if v, ok := lineprotocol.StringValue(fieldText(value)); ok {
		l.set(key, v)
	}
}

// lines are all lines of one snapshot, in the order in which they began.
type lines struct {
	common map[string]string // tags of every line
	index  map[string]int
	all    []line

	tags []tag  // reused
	key  []byte // reused
}

func newLines(common map[string]string) *lines {
	return &lines{common: common, index: map[string]int{}}
}

// at returns the line with a measurement and tags, begun if there is none yet.
// It is good until the next call. Of two tags with one key the later counts;
// those without a value are left out.
func (ls *lines) at(measurement string, tags ...tag) *line {
	ls.tags = ls.tags[:0]
	for k, v := range ls.common {
		ls.add(k, v)
	}
	for _, t := range tags {
		ls.add(t.key, t.value)
	}
	slices.SortFunc(ls.tags, func(a, b tag) int { return strings.Compare(a.key, b.key) })
	ls.key = append(ls.key[:0], measurement...)
	for _, t := range ls.tags {
		ls.key = append(append(append(append(ls.key, '\n'), t.key...), '\n'), t.value...) // no text has a newline
	}
	i, ok := ls.index[string(ls.key)]
	if !ok {
		i = len(ls.all)
		ls.index[string(ls.key)] = i
		ls.all = append(ls.all, line{measurement: measurement, tags: slices.Clone(ls.tags)})
	}
	return &ls.all[i]
}

func (ls *lines) add(key, value string) {
	ls.tags = slices.DeleteFunc(ls.tags, func(t tag) bool { return t.key == key })
	if value = tagText(value); value != "" {
		ls.tags = append(ls.tags, tag{key, value})
	}
}

// batch is what one request takes.
type batch struct {
	body   []byte
	lines  int
	values int
}

// encode returns a snapshot as batches. What cannot be encoded is left out; the
// error says what the first of it was.
func encode(s *exporters.Snapshot, cfg *Config) ([]batch, error) {
	now := cfg.Now()
	ls := newLines(cfg.Tags)
	if cfg.Layout == LayoutTelegraf {
		telegraf(ls, s, now, cfg.MaxAge)
	} else {
		own(ls, s, now, cfg.MaxAge)
	}
	return ls.encode(exporters.Moment(s, now, cfg.MaxAge), precisions[cfg.Precision])
}

func (ls *lines) encode(at time.Time, precision lineprotocol.Precision) (out []batch, bad error) {
	var enc lineprotocol.Encoder
	enc.SetPrecision(precision)
	var b batch
	for i := range ls.all {
		l := &ls.all[i]
		if len(l.fields) == 0 {
			continue
		}
		enc.Reset()
		l.encode(&enc, at)
		if err := enc.Err(); err != nil {
			if bad == nil {
				bad = err
			}
			continue
		}
		text := enc.Bytes()
		if b.lines == maxLines || b.lines > 0 && len(b.body)+len(text) > maxBytes {
			out = append(out, b)
			b = batch{}
		}
		b.body = append(b.body, text...)
		b.lines++
		b.values += len(l.fields)
	}
	if b.lines > 0 {
		out = append(out, b)
	}
	return out, bad
}

func (l *line) encode(enc *lineprotocol.Encoder, at time.Time) {
	enc.StartLine(l.measurement)
	for _, t := range l.tags {
		enc.AddTag(t.key, t.value)
	}
	for _, f := range l.fields {
		enc.AddField(f.key, f.value)
	}
	enc.EndLine(at)
}

// integer returns a number as an integer; not ok for what is none, or too large.
func integer(v float64) (lineprotocol.Value, bool) {
	v = math.Round(v)
	if math.IsNaN(v) || math.Abs(v) >= 1<<63 {
		return lineprotocol.Value{}, false
	}
	return lineprotocol.IntValue(int64(v)), true
}

// snake turns dots into underscores.
func snake(s string) string { return strings.ReplaceAll(s, ".", "_") }
