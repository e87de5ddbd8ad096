package prom_test

import (
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/gpumeter/gpumeter/exporters/prom"
)

// get returns what h answers to a request with the given headers.
func get(h http.Handler, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// body returns an answer's body, unpacked as its header says.
func body(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var r io.Reader = w.Body
	if w.Header().Get("Content-Encoding") == "gzip" {
		gz, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = gz
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestGatherEqualsRegistry holds Gather, which checks nothing, to what a
// registry makes of the same series.
func TestGatherEqualsRegistry(t *testing.T) {
	s := whole()
	want, err := registry(t, exporter(s)).Gather()
	if err != nil {
		t.Fatal(err)
	}
	got, err := exporter(s).Gather()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines(t, want), lines(t, got)); diff != "" {
		t.Errorf("(-registry +Gather):\n%s", diff)
	}
}

// lines returns the lines of a page; the series of a name in any order.
func lines(t *testing.T, families []*dto.MetricFamily) map[string]bool {
	t.Helper()
	var b strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	out := map[string]bool{}
	for line := range strings.Lines(b.String()) {
		if out[line] {
			t.Errorf("twice: %s", line)
		}
		out[line] = true
	}
	return out
}

func TestPageIsCompressedForWhoAcceptsIt(t *testing.T) {
	h := prom.Handler(registry(t), discard(), exporter(node(fewDescs)))
	f := func(accept, want string) {
		t.Helper()
		w := get(h, "Accept-Encoding", accept)
		if got := w.Header().Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q: %q, want %q", accept, got, want)
		}
		if !strings.Contains(body(t, w), "\ngpu_up{") {
			t.Errorf("Accept-Encoding %q: no gpu_up in the body", accept)
		}
	}
	f("gzip", "gzip")
	f("zstd, gzip;q=0.5", "gzip")
	f("GZIP ; q=1", "gzip")
	f("gzip;q=0", "")
	f("gzip;q=x", "")
	f("deflate", "")
	f("", "")
}

// TestErrorIsNotCompressed has a page that takes away the header that says how
// its answer is packed, as promhttp does when it has only an error.
func TestErrorIsNotCompressed(t *testing.T) {
	failing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Del("Content-Encoding")
		http.Error(w, "no such thing", http.StatusInternalServerError)
	})
	w := get(prom.WithText(failing, note("")), "Accept-Encoding", "gzip")
	if got := body(t, w); got != "no such thing\n" || w.Code != http.StatusInternalServerError {
		t.Errorf("%d %q, want the error in plain text", w.Code, got)
	}
}

// note is a text of one line.
type note string

func (n note) AppendText(dst []byte) []byte { return append(dst, n...) }

func TestTextFollowsOwnPage(t *testing.T) {
	h := prom.WithText(prom.Handler(registry(t), discard(), exporter(node(fewDescs))), note("OTHER_NAME 1\n"))
	w := get(h, "Accept-Encoding", "gzip", "Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.3")
	if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain; version=0.0.4") {
		t.Errorf("content type %q, want the text format although OpenMetrics was asked for", got)
	}
	text := body(t, w)
	if !strings.HasSuffix(text, "\nOTHER_NAME 1\n") || !strings.Contains(text, "\ngpu_up{") || strings.Contains(text, "# EOF") {
		t.Errorf("page ends in %q, want our own and then the other", text[max(0, len(text)-200):])
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	if _, err := parser.TextToMetricFamilies(strings.NewReader(text)); err != nil {
		t.Error(err)
	}
}

func TestTextAlone(t *testing.T) {
	w := get(prom.WithText(nil, note("OTHER_NAME 1\n")))
	if got := body(t, w); got != "OTHER_NAME 1\n" || w.Header().Get("Content-Type") == "" {
		t.Errorf("%q of type %q", got, w.Header().Get("Content-Type"))
	}
}

// slow is a text that says when it has begun and waits until it may end.
type slow struct{ begun, end chan struct{} }

func (s slow) AppendText(dst []byte) []byte { s.begun <- struct{}{}; <-s.end; return dst }

func TestTooManyScrapesAreTurnedAway(t *testing.T) {
	s := slow{make(chan struct{}), make(chan struct{})}
	h := prom.WithText(nil, s)
	done := make(chan int)
	const held = 8
	for range held {
		go func() { done <- get(h).Code }()
		<-s.begun
	}
	if code := get(h).Code; code != http.StatusServiceUnavailable {
		t.Errorf("scrape %d: status %d, want 503", held+1, code)
	}
	close(s.end)
	for range held {
		if code := <-done; code != http.StatusOK {
			t.Errorf("status %d of a scrape that was there in time", code)
		}
	}
}
