package prom

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// maxScrapes is how many scrapes are answered at the same time. A few servers
// scrape a node; more is a mistake or an attack, and must not cost the memory
// of each.
const maxScrapes = 8

// clean makes a label value of what drivers, users and clouds wrote: one bad
// byte would cost the series.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// Handler serves what reg and then the others gather, as OpenMetrics to who
// asks for it. No two of them may have the same names. What cannot be gathered
// is left out and logged: the rest is served.
func Handler(reg *prometheus.Registry, log *slog.Logger, others ...prometheus.Gatherer) http.Handler {
	return limited(compressed(promhttp.HandlerFor(together(append([]prometheus.Gatherer{reg}, others...)), promhttp.HandlerOpts{
		ErrorLog:           errorLog{log},
		ErrorHandling:      promhttp.ContinueOnError,
		Registry:           reg,
		EnableOpenMetrics:  true,
		DisableCompression: true,
	})))
}

// together gathers from several that have no name in common. It is
// prometheus.Gatherers without the checks of every series.
type together []prometheus.Gatherer

// Gather implements prometheus.Gatherer.
func (t together) Gather() ([]*dto.MetricFamily, error) {
	var out []*dto.MetricFamily
	var errs []error
	for _, g := range t {
		families, err := g.Gather()
		out, errs = append(out, families...), append(errs, err)
	}
	slices.SortFunc(out, byName)
	return out, errors.Join(errs...)
}

// errorLog is a promhttp.Logger.
type errorLog struct{ log *slog.Logger }

// Println logs what promhttp could not serve.
func (l errorLog) Println(v ...any) { l.log.Warn("scrape is incomplete", "err", fmt.Sprint(v...)) }
