package cloud

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

func TestInstanceTableIsWellFormed(t *testing.T) {
	rows, err := parseInstances(instancesCSV)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range rows {
		at := r.provider + " " + r.name
		if key := typeOf(r.provider, r.name); seen[key] {
			t.Errorf("%s: listed twice", at)
		} else {
			seen[key] = true
		}
		if r.provider != canonical(r.provider) {
			t.Errorf("%s: provider is not our word", at)
		}
		if r.name != name(r.name) || r.model != name(r.model) {
			t.Errorf("%s: type or model is not a name", at)
		}
		if got := metric.Model("NVIDIA " + strings.ReplaceAll(r.model, "-", " ")); got != r.model {
			t.Errorf("%s: model %q, but the driver's name gives %q", at, r.model, got)
		}
		if got := metric.Model(r.model); got != r.model { // a missing sibling has the model for a name
			t.Errorf("%s: model %q as a name gives %q", at, r.model, got)
		}
		if u, err := url.Parse(r.source); err != nil || u.Scheme != "https" || u.Host == "" {
			t.Errorf("%s: source %q is not an address", at, r.source)
		}
		if _, err := time.Parse(time.DateOnly, r.checked); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// TestInstanceNamesAgreeWithTheirNumbers reads the number that many providers
// put into the name.
func TestInstanceNamesAgreeWithTheirNumbers(t *testing.T) {
	number := func(s string) int {
		n := 0
		for i := range len(s) {
			if s[i] < '0' || s[i] > '9' {
				break
			}
			n = 10*n + int(s[i]-'0')
		}
		return n
	}
	after := func(s, sep string) int { return number(s[strings.LastIndex(s, sep)+len(sep):]) }
	for _, r := range instances() {
		want := r.gpus
		switch r.provider {
		case "oracle", "crusoe":
			want = after(r.name, ".")
		case "lambda":
			want = after(r.name, "gpu_")
		case "nebius":
			want = after(r.name, "_")
		case "google":
			if r.name[0] == 'a' {
				name := strings.TrimSuffix(r.name, "-metal")
				want = number(name[strings.LastIndex(name, "-")+1:])
			}
		}
		if r.gpus != want {
			t.Errorf("%s %s: %d GPUs, but the name says %d", r.provider, r.name, r.gpus, want)
		}
	}
}

func TestExpectedKnowsWhatIsRented(t *testing.T) {
	for _, c := range []struct {
		provider, name, model string
		n                     int
	}{
		{"aws", "p5.48xlarge", "H100", 8},
		{"aws", "p6e-gb200.36xlarge", "GB200", 4},
		{"azure", "standard_nd96isr_h100_v5", "H100", 8},
		{"google", "a3-highgpu-8g", "H100", 8},
		{"gcp", "a2-megagpu-16g", "A100", 16},
		{"oci", "BM.GPU.H100.8", "H100", 8},
		{"coreweave", "gd-8xh100ib-i128", "H100", 8},
	} {
		if n, model, ok := Expected(c.provider, c.name); n != c.n || model != c.model || !ok {
			t.Errorf("Expected(%q, %q) = %d, %q, %v; want %d, %q", c.provider, c.name, n, model, ok, c.n, c.model)
		}
	}
	for _, name := range []string{"", "m5.large", "g6f.large", "a3-highgpu-8g"} {
		if n, _, ok := Expected("aws", name); ok || n != 0 {
			t.Errorf("Expected(aws, %q) = %d, %v; want unknown", name, n, ok)
		}
	}
}

func TestParseInstancesNamesWhatIsWrong(t *testing.T) {
	const good = "aws,x.1,H100,8,https://a.example,2026-01-01\n"
	for _, row := range []string{
		"aws,x.2,H100,0,https://a.example,2026-01-01\n",
		"aws,x.2,H100,73,https://a.example,2026-01-01\n",
		"aws,x.2,H100,eight,https://a.example,2026-01-01\n",
		"aws,x.2,,8,https://a.example,2026-01-01\n",
		"aws,x.2,H100,8\n",
		"aws,\"x.2,H100\n",
	} {
		rows, err := parseInstances([]byte(good + row))
		if len(rows) != 1 || err == nil {
			t.Errorf("%q: %d rows, error %v; want the good row and an error", row, len(rows), err)
		}
	}
}
