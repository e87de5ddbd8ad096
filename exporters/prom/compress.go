package prom

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// writers are reused: one is 800 KiB.
var writers = sync.Pool{New: func() any {
	// The fastest level: a page repeats itself so much that the best one saves
	// a few KiB and costs a millisecond.
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return w
}}

// compressed serves h with gzip to who accepts it. h must not compress.
func compressed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if !acceptsGzip(r.Header) {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		gz := writers.Get().(*gzip.Writer)
		defer writers.Put(gz)
		gz.Reset(w)
		z := &gzipped{ResponseWriter: w, gz: gz}
		h.ServeHTTP(z, r)
		if !z.plain {
			_ = gz.Close() // the client is gone: nobody is left to be told
		}
	})
}

// gzipped is a ResponseWriter whose body is compressed, unless what writes it
// takes the header away, as promhttp does when it reports an error.
type gzipped struct {
	http.ResponseWriter
	gz    *gzip.Writer
	plain bool
}

// WriteHeader sends the header.
func (w *gzipped) WriteHeader(code int) {
	w.plain = w.Header().Get("Content-Encoding") == ""
	w.ResponseWriter.WriteHeader(code)
}

// Write compresses b.
func (w *gzipped) Write(b []byte) (int, error) {
	if w.plain {
		return w.ResponseWriter.Write(b)
	}
	return w.gz.Write(b)
}

// acceptsGzip reports whether a request names gzip with a weight above zero.
func acceptsGzip(h http.Header) bool {
	for _, line := range h.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				return weight(params) > 0
			}
		}
	}
	return false
}

// weight reads "q=0.5"; 1 where there is none, 0 where it is no number.
func weight(params string) float64 {
	q, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(params, " ", "")), "q=")
	if !ok {
		return 1
	}
	f, err := strconv.ParseFloat(q, 64)
	if err != nil {
		return 0
	}
	return f
}
