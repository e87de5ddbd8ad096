package dcgm

import (
	_ "embed" // the texts
	"strconv"
	"strings"
	"sync"
)

//go:embed xid.txt
var xidFile string

// unknownXid is the text of a code that has none.
const unknownXid = "Unknown Error"

var xidTexts = sync.OnceValue(func() map[int]string {
	out := map[int]string{}
	for line := range strings.Lines(xidFile) {
		code, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(code); err == nil {
			out[n] = text
		}
	}
	return out
})

// xidText returns the err_msg of an error.
func xidText(code int) string {
	if text, ok := xidTexts()[code]; ok {
		return text
	}
	return unknownXid
}
