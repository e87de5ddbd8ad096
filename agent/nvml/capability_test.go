package nvml

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// capabilities is what a model answers with a driver branch: "yes", "no" or
// "root", by kind and key; see the files of sim/driver/capabilities. What is
// not in it is not known.
type capabilities map[string]string

func readCapabilities(t *testing.T, file string) capabilities {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	c := capabilities{}
	for _, l := range lines {
		c[l[0]+","+l[1]] = l[3]
	}
	return c
}

// alternatives are the functions that stand in for a call's own.
var alternatives = map[string][]string{
	"nvmlDeviceGetMemoryInfo_v2":             {"nvmlDeviceGetMemoryInfo"},
	"nvmlDeviceGetTemperatureV":              {"nvmlDeviceGetTemperature"},
	"nvmlDeviceGetCurrentClocksEventReasons": {"nvmlDeviceGetCurrentClocksThrottleReasons"},
	"nvmlDeviceGetGpuFabricInfoV":            {"nvmlDeviceGetGpuFabricInfo"},
}

// answer is what must come of a row: "yes", "no", "root", or nothing where the
// capabilities do not say. The best of several sources decides.
func (c capabilities) answer(r *Row) string {
	var said []string
	s := &r.Source
	switch {
	case s.GPM != 0:
		if said = append(said, c["gpm,"+strconv.Itoa(int(s.GPM))]); c["function,nvmlGpmSampleGet"] == "no" {
			said = []string{"no"}
		}
	case s.Field != 0:
		for ; s != nil; s = s.Or {
			said = append(said, c["field,"+strconv.Itoa(int(s.Field))])
		}
	case s.Call == callErrorCounter:
		return "" // depends on the place
	default:
		for _, f := range append(alternatives[s.Call.Name], s.Call.Name) {
			said = append(said, c["function,"+f])
		}
		if s.Samples != 0 {
			said = append(said, c["function,nvmlDeviceGetSamples"])
		}
	}
	for _, a := range []string{"yes", "", "root"} {
		if slices.Contains(said, a) {
			return a
		}
	}
	return "no"
}

// partly reports whether a source that answers need not have the row: it is
// one part of several, of a link that may not be there, or of the module.
func partly(r *Row) bool {
	s := &r.Source
	if s.Field != 0 {
		return s.Scope != 0 && s.Scope != allLinks
	}
	switch s.Call {
	case callFabric, callThreshold, callNVLink:
		return true
	}
	return s.Samples != 0 || r.Name == "gpu.memory.reserved"
}

// TestUnsupportedIsAbsent reads every row of every model and driver branch that
// there are records of, with and without a privilege.
func TestUnsupportedIsAbsent(t *testing.T) {
	files, err := filepath.Glob("../../sim/driver/capabilities/*.csv")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d records of capabilities: %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".csv")
		t.Run(name, func(t *testing.T) {
			model, branch, _ := strings.Cut(name, "-")
			c := readCapabilities(t, file)
			for _, root := range []string{"off", "on"} {
				c.check(t, root == "on", lookTwice(t, branch, "root "+root+"\ngpus 1 "+model+"\ngpu 0 util 50\n"))
			}
		})
	}
}

// lookTwice returns the values of the second of two looks at a GPU: GPM needs
// two.
func lookTwice(t *testing.T, branch, scenario string) []float64 {
	t.Helper()
	s := openBranch(t, branch, scenario, AllGroups).slots[0]
	s.tick(BootClock())
	s.dev.gpm.pair.at[s.dev.gpm.pair.newest] -= time.Second
	s.tick(BootClock())
	if s.look.condition != metric.Good {
		t.Fatalf("condition %d %q", s.look.condition, s.look.reason)
	}
	return s.look.values
}

func (c capabilities) check(t *testing.T, root bool, values []float64) {
	t.Helper()
	checked := 0
	for row := range Table {
		r := &Table[row]
		there := !math.IsNaN(values[row])
		switch a := c.answer(r); {
		case a == "no" || a == "root" && !root:
			checked++
			if there {
				t.Errorf("%s = %v from %s with root %v, but the GPU is on record as not to answer", r.Key(), values[row], r.Source, root)
			}
		case a == "yes" || a == "root":
			if checked++; !there && !partly(r) {
				t.Errorf("%s from %s is absent with root %v, but the GPU is on record as to answer", r.Key(), r.Source, root)
			}
		}
	}
	if checked < len(Table)/2 {
		t.Errorf("%d rows of %d are on record, want most", checked, len(Table))
	}
}
