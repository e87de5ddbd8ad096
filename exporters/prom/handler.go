package prom

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes is how many scrapes are answered at the same time. A few servers
// scrape a node; more is a mistake or an attack, and must not cost the memory
// of each.
const maxScrapes = 8

// clean makes a label value of what drivers, users and clouds wrote: one bad
// byte would cost the series.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// Handler serves what reg gathers, as OpenMetrics to who asks for it. What
// cannot be gathered is left out and logged: the rest is served.
func Handler(reg *prometheus.Registry, log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		ErrorLog:            errorLog{log},
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            reg,
		MaxRequestsInFlight: maxScrapes,
		EnableOpenMetrics:   true,
	})
}

// errorLog is a promhttp.Logger.
type errorLog struct{ log *slog.Logger }

// Println logs what promhttp could not serve.
func (l errorLog) Println(v ...any) { l.log.Warn("scrape is incomplete", "err", fmt.Sprint(v...)) }
