package kmsg

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/gpumeter/gpumeter/metric"
)

// Report is an error report of the driver in one record of the log.
type Report struct {
	// PCI is the bus id of the GPU or switch, "0000:9b:00"; empty where the
	// line has none that can be read.
	PCI string
	// Code is the Xid, or the SXid from metric.FirstSwitchCode on.
	Code int
	// Bare says that the line has no code and tells of a GPU that fell off the
	// bus: Code is 79.
	Bare bool
	// Firmware says that a GPU's firmware does not answer, in a line without
	// code and bus id: the rest is empty but Detail.
	Firmware bool
	// Severity is what the line says, Unstated if nothing.
	Severity metric.Severity
	// Detail is the line without the driver's name: clean text of at most
	// maxDetail bytes.
	Detail string
}

// maxDetail bounds Report.Detail.
const maxDetail = 256

// fellOff is the Xid of a GPU that fell off the bus.
const fellOff = 79

// Parse reads the text of a record. ok is false for everything that is no error
// report of the NVIDIA driver. Process names in the text are the users' own
// words: nothing that follows a name is believed unless it cannot be one.
func Parse(text string) (r Report, ok bool) {
	if rest, is := strings.CutPrefix(text, "NVRM: "); is {
		r, ok = parseDriver(rest)
		r.Detail = clean(rest)
	} else if rest, is := strings.CutPrefix(text, "nvidia-nvswitch"); is {
		r, ok = parseSwitch(rest)
		r.Detail = clean(text)
	}
	if !ok {
		return Report{}, false
	}
	return r, true
}

// parseDriver reads what follows "NVRM: ".
func parseDriver(text string) (Report, bool) {
	if rest, is := strings.CutPrefix(text, "Xid ("); is {
		r, rest, ok := parseCode(rest)
		if !ok || r.Code >= metric.FirstSwitchCode {
			return Report{}, false
		}
		r.Severity = severityOf(r.Code, rest)
		return r, true
	}
	if m := fallen.FindStringSubmatch(text); m != nil {
		if pci, ok := metric.BusID(m[1]); ok {
			return Report{PCI: pci, Code: fellOff, Bare: true}, true
		}
	}
	if firmware.MatchString(text) {
		return Report{Firmware: true}, true
	}
	return Report{}, false
}

var (
	// fallen is the two forms without a code: "GPU 0000:91:00.0: GPU has fallen
	// off the bus." and "The NVIDIA GPU 0000:b3:00.0 (PCI ID: 10de:26b5)
	// installed in this system has fallen off the bus", which is broken into
	// lines that each begin with "NVRM:".
	fallen = regexp.MustCompile(`^(?:GPU(?: at)?|The NVIDIA GPU) (?:PCI:)?([0-9a-fA-F:.]+?):?\s(?s:.{0,200}?)fallen off the bus`)
	// firmware is what the driver says of a GSP that does not answer.
	firmware = regexp.MustCompile(`^(?:GPU\d+ )?\w*[kK]gsp\w*: (?:Heartbeat timed out|\*+ GSP Timeout \*+)`)
	// linkSeverity is the word before the NVLink 5 unit's cross-bar and instance.
	linkSeverity = regexp.MustCompile(`(?i)\b(non-?fatal|fatal) XC\d`)
	// recovery is the action of an Xid 154.
	recovery = regexp.MustCompile(`changed from 0x[0-9a-fA-F]+ \([^)]*\) to 0x([0-9a-fA-F]{1,8}) `)
)

// parseCode reads "PCI:0000:9b:00 GPU-I:05): 79, rest".
func parseCode(text string) (r Report, rest string, ok bool) {
	place, rest, ok := strings.Cut(text, "): ")
	if !ok || len(place) > 64 {
		return r, "", false
	}
	place, _, _ = strings.Cut(strings.TrimPrefix(place, "PCI:"), " ")
	r.PCI, _ = metric.BusID(place)
	digits := rest
	if i := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' }); i >= 0 {
		digits, rest = rest[:i], rest[i:]
	} else {
		rest = ""
	}
	if rest != "" && !strings.ContainsRune(", \n", rune(rest[0])) || len(digits) > 5 {
		return r, "", false
	}
	code, err := strconv.Atoi(digits)
	r.Code = code
	return r, strings.TrimLeft(rest, ", "), err == nil && code > 0
}

// severityOf is what the line of an Xid says about its severity. The driver's
// own words come last, behind the process's name.
func severityOf(code int, rest string) metric.Severity {
	switch {
	case code == recoveryChanged:
		if all := recovery.FindAllStringSubmatch(rest, -1); all != nil {
			action, err := strconv.ParseUint(all[len(all)-1][1], 16, 32)
			if err == nil {
				return actionSeverity(action)
			}
		}
	case metric.XidOf(code).ByLine:
		if all := linkSeverity.FindAllStringSubmatch(rest, -1); all != nil {
			return wordSeverity(all[len(all)-1][1])
		}
	}
	return metric.Unstated
}

// recoveryChanged is the Xid that tells of a new recovery action.
const recoveryChanged = 154

// actionSeverity is the severity of a recovery action, by its number in nvml.h.
func actionSeverity(action uint64) metric.Severity {
	switch action {
	case 0: // none
		return metric.Record
	case 1, 4, 6: // reset the GPU; drain and reset; reset the bus
		return metric.Reset
	case 2, 7: // reboot the node; the system
		return metric.Replace
	default: // drain peer-to-peer traffic; recover the IMEX domain; what comes later
		return metric.Service
	}
}

func wordSeverity(word string) metric.Severity {
	if strings.EqualFold(word, "fatal") {
		return metric.Reset
	}
	return metric.Record
}

// parseSwitch reads what follows "nvidia-nvswitch": "0: SXid (PCI:0000:05:00.0):
// 20034, Fatal, Link 48 LTSSM Fault Up". Each error has two more lines with its
// severity and data, which are no reports of their own.
func parseSwitch(text string) (Report, bool) {
	_, rest, ok := strings.Cut(text, ": SXid (")
	if !ok || len(text)-len(rest) > len("0000: SXid (") {
		return Report{}, false
	}
	r, rest, ok := parseCode(rest)
	if !ok || r.Code < metric.FirstSwitchCode || strings.HasPrefix(rest, "Severity ") || strings.HasPrefix(rest, "Data ") {
		return Report{}, false
	}
	switch word, _, _ := strings.Cut(rest, ","); strings.ToLower(word) {
	case "fatal":
		r.Severity = max(metric.Reset, metric.XidOf(r.Code).Severity)
	case "non-fatal", "nonfatal":
		r.Severity = metric.Record
	}
	return r, true
}

// clean makes one line of printable text.
func clean(s string) string {
	s = strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c) || unicode.IsControl(c):
			return ' '
		case !unicode.IsPrint(c):
			return unicode.ReplacementChar
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail], "")
	}
	return s
}
