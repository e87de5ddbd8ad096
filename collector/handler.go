package collector

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gpumeter/gpumeter/collector/report"
	"github.com/gpumeter/gpumeter/collector/web"
	"github.com/gpumeter/gpumeter/contract"
)

// Handler returns the collector's HTTP interface. It may be called more than
// once; all handlers share the collector.
func (c *Collector) Handler() http.Handler {
	mux := http.NewServeMux()
	readers, others := c.cfg.Tokens.readers()
	read := func(h http.HandlerFunc) http.Handler { return allow(readers, others, h) }
	mux.Handle("POST /v1/usage", allow(c.cfg.Tokens.Agents, c.cfg.Tokens.Readers, c.takeUsage))
	mux.Handle("GET /api/v1/report", read(c.serveReport(writeReportJSON)))
	mux.Handle("GET /api/v1/report.csv", read(c.serveReport(writeReportCSV)))
	mux.Handle("GET /api/v1/periods", read(c.servePeriods))
	mux.Handle("GET /api/v1/verify", read(c.serveVerify))
	mux.Handle("GET /api/v1/spend", read(c.serveSpend))
	mux.Handle("GET /api/v1/claims", read(c.serveClaims))
	mux.Handle("GET /api/v1/claims/{id}", read(c.serveBundle))
	mux.Handle("GET /metrics", read(promhttp.HandlerFor(c.metrics.registry, promhttp.HandlerOpts{EnableOpenMetrics: true}).ServeHTTP))
	mux.Handle("GET /{$}", read(c.servePage))
	mux.Handle("GET /spend", read(c.serveSpendPage))
	mux.Handle("GET /claims", read(c.serveClaimsPage))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, "ok\n") })
	mux.HandleFunc("GET /readyz", c.serveReady)
	return secure(mux)
}

// secure sets what holds for every answer.
func secure(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// readyLimit is how long a store may take to say that it answers.
const readyLimit = 5 * time.Second

func (c *Collector) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyLimit)
	defer cancel()
	select {
	case <-c.stopped:
		writeError(w, http.StatusServiceUnavailable, errStopped)
		return
	default:
	}
	if _, err := c.cfg.Store.Extent(ctx); err != nil {
		c.cfg.Log.Warn("store does not answer", "err", err)
		writeError(w, http.StatusServiceUnavailable, errors.New("the store does not answer"))
		return
	}
	writeText(w, "ready\n")
}

// HeadHeader is the header with the SHA-256 of the ledger's entry, of an answer
// that has the bytes of a closed month.
const HeadHeader = "Gpumeter-Ledger-Head"

// serveReport answers with a report in some form.
func (c *Collector) serveReport(write func(http.ResponseWriter, contract.Report) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ask, err := ParseAsk(r.URL.Query())
		var rep contract.Report
		if err == nil {
			rep, err = c.Report(r.Context(), ask)
		}
		if err != nil {
			status, err := c.explain(err)
			writeError(w, status, err)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		if e := rep.Edition; e != nil && e.Head != "" {
			w.Header().Set(HeadHeader, e.Head)
		}
		if err := write(w, rep); err != nil {
			c.cfg.Log.Debug("report not written", "err", err)
		}
	}
}

// Report computes the report that is asked for, now, under the contracts in
// force. Errors are those of the function Report.
func (c *Collector) Report(ctx context.Context, ask Ask) (contract.Report, error) {
	select {
	case c.reports <- struct{}{}:
		defer func() { <-c.reports }()
	case <-ctx.Done():
		return contract.Report{}, ctx.Err()
	}
	start := c.cfg.Now()
	rep, err := c.books.Report(ctx, c.cfg.Book.Contracts(), ask, start)
	c.metrics.reportSeconds.Observe(c.cfg.Now().Sub(start).Seconds())
	return rep, err
}

// explain gives the status of an error about a report, and what the asker is
// told.
func (c *Collector) explain(err error) (int, error) {
	var ask *AskError
	switch {
	case errors.As(err, &ask):
		return http.StatusBadRequest, err
	case errors.Is(err, ErrUnknownContract), errors.Is(err, ErrNoRevision):
		return http.StatusNotFound, err
	case errors.Is(err, ErrNoData):
		return http.StatusUnprocessableEntity, err
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable, errors.New("the report took too long")
	}
	c.cfg.Log.Error("report not made", "err", err)
	return http.StatusInternalServerError, errors.New("the report was not made: the collector's log has the reason")
}

func writeReportJSON(w http.ResponseWriter, r contract.Report) error {
	w.Header().Set("Content-Type", "application/json")
	return report.JSON(w, r)
}

func writeReportCSV(w http.ResponseWriter, r contract.Report) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", `attachment; filename="gpumeter-report.csv"`)
	return report.CSV(w, r)
}

// pageAgain is after how many seconds a browser asks again for a page whose first
// figures are on their way.
const pageAgain = "15"

// servePage is the web page. It answers in words, with the status of the
// error, where there is no report.
func (c *Collector) servePage(w http.ResponseWriter, r *http.Request) {
	page := web.Page{Version: c.cfg.Version, Now: c.cfg.Now(), HasContracts: len(c.cfg.Book.Contracts()) > 0, Query: r.URL.Query()}
	status := http.StatusOK
	ask, err := ParseAsk(r.URL.Query())
	if err == nil {
		var rep contract.Report
		if rep, err = c.Report(r.Context(), c.withTeams(ask)); err == nil {
			page.Report = &rep
		}
	}
	if err != nil {
		page.NoData = errors.Is(err, ErrNoData)
		if e, ok := errors.AsType[*AwaitedError](err); ok && len(e.Nodes) > 0 {
			page.Awaited = true
			w.Header().Set("Refresh", pageAgain)
		}
		status, err = c.explain(err)
		page.Problem = err.Error()
	}
	c.answerPage(w, status, page.Write)
}

// answerPage writes a page with what it may do.
func (c *Collector) answerPage(w http.ResponseWriter, status int, write func(io.Writer) error) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", web.Policy())
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := write(w); err != nil {
		c.cfg.Log.Debug("page not written", "err", err)
	}
}

// withTeams breaks a page down by team where nothing else is asked for. A
// closed month is shown as it was closed, which is without.
func (c *Collector) withTeams(ask Ask) Ask {
	if ask.By != "" || ask.Revision != "" {
		return ask
	}
	if m, err := contract.ParseMonth(ask.Month); err == nil && m.StateAt(c.cfg.Book.Contracts(), c.cfg.Now().UnixMilli()) == contract.Closed {
		return ask
	}
	ask.By = contract.ByTeam
	return ask
}

func writeText(w http.ResponseWriter, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(s)) // whoever asked may be gone
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever asked may be gone
}

func writeError(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, struct {
		Error string `json:"error"`
	}{err.Error()})
}
