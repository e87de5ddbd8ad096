package prom

import "net/http"

// textFormat is the Prometheus text format, which all servers read.
const textFormat = "text/plain; version=0.0.4; charset=utf-8"

// Text is a page, or a part of one, that there is in the text format only.
type Text interface {
	// AppendText appends whole families as they are now. It may be called
	// concurrently.
	AppendText(dst []byte) []byte
}

// WithText serves what h serves and then t, in the text format whatever is
// asked for: a server that prefers OpenMetrics would never see t otherwise. h
// may be nil, for t alone; the two must have no name in common.
func WithText(h http.Handler, t Text) http.Handler {
	return limited(compressed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", textFormat)
		if h != nil {
			r = r.Clone(r.Context())
			r.Header.Set("Accept", "text/plain;version=0.0.4")
			r.Header.Del("Accept-Encoding") // both parts are compressed as one
			h.ServeHTTP(w, r)
		}
		_, _ = w.Write(t.AppendText(nil)) // the client is gone: nobody is left to be told
	})))
}

// limited answers 503 to more than maxScrapes requests at the same time.
func limited(h http.Handler) http.Handler {
	sem := make(chan struct{}, maxScrapes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case sem <- struct{}{}:
			defer func() { <-sem }()
			h.ServeHTTP(w, r)
		default:
			http.Error(w, "too many scrapes at the same time", http.StatusServiceUnavailable)
		}
	})
}
