package otlp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/semconv/v1.43.0/hwconv"
	"go.opentelemetry.io/otel/semconv/v1.43.0/systemconv"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/agent/meter"
	"github.com/gpumeter/gpumeter/agent/nvml"
	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

var now = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

func gpu(i int) metric.GPU {
	return metric.GPU{
		UUID: fmt.Sprintf("GPU-%08d", i), Index: i, Name: "NVIDIA H100 80GB HBM3", Device: fmt.Sprintf("nvidia%d", i),
		Serial: fmt.Sprint(1650000000 + i), VBIOS: "96.00.89.00.01",
	}
}

func look(i int) metric.Look {
	l := metric.Look{GPU: gpu(i), Condition: metric.Good}
	for n := range nvml.Table {
		d := &nvml.Table[n].Desc
		l.Readings = append(l.Readings, metric.Reading{Desc: d, Value: float64(n) + 0.5})
	}
	// Those that are signs of illness are well.
	for n := range l.Readings {
		if signs[l.Readings[n].Desc.Name] != "" {
			l.Readings[n].Value = 0
		}
	}
	return l
}

// node is a node of four GPUs: one held, one divided, one lost, one that hangs.
func node() exporters.Snapshot {
	s := exporters.Snapshot{
		Node: usage.Node{Name: "node-1", MachineID: "machine-1", Agent: "1.2.3", Cloud: usage.Cloud{
			Provider: "google", Account: "acct-1", Region: "region-1", Zone: "zone-a", InstanceType: "gpu.8x", Rack: "r7"}},
		Frame: metric.Frame{Wall: now, Driver: metric.Driver{Up: true, Version: "580.82.07", NVML: "13.580.82.07", GPUs: 4},
			Looks: []metric.Look{look(0), look(1), look(2), look(3)}},
		Totals: map[string][]metric.Reading{}, Holders: map[string][]usage.Holder{},
		Host: []metric.Reading{{Desc: hostLoad, Value: 1.5}},
	}
	l := s.Frame.Looks
	l[1].MIG, l[1].Instances = true, instances()
	l[2].Condition, l[2].Reason = metric.Lost, metric.ReasonLost
	l[3].Condition, l[3].Reason = metric.Unobserved, metric.ReasonHang
	for i := range l {
		for n, d := range meter.Descs() {
			s.Totals[l[i].GPU.UUID] = append(s.Totals[l[i].GPU.UUID], metric.Reading{Desc: d, Value: float64(n)})
		}
	}
	s.Holders[l[0].GPU.UUID] = []usage.Holder{
		{Basis: usage.BasisKubelet, Kind: "pod", Group: "team", Name: "train-0", Part: "main"},
		{Basis: usage.BasisProcess, Kind: "user", Name: "bob \"\\\n\xff" + strings.Repeat("é", 2000)},
		{Basis: usage.BasisProcess, Kind: "user", Name: "bob \"\\\n\xfe" + strings.Repeat("é", 2000)},
	}
	s.Xids = []exporters.XidCount{
		{UUID: l[2].GPU.UUID, Code: 79, Count: 1, Last: now, Severity: metric.Replace},
		{UUID: l[0].GPU.UUID, Code: 31, Count: 3, Last: now, Severity: metric.Application},
		{Code: 79, Count: 1, Last: now, Severity: metric.Replace},
	}
	return s
}

var hostLoad = &metric.Desc{Name: "host.load", Help: "Load."}

var inMemory = &metric.Desc{Name: "gpu.instance.memory.used", Unit: metric.Bytes, Help: "Memory of the instance in use."}

// instances are one with a compute instance of its own, and one that two share.
func instances() []metric.Instance {
	return []metric.Instance{
		{ID: 1, Profile: "1g.10gb", Compute: []metric.ComputeInstance{{ID: 0, UUID: "MIG-a"}}, Readings: []metric.Reading{{Desc: inMemory, Value: 1}}},
		{ID: 2, Profile: "3g.40gb", Compute: []metric.ComputeInstance{{ID: 0, UUID: "MIG-b"}, {ID: 1, UUID: "MIG-c"}}, Readings: []metric.Reading{{Desc: inMemory, Value: 2}}},
	}
}

