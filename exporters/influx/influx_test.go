package influx

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var now = time.Date(2026, 10, 1, 12, 0, 0, 123456789, time.UTC)

func gpu(i int) metric.GPU {
	return metric.GPU{
		UUID: fmt.Sprintf("GPU-%08d", i), Index: i, Name: "NVIDIA H100 80GB HBM3", Device: fmt.Sprintf("nvidia%d", i),
		Serial: fmt.Sprint(1650000000 + i), VBIOS: "96.00.89.00.01", Architecture: "hopper",
	}
}

// look is a GPU that answers, with a value for every row that keep wants.
func look(i int, keep func(*metric.Desc) bool) metric.Look {
	l := metric.Look{GPU: gpu(i), Condition: metric.Good}
	for n := range nvml.Table {
		if d := &nvml.Table[n].Desc; keep(d) {
			l.Readings = append(l.Readings, metric.Reading{Desc: d, Value: float64(len(d.Key())) + 0.25})
		}
	}
	return l
}

func every(*metric.Desc) bool { return true }

// few are rows of every kind, for what people read.
func few(d *metric.Desc) bool {
	return slices.Contains([]string{"gpu.utilization", "gpu.memory.used", "gpu.power.usage", "gpu.power.instant", "gpu.clock{domain=sm}",
		"gpu.throttle{reason=hw_thermal}", "gpu.ecc.errors{type=volatile_corrected}", "gpu.ecc.mode", "gpu.performance.state", "gpu.compute.mode", "gpu.observed"}, d.Key())
}

var inMemory = &metric.Desc{Name: "gpu.instance.memory.used", Unit: metric.Bytes, Help: "Memory of the instance in use."}

// node is a node of four GPUs: one held, one divided, one lost, one that hangs.
func node(keep func(*metric.Desc) bool) exporters.Snapshot {
	s := exporters.Snapshot{
		Node: usage.Node{Name: "node-1", Agent: "1.2.3", Cloud: usage.Cloud{Provider: "example", Region: "region-1"}},
		Frame: metric.Frame{Wall: now, Driver: metric.Driver{Up: true, Version: "580.82.07", NVML: "13.580.82.07", GPUs: 4},
			Looks: []metric.Look{look(0, keep), look(1, keep), look(2, keep), look(3, keep)}},
		Totals: map[string][]metric.Reading{}, Holders: map[string][]usage.Holder{},
		Host: []metric.Reading{
			{Desc: &metric.Desc{Name: "host.load", Labels: []metric.Label{{Name: "over", Value: "1m"}}}, Value: 1.5},
			{Desc: &metric.Desc{Name: "host.network.io", Unit: metric.Bytes, Kind: metric.Counter, Labels: []metric.Label{
				{Name: "interface", Value: "eth0"}, {Name: "direction", Value: "receive"}}}, Value: 123456},
		},
	}
	l := s.Frame.Looks
	l[1].MIG = true
	l[1].Instances = []metric.Instance{
		{ID: 1, Profile: "1g.10gb", Compute: []metric.ComputeInstance{{ID: 0, UUID: "MIG-a", Slices: 1}}, Readings: []metric.Reading{{Desc: inMemory, Value: 1 << 30}}},
		{ID: 2, Profile: "3g.40gb", Compute: []metric.ComputeInstance{{ID: 0, UUID: "MIG-b", Slices: 1}, {ID: 1, UUID: "MIG-c", Slices: 2}}, Readings: []metric.Reading{{Desc: inMemory, Value: 2 << 30}}},
	}
	l[2].Condition, l[2].Reason = metric.Lost, metric.ReasonLost
	l[3].Condition, l[3].Reason = metric.Unobserved, metric.ReasonHang
	for i := range l {
		for n, d := range meter.Descs() {
			if keep(d) {
				s.Totals[l[i].GPU.UUID] = append(s.Totals[l[i].GPU.UUID], metric.Reading{Desc: d, Value: float64(n) + 0.5})
			}
		}
	}
	s.Holders[l[0].GPU.UUID] = []usage.Holder{
		{Basis: usage.BasisKubelet, Kind: "pod", Group: "team", Name: "train-0", Part: "main"},
		{Basis: usage.BasisProcess, Kind: "user", Name: "DOMAIN\\bob,\"x\"=\n\xff\\"},
	}
	s.Xids = []exporters.XidCount{
		{UUID: l[2].GPU.UUID, Code: 79, Count: 1, Last: now, Severity: metric.Replace},
		{Code: 79, Count: 1, Last: now, Severity: metric.Replace},
	}
	return s
}

