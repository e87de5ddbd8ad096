package dcgm_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/prom/dcgm"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// secondPage returns the page of a node whose NVLinks have carried so many
// bytes in the ten seconds since the page before: the first has no rate.
func secondPage(t *testing.T, o dcgm.Options, bytes float64) string {
	t.Helper()
	s := node()
	e := exporter(t, &s, o)
	e.AppendText(nil)
	s = node()
	s.Frame.Looks[0] = look(first, 0, time.Hour+10*time.Second, 1e12+bytes)
	return string(e.AppendText(nil))
}

// TestDefaultMetrics has the golden pages of one H100: the 25 default metrics
// under the names of each generation.
func TestDefaultMetrics(t *testing.T) {
	for _, names := range []dcgm.Names{dcgm.OldNames, dcgm.NewNames, dcgm.BaseNames} {
		got := secondPage(t, dcgm.Options{Names: names}, 4.5e11)
		golden(t, fmt.Sprintf("dcgm-%s.prom", names), got)
		want := 25
		if names == dcgm.BaseNames {
			want = 26
		}
		if n := strings.Count(got, "\n# TYPE "); n != want {
			t.Errorf("%s: %d families, want %d", names, n, want)
		}
	}
}

// parse reads a page as Prometheus does.
func parse(t testing.TB, page string) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, page)
	}
	return families
}

// TestBothGenerationsDoNotClash wants what either has, each name once.
func TestBothGenerationsDoNotClash(t *testing.T) {
	got := parse(t, page(t, node(), dcgm.Options{Names: dcgm.BothNames}))
	want := parse(t, page(t, node(), dcgm.Options{Names: dcgm.OldNames}))
	maps.Copy(want, parse(t, page(t, node(), dcgm.Options{Names: dcgm.NewNames})))
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("(-old and new +both):\n%s", diff)
	}
	for name, f := range got {
		if len(f.Metric) != 1 {
			t.Errorf("%s has %d series of one GPU", name, len(f.Metric))
		}
	}
}

func TestHostnameIsSpelledAsAsked(t *testing.T) {
	f := func(h dcgm.Hostname, want string) {
		t.Helper()
		line := fmt.Sprintf(`modelName="NVIDIA H100 80GB HBM3",%sDCGM_FI_DRIVER_VERSION=`, want)
		if got := page(t, node(), dcgm.Options{Hostname: h}); !strings.Contains(got, line) {
			t.Errorf("%s: no %s in\n%s", h, line, got)
		}
	}
	f(dcgm.UpperHostname, `Hostname="gpu-node-7",`)
	f(dcgm.LowerHostname, `hostname="gpu-node-7",`)
	f(dcgm.BothHostnames, `Hostname="gpu-node-7",hostname="gpu-node-7",`)
	f("", `Hostname="gpu-node-7",hostname="gpu-node-7",`)
}

func TestNewRefusesUnknownWords(t *testing.T) {
	if _, err := dcgm.New(dcgm.Options{Names: "newest"}); err == nil || !strings.Contains(err.Error(), `"newest"`) {
		t.Errorf("names: %v", err)
	}
	if _, err := dcgm.New(dcgm.Options{Hostname: "HOSTNAME"}); err == nil || !strings.Contains(err.Error(), `"HOSTNAME"`) {
		t.Errorf("hostname: %v", err)
	}
}

// sample returns the line of one metric.
func sample(page, name string) string {
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, name+"{") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// TestXidNamesTheLastError has two errors of one GPU, and one of another.
func TestXidNamesTheLastError(t *testing.T) {
	s := node()
	s.Xids = []exporters.XidCount{
		{UUID: first, Code: 13, Count: 9, Last: now.Add(-time.Hour)},
		{UUID: first, Code: 79, Count: 1, Last: now.Add(-time.Minute)},
		{UUID: second, Code: 48, Count: 1, Last: now},
	}
	f := func(why, want string) {
		t.Helper()
		if got := sample(page(t, s, dcgm.Options{}), "DCGM_FI_DEV_XID_ERRORS"); !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s, want it to end in %s", why, got, want)
		}
	}
	f("a pod", `,container="trainer",err_code="79",err_msg="GPU has fallen off the bus",namespace="research",pod="train-0"} 79`)
	s.Xids[1].Code = 999
	f("an unknown code", `err_code="999",err_msg="Unknown Error",namespace="research",pod="train-0"} 999`)
	s.Xids = nil
	f("no error", `err_code="0",err_msg="No Error",namespace="research",pod="train-0"} 0`)
}

