package doctor

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Schema is that of the JSON. It changes when a field changes its meaning or goes.
const Schema = "gpumeter.doctor/v1"

// Options fit text to a screen.
type Options struct {
	Color bool
	Width int // columns; 0 is 100
}

// Outputs are the forms that Write knows.
var Outputs = []string{"text", "json", "csv"}

// Write writes a report in one of the Outputs.
func Write(w io.Writer, r *Report, output string, o Options) error {
	var err error
	switch output {
	case "json":
		err = writeJSON(w, r)
	case "csv":
		err = writeCSV(w, r)
	default:
		err = writeText(w, r, o)
	}
	if err != nil {
		return fmt.Errorf("write what was found: %w", err)
	}
	return nil
}

// colors are the escape codes of the levels; a word always stands with them.
var colors = map[Level]string{Well: "32", Aside: "2", Warning: "33", Unknown: "35", Fault: "31"}

// writeText writes a line about each thing, and below it what to do.
func writeText(w io.Writer, r *Report, o Options) error {
	width, column := max(cmp.Or(o.Width, 100), 60), 0
	for _, f := range r.Findings {
		column = max(column, utf8.RuneCountInString(f.Check))
	}
	indent := len("warning  ") + column + 2
	var b strings.Builder
	for _, f := range r.Findings {
		word := fmt.Sprintf("%-9s", f.Level)
		if o.Color {
			word = "\x1b[" + colors[f.Level] + "m" + word + "\x1b[0m"
		}
		fmt.Fprintf(&b, "%s%-*s  ", word, column, f.Check)
		wrap(&b, Plain(f.What), indent, indent, width)
		if f.Remedy != "" {
			b.WriteString(strings.Repeat(" ", indent) + "-> ")
			wrap(&b, Plain(f.Remedy), indent+3, indent+3, width)
		}
	}
	b.WriteString("\n" + r.summary() + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// summary counts what is not well.
func (r *Report) summary() string {
	var parts []string
	for _, l := range []struct {
		level    Level
		one, all string
	}{{Fault, "fault", "faults"}, {Warning, "warning", "warnings"}, {Unknown, "thing that could not be looked at", "things that could not be looked at"}} {
		switch n := r.Count(l.level); n {
		case 0:
		case 1:
			parts = append(parts, "1 "+l.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, l.all))
		}
	}
	if len(parts) == 0 {
		return "Nothing stands in the way."
	}
	return strings.Join(parts, ", ") + "."
}

// wrap writes words from a column on, in lines of a width that begin at indent.
func wrap(b *strings.Builder, text string, at, indent, width int) {
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i > 0 && at+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		case i > 0:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	b.WriteByte('\n')
}

func writeJSON(w io.Writer, r *Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Schema   string    `json:"schema"`
		Worst    Level     `json:"worst"`
		ExitCode int       `json:"exit_code"`
		Findings []Finding `json:"findings"`
	}{Schema, r.Worst(), r.ExitCode(), r.Findings})
}

// writeCSV writes one table. Text that a spreadsheet would take for a formula is
// preceded by an apostrophe.
func writeCSV(w io.Writer, r *Report) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"check", "level", "what", "remedy"}) // c.Error has it
	for _, f := range r.Findings {
		_ = c.Write([]string{safe(f.Check), safe(f.Level.String()), safe(Plain(f.What)), safe(Plain(f.Remedy))})
	}
	c.Flush()
	return c.Error()
}

func safe(s string) string {
	if s != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}

// Plain makes one line of plain text of what came from outside.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError:
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// Word writes a value as one word for a shell, as a remedy needs it.
func Word(s string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_@%+=:,./-", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Read reads what Write wrote as JSON: the report of another program.
func Read(data []byte) (Report, error) {
	var v struct {
		Schema   string `json:"schema"`
		Findings []struct {
			Check, Level, What, Remedy string
		} `json:"findings"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return Report{}, err
	}
	if v.Schema != Schema {
		return Report{}, fmt.Errorf("schema %q is not %q", v.Schema, Schema)
	}
	var r Report
	for _, x := range v.Findings {
		f := Finding{Check: x.Check, Level: Unknown, What: x.What, Remedy: x.Remedy}
		for l, word := range words {
			if word == x.Level {
				f.Level = Level(l) //nolint:gosec // five words
			}
		}
		r.Findings = append(r.Findings, f)
	}
	return r, nil
}