func config(l Layout) *Config {
	cfg := Config{Layout: l, Now: func() time.Time { return now }}.withDefaults()
	return &cfg
}

// body encodes a snapshot and holds it against what every body must be.
func body(t testing.TB, s *exporters.Snapshot, cfg *Config) []byte {
	t.Helper()
	batches, err := encode(s, cfg)
	if err != nil {
		t.Fatalf("a line cannot be encoded: %v", err)
	}
	var all []byte
	for _, b := range batches {
		if n := bytes.Count(b.body, []byte("\n")); n != b.lines {
			t.Errorf("a batch has %d lines and says %d", n, b.lines)
		}
		values := 0
		for _, l := range decode(t, b.body) {
			values += len(l.fields)
		}
		if values != b.values {
			t.Errorf("a batch has %d values and says %d", values, b.values)
		}
		all = append(all, b.body...)
	}
	return all
}

// decoded is a line as another implementation understands it.
type decoded struct {
	measurement string
	tags        map[string]string
	fields      map[string]any
	at          time.Time
}

func (d *decoded) String() string { return fmt.Sprint(d.measurement, d.tags) }

func decode(t testing.TB, body []byte) []decoded {
	t.Helper()
	var out []decoded
	d := lineprotocol.NewDecoderWithBytes(body)
	for d.Next() {
		m, err := d.Measurement()
		if err != nil {
			t.Fatal(err)
		}
		l := decoded{measurement: string(m), tags: map[string]string{}, fields: map[string]any{}}
		for {
			k, v, err := d.NextTag()
			if err != nil {
				t.Fatal(err)
			}
			if k == nil {
				break
			}
			l.tags[string(k)] = string(v)
		}
		for {
			k, v, err := d.NextField()
			if err != nil {
				t.Fatal(err)
			}
			if k == nil {
				break
			}
			if _, twice := l.fields[string(k)]; twice {
				t.Errorf("%v: field %s stands there twice", &l, k)
			}
			l.fields[string(k)] = v.Interface()
		}
		if l.at, err = d.Time(lineprotocol.Nanosecond, time.Time{}); err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// find returns the one line of a measurement that has the tags "key=value".
func find(t testing.TB, ls []decoded, measurement string, tags ...string) decoded {
	t.Helper()
	var found []decoded
	for _, l := range ls {
		fits := l.measurement == measurement
		for _, x := range tags {
			k, v, _ := strings.Cut(x, "=")
			fits = fits && l.tags[k] == v
		}
		if fits {
			found = append(found, l)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d lines of %s with %v, want 1", len(found), measurement, tags)
	}
	return found[0]
}

func TestGoldens(t *testing.T) {
	for _, layout := range []Layout{LayoutGpumeter, LayoutTelegraf} {
		s := node(few)
		got := string(body(t, &s, config(layout)))
		file := filepath.Join("testdata", string(layout)+".lp")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got; -update rewrites it):\n%s", file, diff)
		}
	}
}

// TestEveryPointIsWritten counts: two points in one field would be one.
func TestEveryPointIsWritten(t *testing.T) {
	s := node(every)
	ls := decode(t, body(t, &s, config(LayoutGpumeter)))
	points := 0
	for p := range exporters.Points(&s, now, exporters.DefaultMaxAge) {
		if _, text := infos[p.Desc]; !text {
			points++
		}
	}
	written := 0
	for _, l := range ls {
		for _, v := range l.fields {
			switch v.(type) {
			case int64, float64:
				written++
			}
		}
	}
	if written != points || points == 0 {
		t.Errorf("%d numbers are written, want %d", written, points)
	}
	l := find(t, ls, "gpumeter_gpu_holder", "holder=1")
	if l.fields["name"] != "DOMAIN\\bob,\"x\"= \uFFFD\\" {
		t.Errorf("the second holder is %q", l.fields["name"])
	}
	for _, l := range ls {
		if !l.at.Equal(now) {
			t.Errorf("%v is of %s, want %s", &l, l.at, now)
		}
	}
}

// TestFieldsCanBeAskedFor holds all lines of all conditions against what
// InfluxDB asks of a schema: a field has one type, and no tag's name.
func TestFieldsCanBeAskedFor(t *testing.T) {
	for _, layout := range []Layout{LayoutGpumeter, LayoutTelegraf} {
		types, tags := map[string]string{}, map[string]bool{}
		var all []decoded
		for _, change := range []func(*exporters.Snapshot){
			func(*exporters.Snapshot) {},
			func(s *exporters.Snapshot) {
				s.Frame.Driver = metric.Driver{Reason: metric.ReasonNoDriver}
				for i := range s.Frame.Looks {
					s.Frame.Looks[i].Condition, s.Frame.Looks[i].Reason = metric.Unobserved, metric.ReasonNoDriver
				}
			},
			func(s *exporters.Snapshot) { s.Frame.Wall = now.Add(-time.Hour) },
			func(s *exporters.Snapshot) { // whole numbers
				for _, l := range s.Frame.Looks {
					for i := range l.Readings {
						l.Readings[i].Value = float64(i)
					}
				}
			},
		} {
			s := node(every)
			change(&s)
			all = append(all, decode(t, body(t, &s, config(layout)))...)
		}
		for _, l := range all {
			for k := range l.tags {
				tags[l.measurement+" "+k] = true
			}
		}
		for _, l := range all {
			for k, v := range l.fields {
				key, typ := l.measurement+" "+k, fmt.Sprintf("%T", v)
				if tags[key] {
					t.Errorf("%s is a field and a tag", key)
				}
				if first, ok := types[key]; ok && first != typ {
					t.Errorf("%s is a %s and a %s", key, first, typ)
				}
				types[key] = typ
			}
		}
	}
}

func TestSilentGPUsAreThereWithTheirReason(t *testing.T) {
	s := node(every)
	for _, c := range []struct {
		layout      Layout
		measurement string
	}{{LayoutGpumeter, "gpumeter_gpu"}, {LayoutTelegraf, "nvidia_smi"}} {
		ls := decode(t, body(t, &s, config(c.layout)))
		for i, why := range []string{"", "", metric.ReasonLost, metric.ReasonHang} {
			var mine []decoded
			for _, l := range ls {
				if _, ok := l.fields["up"]; ok && l.measurement == c.measurement && l.tags["uuid"] == gpu(i).UUID {
					mine = append(mine, l)
				}
			}
			if len(mine) != 1 {
				t.Fatalf("%s: GPU %d has %d lines with up", c.layout, i, len(mine))
			}
			f := mine[0].fields
			if (f["up"] == int64(1)) != (why == "") || f["state_reason"] != why {
				t.Errorf("%s: GPU %d: up is %v for %q, want %q", c.layout, i, f["up"], f["state_reason"], why)
			}
			if c.layout == LayoutGpumeter && (f["lost"] != (why == metric.ReasonLost) || f["unobserved"] != (why == metric.ReasonHang)) {
				t.Errorf("GPU %d: lost %v, unobserved %v", i, f["lost"], f["unobserved"])
			}
			_, power := f["power_usage_watts"]
			_, draw := f["power_draw"]
			if (power || draw) != (why == "") {
				t.Errorf("%s: GPU %d shows a reading: %v", c.layout, i, power || draw)
			}
		}
	}
}

// TestTelegrafRowsAreRowsOfTheTable catches a renamed metric.
func TestTelegrafRowsAreRowsOfTheTable(t *testing.T) {
	known := map[string]*metric.Desc{}
	for i := range nvml.Table {
		known[nvml.Table[i].Key()] = &nvml.Table[i].Desc
	}
	for _, r := range telegrafRows {
		if known[r.key] == nil {
			t.Errorf("%s: %s is no row of the driver's table", r.field, r.key)
		}
	}
}

// TestTelegrafSpeaksItsUnits compares with what the plugin writes of the same GPU.
func TestTelegrafSpeaksItsUnits(t *testing.T) {
	s := node(every)
	set := func(key string, v float64) {
		for i := range s.Frame.Looks[0].Readings {
			if r := &s.Frame.Looks[0].Readings[i]; r.Desc.Key() == key {
				r.Value = v
				return
			}
		}
		t.Fatalf("no row %s", key)
	}
	want := map[string]any{}
	f := func(key string, v float64, field string, value any) { set(key, v); want[field] = value }
	f("gpu.utilization", 0.29, "utilization_gpu", int64(29))
	f("gpu.memory.used", 549<<20, "memory_used", int64(549))
	f("gpu.power.usage", 61, "power_draw", 60.5)
	f("gpu.power.instant", 60.5, "power_draw", 60.5)
	f("gpu.clock{domain=sm}", 1980e6, "clocks_current_sm", int64(1980))
	f("gpu.throttle{reason=hw_thermal}", 1.5, "clocks_event_reasons_counters_hw_therm_slowdown", int64(1500000))
	f("gpu.fan.speed", 1, "fan_speed", int64(100))
	f("gpu.ecc.mode", 1, "current_ecc", "Enabled")
	f("gpu.row_remap.pending", 0, "remapped_rows_pending", "No")
	want["driver_version"], want["serial"], want["vbios_version"] = "580.82.07", "1650000000", "96.00.89.00.01"
	set("gpu.performance.state", 2)
	set("gpu.compute.mode", 0)
	l := find(t, decode(t, body(t, &s, config(LayoutTelegraf))), "nvidia_smi", "index=0")
	for k, v := range want {
		if l.fields[k] != v {
			t.Errorf("%s is %v, want %v", k, l.fields[k], v)
		}
	}
	tags := map[string]string{"host": "node-1", "index": "0", "name": "NVIDIA H100 80GB HBM3", "arch": "Hopper", "uuid": gpu(0).UUID, "pstate": "P2", "compute_mode": "Default"}
	if diff := cmp.Diff(tags, l.tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	for n, in := range []string{"1/0", "2/0", "2/1"} {
		gi, ci, _ := strings.Cut(in, "/")
		find(t, decode(t, body(t, &s, config(LayoutTelegraf))), "nvidia_smi_mig", "uuid="+gpu(1).UUID, "index="+strconv.Itoa(n), "gpu_index="+gi, "compute_index="+ci)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	s := node(few)
	for i := range 3000 {
		s.Host = append(s.Host, metric.Reading{Value: 1, Desc: &metric.Desc{Name: "host.disk.io", Labels: []metric.Label{
			{Name: "device", Value: fmt.Sprint(strings.Repeat("d", 2000), i)}, {Name: "direction", Value: "read"}}}})
		s.Host = append(s.Host, metric.Reading{Value: 1, Desc: &metric.Desc{Name: "host.disk.io", Labels: []metric.Label{
			{Name: "device", Value: fmt.Sprint(i, strings.Repeat("d", 2000))}, {Name: "direction", Value: "read"}}}})
	}
	for i := range 12_000 {
		s.Host = append(s.Host, metric.Reading{Value: 1, Desc: &metric.Desc{Name: "host.x", Labels: []metric.Label{{Name: "n", Value: fmt.Sprint(i)}}}})
	}
	batches, err := encode(&s, config(LayoutGpumeter))
	if err != nil {
		t.Fatal(err)
	}
	full := 0
	for _, b := range batches {
		if b.lines > maxLines || len(b.body) > maxBytes {
			t.Errorf("a batch has %d lines and %d bytes", b.lines, len(b.body))
		}
		if b.lines == maxLines {
			full++
		}
	}
	if full == 0 || len(batches) < 3 {
		t.Errorf("%d batches, %d of them full", len(batches), full)
	}
}

func TestValuesThatAreNoneAreAbsent(t *testing.T) {
	s := node(every)
	r := s.Frame.Looks[0].Readings
	for i := range r {
		r[i].Value = []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300}[i%4]
	}
	for _, layout := range []Layout{LayoutGpumeter, LayoutTelegraf} {
		for _, l := range decode(t, body(t, &s, config(layout))) {
			for k, v := range l.fields {
				if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
					t.Errorf("%v: %s is %v", &l, k, f)
				}
			}
		}
	}
}

func TestTagsOfTheConfigurationStandOnEveryLine(t *testing.T) {
	s := node(few)
	cfg := config(LayoutGpumeter)
	cfg.Tags = map[string]string{"team": "a, b", "uuid": "not this"}
	for _, l := range decode(t, body(t, &s, cfg)) {
		if l.tags["team"] != "a, b" {
			t.Errorf("%v has no tag team", &l)
		}
		if strings.HasPrefix(l.measurement, "gpumeter_gpu_") && l.tags["uuid"] == "not this" {
			t.Errorf("%v has another uuid", &l)
		}
	}
}

func TestPrecisionIsThatOfTheConfiguration(t *testing.T) {
	s := node(few)
	for p, want := range map[Precision]int64{Second: now.Unix(), Millisecond: now.UnixMilli(), Microsecond: now.UnixMicro(), Nanosecond: now.UnixNano()} {
		cfg := config(LayoutGpumeter)
		cfg.Precision = p
		batches, err := encode(&s, cfg)
		if err != nil || !bytes.Contains(batches[0].body, fmt.Appendf(nil, " %d\n", want)) {
			t.Errorf("%s: no line ends in %d, %v", p, want, err)
		}
	}
}

// FuzzText puts one text wherever drivers, users and administrators can, and
// wants every line to say the same to a decoder that is not ours.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", " ", "\\", "a\\", "\\,", "a,b=c d", "\"x\"", "#", "\n", "\r\x00\x7f", "\xff\xfe", "é\u2028", "\\\"", "=", strings.Repeat("é\\", 2000)} {
		f.Add(s, int64(0), 1.5)
	}
	f.Fuzz(func(t *testing.T, text string, index int64, v float64) {
		s := node(few)
		s.Node.Name = text
		for i := range s.Frame.Looks {
			g := &s.Frame.Looks[i].GPU
			g.Name, g.Serial, g.Index = text, text, int(index)
			s.Frame.Looks[i].Reason = text
		}
		s.Frame.Looks[0].Readings[0].Value = v
		s.Frame.Looks[1].Instances[0].Profile = text
		s.Holders[gpu(0).UUID][1] = usage.Holder{Basis: usage.BasisProcess, Kind: "user", Group: text, Name: "n" + text, Part: text}
		s.Host = append(s.Host, metric.Reading{Value: v, Desc: &metric.Desc{Name: "host.disk.io", Labels: []metric.Label{{Name: "device", Value: text}}}})
		for _, layout := range []Layout{LayoutGpumeter, LayoutTelegraf} {
			cfg := config(layout)
			cfg.Tags = map[string]string{"extra": text}
			ls := decode(t, body(t, &s, cfg))
			for _, l := range ls {
				if l.tags["extra"] != tagText(text) {
					t.Fatalf("%v: the tag is %q, want %q", &l, l.tags["extra"], tagText(text))
				}
			}
			if layout == LayoutTelegraf {
				continue
			}
			if got, want := find(t, ls, "gpumeter_gpu_holder", "holder=1").fields["name"], fieldText("n"+strings.ToValidUTF8(text, "\uFFFD")); got != want {
				t.Fatalf("the holder is %q, want %q", got, want)
			}
			l := find(t, ls, "gpumeter_gpu_info", "uuid="+gpu(0).UUID)
			if got, ok := l.fields["serial"]; ok != (text != "") || ok && got != fieldText(text) {
				t.Fatalf("the serial is %q, want %q", got, fieldText(text))
			}
			if l.tags["gpu"] != fmt.Sprint(int(index)) {
				t.Fatalf("the index is %q, want %d", l.tags["gpu"], index)
			}
		}
		if x := tagText(text); strings.ContainsAny(x, "\\\n\r\x00") || tagText(x) != x || len(x) > 1024 {
			t.Fatalf("%q is no tag", x)
		}
	})
}