// TestSilentGPUHasItsLastErrorOnly holds that no old reading is shown, and that
// silence is not the absence of errors.
func TestSilentGPUHasItsLastErrorOnly(t *testing.T) {
	s := node()
	for _, c := range []metric.Condition{metric.Lost, metric.Unobserved} {
		s.Frame.Looks[0].Condition = c
		s.Xids = nil
		if got := page(t, s, dcgm.Options{}); got != "" {
			t.Errorf("condition %d without an error: %s, want nothing", c, got)
		}
		s.Xids = []exporters.XidCount{{UUID: first, Code: 79, Last: now}}
		got := page(t, s, dcgm.Options{})
		if f := parse(t, got); len(f) != 1 || f["DCGM_FI_DEV_XID_ERRORS"] == nil {
			t.Errorf("condition %d with an error: %s, want that", c, got)
		}
	}
	s = node()
	s.Frame.Wall = now.Add(-time.Hour)
	if got := page(t, s, dcgm.Options{}); got != "" {
		t.Errorf("an old frame: %s, want nothing", got)
	}
}

func TestHoldersAreAttributes(t *testing.T) {
	f := func(want string, hs ...usage.Holder) {
		t.Helper()
		s := node()
		s.Holders[first] = hs
		got := sample(page(t, s, dcgm.Options{}), "DCGM_FI_DEV_GPU_UTIL")
		if _, attrs, _ := strings.Cut(got, `VERSION="580.82.07"`); attrs != want+"} 57" {
			t.Errorf("%v: %s", hs, got)
		}
	}
	f("")
	f("", usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: "alice"})
	f(`,hpc_job="4711"`, usage.Holder{Basis: usage.BasisScheduler, Kind: "job", Group: "physics", Name: "4711", Part: "0"})
	f(`,container="c",namespace="n",pod="p"`,
		usage.Holder{Kind: "pod", Group: "n", Name: "p", Part: "c"}, usage.Holder{Kind: "pod", Group: "n", Name: "q", Part: "c"})
	f(`,namespace="n",pod="p"`, usage.Holder{Kind: "pod", Group: "n", Name: "p"})
}

// TestInstancesAreShownBesideTheirGPU has a divided GPU: what its instances say
// is theirs, and what the board says is there once.
func TestInstancesAreShownBesideTheirGPU(t *testing.T) {
	s := node()
	l := &s.Frame.Looks[0]
	l.MIG = true
	l.Readings = readings(map[string]float64{"DCGM_FI_DEV_POWER_USAGE": 300})
	l.Instances = []metric.Instance{
		{ID: 7, Profile: "1g.10gb", Readings: readings(map[string]float64{"DCGM_FI_PROF_GR_ENGINE_ACTIVE": 0.25}), Compute: []metric.ComputeInstance{{UUID: "MIG-7"}}},
		{ID: 9, Profile: "1g.10gb", Readings: readings(map[string]float64{"DCGM_FI_PROF_GR_ENGINE_ACTIVE": 0.5})},
	}
	s.Holders = map[string][]usage.Holder{"MIG-7": {{Kind: "pod", Group: "n", Name: "p", Part: "c"}}}
	golden(t, "mig.prom", page(t, s, dcgm.Options{}))
}

// TestNVLinkIsARate divides as DCGM does: KiB per second by 1000.
func TestNVLinkIsARate(t *testing.T) {
	s := node()
	e := exporter(t, &s, dcgm.Options{})
	f := func(why string, at time.Duration, bytes float64, want string) {
		t.Helper()
		s = node()
		s.Frame.Looks[0] = look(first, 0, at, bytes)
		got := sample(string(e.AppendText(nil)), "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL")
		if _, v, _ := strings.Cut(got, "} "); v != want {
			t.Errorf("%s: %q, want %q", why, v, want)
		}
	}
	f("the first page", time.Hour, 1e12, "")
	f("10 s later", time.Hour+10*time.Second, 1e12+1024*1000*70, "7")
	f("the same frame", time.Hour+10*time.Second, 1e12+1024*1000*70, "7")
	f("half a second later", time.Hour+10500*time.Millisecond, 1e12+1024*1000*80, "7")
	f("10 s later again", time.Hour+20*time.Second, 1e12+1024*1000*70, "0")
	f("a counter that began anew", time.Hour+30*time.Second, 5, "")
	f("and goes on", time.Hour+40*time.Second, 5+1024*1000*1000, "100")
	f("a clock that began anew", time.Minute, 1e12, "")
}

