package usage

import (
	"regexp"
	"strings"
)

// process is how the driver begins what it says of a process in a line about an
// error.
var process = regexp.MustCompile(`\b(pid|name)=`)

const (
	leftOut = "(left out)"
	// maxComm is the longest name that Linux has for a process, in bytes.
	maxComm = 15
)

// WithoutProcess leaves the number and the name of a process out of the detail
// of an error: they are their user's own. A name may have spaces and commas; of
// what could still be one, nothing stays.
func WithoutProcess(detail string) string {
	var b strings.Builder
	for {
		at := process.FindStringIndex(detail)
		if at == nil {
			return b.String() + detail
		}
		key := detail[at[0]:at[1]]
		b.WriteString(detail[:at[1]] + leftOut)
		detail = detail[at[1]:]
		detail = detail[wordEnd(detail, key == "name="):]
	}
}

// wordEnd is where a value ends: at ", ", of a name the last that can be within
// or right after one.
func wordEnd(s string, isName bool) int {
	if isName {
		if i := strings.LastIndex(s[:min(len(s), maxComm+len(", "))], ", "); i >= 0 {
			return i
		}
	}
	if i := strings.Index(s, ", "); i >= 0 {
		return i
	}
	return len(s)
}
