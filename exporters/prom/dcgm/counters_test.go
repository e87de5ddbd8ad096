package dcgm_test

import (
	"bytes"
	"encoding/csv"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/exporters/prom/dcgm"
)

func TestDefaultCountersAreThoseOfDCGMExporter(t *testing.T) {
	types := map[string]int{}
	for _, c := range dcgm.DefaultCounters() {
		types[c.Type]++
	}
	if diff := cmp.Diff(map[string]int{"gauge": 20, "counter": 5, "label": 1}, types); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestReadCountersTakesWhatPeopleHave has the format's corners: a byte order
// mark, comments of both kinds, quotes, blanks, a field that is there twice.
func TestReadCountersTakesWhatPeopleHave(t *testing.T) {
	in := "\uFEFF# Format,,\n# DCGM FIELD, Prometheus metric type, help message\r\n\n" +
		"DCGM_FI_DEV_DEC_UTIL ,     gauge, Decoder utilization (in %).\r\n" +
		"  # DCGM_FI_DEV_ENC_UTIL, gauge, off\n,,\n" +
		`DCGM_FI_DEV_GPU_TEMP, gauge, "Temperature, in C."` + "\n" +
		"DCGM_FI_DEV_DEC_UTIL, counter, again\nDCGM_FI_DRIVER_VERSION, label, Driver Version"
	got, err := dcgm.ReadCounters("my.csv", strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	want := []dcgm.Counter{
		{Field: "DCGM_FI_DEV_DEC_UTIL", Type: "gauge", Help: "Decoder utilization (in %).", At: "my.csv:4"},
		{Field: "DCGM_FI_DEV_GPU_TEMP", Type: "gauge", Help: "Temperature, in C.", At: "my.csv:7"},
		{Field: "DCGM_FI_DRIVER_VERSION", Type: "label", Help: "Driver Version", At: "my.csv:9"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadCountersSaysWhatIsWrongInOneSentence(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		_, err := dcgm.ReadCounters("my.csv", strings.NewReader(in))
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
	f("#\nDCGM_FI_A, gauge", "my.csv:2: 2 columns, want field, type and help (a help text with commas needs quotes)")
	f("DCGM_FI_A, gauge, one, two", "my.csv:1: 4 columns, want field, type and help (a help text with commas needs quotes)")
	f("DCGM_FI_A, gouge, help", `my.csv:1: type "gouge" of DCGM_FI_A is not gauge, counter or label`)
	f("DCGM_FI_A, histogram, help", `my.csv:1: type "histogram" of DCGM_FI_A is not gauge, counter or label`)
	f("DCGM-FI, gauge, help", `my.csv:1: field "DCGM-FI" is not the name of a field`)
	f("\n\n\"DCGM_FI_A, gauge, help", `my.csv:3: extraneous or missing " in quoted-field`)
	f(strings.Repeat("#", 1<<20+1), "my.csv is larger than 1048576 bytes")
}

// TestFileStandsForAllCounters: as in dcgm-exporter, it adds nothing to the
// default ones. Both spellings of a field are understood.
func TestFileStandsForAllCounters(t *testing.T) {
	cs, err := dcgm.ReadCounters("my.csv", strings.NewReader(
		"DCGM_FI_PROF_SM_UTIL_RATIO, gauge, SM.\nDCGM_FI_DEV_GPU_UTIL, gauge, Util.\nDCGM_FI_DEV_SERIAL, label, Serial"))
	if err != nil {
		t.Fatal(err)
	}
	got := parse(t, page(t, node(), dcgm.Options{Counters: cs}))
	if len(got) != 1 || got["DCGM_FI_DEV_GPU_UTIL"] == nil {
		t.Errorf("%v, want the utilisation alone: SM activity is not in this node's readings", got)
	}
	s := node()
	s.Frame.Looks[0].Readings = append(s.Frame.Looks[0].Readings, readings(map[string]float64{"DCGM_FI_PROF_SM_ACTIVE": 0.5})...)
	text := page(t, s, dcgm.Options{Counters: cs})
	if !strings.Contains(sample(text, "DCGM_FI_PROF_SM_ACTIVE"), `,DCGM_FI_DEV_SERIAL="1650924000001",`) {
		t.Errorf("%s, want SM activity with the serial number", text)
	}
}

func TestUnknownFieldsAreNamed(t *testing.T) {
	cs, err := dcgm.ReadCounters("my.csv", strings.NewReader(
		"DCGM_FI_DEV_GPU_UTIL, gauge, u\nDCGM_FI_DEV_NO_SUCH, gauge, n\nDCGM_FI_DEV_BRAND, label, b"))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	page(t, node(), dcgm.Options{Counters: cs, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, want := range []string{"field=DCGM_FI_DEV_NO_SUCH at=my.csv:2", "field=DCGM_FI_DEV_BRAND at=my.csv:3"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log %s, want %s", log.String(), want)
		}
	}
	if strings.Contains(log.String(), "GPU_UTIL") {
		t.Errorf("log %s names a field that is known", log.String())
	}
}

// FuzzReadCounters holds that a file is either refused with its name, or that
// what was read is lawful and reads the same when it is written again.
func FuzzReadCounters(f *testing.F) {
	f.Add("# c\nDCGM_FI_DEV_GPU_UTIL, gauge, GPU utilization (in %).\n")
	f.Add("A,label,\"x\"\"y,\nz\"\n A , counter ,\n")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := dcgm.ReadCounters("f.csv", strings.NewReader(in))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.csv:") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q", err)
			}
			return
		}
		var again bytes.Buffer
		w := csv.NewWriter(&again)
		for _, c := range got {
			if strings.ContainsAny(c.Field, " \n\"{},") || c.Type != "gauge" && c.Type != "counter" && c.Type != "label" {
				t.Errorf("accepted %+v", c)
			}
			if err := w.Write([]string{c.Field, c.Type, c.Help}); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		second, err := dcgm.ReadCounters("f.csv", &again)
		if err != nil {
			t.Fatal(err)
		}
		for i := range second {
			second[i].At = got[i].At
		}
		if diff := cmp.Diff(got, second); diff != "" {
			t.Errorf("(-first +again):\n%s", diff)
		}
	})
}
