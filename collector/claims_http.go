package collector

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gpumeter/gpumeter/collector/claim"
	"github.com/gpumeter/gpumeter/collector/web"
	"github.com/gpumeter/gpumeter/contract"
)

// ParseClaimAsk reads a ClaimAsk from the parameters of a URL: month, contract;
// and, where a bundle is asked for, holders=true. The error is an *AskError.
func ParseClaimAsk(q url.Values, bundle bool) (a ClaimAsk, holders bool, err error) {
	for key, values := range q {
		switch {
		case len(values) != 1:
			return a, false, badAsk("%s is given %d times", key, len(values))
		case key == "month":
			a.Month = values[0]
		case key == "contract":
			a.Contract = values[0]
		case key == "holders" && bundle && (values[0] == "true" || values[0] == "false"):
			holders = values[0] == "true"
		case key == "holders" && bundle:
			return a, false, badAsk("holders %q is neither true nor false", values[0])
		default:
			return a, false, badAsk("unknown parameter %q: want month or contract", key)
		}
	}
	return a, holders, nil
}

// Values is the inverse of ParseClaimAsk.
func (a ClaimAsk) Values() url.Values {
	q := url.Values{}
	for key, v := range map[string]string{"month": a.Month, "contract": a.Contract} {
		if v != "" {
			q.Set(key, v)
		}
	}
	return q
}

// serveClaims is GET /api/v1/claims.
func (c *Collector) serveClaims(w http.ResponseWriter, r *http.Request) {
	ask, _, err := ParseClaimAsk(r.URL.Query(), false)
	var d contract.Docket
	if err == nil {
		err = c.computing(r.Context(), func() error {
			d, err = Claims(r.Context(), c.cfg.Store, c.cfg.Book.Contracts(), ask, c.cfg.Now())
			return err
		})
	}
	if err != nil {
		c.refuseClaim(w, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	if err := claim.JSON(w, d); err != nil {
		c.cfg.Log.Debug("claims not written", "err", err)
	}
}

// serveClaimsPage is the page of GET /claims, with the parameters of the API.
func (c *Collector) serveClaimsPage(w http.ResponseWriter, r *http.Request) {
	page, status := web.ClaimsPage{Version: c.cfg.Version, Now: c.cfg.Now(), Query: r.URL.Query()}, http.StatusOK
	ask, _, err := ParseClaimAsk(r.URL.Query(), false)
	if err == nil {
		err = c.computing(r.Context(), func() error {
			d, err := Claims(r.Context(), c.cfg.Store, c.cfg.Book.Contracts(), ask, c.cfg.Now())
			page.Docket = &d
			return err
		})
	}
	if err != nil {
		status, err = c.explain(err)
		page.Docket, page.Problem = nil, err.Error()
	}
	c.answerPage(w, status, page.Write)
}

// serveBundle is GET /api/v1/claims/ID: the evidence as a gzipped tar.
func (c *Collector) serveBundle(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	ask, holders, err := ParseClaimAsk(r.URL.Query(), true)
	var files []claim.File
	if err == nil {
		err = c.computing(r.Context(), func() error {
			b, err := ClaimBundle(r.Context(), c.cfg.Store, c.cfg.Book.Contracts(), ask, id, holders, c.cfg.Now())
			if err == nil {
				files, err = b.Files()
			}
			return err
		})
	}
	if err != nil {
		c.refuseClaim(w, err)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/gzip")
	h.Set("Content-Disposition", `attachment; filename="`+id+`.tar.gz"`) // an id that exists has no quotes
	if err := claim.WriteTar(w, id, files); err != nil {
		c.cfg.Log.Debug("bundle not written", "err", err)
	}
}

// computing runs f when there is a place among the reports being computed.
func (c *Collector) computing(ctx context.Context, f func() error) error {
	select {
	case c.reports <- struct{}{}:
		defer func() { <-c.reports }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return f()
}

func (c *Collector) refuseClaim(w http.ResponseWriter, err error) {
	if errors.Is(err, ErrUnknownIncident) {
		writeError(w, http.StatusNotFound, err)
		return
	}
	status, err := c.explain(err)
	writeError(w, status, err)
}
