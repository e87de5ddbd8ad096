package influx

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/exporters"
)

// start runs an exporter and returns how to end it.
func start(t *testing.T, e *Exporter) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	return func() error { cancel(); return <-done }
}

func snapshot() exporters.Snapshot { s := node(few); s.Frame.Wall = time.Now(); return s }

func newExporter(t *testing.T, cfg Config) *Exporter {
	t.Helper()
	cfg.Snapshot = snapshot
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// counts are the exporter's readings by the last word of their names.
func counts(e *Exporter) map[string]float64 {
	out := map[string]float64{}
	for _, r := range e.Readings() {
		out[r.Desc.Name[strings.LastIndex(r.Desc.Name, ".")+1:]] = r.Value
	}
	return out
}

func TestStreamGetsALookPerIntervalAndOneMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		e := newExporter(t, Config{Writer: &out})
		stop := start(t, e)
		time.Sleep(2*DefaultInterval + time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		times, values := map[time.Time]bool{}, 0
		for _, l := range decode(t, out.Bytes()) {
			times[l.at] = true
			values += len(l.fields)
		}
		if len(times) != 3 || counts(e)["values"] != float64(values) {
			t.Errorf("%d looks are written and %v values counted, want 3 and %d", len(times), counts(e)["values"], values)
		}
	})
}

// blocked is a stream that nobody reads.
type blocked struct{ release chan struct{} }

func (b blocked) Write([]byte) (int, error) { <-b.release; return 0, io.ErrClosedPipe }

func TestRunEndsWhileAStreamIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := blocked{make(chan struct{})}
		defer close(b.release)
		stop := start(t, newExporter(t, Config{Writer: b}))
		time.Sleep(DefaultInterval + time.Second)
		began := time.Now()
		if err := stop(); err == nil || time.Since(began) > grace+stuck {
			t.Errorf("the end took %s and says %v, want an error within %s", time.Since(began), err, grace+stuck)
		}
	})
}

func TestFileIsOpenedAnewWhenItWasRenamed(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lines.lp")
	f := &file{name: name}
	defer f.close()
	write := func(s string) {
		t.Helper()
		if err := f.write(t.Context(), batch{body: []byte(s)}); err != nil {
			t.Fatal(err)
		}
	}
	write("a\n")
	write("b\n")
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	write("c\n")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	write("d\n")
	if err := os.Truncate(name, 0); err != nil { // as logrotate's copytruncate
		t.Fatal(err)
	}
	write("e\n")
	old, _ := os.ReadFile(name + ".1")
	got, _ := os.ReadFile(name)
	if string(old) != "a\nb\n" || string(got) != "e\n" {
		t.Errorf("the files have %q and %q", old, got)
	}
}

// TestHalfALineIsTakenBack has a file that can take only a part: a limit of the
// process's own on the size of its files stands for a full disk.
func TestHalfALineIsTakenBack(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lines.lp")
	f := &file{name: name}
	defer f.close()
	if err := f.write(t.Context(), batch{body: []byte("whole 1\n")}); err != nil {
		t.Fatal(err)
	}
	limit := limitFiles(t, 12)
	err := f.write(t.Context(), batch{body: []byte("another 12345\n")})
	limit()
	got, _ := os.ReadFile(name)
	if err == nil || string(got) != "whole 1\n" {
		t.Errorf("error %v, and the file has %q", err, got)
	}
}

// backend is a server that answers as it is told.
type backend struct {
	mu       sync.Mutex
	answers  []int // status codes, then 204
	requests []*http.Request
	bodies   [][]byte
	header   http.Header
	text     string
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	body, _ := io.ReadAll(z)
	b.requests, b.bodies = append(b.requests, r), append(b.bodies, body)
	status := http.StatusNoContent
	if len(b.answers) > 0 {
		status, b.answers = b.answers[0], b.answers[1:]
	}
	for k, v := range b.header {
		w.Header()[k] = v
	}
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		_, _ = io.WriteString(w, b.text)
	}
}

func (b *backend) seen() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.requests)
}

func serve(t *testing.T, b *backend) string {
	t.Helper()
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	return s.URL
}

