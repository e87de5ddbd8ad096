package otlp

import (
	"context"
	"errors"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/gpumeter/gpumeter/exporters"
)

// watched counts what its exporter could send. The SDK would tell failures to
// an error handler of the whole process, each time anew.
type watched struct {
	sdk.Exporter
	delivery *exporters.Delivery
	resource func() *resource.Resource
}

// Export sends rm under the node's present resource. Failures are counted and
// not returned.
func (w *watched) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	n := points(rm)
	err := w.Exporter.Export(ctx, &metricdata.ResourceMetrics{Resource: w.resource(), ScopeMetrics: rm.ScopeMetrics})
	switch {
	case err == nil:
		w.delivery.Sent(n)
	case errors.Is(ctx.Err(), context.Canceled): // the agent ends
		w.delivery.Dropped(n)
	default:
		w.delivery.Failed(err)
		w.delivery.Dropped(n)
	}
	return nil
}

func points(rm *metricdata.ResourceMetrics) int {
	n := 0
	for _, s := range rm.ScopeMetrics {
		for _, m := range s.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[float64]:
				n += len(data.DataPoints)
			case metricdata.Sum[float64]:
				n += len(data.DataPoints)
			}
		}
	}
	return n
}
