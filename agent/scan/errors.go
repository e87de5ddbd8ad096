package scan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// Error is how often one error was reported about one GPU in this boot.
type Error struct {
	UUID, PCI string // UUID is empty for a GPU that the driver does not show
	metric.XidEntry
	// Severity is that of the worst report: what its line states, or else the
	// table's.
	Severity metric.Severity
	Count    uint64
	Last     time.Duration // boot clock
	Detail   string        // of the last report
}

// errorsOf counts the reports of the kernel's log and of the driver. A report of
// the driver that the log has too is the same one: the scan is short, and the
// larger of the two counts stands.
func errorsOf(in *Input) []Error {
	ids := map[string]string{}
	for i := range in.Frame.Looks {
		g := &in.Frame.Looks[i].GPU
		if id, ok := metric.BusID(g.PCI); ok {
			ids[id] = g.UUID
		}
	}
	all := tally(in.Log.Xids, ids)
	for k, e := range tally(in.Frame.Xids, ids) {
		if old, seen := all[k]; !seen {
			all[k] = e
		} else if e.Count > old.Count {
			old.Count = e.Count
		}
	}
	out := make([]Error, 0, len(all))
	for _, e := range all {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.PCI, b.PCI), cmp.Compare(a.UUID, b.UUID), cmp.Compare(a.Code, b.Code))
	})
	return out
}

// about tells errors apart.
type about struct {
	subject string // UUID, or the bus id where there is none
	code    int
}

func tally(xids []metric.Xid, ids map[string]string) map[about]*Error {
	out := map[about]*Error{}
	for i := range xids {
		x := &xids[i]
		pci, ok := metric.BusID(x.PCI)
		if !ok {
			pci = plain(x.PCI)
		}
		k := about{cmp.Or(x.UUID, ids[pci], pci), x.Code}
		e := out[k]
		if e == nil {
			e = &Error{UUID: cmp.Or(x.UUID, ids[pci]), PCI: pci, XidEntry: metric.XidOf(x.Code)}
			out[k] = e
		}
		e.Severity = max(e.Severity, cmp.Or(x.Severity, e.XidEntry.Severity))
		e.Count += 1 + x.More
		if x.At >= e.Last {
			e.Last, e.Detail = x.At, plain(x.Detail)
		}
	}
	return out
}

// errorFindings returns the errors of a GPU that ask for something.
func errorFindings(s *subject) []Finding {
	var out []Finding
	for i := range s.report.Errors {
		e := &s.report.Errors[i]
		if e.UUID != s.look.GPU.UUID || e.UUID == "" {
			continue
		}
		f := e.finding(s.report)
		// The driver itself says whether a GPU still needs what its error asked
		// for: it was perhaps reset since. Not during the scan, though.
		action, known := s.value("gpu.recovery.action", "")
		before := e.Last < s.report.Frame.Boot-s.report.Looked
		if f.Level == Critical && known && action == 0 && before {
			f.Level = Warning
			f.Remedy = "The driver asks for nothing more. If the GPU was not reset since: " + lower(f.Remedy)
		}
		if e.Severity != metric.Record {
			out = append(out, f)
		}
	}
	return out
}

// strayErrors returns the errors of GPUs that the driver does not show, and of
// switches.
func strayErrors(r *Report) []Finding {
	var out []Finding
	for i := range r.Errors {
		e := &r.Errors[i]
		if e.UUID != "" {
			continue
		}
		if f := e.finding(r); f.Level > Note {
			f.PCI = e.PCI
			out = append(out, f)
		}
	}
	return out
}

// finding says what an error asks for, as far as its severity goes.
func (e *Error) finding(r *Report) Finding {
	f := Finding{Rule: "xid", What: fmt.Sprintf("Xid %d", e.Code), Remedy: e.Action}
	if e.Code >= metric.FirstSwitchCode {
		f.Rule, f.What = "sxid", fmt.Sprintf("SXid %d of a switch", e.Code)
	}
	if e.Name != "" {
		f.What += ": " + e.Name
	}
	f.What += "."
	switch {
	case e.Severity >= metric.Reset:
		f.Level = Critical
	case e.Severity == metric.Service, !e.Known && e.Severity == metric.Unstated:
		f.Level = Warning
	}
	f.Evidence = "once"
	if e.Count > 1 {
		f.Evidence = fmt.Sprintf("%d times", e.Count)
	}
	f.Evidence += ", " + ago(r.Frame.Boot-e.Last)
	return f
}

// ago says how long since, in words that are right to a tenth or so.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute ago"
	case d < 2*time.Hour:
		return count(int(d/time.Minute), "minute") + " ago"
	case d < 48*time.Hour:
		return count(int(d/time.Hour), "hour") + " ago"
	}
	return count(int(d/(24*time.Hour)), "day") + " ago"
}

func lower(s string) string {
	if s == "" {
		return s
	}
	return string(s[0]|0x20) + s[1:] // our own sentences begin with a Latin letter
}