func secret(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestRequestsAreThoseOfTheEndpoints(t *testing.T) {
	f := func(cfg Config, path, query, authorization string) {
		t.Helper()
		b := &backend{}
		cfg.URL = serve(t, b) + "/base/"
		if err := start(t, newExporter(t, cfg))(); err != nil {
			t.Fatal(err)
		}
		if b.seen() != 1 {
			t.Fatalf("%d requests, want 1", b.seen())
		}
		r := b.requests[0]
		if r.Method != http.MethodPost || r.URL.Path != path || r.URL.RawQuery != query || r.Header.Get("Authorization") != authorization {
			t.Errorf("%s %s?%s with %q, want POST %s?%s with %q", r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Authorization"), path, query, authorization)
		}
		if len(decode(t, b.bodies[0])) == 0 {
			t.Error("the body has no line")
		}
	}
	f(Config{Database: "gpus"}, "/base/write", "db=gpus&precision=ns", "")
	f(Config{Database: "gpus", RetentionPolicy: "week", Precision: Microsecond, User: "me", PasswordFile: secret(t)},
		"/base/write", "db=gpus&precision=u&rp=week", "Basic bWU6aHVudGVyMg==")
	f(Config{Bucket: "gpus", Org: "us & them", Precision: Second, TokenFile: secret(t)},
		"/base/api/v2/write", "bucket=gpus&org=us+%26+them&precision=s", "Token hunter2")
}

// waitFor waits until done says so.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come about")
		}
	}
}

func TestFailuresAreTriedAgain(t *testing.T) {
	for _, status := range []int{500, 503, 429, 408, 401, 403, 404, 302} {
		b := &backend{answers: []int{status, status}}
		var log strings.Builder
		e := newExporter(t, Config{Target: exporters.Target{URL: serve(t, b)}, Database: "gpus", Interval: time.Hour,
			Rand: func() float64 { return 0 }, Log: slog.New(slog.NewTextHandler(&log, nil))})
		e.collect()
		stop := start(t, e)
		waitFor(t, func() bool { return b.seen() == 3 })
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.bodies[0], b.bodies[1]) || !bytes.Equal(b.bodies[1], b.bodies[2]) {
			t.Errorf("%d: other lines are sent again", status)
		}
		got := counts(e)
		if got["failures"] != 2 || got["dropped"] != 0 || got["values"] == 0 {
			t.Errorf("%d: counts are %v", status, got)
		}
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("%d: %d lines in the log, want one of failure and one of recovery:\n%s", status, n, log.String())
		}
	}
}

