package claim

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/usage"
)

// window is what all records of a GPU's window say together.
type window struct {
	gpu                    string
	fromMs, toMs           int64
	healthyMs, unhealthyMs int64
	fault, missing         string
	silent                 bool // there is no record
}

func (w *window) unobservedMs() int64 { return w.toMs - w.fromMs - w.healthyMs - w.unhealthyMs }

// state is the window in a word.
func (w *window) state() string {
	whole := w.toMs - w.fromMs
	switch {
	case w.silent:
		return "no record"
	case w.healthyMs == whole:
		return "healthy"
	case w.unhealthyMs == whole:
		return "unhealthy"
	case w.unobservedMs() == whole:
		return "not observed"
	case w.unhealthyMs > 0:
		return "partly unhealthy"
	}
	return "partly not observed"
}

// reason is why the window is not healthy.
func (w *window) reason() string { return cmp.Or(w.fault, w.missing) }

// windows adds the records of each window up, by GPU and time, and fills the
// time between them with silence.
func (b *Bundle) windows() []window {
	var out []window
	for i := range b.Entries {
		r := &b.Entries[i].Record
		n := len(out) - 1
		if n < 0 || out[n].gpu != r.GPU || out[n].fromMs != r.StartMs || out[n].toMs != r.EndMs {
			out = append(out, window{gpu: r.GPU, fromMs: r.StartMs, toMs: r.EndMs})
			n++
		}
		out[n].healthyMs += r.ObservedMs() - r.UnhealthyMs
		out[n].unhealthyMs += r.UnhealthyMs
		switch {
		case r.Reason != "" && r.UnhealthyMs > 0:
			out[n].fault = r.Reason
		case r.Reason != "":
			out[n].missing = r.Reason
		}
	}
	return b.withSilence(out)
}

// withSilence adds the time in which a GPU of the incident has no record, within
// the incident and between its records around it.
func (b *Bundle) withSilence(list []window) []window {
	var out []window
	for _, gpu := range b.witnesses() {
		at := b.Incident.From.UnixMilli()
		mine := slices.DeleteFunc(slices.Clone(list), func(w window) bool { return w.gpu != gpu })
		if len(mine) > 0 {
			at = min(at, mine[0].fromMs)
		}
		for _, w := range mine {
			if at < w.fromMs {
				out = append(out, window{gpu: gpu, fromMs: at, toMs: w.fromMs, silent: true})
			}
			out = append(out, w)
			at = w.toMs
		}
		if end := b.Incident.To.UnixMilli(); at < end {
			out = append(out, window{gpu: gpu, fromMs: at, toMs: end, silent: true})
		}
	}
	return out
}

// runs joins neighbouring windows of a GPU in the same state and for the same
// reason.
func runs(list []window) []window {
	var out []window
	for _, w := range list {
		if n := len(out) - 1; n >= 0 && out[n].gpu == w.gpu && out[n].toMs == w.fromMs && out[n].state() == w.state() && out[n].reason() == w.reason() {
			out[n].toMs = w.toMs
			out[n].healthyMs += w.healthyMs
			out[n].unhealthyMs += w.unhealthyMs
			continue
		}
		out = append(out, w)
	}
	return out
}

// timelineCSV has a row for each run of a GPU, or of the tranche.
func (b *Bundle) timelineCSV() ([]byte, error) {
	if len(b.Course) > 0 {
		rows := [][]string{{"from", "to", "contracted_gpus", "standing_gpus", "missing_gpus"}}
		for _, s := range b.Course {
			rows = append(rows, []string{utc(s.FromMs), utc(s.ToMs), fmt.Sprint(s.Contracted), fmt.Sprint(s.Stood), fmt.Sprint(max(0, s.Contracted-s.Stood))})
		}
		return table(rows)
	}
	rows := [][]string{{"gpu", "from", "to", "state", "reason", "healthy_ms", "unhealthy_ms", "not_observed_ms"}}
	for _, w := range runs(b.windows()) {
		rows = append(rows, []string{w.gpu, utc(w.fromMs), utc(w.toMs), w.state(), w.reason(),
			fmt.Sprint(w.healthyMs), fmt.Sprint(w.unhealthyMs), fmt.Sprint(w.unobservedMs())})
	}
	return table(rows)
}

// timelineText tells the same in order of time, with the events.
func (b *Bundle) timelineText() []byte {
	type line struct {
		ms   int64
		text string
	}
	var lines []line
	add := func(ms int64, format string, args ...any) {
		lines = append(lines, line{ms, fmt.Sprintf(format, args...)})
	}
	add(b.Incident.From.UnixMilli(), "== the incident begins")
	for _, s := range b.Course {
		add(s.FromMs, "%d GPUs contracted, %d standing, until %s", s.Contracted, s.Stood, utc(s.ToMs))
	}
	for _, w := range runs(b.windows()) {
		why := ""
		if w.reason() != "" {
			why = " (" + w.reason() + ")"
		}
		add(w.fromMs, "%s  %s%s until %s", w.gpu, w.state(), why, utc(w.toMs))
	}
	for i := range b.Events {
		add(b.Events[i].AtMs, "%s", b.tell(&b.Events[i], b.detail(&b.Events[i])))
	}
	add(b.Incident.To.UnixMilli(), "== the incident ends")
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.ms, b.ms) })
	var out bytes.Buffer
	for _, l := range lines {
		fmt.Fprintf(&out, "%s  %s\n", utc(l.ms), l.text)
	}
	return out.Bytes()
}

// tell says what an event was.
func (b *Bundle) tell(e *store.Event, detail string) string {
	subject := cmp.Or(e.GPU, e.Node)
	text := subject + "  event " + string(e.Kind)
	switch {
	case e.Kind == usage.EventAgentStart && e.Value > 0:
		text += ", node booted at " + utc(e.Value)
	case e.Value != 0:
		text += fmt.Sprintf(" %d", e.Value)
	}
	if detail != "" {
		text += ": " + detail
	}
	return text
}