func config(s *exporters.Snapshot) Config {
	return Config{Snapshot: func() exporters.Snapshot { return *s }, Now: func() time.Time { return now }}.withDefaults()
}

func produce(t testing.TB, p *producer) []metricdata.Metrics {
	t.Helper()
	scopes, err := p.Produce(t.Context())
	if err != nil || len(scopes) != 1 {
		t.Fatalf("%d scopes, %v", len(scopes), err)
	}
	return scopes[0].Metrics
}

// flat are the values by name and attributes.
func flat(ms []metricdata.Metrics) map[string]metricdata.DataPoint[float64] {
	out := map[string]metricdata.DataPoint[float64]{}
	for _, m := range ms {
		for _, p := range dataPoints(m) {
			out[m.Name+" "+p.Attributes.Encoded(attribute.DefaultEncoder())] = p
		}
	}
	return out
}

func dataPoints(m metricdata.Metrics) []metricdata.DataPoint[float64] {
	switch d := m.Data.(type) {
	case metricdata.Gauge[float64]:
		return d.DataPoints
	case metricdata.Sum[float64]:
		return d.DataPoints
	}
	return nil
}

// value returns the one value of a name that has all the attributes.
func value(t *testing.T, ms []metricdata.Metrics, name string, with ...attribute.KeyValue) metricdata.DataPoint[float64] {
	t.Helper()
	var found []metricdata.DataPoint[float64]
	for _, m := range ms {
		if m.Name != name {
			continue
		}
	points:
		for _, p := range dataPoints(m) {
			for _, kv := range with {
				if v, ok := p.Attributes.Value(kv.Key); !ok || v != kv.Value {
					continue points
				}
			}
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s %v has %d points, want 1: %v", name, with, len(found), found)
	}
	return found[0]
}

// TestEveryPointIsSentOnce would fail on two rows that are one in
// OpenTelemetry's words: the second would be left out.
func TestEveryPointIsSentOnce(t *testing.T) {
	s := node()
	s.Holders = nil
	want := 0
	for range exporters.Points(&s, now, exporters.DefaultMaxAge) {
		want++
	}
	ms := produce(t, &producer{cfg: config(&s)})
	got := 0
	for _, m := range ms {
		got += len(dataPoints(m))
	}
	if want += len(s.Frame.Looks) * len(states); got != want {
		seen := map[string]string{}
		for _, d := range descs() {
			key := instrumentOf(d).name + fmt.Sprint(pointAttributes(nil, &exporters.Point{Desc: d}))
			if other := seen[key]; other != "" {
				t.Errorf("%s and %s are one: %s", other, d.Key(), key)
			}
			seen[key] = d.Key()
		}
		t.Errorf("%d points are sent, want %d", got, want)
	}
}

// descs are all metrics that there are.
func descs() []*metric.Desc {
	out := append(exporters.State(), meter.Descs()...)
	out = append(out, Descs()...)
	for i := range nvml.Table {
		out = append(out, &nvml.Table[i].Desc)
	}
	for i := range nvml.InstanceTable {
		out = append(out, &nvml.InstanceTable[i].Desc)
	}
	return out
}

func TestNamesHaveOneInstrument(t *testing.T) {
	known := map[string]instrument{}
	for _, d := range descs() {
		in := instrumentOf(d)
		if in.name != strings.ToLower(in.name) || strings.Trim(in.name, "abcdefghijklmnopqrstuvwxyz0123456789._") != "" {
			t.Errorf("%s: %q is no name of OpenTelemetry", d.Key(), in.name)
		}
		if in.help == "" {
			t.Errorf("%s has no description", in.name)
		}
		if first, ok := known[in.name]; ok && (first.kind != in.kind || first.unit != in.unit) {
			t.Errorf("%s: %s is %v in %q here and %v in %q elsewhere", d.Key(), in.name, in.kind, in.unit, first.kind, first.unit)
		}
		known[in.name] = in
	}
}

// TestConventionalNamesFitTheirRows holds the tables' aliases against what the
// conventions say of them.
func TestConventionalNamesFitTheirRows(t *testing.T) {
	for _, d := range descs() {
		checkConvention(t, d)
	}
}

func checkConvention(t *testing.T, d *metric.Desc) {
	t.Helper()
	if d.OTel.Name == "" {
		return
	}
	c, ok := conventional(d.OTel.Name)
	if !ok {
		t.Errorf("%s: %s is no row of conventions", d.Key(), d.OTel.Name)
		return
	}
	if (c.kind == counter) != (d.Kind == metric.Counter) {
		t.Errorf("%s is a %v, and %s is not", d.Key(), d.Kind, c.name)
	}
	// What is counted there ("{error}") is a plain count here.
	if counted := strings.HasPrefix(c.unit, "{"); counted && d.Unit != metric.Count || !counted && units[d.Unit] != c.unit {
		t.Errorf("%s is in %q, and %s in %q", d.Key(), d.Unit, c.name, c.unit)
	}
}

func TestSubjectsAreTold(t *testing.T) {
	s := node()
	ms := produce(t, &producer{cfg: config(&s)})
	p := value(t, ms, "hw.power", attribute.String("hw.id", "GPU-00000000"))
	want := attribute.NewSet(
		attribute.String("hw.type", "gpu"), attribute.String("hw.vendor", "NVIDIA"), attribute.Int("gpu.index", 0),
		attribute.String("hw.id", "GPU-00000000"), attribute.String("hw.name", "nvidia0"), attribute.String("hw.model", "NVIDIA H100 80GB HBM3"),
		attribute.String("hw.serial_number", "1650000000"), attribute.String("hw.firmware_version", "96.00.89.00.01"),
		attribute.String("hw.driver_version", "580.82.07"))
	if !p.Attributes.Equals(&want) {
		t.Errorf("attributes are %s, want %s", p.Attributes.Encoded(attribute.DefaultEncoder()), want.Encoded(attribute.DefaultEncoder()))
	}
	if !p.Time.Equal(now) || !p.StartTime.IsZero() {
		t.Errorf("a gauge has time %s and start %s, want the frame's and none", p.Time, p.StartTime)
	}
	parent := attribute.String("hw.parent", "GPU-00000001")
	value(t, ms, inMemory.Name, attribute.String("hw.id", "MIG-a"), attribute.Int("gpu.instance.id", 1), parent)
	value(t, ms, inMemory.Name, attribute.String("hw.id", "GPU-00000001/2"), attribute.Int("gpu.instance.id", 2), parent)
	value(t, ms, "hw.errors", attribute.String("hw.id", "GPU-00000002"), attribute.String("error.type", "xid_79"), attribute.String("severity", "replace"))
}

func TestSilentGPUsAreThereWithTheirReason(t *testing.T) {
	s := node()
	ms := produce(t, &producer{cfg: config(&s)})
	for i, want := range []struct{ state, metric, reason string }{
		{"ok", "", ""}, {"ok", "", ""}, {"failed", "gpu.lost", metric.ReasonLost}, {stateUnobserved, "gpu.unobserved", metric.ReasonHang},
	} {
		id := attribute.String("hw.id", gpu(i).UUID)
		for _, state := range states {
			v := value(t, ms, "hw.status", id, attribute.String("hw.state", state)).Value
			if (v == 1) != (state == want.state) || v != 0 && v != 1 {
				t.Errorf("GPU %d: state %s is %v, want it to be %s", i, state, v, want.state)
			}
		}
		up := value(t, ms, "gpu.up", id).Value
		if want.metric == "" {
			value(t, ms, "hw.power", id)
			continue
		}
		value(t, ms, want.metric, id, attribute.String("reason", want.reason))
		value(t, ms, "gpu.busy.time", id)
		if up != 0 {
			t.Errorf("GPU %d is up", i)
		}
		for key := range flat(ms) {
			if strings.HasPrefix(key, "hw.power ") && strings.Contains(key, gpu(i).UUID) {
				t.Errorf("GPU %d shows an old reading: %s", i, key)
			}
		}
	}
}

func TestStatusFollowsSigns(t *testing.T) {
	f := func(name string, want string) {
		t.Helper()
		s := node()
		for i := range s.Frame.Looks[0].Readings {
			if r := &s.Frame.Looks[0].Readings[i]; r.Desc.Name == name {
				r.Value = 1
			}
		}
		p := value(t, produce(t, &producer{cfg: config(&s)}), "hw.status", attribute.String("hw.id", gpu(0).UUID), attribute.String("hw.state", want))
		if p.Value != 1 {
			t.Errorf("%s is 1: %s is not the state", name, want)
		}
	}
	for name, state := range signs {
		f(name, state)
	}
}

// TestSignsAreRowsOfTheTable catches a renamed row, without which a GPU would
// stay ok for ever.
func TestSignsAreRowsOfTheTable(t *testing.T) {
	for name := range signs {
		found := false
		for i := range nvml.Table {
			found = found || nvml.Table[i].Name == name
		}
		if !found {
			t.Errorf("%s is no row of the driver's table", name)
		}
	}
}

func TestStartsOfCounters(t *testing.T) {
	s := node()
	cfg := config(&s)
	cfg.Started, cfg.MaxAge = now.Add(-time.Hour), time.Hour
	p := &producer{cfg: cfg}
	energy := func(v float64) {
		for i := range s.Frame.Looks[0].Readings {
			if r := &s.Frame.Looks[0].Readings[i]; r.Desc.Name == "gpu.energy.driver" {
				r.Value = v
			}
		}
	}
	name := ""
	for i := range nvml.Table {
		if d := &nvml.Table[i].Desc; d.Name == "gpu.energy.driver" {
			name = instrumentOf(d).name
		}
	}
	id := attribute.String("hw.id", gpu(0).UUID)
	check := func(what string, name string, want time.Time, with ...attribute.KeyValue) {
		t.Helper()
		if got := value(t, produce(t, p), name, append(with, id)...).StartTime; !got.Equal(want) {
			t.Errorf("%s: start %s, want %s", what, got, want)
		}
	}
	energy(100)
	check("the first of the driver's counter", name, now)
	check("an integral", "gpu.busy.time", cfg.Started)
	energy(200)
	s.Frame.Wall = now.Add(10 * time.Second)
	check("a grown counter", name, now)
	energy(50)
	s.Frame.Wall = now.Add(20 * time.Second)
	check("a counter that fell", name, now.Add(10*time.Second))
	s.Xids = append(s.Xids, exporters.XidCount{UUID: gpu(0).UUID, Code: 48, Count: 1, Last: now})
	s.Frame.Wall = now.Add(30 * time.Second)
	check("an error that was not there before", "hw.errors", now.Add(20*time.Second), attribute.String("error.type", "xid_48"))
	check("an error that was there at the first export", "hw.errors", now, attribute.String("error.type", "xid_31"))
	s.Frame.Wall = now.Add(-time.Minute)
	check("a wall clock set back", name, s.Frame.Wall)
}

// TestTimesAreThoseOfTheWallClock has times as the runtime reads them, with a
// monotonic reading that no step of the wall clock moves: compared by that, a
// start would not be seen to be later than its point.
func TestTimesAreThoseOfTheWallClock(t *testing.T) {
	s := node()
	s.Frame.Wall = time.Now()
	cfg := config(&s)
	cfg.Started, cfg.Now = time.Now(), time.Now
	p := &producer{cfg: cfg}
	for what, wall := range map[string]time.Time{"a frame": time.Now(), "an old frame": time.Now().Add(-time.Hour)} {
		s.Frame.Wall = wall
		for key, point := range flat(produce(t, p)) {
			if point.Time != point.Time.Round(0) || point.StartTime != point.StartTime.Round(0) {
				t.Fatalf("%s: %s has the times %v and %v", what, key, point.StartTime, point.Time)
			}
		}
	}
}

func TestVanishedSeriesAreForgotten(t *testing.T) {
	s := node()
	p := &producer{cfg: config(&s)}
	produce(t, p)
	if len(p.starts.series) == 0 {
		t.Fatal("no series is known")
	}
	s.Frame.Looks, s.Host, s.Xids = nil, nil, nil
	s.Frame.Wall = now.Add(forget + time.Second)
	produce(t, p)
	if n := len(p.starts.series); n != 0 {
		t.Errorf("%d series are still known", n)
	}
}

func TestOldFrameSpeaksOfNow(t *testing.T) {
	s := node()
	s.Frame.Wall = now.Add(-time.Hour)
	ms := produce(t, &producer{cfg: config(&s)})
	if p := value(t, ms, "gpu.up", attribute.String("hw.id", gpu(0).UUID)); p.Value != 0 || !p.Time.Equal(now) {
		t.Errorf("gpu.up is %v at %s, want 0 at %s", p.Value, p.Time, now)
	}
}

func TestValuesThatAreNoneAreAbsent(t *testing.T) {
	s := node()
	s.Frame.Looks[0].Readings[0].Value = math.NaN()
	s.Frame.Looks[0].Readings[1].Value = math.Inf(1)
	for key, p := range flat(produce(t, &producer{cfg: config(&s)})) {
		if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
			t.Errorf("%s is %v", key, p.Value)
		}
	}
}

