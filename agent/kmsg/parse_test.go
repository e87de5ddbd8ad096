package kmsg_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/gpumeter/gpumeter/agent/kmsg"
	"github.com/gpumeter/gpumeter/metric"
)

var update = flag.Bool("update", false, "write the golden files anew")

// recorded returns the lines of testdata/lines.txt.
func recorded(tb testing.TB) []string {
	tb.Helper()
	b, err := os.ReadFile("testdata/lines.txt")
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for line := range strings.SplitSeq(string(b), "\n") {
		if line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, strings.ReplaceAll(line, `\n`, "\n"))
		}
	}
	return out
}

func TestRecordedLinesAreRead(t *testing.T) {
	var b strings.Builder
	for _, line := range recorded(t) {
		r, ok := kmsg.Parse(line)
		if !ok {
			fmt.Fprintf(&b, "-\n\t%q\n", line)
			continue
		}
		kind := fmt.Sprint(r.Code)
		switch {
		case r.Firmware:
			kind = "firmware"
		case r.Bare:
			kind += " bare"
		}
		fmt.Fprintf(&b, "%s of %q severity %q\n\t%s\n", kind, r.PCI, r.Severity, r.Detail)
	}
	const name = "testdata/lines.golden"
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("lines read as\n%s\nwant\n%s", b.String(), want)
	}
}

// A process may call itself what it likes, and must not make its own GPU
// unhealthy, nor hide that it is.
func TestProcessNameDecidesNothing(t *testing.T) {
	f := func(text string, code int, want metric.Severity) {
		t.Helper()
		r, ok := kmsg.Parse(text)
		if ok != (code != 0) || r.Code != code || r.Severity != want {
			t.Errorf("%s: %+v, %v, want code %d of severity %q", text, r, ok, code, want)
		}
	}
	f("NVRM: Xid (PCI:0000:01:00): 145, pid=7, name=A Fatal XC0 b, RLW_RXPIPE Nonfatal XC0 i0 Link 13", 145, metric.Record)
	f("NVRM: Xid (PCI:0000:01:00): 145, pid=7, name=A Nonfatal XC0, RLW_RXPIPE Fatal XC0 i0 Link 13", 145, metric.Reset)
	f("NVRM: Xid (PCI:0000:01:00): 13, pid=7, name=A Fatal XC0, Graphics Exception", 13, metric.Unstated)
	f("NVRM: Xid (PCI:0000:01:00): 31, pid=7, name=\nNVRM: Xid (PCI:0000:01:00): 79, MMU Fault", 31, metric.Unstated)
	f("NVRM: Xid (PCI:0000:01:00): 43, pid=7, name=fallen off the bus, Ch 8", 43, metric.Unstated)
	f("audit: comm=NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.", 0, metric.Unstated)
}

func TestRecoveryActionHasItsSeverity(t *testing.T) {
	for action, want := range []metric.Severity{
		metric.Record, metric.Reset, metric.Replace, metric.Service, metric.Reset, metric.Service, metric.Reset, metric.Replace, metric.Service,
	} {
		r, ok := kmsg.Parse(fmt.Sprintf("NVRM: Xid (PCI:0008:01:00): 154, GPU recovery action changed from 0x2 (Before) to 0x%x (After)", action))
		if !ok || r.Severity != want {
			t.Errorf("action %d: %+v, want severity %q", action, r, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range recorded(f) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := kmsg.Parse(text)
		if !ok {
			if r != (kmsg.Report{}) {
				t.Errorf("%q is no report but %+v", text, r)
			}
			return
		}
		if len(r.Detail) > 256 || !utf8.ValidString(r.Detail) || strings.ContainsFunc(r.Detail, unicode.IsControl) {
			t.Errorf("%q: detail %q is not clean text of at most 256 bytes", text, r.Detail)
		}
		if id, ok := metric.BusID(r.PCI); r.PCI != "" && (!ok || id != r.PCI) {
			t.Errorf("%q: bus id %q", text, r.PCI)
		}
		if r.Firmware != (r.Code == 0) || r.Code < 0 || r.Code > 99_999 || r.Bare && (r.Code != 79 || r.PCI == "") {
			t.Errorf("%q: %+v", text, r)
		}
		if s := strings.HasPrefix(text, "nvidia-nvswitch"); s != (r.Code >= metric.FirstSwitchCode) {
			t.Errorf("%q: code %d of the wrong kind", text, r.Code)
		}
	})
}
