package metric

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestXidTablesAreWell(t *testing.T) {
	codes := map[int]bool{}
	for name, table := range map[string][]byte{"xids.csv": gpuXids, "sxids.csv": switchXids} {
		entries, err := parseXids(table)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.IsSortedFunc(entries, func(a, b XidEntry) int { return a.Code - b.Code }) {
			t.Errorf("%s is not in the order of its codes", name)
		}
		for _, e := range entries {
			if codes[e.Code] {
				t.Errorf("%s: code %d is there twice", name, e.Code)
			}
			codes[e.Code] = true
			if (e.Code >= FirstSwitchCode) != (name == "sxids.csv") {
				t.Errorf("%s: code %d belongs into the other table", name, e.Code)
			}
			if !strings.HasSuffix(e.Action, ".") || strings.Count(e.Action, ". ") > 0 {
				t.Errorf("xid %d: action %q is not one sentence", e.Code, e.Action)
			}
			if e.Accounting == Gap && e.Severity < Reset {
				t.Errorf("xid %d: a GPU that was not provided needs a reset, not %s", e.Code, e.Severity)
			}
		}
	}
	if len(codes) != 112+92 {
		t.Errorf("%d codes, want 112 of GPUs and 92 of switches", len(codes))
	}
}

// The list decides what is claimed from providers, so that it must not change
// with a new table unnoticed.
func TestFatalXidsAreThoseOfTheCatalogue(t *testing.T) {
	want := []int{46, 48, 54, 62, 64, 74, 79, 95, 109, 110, 119, 120, 136, 140, 143, 151, 155, 158, 167, 169, 172, 173}
	var got []int
	for code := range 30_000 {
		if FatalXid(code) {
			got = append(got, code)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("fatal Xids %v, want %v", got, want)
	}
}

func TestLineDecidesWhetherAnErrorIsFatal(t *testing.T) {
	f := func(x Xid, want bool) {
		t.Helper()
		if x.Fatal() != want {
			t.Errorf("%d of severity %q: fatal %v, want %v", x.Code, x.Severity, !want, want)
		}
	}
	f(Xid{Code: 79}, true)
	f(Xid{Code: 13}, false)
	f(Xid{Code: 145}, false)
	f(Xid{Code: 145, Severity: Record}, false)
	f(Xid{Code: 145, Severity: Reset}, true)
	f(Xid{Code: 154, Severity: Replace}, true)
	f(Xid{Code: 48, Severity: Record}, false)
	f(Xid{Code: 20034, Severity: Reset}, false)
	f(Xid{Code: 999}, false)
}

func TestUnknownXidStaysUnknown(t *testing.T) {
	for _, code := range []int{0, -1, 999, 174, 29_999} {
		e := XidOf(code)
		if e.Known || e.Code != code || e.Severity != Unstated || e.Action == "" || e.Accounting != Keep {
			t.Errorf("XidOf(%d) = %+v, want an unknown code with an action", code, e)
		}
	}
	if e := XidOf(79); !e.Known || e.Name == "" || e.Severity != Replace || e.Accounting != Gap {
		t.Errorf("XidOf(79) = %+v", e)
	}
}

func TestBrokenRowIsLeftOutAndTold(t *testing.T) {
	f := func(row, want string) {
		t.Helper()
		got, err := parseXids([]byte("code,name,severity,action,accounting\n" + row + "\n7,a,reset,Do.,flag\n"))
		if len(got) != 1 || got[0].Code != 7 {
			t.Errorf("%s: rows %+v, want the good one", row, got)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", row, err, want)
		}
	}
	f("x,a,reset,Do.,flag", `"x" is not a number`)
	f("-3,a,reset,Do.,flag", `"-3" is not a number`)
	f("8,a,bad,Do.,flag", `xid 8: severity "bad"`)
	f("8,a,,Do.,flag", `xid 8: severity ""`)
	f("8,a,reset,Do.,lose", `xid 8: accounting "lose"`)
	f("8,,reset,Do.,flag", "name or action is missing")
	f("8,a", "wrong number of fields")
}

func TestXidDocumentIsCurrent(t *testing.T) {
	const name = "../docs/xids.md"
	want := xidDocument()
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the tables say; write it anew with: go test ./metric -update", name)
	}
}

