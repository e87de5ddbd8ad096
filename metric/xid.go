package metric

import (
	"bytes"
	_ "embed" // the tables
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Severity says what an error asks of the people who run a GPU.
type Severity uint8

// Severities, from the least to the worst.
const (
	Unstated    Severity = iota // nobody says
	Record                      // nothing to do
	Application                 // the job's own error, or one that a restart of the job ends
	Service                     // reset the GPU at the next opportunity, or open a ticket
	Reset                       // drain the node and reset the GPU
	Replace                     // reboot the node, or have the hardware repaired
)

var severities = [...]string{"", "record", "application", "service", "reset", "replace"}

// String returns the word for a severity: "record", "reset"; empty for
// Unstated.
func (s Severity) String() string { return severities[min(s, Replace)] }

// Accounting says what an error means for the records of its GPU.
type Accounting string

// Keep leaves the records as they are, Flag makes the window suspect, and Gap
// means that the GPU was not provided until it recovered.
const (
	Keep Accounting = "keep"
	Flag Accounting = "flag"
	Gap  Accounting = "gap"
)

// XidEntry is what is known of an error code.
type XidEntry struct {
	Code int
	// Known is false for a code that no table has.
	Known    bool
	Name     string
	Severity Severity
	// ByLine says that the kernel's line decides how severe an error of this
	// code is; Severity is then for those whose line nobody read.
	ByLine bool
	// Action is a sentence that says what to do.
	Action     string
	Accounting Accounting
}

// FirstSwitchCode is the least code of an NVSwitch's errors (SXids). They share
// the numbers with the Xids of GPUs, which are all below.
const FirstSwitchCode = 10_000

// unknownAction is what to do about a code that no table has.
const unknownAction = "Look the code up in NVIDIA's catalogue, and report that gpumeter does not know it."

// XidOf returns what is known of the error code of a GPU, or of an NVSwitch
// from FirstSwitchCode on. An unknown code has no severity and its records are
// kept.
func XidOf(code int) XidEntry {
	if e, ok := xids()[code]; ok {
		return e
	}
	return XidEntry{Code: code, Action: unknownAction, Accounting: Keep}
}

// FatalXid reports whether an Xid by itself makes a GPU unhealthy. An error of
// a switch makes none: it shows as an Xid of the GPUs that it hits.
func FatalXid(code int) bool { return code < FirstSwitchCode && XidOf(code).Severity >= Reset }

// Fatal reports whether an error makes its GPU unhealthy: what its line says
// goes before the table.
func (x *Xid) Fatal() bool {
	if x.Severity != Unstated {
		return x.Code < FirstSwitchCode && x.Severity >= Reset
	}
	return FatalXid(x.Code)
}

// Xids returns all known codes in rising order.
func Xids() []XidEntry {
	out := make([]XidEntry, 0, len(xids()))
	for _, e := range xids() {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b XidEntry) int { return a.Code - b.Code })
	return out
}

var (
	//go:embed xids.csv
	gpuXids []byte
	//go:embed sxids.csv
	switchXids []byte
)

// xids holds both tables by code. A row that cannot be read is left out: a test
// finds it, and an agent in the field must run without it.
var xids = sync.OnceValue(func() map[int]XidEntry {
	out := map[int]XidEntry{}
	for _, table := range [][]byte{gpuXids, switchXids} {
		entries, _ := parseXids(table)
		for _, e := range entries {
			out[e.Code] = e
		}
	}
	return out
})

// parseXids reads a table. It returns all rows that are well, and what is wrong
// with the others.
func parseXids(table []byte) ([]XidEntry, error) {
	r := csv.NewReader(bytes.NewReader(table))
	r.Comment, r.FieldsPerRecord = '#', 5
	var out []XidEntry
	var wrong []error
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, errors.Join(wrong...)
		}
		if err == nil && row[0] == "code" {
			continue
		}
		var e XidEntry
		if err == nil {
			e, err = parseXid(row)
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		out = append(out, e)
	}
}

// parseXid reads one row: code, name, severity, action, accounting.
func parseXid(row []string) (XidEntry, error) {
	word, byLine := strings.CutPrefix(row[2], "line:")
	severity := slices.Index(severities[1:], word) + 1
	code, err := strconv.Atoi(row[0])
	e := XidEntry{
		Code: code, Known: true, Name: row[1], Severity: Severity(severity), ByLine: byLine, Action: row[3], Accounting: Accounting(row[4]),
	}
	switch {
	case err != nil || code <= 0:
		return e, fmt.Errorf("xid table: code %q is not a number above 0", row[0])
	case severity == 0:
		return e, fmt.Errorf("xid %d: severity %q is none of %s", code, row[2], strings.Join(severities[1:], ", "))
	case e.Accounting != Keep && e.Accounting != Flag && e.Accounting != Gap:
		return e, fmt.Errorf("xid %d: accounting %q is none of keep, flag, gap", code, row[4])
	case e.Name == "" || e.Action == "":
		return e, fmt.Errorf("xid %d: name or action is missing", code)
	}
	return e, nil
}