// TestNVLinkRateNeedsBothCounters has one direction missing from a look: what
// the other has counted since it was loaded is no traffic.
func TestNVLinkRateNeedsBothCounters(t *testing.T) {
	s := node()
	e := exporter(t, &s, dcgm.Options{})
	f := func(why string, at time.Duration, without int, want string) {
		t.Helper()
		s = node()
		l := look(first, 0, at, 1e12)
		l.Readings = l.Readings[:len(l.Readings)-without]
		s.Frame.Looks[0] = l
		got := sample(string(e.AppendText(nil)), "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL")
		if _, v, _ := strings.Cut(got, "} "); v != want {
			t.Errorf("%s: %q, want %q", why, v, want)
		}
	}
	f("one direction at first", time.Hour, 1, "")
	f("the other comes", time.Hour+10*time.Second, 0, "")
	f("both stay", time.Hour+20*time.Second, 0, "0")
	f("one is missing", time.Hour+30*time.Second, 1, "")
	f("one is missing still", time.Hour+40*time.Second, 1, "")
	f("both again", time.Hour+50*time.Second, 0, "0")
}

// TestPartsOfOneNameAreAdded has a name of DCGM that is several rows here.
func TestPartsOfOneNameAreAdded(t *testing.T) {
	a := &metric.Desc{Name: "gpu.a", Kind: metric.Counter, Labels: []metric.Label{{Name: "link", Value: "0"}}, DCGMOld: "DCGM_FI_DEV_A"}
	b := &metric.Desc{Name: "gpu.a", Kind: metric.Counter, Labels: []metric.Label{{Name: "link", Value: "1"}}, DCGMOld: "DCGM_FI_DEV_A"}
	s := node()
	s.Frame.Looks[0].Readings = []metric.Reading{{Desc: a, Value: 3}, {Desc: b, Value: 4}}
	e, err := dcgm.New(dcgm.Options{
		Snapshot: func() exporters.Snapshot { return s }, Known: []*metric.Desc{a, b}, Now: func() time.Time { return now },
		Counters: []dcgm.Counter{{Field: "DCGM_FI_DEV_A", Type: "counter", Help: "A."}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(e.AppendText(nil)); !strings.HasSuffix(got, "} 7\n") {
		t.Errorf("%s, want 7", got)
	}
}

// TestOddValuesAreLeftOut has a driver whose numbers are none, and one that
// lists a GPU twice.
func TestOddValuesAreLeftOut(t *testing.T) {
	s := node()
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300} {
		s.Frame.Looks[0].Readings[i].Value = v
	}
	s.Frame.Looks = append(s.Frame.Looks, s.Frame.Looks[0])
	want := len(parse(t, page(t, node(), dcgm.Options{}))) - 4
	families := parse(t, page(t, s, dcgm.Options{}))
	if len(families) != want {
		t.Errorf("%d families, want %d", len(families), want)
	}
	for name, f := range families {
		if len(f.Metric) != 1 {
			t.Errorf("%s has %d series of one GPU", name, len(f.Metric))
		}
	}
}

// TestEveryDefaultIsKnown holds the driver's table to the default counters: a
// warning would be a metric that a dashboard misses.
func TestEveryDefaultIsKnown(t *testing.T) {
	for _, names := range []dcgm.Names{dcgm.BothNames, dcgm.BaseNames} {
		var log bytes.Buffer
		page(t, node(), dcgm.Options{Names: names, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if log.Len() > 0 {
			t.Errorf("%s:\n%s", names, log.String())
		}
	}
}

// FuzzLabels holds that whatever stands in a label comes out of a parser as it
// went in, except for bytes that are no text.
func FuzzLabels(f *testing.F) {
	f.Add("NVIDIA H100", "node", "pod")
	f.Add("a\"b\\c\nd", "}{,=", "\xff")
	f.Fuzz(func(t *testing.T, model, host, pod string) {
		s := node()
		s.Frame.Looks[0].GPU.Name, s.Node.Name, s.Holders[first][0].Name = model, host, pod
		families := parse(t, page(t, s, dcgm.Options{Hostname: dcgm.LowerHostname}))
		if len(families) == 0 {
			t.Fatal("no families")
		}
		for name, fam := range families {
			got := map[string]string{}
			for _, l := range fam.Metric[0].Label {
				got[l.GetName()] = l.GetValue()
			}
			for label, want := range map[string]string{"modelName": model, "hostname": host, "pod": pod} {
				if want = strings.ToValidUTF8(want, "\uFFFD"); got[label] != want {
					t.Errorf("%s has %s=%q, want %q", name, label, got[label], want)
				}
			}
		}
	})
}