func TestRefusedLinesAreGivenUp(t *testing.T) {
	b := &backend{answers: []int{400}, text: `{"error":"partial write: field type conflict"}`}
	var log strings.Builder
	e := newExporter(t, Config{Target: exporters.Target{URL: serve(t, b)}, Database: "gpus", TokenFile: secret(t), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err := start(t, e)(); err != nil {
		t.Fatal(err)
	}
	got := counts(e)
	if got["failures"] != 1 || got["values"] != 0 || got["dropped"] == 0 || b.seen() != 1 {
		t.Errorf("counts are %v after %d requests", got, b.seen())
	}
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "field type conflict") || strings.Contains(text, "hunter2") {
		t.Errorf("the log is %s", text)
	}
}

func TestAServerSaysWhenToComeAgain(t *testing.T) {
	e := newExporter(t, Config{Writer: io.Discard, Rand: func() float64 { return 0.5 }})
	h := http.Header{"Retry-After": {"120"}}
	s := &server{cfg: e.cfg}
	err := s.judge(&http.Response{StatusCode: http.StatusTooManyRequests, Header: h}, nil)
	for _, c := range []struct {
		failures int
		err      error
		want     time.Duration
	}{{0, err, 2 * time.Minute}, {0, errors.New("refused"), retryBase / 2}, {3, errors.New("refused"), 4 * time.Second}, {60, errors.New("refused"), retryCap / 2}} {
		if got := e.backoff(c.err, c.failures); got != c.want {
			t.Errorf("after %d failures and %v: %s, want %s", c.failures, c.err, got, c.want)
		}
	}
	h.Set("Retry-After", "9999999")
	if got := e.backoff(s.judge(&http.Response{StatusCode: http.StatusServiceUnavailable, Header: h}, nil), 0); got != retryAfterCap {
		t.Errorf("a server may hold us for %s, want %s", got, retryAfterCap)
	}
}

func TestBufferIsBoundedAndItsLossesAreCounted(t *testing.T) {
	q := newQueue(10)
	put := func(size, values int) int { return q.push(batch{body: make([]byte, size), values: values}) }
	got := []int{put(4, 1), put(4, 2), put(4, 4), put(10, 8), put(11, 16)}
	if diff := cmp.Diff([]int{0, 0, 1, 6, 16}, got); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
	if b, ok := q.take(t.Context()); !ok || b.values != 8 {
		t.Errorf("the queue has %d values, want the newest that fits", b.values)
	}
	put(3, 1)
	q.close()
	if b, ok := q.take(t.Context()); !ok || b.values != 1 {
		t.Error("what waits is gone with the end")
	}
	if _, ok := q.take(t.Context()); ok {
		t.Error("a closed, empty queue has a batch")
	}
}

// TestWhatWaitsIsTriedOnceMoreAtTheEnd has a server that comes back just then.
func TestWhatWaitsIsTriedOnceMoreAtTheEnd(t *testing.T) {
	b := &backend{answers: []int{500}}
	e := newExporter(t, Config{Target: exporters.Target{URL: serve(t, b)}, Database: "gpus", Interval: time.Hour, Rand: func() float64 { return 1 }})
	e.collect()
	e.collect()
	stop := start(t, e)
	waitFor(t, func() bool { return counts(e)["failures"] == 1 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := counts(e); b.seen() != 4 || got["dropped"] != 0 {
		t.Errorf("%d requests, counts %v; want the failed one and three good", b.seen(), got)
	}
}

func TestLossesAtTheEndAreSaid(t *testing.T) {
	b := &backend{answers: []int{500, 500, 500, 500}}
	var log strings.Builder
	e := newExporter(t, Config{Target: exporters.Target{URL: serve(t, b)}, Database: "gpus", Interval: time.Hour,
		Rand: func() float64 { return 1 }, Log: slog.New(slog.NewTextHandler(&log, nil))})
	e.collect()
	e.collect()
	if err := start(t, e)(); err != nil {
		t.Fatal(err)
	}
	if got := counts(e); got["dropped"] == 0 || got["values"] != 0 || !strings.Contains(log.String(), "were not exported before the end") {
		t.Errorf("counts are %v, and the log is\n%s", got, log.String())
	}
}

func TestNewRefuses(t *testing.T) {
	f := func(want string, cfg Config) {
		t.Helper()
		cfg.Snapshot = snapshot
		_, err := New(cfg)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
	to := exporters.Target{URL: "https://backend.example"}
	f("one place", Config{})
	f("one place", Config{File: "x", Writer: io.Discard})
	f("layout", Config{File: "x", Layout: "flat"})
	f("precision", Config{File: "x", Precision: "h"})
	f("database", Config{Target: to})
	f("database", Config{Target: to, Database: "a", Bucket: "b"})
	f("not both", Config{Target: to, Database: "a", User: "u", PasswordFile: "p", TokenFile: secret(t)})
	f("come together", Config{Target: to, Database: "a", User: "u"})
	f("read secret", Config{Target: to, Database: "a", TokenFile: filepath.Join(t.TempDir(), "absent")})
	f("loopback", Config{Target: exporters.Target{URL: "http://backend.example"}, Database: "a"})
	f("a user", Config{Target: exporters.Target{URL: "https://u:hunter2@backend.example"}, Database: "a"})
	for _, name := range []string{"", "a\nb", `a\`, "_field", "time", "\xff"} {
		f("no name for a tag", Config{File: "x", Tags: map[string]string{name: "v"}})
	}
	for _, two := range []string{"two words", "", "\n"} {
		name := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(name, []byte(two), 0o600); err != nil {
			t.Fatal(err)
		}
		f("one word", Config{Target: to, Database: "a", TokenFile: name})
	}
}

func ExampleNew() {
	e, err := New(Config{Writer: os.Stdout, Layout: LayoutTelegraf, Snapshot: func() exporters.Snapshot { return exporters.Snapshot{} }})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // one look, and the end
	fmt.Println(e.Run(ctx))
	// Output: <nil>
}
