//go:build e2e

package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"net/url"
	"regexp"
	"testing"
	"time"
)

// stored is one series as VictoriaMetrics has it.
type stored struct {
	labels map[string]string
	values []float64
	times  []int64 // Unix milliseconds
}

// victoria is a VictoriaMetrics of the test's own.
type victoria struct{ url string }

func startVictoria(t *testing.T) victoria {
	t.Helper()
	addr := address(t)
	v := victoria{"http://" + addr}
	serve(t, v.url+"/health", "victoria-metrics", "-httpListenAddr="+addr, "-storageDataPath="+t.TempDir(),
		"-search.latencyOffset=0s", "-retentionPeriod=1y")
	return v
}

// all returns every series by its name. What was just written shows a moment
// later: it waits for so many series, or until there will be no more.
func (v victoria) all(t *testing.T, want int) map[string][]stored {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out, n := v.now(t)
		if n >= want || time.Now().After(deadline) {
			return out
		}
	}
}

func (v victoria) now(t *testing.T) (out map[string][]stored, n int) {
	t.Helper()
	get(t, v.url+"/internal/force_flush")
	out = map[string][]stored{}
	lines := bufio.NewScanner(bytes.NewReader(get(t, v.url+"/api/v1/export?match[]="+url.QueryEscape(`{__name__!=""}`))))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var x struct {
			Metric     map[string]string
			Values     []float64
			Timestamps []int64
		}
		if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
			t.Fatal(err)
		}
		name := x.Metric["__name__"]
		maps.DeleteFunc(x.Metric, func(k, _ string) bool { return k == "__name__" || ofResource.MatchString(k) })
		out[name] = append(out[name], stored{x.Metric, x.Values, x.Timestamps})
		n++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out, n
}

// ofResource are the labels that every series over OTLP gets.
var ofResource = regexp.MustCompile(`^(service|scope|host|cloud)\.`)

// sent is one value that must have been stored.
type sent struct {
	name   string
	labels map[string]string
	value  float64
	at     time.Time
}

// compare wants each sent value as one series, and no others.
func compare(t *testing.T, have map[string][]stored, want []sent) {
	t.Helper()
	series := 0
	for _, ss := range have {
		series += len(ss)
	}
	if series != len(want) {
		t.Errorf("%d series are stored, want %d", series, len(want))
	}
	missing := 0
	for _, w := range want {
		var found []stored
		for _, s := range have[w.name] {
			if maps.Equal(s.labels, w.labels) {
				found = append(found, s)
			}
		}
		ok := len(found) == 1 && len(found[0].values) == 1 && near(found[0].values[0], w.value) && found[0].times[0] == w.at.UnixMilli()
		if missing++; ok {
			missing--
		} else if missing < 10 {
			t.Errorf("%s %v = %v at %s is stored as %v", w.name, w.labels, w.value, w.at, found)
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d values are not stored as they were sent", missing, len(want))
	}
}

// near allows for what VictoriaMetrics' compression rounds.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }
