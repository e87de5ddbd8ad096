package influx

import (
	"strings"

	"github.com/gpumeter/gpumeter/exporters"
)

// fieldText makes a string that stands in a field on one line: valid UTF-8,
// bounded, without control characters. Servers take a newline in a string, but
// what reads lines of a file does not.
func fieldText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == '\x7f' {
			return ' '
		}
		return r
	}, exporters.Text(s))
}

// tagText makes a string that can be a tag, or empty where nothing is left. A
// backslash becomes a slash: servers do not agree on what one before a comma or
// at the end means. An empty tag is left out by its user.
func tagText(s string) string { return strings.ReplaceAll(fieldText(s), `\`, "/") }
