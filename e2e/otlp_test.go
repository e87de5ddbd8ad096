//go:build e2e

package e2e_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	colpb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricpb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // the receiver must understand compressed requests

	"github.com/gpumeter/gpumeter/exporters"
	"github.com/gpumeter/gpumeter/exporters/otlp"
)

// receiver is an OTLP/gRPC receiver of the public protocol.
type receiver struct {
	colpb.UnimplementedMetricsServiceServer
	got []*metricpb.ResourceMetrics
}

func (r *receiver) Export(_ context.Context, q *colpb.ExportMetricsServiceRequest) (*colpb.ExportMetricsServiceResponse, error) {
	r.got = append(r.got, q.GetResourceMetrics()...)
	return &colpb.ExportMetricsServiceResponse{}, nil
}

// overGRPC sends a snapshot over gRPC and returns what came.
func overGRPC(t *testing.T, s exporters.Snapshot) []*metricpb.ResourceMetrics {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, r := grpc.NewServer(), &receiver{}
	colpb.RegisterMetricsServiceServer(server, r)
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	defer func() { server.Stop(); <-done }()
	export(t, otlp.Config{Target: exporters.Target{URL: "http://" + l.Addr().String()}, Protocol: otlp.GRPC}, s)
	return r.got
}

func export(t *testing.T, cfg otlp.Config, s exporters.Snapshot) {
	t.Helper()
	cfg.Snapshot = func() exporters.Snapshot { return s }
	e, err := otlp.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	once(t, e.Run)
	noLosses(t, e.Readings())
}

func TestVictoriaMetricsStoresEveryMetricOverOTLP(t *testing.T) {
	v := startVictoria(t)
	s := node(t)
	export(t, otlp.Config{Target: exporters.Target{URL: v.url + "/opentelemetry/v1/metrics"}}, s)
	want := points(overGRPC(t, s))
	if n := count(&s); len(want) < n {
		t.Errorf("%d values are sent, and there are %d to show", len(want), n)
	}
	compare(t, v.all(t, len(want)), want)
}

// count is how many points there are to show.
func count(s *exporters.Snapshot) int {
	n := 0
	for range exporters.Points(s, s.Frame.Wall, time.Minute) {
		n++
	}
	return n
}

// points flattens what a receiver got. VictoriaMetrics makes labels of
// attributes, and stores numbers alone.
func points(rms []*metricpb.ResourceMetrics) []sent {
	var out []sent
	for _, rm := range rms {
		for _, sm := range rm.GetScopeMetrics() {
			for _, m := range sm.GetMetrics() {
				for _, p := range append(m.GetGauge().GetDataPoints(), m.GetSum().GetDataPoints()...) {
					out = append(out, sent{m.GetName(), labels(p.GetAttributes()), p.GetAsDouble(), time.Unix(0, int64(p.GetTimeUnixNano()))})
				}
			}
		}
	}
	return out
}

func labels(kvs []*commonpb.KeyValue) map[string]string {
	out := map[string]string{}
	for _, kv := range kvs {
		switch v := kv.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_IntValue:
			out[kv.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		default:
			out[kv.GetKey()] = kv.GetValue().GetStringValue()
		}
	}
	return out
}

// TestOTLPHasTheFormThatReceiversAskFor holds what came over gRPC against the
// protocol's own rules, which receivers enforce in different strictness.
func TestOTLPHasTheFormThatReceiversAskFor(t *testing.T) {
	s := node(t)
	rms := overGRPC(t, s)
	names, series := map[string]bool{}, map[string]bool{}
	for _, rm := range rms {
		if len(rm.GetResource().GetAttributes()) == 0 || rm.GetSchemaUrl() == "" {
			t.Error("a request has no resource")
		}
		for _, sm := range rm.GetScopeMetrics() {
			for _, m := range sm.GetMetrics() {
				names[m.GetName()] = true
				for _, p := range append(m.GetGauge().GetDataPoints(), m.GetSum().GetDataPoints()...) {
					check(t, m, p, s.Frame.Wall)
				}
			}
		}
	}
	for _, p := range points(rms) {
		key := p.name
		for _, k := range sorted(p.labels) {
			key += "\x00" + k + "\x00" + p.labels[k]
		}
		if series[key] {
			t.Errorf("%s %v is sent twice", p.name, p.labels)
		}
		series[key] = true
	}
	for _, name := range []string{"hw.gpu.utilization", "hw.gpu.memory.usage", "hw.gpu.memory.limit", "hw.gpu.io", "hw.errors", "hw.status",
		"hw.energy", "hw.power", "hw.temperature", "system.cpu.time", "system.memory.usage", "gpu.busy.time", "gpu.holder.info"} {
		if !names[name] {
			t.Errorf("%s is not sent", name)
		}
	}
}

func check(t *testing.T, m *metricpb.Metric, p *metricpb.NumberDataPoint, at time.Time) {
	t.Helper()
	seen := map[string]bool{}
	for _, kv := range p.GetAttributes() {
		if kv.GetKey() == "" || seen[kv.GetKey()] {
			t.Errorf("%s has the attribute %q twice", m.GetName(), kv.GetKey())
		}
		seen[kv.GetKey()] = true
	}
	if p.GetTimeUnixNano() != uint64(at.UnixNano()) {
		t.Errorf("%s is of %d, want the frame's time", m.GetName(), p.GetTimeUnixNano())
	}
	sum := m.GetSum()
	if sum != nil && sum.GetAggregationTemporality() != metricpb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
		t.Errorf("%s is not cumulative", m.GetName())
	}
	if sum.GetIsMonotonic() && (p.GetStartTimeUnixNano() == 0 || p.GetStartTimeUnixNano() > p.GetTimeUnixNano()) {
		t.Errorf("%s began at %d and is of %d", m.GetName(), p.GetStartTimeUnixNano(), p.GetTimeUnixNano())
	}
	if strings.HasPrefix(m.GetName(), "hw.") && !seen["hw.id"] && m.GetName() != "hw.errors" {
		t.Errorf("%s has no hw.id", m.GetName())
	}
}
