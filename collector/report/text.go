package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/gpumeter/gpumeter/contract"
)

// Options say how text looks.
type Options struct {
	Color bool // see Colors
	Width int  // columns of the screen; 0 is 80
}

// wide is from how many columns on there is room for bars and more columns.
const wide = 110

// Colors reports whether text on f may have colours: f is a terminal that
// shows them, and NO_COLOR is not set.
func Colors(f *os.File, getenv func(string) string) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// Text writes the report for people: an account of each contract or, where it
// is broken down, the tables of the groups. Every percentage stands with what
// it is a share of.
func Text(w io.Writer, r contract.Report, o Options) error {
	if o.Width <= 0 {
		o.Width = 80
	}
	t := &text{o: o, r: &r}
	t.title()
	if len(r.Contracts) > 1 {
		t.summary()
	}
	t.remarks()
	if r.Breakdown != nil {
		t.showback(r.Breakdown)
	} else {
		for i := range r.Contracts {
			t.statement(&r.Contracts[i])
		}
		t.strays()
	}
	t.quality()
	if _, err := w.Write(t.out.Bytes()); err != nil {
		return fmt.Errorf("write report as text: %w", err)
	}
	return nil
}

// text gathers the lines of a report.
type text struct {
	out bytes.Buffer
	o   Options
	r   *contract.Report
	// What the marks at the end have to explain.
	doubtful, unpriced bool
}

func (t *text) line(format string, args ...any) {
	t.out.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	t.out.WriteByte('\n')
}

func (t *text) blank() { t.out.WriteByte('\n') }

// note writes a labelled paragraph, wrapped at the width.
func (t *text) note(label, format string, args ...any) {
	const indent = 15
	at := 0
	prefix := fmt.Sprintf("  %-*s", indent-2, label)
	var b strings.Builder
	for _, word := range strings.Fields(fmt.Sprintf(format, args...)) {
		word = strings.ReplaceAll(word, nbsp, " ")
		n := utf8.RuneCountInString(word)
		if at > 0 && indent+at+1+n > t.o.Width {
			t.line("%s%s", prefix, b.String())
			prefix, at = strings.Repeat(" ", indent), 0
			b.Reset()
		}
		if at > 0 {
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	t.line("%s%s", prefix, b.String())
}

// nbsp holds a number and its unit together when a note is wrapped. It is a
// control character that no name contains.
const nbsp = "\x1f"

// together keeps a text from being wrapped.
func together(s string) string { return strings.ReplaceAll(s, " ", nbsp) }

func hours(ms int64) string { return together(contract.Hours(ms) + " GPU-hours") }

func share(part, whole int64) string { return together(contract.Share(part, whole)) }

// Colours, always beside a word or sign that says the same.
const (
	bold  = "1"
	dim   = "2"
	red   = "31;1"
	green = "32"
)

func (t *text) paint(color, s string) string {
	if !t.o.Color {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

// clip shortens a name to n columns.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// doubt is the share of time that is not known, in hundredths, from which on a
// figure is marked.
const doubt = 2

// mark is put beside figures that are not the whole truth.
func (t *text) mark(l *contract.Line) string {
	s := ""
	if unknown := l.Buckets[contract.Unobserved] + l.Buckets[contract.Unmeasured]; unknown > l.ContractedMs/100*doubt {
		s, t.doubtful = s+"?", true
	}
	if l.Cost.UnpricedMs > 0 {
		s, t.unpriced = s+"~", true
	}
	return s
}

func (t *text) rule() { t.line("%s", t.paint(dim, strings.Repeat("─", t.o.Width))) }