func TestResourceSaysWhatIsKnown(t *testing.T) {
	s := node()
	got := map[string]string{}
	for _, kv := range resourceOf(&s.Node, resource.Empty()).Attributes() {
		got[string(kv.Key)] = kv.Value.AsString()
	}
	want := map[string]string{
		"service.name": "gpumeter-agent", "service.version": "1.2.3", "service.instance.id": "node-1", "host.name": "node-1", "host.id": "machine-1",
		"host.type": "gpu.8x", "cloud.provider": "gcp", "cloud.account.id": "acct-1", "cloud.region": "region-1",
		"cloud.availability_zone": "zone-a", "gpumeter.rack": "r7",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// fake is an SDK exporter that keeps what it is given.
type fake struct {
	mu   sync.Mutex
	got  []metricdata.ResourceMetrics
	errs []error // to return, one after the other
	hang bool    // until the context ends
}

func (*fake) Temporality(k sdk.InstrumentKind) metricdata.Temporality {
	return sdk.DefaultTemporalitySelector(k)
}
func (*fake) Aggregation(k sdk.InstrumentKind) sdk.Aggregation {
	return sdk.DefaultAggregationSelector(k)
}
func (*fake) ForceFlush(context.Context) error { return nil }
func (*fake) Shutdown(context.Context) error   { return nil }
func (f *fake) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	if f.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, *rm)
	if len(f.errs) == 0 {
		return nil
	}
	err := f.errs[0]
	f.errs = f.errs[1:]
	return err
}

func TestRunExportsAtEveryIntervalAndOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := node()
		f := &fake{}
		e := newExporter(config(&s), f)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- e.Run(ctx) }()
		time.Sleep(2*DefaultInterval + time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if len(f.got) != 3 {
			t.Fatalf("%d exports, want 3", len(f.got))
		}
		if v, _ := f.got[0].Resource.Set().Value("host.name"); v.AsString() != "node-1" {
			t.Errorf("the resource's host is %q", v.AsString())
		}
	})
}

func TestFailuresAreLoggedOnceAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := node()
		down := errors.New("connection refused")
		f := &fake{errs: []error{down, down, nil, down}}
		var log strings.Builder
		cfg := config(&s)
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		e := newExporter(cfg, f)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- e.Run(ctx) }()
		time.Sleep(4*DefaultInterval + time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(log.String(), "values are not exported"); n != 2 {
			t.Errorf("%d lines of failure, want one per change:\n%s", n, log.String())
		}
		got := map[string]float64{}
		for _, r := range e.Readings() {
			got[r.Desc.Name] = r.Value
		}
		n := float64(points(&f.got[0]))
		want := map[string]float64{
			"gpumeter.agent.export.values": 2 * n, "gpumeter.agent.export.dropped": 3 * n, "gpumeter.agent.export.failures": 3,
			"gpumeter.agent.export.last.success.timestamp": float64(now.Unix()),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestRunEndsWhileAReceiverHangs has a receiver that never answers.
func TestRunEndsWhileAReceiverHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := node()
		e := newExporter(config(&s), &fake{hang: true})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- e.Run(ctx) }()
		time.Sleep(DefaultInterval + time.Second)
		began := time.Now()
		cancel()
		<-done
		if took := time.Since(began); took > grace {
			t.Errorf("the end took %s, want at most %s", took, grace)
		}
	})
}

