package kmsg

import (
	"bytes"
	"strconv"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

const (
	// maxText is how much of a record is looked at; the kernel's own limit on a
	// line is 1024 bytes.
	maxText = 4096
	// facility is the kernel's own. It never writes another, and programs cannot
	// write this one.
	facility = 0
)

// record is one record of the log.
type record struct {
	seq   uint64
	stamp time.Duration // by the log's clock
	at    time.Duration // boot clock, of reports
	// reports says that it is an error report.
	reports bool
	report  Report
}

func (r *record) xid() metric.Xid {
	return metric.Xid{
		PCI: r.report.PCI, Code: r.report.Code, At: r.at, Origin: metric.FromKernel,
		Detail: r.report.Detail, Severity: r.report.Severity,
	}
}

// parseRecord reads "priority,sequence,microseconds,flags[,…];text". Lines that
// begin with a space are the dictionary of the record before, and none.
func parseRecord(line []byte, injected bool) (record, bool) {
	head, text, ok := bytes.Cut(line, []byte{';'})
	fields := bytes.SplitN(head, []byte{','}, 4)
	if !ok || len(fields) < 4 || len(line) > 0 && line[0] == ' ' {
		return record{}, false
	}
	priority, err1 := strconv.ParseUint(string(fields[0]), 10, 32)
	seq, err2 := strconv.ParseUint(string(fields[1]), 10, 63)
	µs, err3 := strconv.ParseUint(string(fields[2]), 10, 53)
	if err1 != nil || err2 != nil || err3 != nil {
		return record{}, false
	}
	r := record{seq: seq, stamp: time.Duration(µs) * time.Microsecond}
	if !injected && priority>>3 != facility || !interesting(text) {
		return r, true
	}
	r.report, r.reports = Parse(unescape(text))
	return r, true
}

// interesting spares the work on the lines of everybody else.
func interesting(text []byte) bool {
	return bytes.HasPrefix(text, []byte("NVRM: ")) || bytes.HasPrefix(text, []byte("nvidia-nvswitch"))
}

// unescape undoes the log's \xNN and bounds the text.
func unescape(text []byte) string {
	text = text[:min(len(text), maxText)]
	if !bytes.Contains(text, []byte(`\x`)) {
		return string(text)
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+3 < len(text) && text[i+1] == 'x' {
			if v, err := strconv.ParseUint(string(text[i+2:i+4]), 16, 8); err == nil {
				out = append(out, byte(v))
				i += 3
				continue
			}
		}
		out = append(out, text[i])
	}
	return string(out)
}
