package driver

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// A capability is one line of capabilities/MODEL-BRANCH.csv: what a real GPU is
// known, or held, to answer.
type capability struct{ kind, key, name, answer, basis string }

func capabilities(t *testing.T, path string) []capability {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	r.FieldsPerRecord = 5
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	var all []capability
	for _, row := range rows {
		all = append(all, capability{row[0], row[1], row[2], row[3], row[4]})
	}
	return all
}

func TestModelsAnswerAsRecorded(t *testing.T) {
	files, err := filepath.Glob("capabilities/*.csv")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files of capabilities: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".csv"), func(t *testing.T) {
			model, branch, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".csv"), "-")
			user, root := answers(t, model, branch, "off"), answers(t, model, branch, "on")
			for _, c := range capabilities(t, file) {
				got := "no"
				switch key := c.kind + "," + c.key; {
				case user[key] == "" || root[key] == "":
					got = "not asked"
				case user[key] == "0":
					got = "yes"
				case root[key] == "0":
					got = "root"
				}
				if got != c.answer {
					t.Errorf("%s %s %s: %s (code %s), recorded as %s, %s", c.kind, c.key, c.name, got, user[c.kind+","+c.key], c.answer, c.basis)
				}
			}
		})
	}
}

func TestRecordsSayWhereTheyComeFrom(t *testing.T) {
	files, _ := filepath.Glob("capabilities/*.csv")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		captured := strings.Contains(string(text), "# github.com/")
		seen := map[string]bool{}
		for _, c := range capabilities(t, file) {
			if key := c.kind + c.key; seen[key] {
				t.Errorf("%s: %s %s is there twice", file, c.kind, c.key)
			} else {
				seen[key] = true
			}
			switch c.basis {
			case "header", "inferred":
			case "capture":
				if !captured {
					t.Errorf("%s: %s %s is from a capture that the file does not name", file, c.kind, c.key)
				}
			default:
				t.Errorf("%s: %s %s has the basis %q", file, c.kind, c.key, c.basis)
			}
		}
	}
}

// answers asks the library of a branch everything, in a process of its own, and
// returns the return codes by kind and key.
func answers(t *testing.T, model, branch, root string) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "scenario")
	write(t, path, fmt.Sprintf("root %s\ngpus 1 %s\n", root, model))
	t.Setenv("DRIVER_TEST_BRANCH", branch)
	stdout, stderr, err := child(t, "answers", path)
	if err != nil || stderr != "" {
		t.Fatalf("%s on %s: %v\n%s", model, branch, err, stderr)
	}
	codes := map[string]string{}
	for s := bufio.NewScanner(strings.NewReader(stdout)); s.Scan(); {
		key, code, _ := strings.Cut(s.Text(), " ")
		codes[key] = code
	}
	return codes
}

// childAnswers prints the code of every field, GPM metric and function.
func childAnswers() {
	lib := nvml.New(nvml.WithLibraryPath(filepath.Join(built, os.Getenv("DRIVER_TEST_BRANCH"), "libnvidia-ml.so.1")))
	lib.Init()
	d, _ := lib.DeviceGetHandleByIndex(0)
	has := func(name string) bool { return lib.Extensions().LookupSymbol(name) == nil }
	for name, call := range probes {
		code := nvml.ERROR_FUNCTION_NOT_FOUND
		if has(name) {
			code = call(lib, d)
		}
		fmt.Printf("function,%s %d\n", name, code)
	}
	for id := uint32(1); id < nvml.FI_MAX; id++ {
		values := []nvml.FieldValue{{FieldId: id}}
		d.GetFieldValues(values)
		fmt.Printf("field,%d %d\n", id, values[0].NvmlReturn)
	}
	for id := uint32(1); id < uint32(nvml.GPM_METRIC_MAX); id++ {
		fmt.Printf("gpm,%d %d\n", id, nvml.ERROR_FUNCTION_NOT_FOUND)
	}
	if has("nvmlGpmSampleGet") {
		printMetrics(lib, d)
	}
}

// printMetrics prints the codes of all GPM metrics once more.
func printMetrics(lib nvml.Interface, d nvml.Device) {
	a, _ := lib.GpmSampleAlloc()
	b, _ := lib.GpmSampleAlloc()
	if a.Get(d) != nvml.SUCCESS {
		return
	}
	time.Sleep(10 * time.Millisecond)
	b.Get(d)
	for id := uint32(1); id < uint32(nvml.GPM_METRIC_MAX); id++ {
		get := nvml.GpmMetricsGetType{NumMetrics: 1, Sample1: a, Sample2: b}
		get.Metrics[0].MetricId = id
		lib.GpmMetricsGet(&get)
		fmt.Printf("gpm,%d %d\n", id, get.Metrics[0].NvmlReturn)
	}
}