// TestConventionsAreThoseOfTheSpecification holds our rows against the
// conventions as the SDK ships them.
func TestConventionsAreThoseOfTheSpecification(t *testing.T) {
	type spec interface {
		Name() string
		Unit() string
	}
	all := []spec{
		hwconv.GpuUtilization{}, hwconv.GpuMemoryUsage{}, hwconv.GpuMemoryLimit{}, hwconv.GpuMemoryUtilization{}, hwconv.GpuIO{},
		hwconv.Errors{}, hwconv.Status{}, hwconv.Energy{}, hwconv.Power{}, hwconv.Temperature{}, hwconv.TemperatureLimit{},
		hwconv.FanSpeed{}, hwconv.FanSpeedRatio{}, hwconv.HostPower{}, hwconv.HostEnergy{},
		systemconv.CPUTime{}, systemconv.CPUUtilization{}, systemconv.CPUFrequency{}, systemconv.CPULogicalCount{}, systemconv.CPUPhysicalCount{},
		systemconv.MemoryUsage{}, systemconv.MemoryLimit{}, systemconv.MemoryUtilization{}, systemconv.MemoryLinuxAvailable{}, systemconv.MemoryLinuxShared{},
		systemconv.PagingUsage{}, systemconv.PagingUtilization{}, systemconv.PagingFaults{}, systemconv.PagingOperations{},
		systemconv.DiskIO{}, systemconv.DiskIOTime{}, systemconv.DiskOperations{}, systemconv.DiskOperationTime{}, systemconv.DiskMerged{}, systemconv.DiskLimit{},
		systemconv.FilesystemUsage{}, systemconv.FilesystemLimit{}, systemconv.FilesystemUtilization{},
		systemconv.NetworkIO{}, systemconv.NetworkPacketCount{}, systemconv.NetworkPacketDropped{}, systemconv.NetworkErrors{}, systemconv.NetworkConnectionCount{},
		systemconv.ProcessCount{}, systemconv.ProcessCreated{}, systemconv.Uptime{},
	}
	if len(all) != len(conventions) {
		t.Errorf("%d rows are held against the specification, of %d", len(all), len(conventions))
	}
	for _, x := range all {
		c, ok := conventional(x.Name())
		if !ok || c.unit != x.Unit() {
			t.Errorf("%s is in %q by the conventions, and in %q here", x.Name(), x.Unit(), c.unit)
		}
		want := gauge
		switch embedded := reflect.TypeOf(x).Field(0).Name; { // the instrument of the SDK
		case strings.Contains(embedded, "UpDownCounter"):
			want = upDown
		case strings.Contains(embedded, "Counter"):
			want = counter
		}
		if c.kind != want {
			t.Errorf("%s is of kind %d here, want %d", x.Name(), c.kind, want)
		}
	}
}