// xidDocument writes the tables for people.
func xidDocument() string {
	var b strings.Builder
	b.WriteString(xidIntroduction)
	xidSection(&b, "Xids: errors of a GPU", gpuXids)
	xidSection(&b, "SXids: errors of an NVSwitch", switchXids)
	return b.String()
}

func xidSection(b *strings.Builder, title string, table []byte) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	for line := range strings.Lines(string(table)) {
		if text, ok := strings.CutPrefix(line, "# version "); ok {
			fmt.Fprintf(b, "Version %s\n", text)
		}
	}
	b.WriteString("| code | name | severity | what to do | records |\n|---:|---|---|---|---|\n")
	entries, _ := parseXids(table)
	for _, e := range entries {
		severity := e.Severity.String()
		if e.ByLine {
			severity = "by the line, else " + severity
		}
		fmt.Fprintf(b, "| %d | %s | %s | %s | %s |\n", e.Code, e.Name, severity, e.Action, e.Accounting)
	}
}

const xidIntroduction = `# Xids

What gpumeter makes of the errors that the NVIDIA driver reports. This page is
written from ` + "`metric/xids.csv` and `metric/sxids.csv`" + ` by a test, which also holds it
current.

* **Where they come from**: events of the driver library, and the kernel's log.
  The same error from both is one. Counts are lower bounds: the driver prints
  some errors once in thirty, and both sources can lose what comes too fast; what
  the kernel's log lost is counted apart (` + "`gpumeter.kmsg.lost`" + `).
* **The kernel's log** is followed from where the agent stopped, over restarts;
  after a reboot from its beginning; at the very first start from its end. Only
  lines that the kernel itself wrote are believed: a program that writes an Xid
  into /dev/kmsg makes no GPU unhealthy. Reading it takes root or CAP_SYSLOG (or
  ` + "`kernel.dmesg_restrict=0`" + `), and in a container the device itself; without it
  the errors come from the driver library alone.
* **Severity**: *record* asks for nothing; *application* is the job's own error,
  or one that a restart of the job ends; *service* asks for a reset at the next
  opportunity, or a ticket; *reset* for draining the node and resetting the GPU;
  *replace* for a reboot or a repair. From *reset* on the GPU counts as unhealthy
  until it started anew and answered well.
* **By the line**: for NVLink 5 (144–150) and switches the kernel's line says
  Fatal or Nonfatal, and that word decides. For 154 it is the recovery action that
  the line names: none is *record*, draining peer-to-peer traffic *service*, a
  reset *reset*, a reboot *replace*.
* **Fallen off the bus**: the driver also says that in lines without a code.
  They are 79, and one with the line that has the code.
* **Unknown codes** are counted and reported like all others, without a severity.
* **Switches**: an SXid makes no GPU unhealthy by itself; it shows as Xid 74 or
  79 of the GPUs that it hits.
* **Records**: *keep* leaves usage as it is, *flag* makes the window suspect, *gap*
  means that the GPU was not provided until it recovered. It is advice for those
  who settle a dispute: the report's sums follow health alone.
`

func TestBusIDKnowsEverySpelling(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		got, ok := BusID(s)
		if got != want || ok != (want != "") {
			t.Errorf("BusID(%q) = %q, %v, want %q", s, got, ok, want)
		}
		if again, _ := BusID(got); again != got {
			t.Errorf("BusID(%q) = %q: not stable", got, again)
		}
	}
	f("00000000:9B:00.0", "0000:9b:00")
	f("0000:9b:00", "0000:9b:00")
	f("0000:9B:00.0", "0000:9b:00")
	f("0008:01:00", "0008:01:00")
	f("0001F2A1:00:00.0", "1f2a1:00:00")
	f("", "")
	f("9b:00.0", "")
	f("0000:9b", "")
	f("0000:9b:00.x", "")
	f("0000:9b:00.", "")
	f("000000000:9b:00", "")
	f("0000:+b:00", "")
	f("0000:19b:00", "")
	f("PCI:0000:9b:00", "")
}
