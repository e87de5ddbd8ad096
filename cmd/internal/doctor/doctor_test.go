package doctor_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/cmd/internal/doctor"
)

var update = flag.Bool("update", false, "write the golden files anew")

// patient has something of every level, and text that came from outside.
var patient = doctor.Report{Findings: []doctor.Finding{
	{Check: "settings", Level: doctor.Well, What: "The agent starts with these settings."},
	{Check: "kubelet", Level: doctor.Aside, What: "The kubelet is not here."},
	{Check: "cloud", Level: doctor.Warning, What: "=cmd()\x1b[31m of a\nservice.", Remedy: "Say it: --cloud-provider, --cloud-account, --cloud-region, or the block cloud in the file of settings."},
	{Check: "kernel log", Level: doctor.Unknown, What: "It is not there: " + strings.Repeat("long ", 30) + "reason.", Remedy: "-n"},
	{Check: "driver", Level: doctor.Fault, What: "The driver does not answer.", Remedy: "Reboot the node."},
}}

func TestWriteGolden(t *testing.T) {
	f := func(name, output string, o doctor.Options) {
		t.Helper()
		var b bytes.Buffer
		if err := doctor.Write(&b, &patient, output, o); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
	f("all.txt", "text", doctor.Options{})
	f("narrow-colored.txt", "text", doctor.Options{Width: 70, Color: true})
	f("all.json", "json", doctor.Options{})
	f("all.csv", "csv", doctor.Options{})
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", path, got)
	}
}

func TestReadUnderstandsWhatWriteWrote(t *testing.T) {
	var b bytes.Buffer
	if err := doctor.Write(&b, &patient, "json", doctor.Options{}); err != nil {
		t.Fatal(err)
	}
	got, err := doctor.Read(b.Bytes())
	if err != nil || !reflect.DeepEqual(got, patient) {
		t.Errorf("%+v, %v; want %+v", got, err, patient)
	}
	for _, bad := range []string{"", "{}", `{"schema":"gpumeter.doctor/v9","findings":[]}`} {
		if _, err := doctor.Read([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// TestReadDoesNotTakeAnUnknownWordForWell reads a level of another version.
func TestReadDoesNotTakeAnUnknownWordForWell(t *testing.T) {
	r, err := doctor.Read([]byte(`{"schema":"gpumeter.doctor/v1","findings":[{"check":"x","level":"dreadful","what":"y"}]}`))
	if err != nil || r.Findings[0].Level != doctor.Unknown {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestExitCodeIsThatOfTheWorst(t *testing.T) {
	f := func(want int, levels ...doctor.Level) {
		t.Helper()
		var r doctor.Report
		for _, l := range levels {
			r.Findings = append(r.Findings, doctor.Finding{Level: l})
		}
		if got := r.ExitCode(); got != want {
			t.Errorf("%v: exit code %d, want %d", levels, got, want)
		}
	}
	f(0, doctor.Well, doctor.Aside)
	f(0, doctor.Aside)
	f(doctor.StatusDoubt, doctor.Well, doctor.Warning)
	f(doctor.StatusDoubt, doctor.Unknown, doctor.Well)
	f(doctor.StatusFault, doctor.Unknown, doctor.Fault, doctor.Warning)
	f(doctor.StatusDoubt) // nothing was looked at
}

func TestRunNamesTheCheck(t *testing.T) {
	table := []doctor.Check[int]{
		{Name: "one", Find: func(n *int) []doctor.Finding { return []doctor.Finding{doctor.Ok("a"), doctor.Bad("b", "c")} }},
		{Name: "none", Find: func(*int) []doctor.Finding { return nil }},
	}
	n := 1
	r := doctor.Run(table, &n)
	if len(r.Findings) != 2 || r.Findings[0].Check != "one" || r.Findings[1].Check != "one" {
		t.Errorf("%+v", r)
	}
}

func TestClockIsLaidAgainstTheCollectors(t *testing.T) {
	kept, free, silent := doctor.Clock{Kept: true}, doctor.Clock{}, doctor.Clock{Trouble: "operation not permitted"}
	at := func(offset, doubt time.Duration) *doctor.Answer {
		return &doctor.Answer{HasOffset: true, Offset: offset, Doubt: doubt}
	}
	f := func(c doctor.Clock, a *doctor.Answer, want doctor.Level, text string) {
		t.Helper()
		if got := c.Find(a); got.Level != want || !strings.Contains(got.What, text) {
			t.Errorf("%+v with %+v: %s %q, want %s %q", c, a, got.Level, got.What, want, text)
		}
	}
	f(kept, nil, doctor.Well, "A time service keeps")
	f(free, nil, doctor.Warning, "Nothing keeps")
	f(silent, nil, doctor.Unknown, "operation not permitted")
	f(kept, &doctor.Answer{}, doctor.Well, "A time service keeps")
	f(kept, at(20*time.Millisecond, time.Millisecond), doctor.Well, "20ms ahead of")
	f(free, at(20*time.Millisecond, time.Millisecond), doctor.Well, "does not say")
	f(kept, at(-6*time.Second, 500*time.Millisecond), doctor.Warning, "6s behind")
	f(kept, at(300*time.Millisecond, 500*time.Millisecond), doctor.Well, "agrees with the collector's, to within 800ms")
	f(kept, at(-6*time.Second, 2*time.Second), doctor.Well, "to within 2s") // it may be four
	f(kept, at(90*time.Second, time.Second), doctor.Fault, "1m30s ahead of")
}

func TestReadClockAsksTheKernel(t *testing.T) {
	c := doctor.ReadClock()
	if c.Trouble != "" && c.Kept {
		t.Errorf("%+v: kept, and not known", c)
	}
}

func TestWordsAreForAShell(t *testing.T) {
	for _, s := range []string{"", "a b", "it's", "$HOME", "`id`", `\`, "plain-1.2:3/4", "*"} {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+doctor.Word(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q became %q, %v", s, out, err)
		}
	}
}
