package dcgm

import (
	"bytes"
	_ "embed" // the default counters
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Counter is a row of a counter file: which field is shown, as what.
type Counter struct {
	Field string
	Type  string // "gauge", "counter" or "label"
	Help  string
	At    string // where it stands, "counters.csv:12"
}

const labelType = "label"

// maxCounterFile bounds a counter file; dcgm-exporter's own is 8 KiB.
const maxCounterFile = 1 << 20

//go:embed counters.csv
var defaultCounters []byte

// DefaultCounters are the 25 metrics and the label that dcgm-exporter has when
// it is given no file.
func DefaultCounters() []Counter {
	cs, err := ReadCounters("counters.csv", bytes.NewReader(defaultCounters))
	if err != nil {
		return nil // a test holds that it is good
	}
	return cs
}

// ReadCounters reads a file in dcgm-exporter's format: lines of FIELD, TYPE,
// HELP; blank lines and what begins with # mean nothing. As there, the file
// stands for all counters and adds nothing to the default ones. name is used in
// errors, which say in which line something is wrong. Of a field that is there
// twice the first row counts.
func ReadCounters(name string, r io.Reader) ([]Counter, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxCounterFile+1))
	if err != nil {
		return nil, fmt.Errorf("read counters %s: %w", name, err)
	}
	if len(data) > maxCounterFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxCounterFile)
	}
	cr := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\uFEFF"))))
	cr.Comment, cr.FieldsPerRecord, cr.TrimLeadingSpace = '#', -1, true
	out := []Counter{}
	seen := map[string]bool{}
	for {
		record, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, lineError(name, err)
		}
		line, _ := cr.FieldPos(0)
		c, ok, err := parseCounter(record)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		if !ok || seen[c.Field] {
			continue
		}
		seen[c.Field] = true
		c.At = fmt.Sprintf("%s:%d", name, line)
		out = append(out, c)
	}
}

// lineError says where a line is that is no CSV.
func lineError(name string, err error) error {
	var pe *csv.ParseError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s:%d: %w", name, pe.Line, pe.Err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// parseCounter reads one row. It returns false for one that is a comment after
// all, with blanks before the #, or that is empty.
func parseCounter(record []string) (Counter, bool, error) {
	for i := range record {
		record[i] = strings.TrimSpace(record[i])
	}
	if strings.HasPrefix(record[0], "#") || strings.Join(record, "") == "" {
		return Counter{}, false, nil
	}
	if len(record) != 3 {
		return Counter{}, false, fmt.Errorf("%d columns, want field, type and help (a help text with commas needs quotes)", len(record))
	}
	c := Counter{Field: record[0], Type: record[1], Help: record[2]}
	if !isFieldName(c.Field) {
		return Counter{}, false, fmt.Errorf("field %q is not the name of a field", c.Field)
	}
	switch c.Type {
	case "gauge", "counter", labelType:
		return c, true, nil
	}
	return Counter{}, false, fmt.Errorf("type %q of %s is not gauge, counter or label", c.Type, c.Field)
}

// isFieldName reports whether s can be a metric's name.
func isFieldName(s string) bool {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
