package push_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gpumeter/gpumeter/agent/push"
	"github.com/gpumeter/gpumeter/usage"
)

const (
	agentID = "0123456789abcdef0123456789abcdef"
	epochID = "fedcba9876543210fedcba9876543210"
)

// source is a Source in memory.
type source struct {
	mu      sync.Mutex
	waiting []usage.Sealed
	acked   usage.Ranges
	aside   []uint64
	store   string
	clash   []usage.ID
}

func newSource(t *testing.T, n int) *source {
	t.Helper()
	s := &source{}
	for range n {
		s.add(t)
	}
	return s
}

func (s *source) add(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	seq := s.acked.Len() + uint64(len(s.waiting)+len(s.aside)) + 1
	b, err := usage.Seal(usage.Batch{Agent: agentID, Epoch: epochID, Seq: seq, Evidence: usage.EvidenceAgent, Node: usage.Node{Name: "n"}})
	if err != nil {
		t.Fatal(err)
	}
	s.waiting = append(s.waiting, b)
}

func (s *source) Unacked(maxBytes int, f func(usage.ID, []byte, usage.Hash)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range s.waiting {
		if maxBytes -= len(b.Body); maxBytes < 0 && i > 0 {
			return nil
		}
		f(b.Batch.ID(), b.Body, b.Hash)
	}
	return nil
}

func (s *source) Ack(store string, committed map[string]usage.Ranges, conflicts []usage.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store = store
	s.clash = append(s.clash, conflicts...)
	s.acked = committed[agentID+"/"+epochID]
	s.waiting = slices.DeleteFunc(s.waiting, func(b usage.Sealed) bool { return s.acked.Has(b.Batch.Seq) })
	return nil
}

func (s *source) SetAside(id usage.ID, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aside = append(s.aside, id.Seq)
	s.waiting = slices.DeleteFunc(s.waiting, func(b usage.Sealed) bool { return b.Batch.ID() == id })
	return nil
}

func (s *source) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

// collector is the other side: it keeps seqs and answers as told.
type collector struct {
	mu    sync.Mutex
	have  usage.Ranges
	posts []post
	// refuse answers a post instead; nil takes it.
	refuse func(n int, seqs []uint64) *http.Response
}

type post struct {
	at    time.Time
	seqs  []uint64
	token string
	raw   int
}

// RoundTrip makes a collector a transport, for tests under a fake clock.
func (c *collector) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	zr, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(zr)
	if err != nil {
		return nil, err
	}
	p := post{at: time.Now(), token: r.Header.Get("Authorization"), raw: len(raw)}
	if err := usage.Lines(bytes.NewReader(raw), func(body []byte) error {
		s, err := usage.Open(body)
		p.seqs = append(p.seqs, s.Batch.Seq)
		return err
	}); err != nil {
		return nil, err
	}
	c.posts = append(c.posts, p)
	if c.refuse != nil {
		if res := c.refuse(len(c.posts), p.seqs); res != nil {
			return res, nil
		}
	}
	for _, n := range p.seqs {
		c.have = c.have.Add(n)
	}
	return c.answer(nil), nil
}

func (c *collector) answer(conflicts []uint64) *http.Response {
	b, _ := json.Marshal(map[string]any{
		"store_id": "store-1", "committed": map[string]usage.Ranges{agentID + "/" + epochID: c.have},
		"conflicts": conflicts, "quarantined": []any{}, "duplicates": 0, "server_time_ms": 1,
	})
	return response(200, "application/json", string(b))
}

func response(status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)),
		Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

func refusal(status int) *http.Response {
	return response(status, "application/json", `{"error":"no"}`)
}

// run pushes src to c for a span of fake time.
func run(t *testing.T, c *collector, src push.Source, span time.Duration, change func(*push.Config)) *push.Pusher {
	t.Helper()
	cfg := push.Config{URL: "http://127.0.0.1:1", Client: &http.Client{Transport: c}, Rand: func() float64 { return 1 }}
	if change != nil {
		change(&cfg)
	}
	p, err := push.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	if err := p.Run(ctx, src); err != nil {
		t.Errorf("Run = %v, want nil after its context ended", err)
	}
	return p
}

func TestRunSendsEverythingOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, c := newSource(t, 100), &collector{}
		p := run(t, c, src, time.Hour, func(cfg *push.Config) { cfg.MaxBytes = 4000 })
		if src.left() != 0 || c.have.Len() != 100 || src.store != "store-1" {
			t.Errorf("%d batches left, %d arrived at %q, want 0, 100 at store-1", src.left(), c.have.Len(), src.store)
		}
		total := 0
		for _, p := range c.posts {
			total += len(p.seqs)
			if p.raw > 4000+100*len(p.seqs) {
				t.Errorf("a request of %d batches has %d bytes, want at most 4000 of bodies", len(p.seqs), p.raw)
			}
		}
		if total != 100 || len(c.posts) < 2 {
			t.Errorf("%d batches in %d requests, want 100 in several", total, len(c.posts))
		}
		if st := p.Stats(); st.Acknowledged != 100 || st.LastError != "" || st.LastSuccess.IsZero() {
			t.Errorf("stats = %+v, want 100 acknowledged", st)
		}
	})
}

func TestWakeSendsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, c := newSource(t, 0), &collector{}
		p, err := push.New(push.Config{URL: "http://[::1]:1", Client: &http.Client{Transport: c}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { p.Run(ctx, src) })
		synctest.Wait()
		src.add(t)
		began := time.Now()
		p.Wake()
		p.Wake()
		synctest.Wait()
		if src.left() != 0 || time.Since(began) != 0 {
			t.Errorf("%d batches left %s after Wake, want 0 at once", src.left(), time.Since(began))
		}
		cancel()
		wg.Wait()
	})
}

func TestFailuresKeepDataAndBackOff(t *testing.T) {
	for _, status := range []int{301, 401, 403, 404, 415, 429, 500, 502, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newSource(t, 3)
				c := &collector{refuse: func(int, []uint64) *http.Response { return refusal(status) }}
				p := run(t, c, src, time.Hour, nil)
				if src.left() != 3 || len(src.aside) != 0 {
					t.Errorf("%d batches left, %d aside, want 3, 0", src.left(), len(src.aside))
				}
				for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
					if got := c.posts[i+1].at.Sub(c.posts[i].at); got != want*time.Second {
						t.Errorf("wait %d = %s, want %ds", i, got, want)
					}
				}
				if st := p.Stats(); st.LastError == "" || !st.LastSuccess.IsZero() {
					t.Errorf("stats = %+v, want an error and no success", st)
				}
			})
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(t, 1)
		c := &collector{refuse: func(n int, _ []uint64) *http.Response {
			switch n {
			case 1:
				res := refusal(503)
				res.Header.Set("Retry-After", "77")
				return res
			case 2:
				res := refusal(429)
				res.Header.Set("Retry-After", time.Now().Add(5*time.Minute).UTC().Format(http.TimeFormat))
				return res
			}
			return nil
		}}
		run(t, c, src, time.Hour, func(cfg *push.Config) { cfg.Rand = func() float64 { return 0 } })
		if len(c.posts) != 3 || src.left() != 0 {
			t.Fatalf("%d requests, %d batches left, want 3, 0", len(c.posts), src.left())
		}
		if a, b := c.posts[1].at.Sub(c.posts[0].at), c.posts[2].at.Sub(c.posts[1].at); a != 77*time.Second || b != 5*time.Minute {
			t.Errorf("waits = %s, %s, want 77s, 5m", a, b)
		}
	})
}

func TestTooLargeHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(t, 64)
		c := &collector{refuse: func(_ int, seqs []uint64) *http.Response {
			if len(seqs) > 10 {
				return response(413, "text/html", "nginx")
			}
			return nil
		}}
		p := run(t, c, src, time.Hour, nil)
		if st := p.Stats(); src.left() != 0 || len(src.aside) != 0 || st.Aside != 0 {
			t.Errorf("%d left, %v aside, want none", src.left(), src.aside)
		}
	})
}

// TestPoisonIsSetAsideAlone has one batch that the collector calls malformed.
func TestPoisonIsSetAsideAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource(t, 100)
		c := &collector{refuse: func(_ int, seqs []uint64) *http.Response {
			if slices.Contains(seqs, 37) {
				return refusal(400)
			}
			return nil
		}}
		p := run(t, c, src, time.Hour, nil)
		if src.left() != 0 || !slices.Equal(src.aside, []uint64{37}) || c.have.Len() != 99 {
			t.Errorf("%d left, %v aside, %d arrived, want 0, [37], 99", src.left(), src.aside, c.have.Len())
		}
		if len(c.posts) > 16 {
			t.Errorf("%d requests to find one batch of 100, want at most 2 log2(100)", len(c.posts))
		}
		if st := p.Stats(); st.Aside != 1 {
			t.Errorf("Aside = %d, want 1", st.Aside)
		}
	})
}

// TestForeignServerSetsNothingAside sends to a server that is no collector and
// calls everything malformed, or takes everything.
func TestForeignServerSetsNothingAside(t *testing.T) {
	for name, res := range map[string]func() *http.Response{
		"400 as text": func() *http.Response {
			return response(400, "text/plain", "Client sent an HTTP request to an HTTPS server.")
		},
		"400 as other JSON":  func() *http.Response { return response(400, "application/json", `{"message":"no"}`) },
		"413 of a proxy":     func() *http.Response { return response(413, "text/html", "nginx") },
		"200 as HTML":        func() *http.Response { return response(200, "text/html", "<html>") },
		"200 as other JSON":  func() *http.Response { return response(200, "application/json", `{}`) },
		"200 without ranges": func() *http.Response { return response(200, "application/json", `{"store_id":"x"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newSource(t, 4)
				c := &collector{refuse: func(int, []uint64) *http.Response { return res() }}
				run(t, c, src, time.Hour, nil)
				if src.left() != 4 || len(src.aside) != 0 {
					t.Errorf("%d left, %v aside, want 4 and none", src.left(), src.aside)
				}
				if len(c.posts) > 200 {
					t.Errorf("%d requests in an hour, want a back-off", len(c.posts))
				}
			})
		})
	}
}

func TestConflictsAreNamedInFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, c := newSource(t, 2), &collector{}
		c.refuse = func(_ int, seqs []uint64) *http.Response {
			for _, n := range seqs {
				c.have = c.have.Add(n)
			}
			return c.answer([]uint64{2, 999})
		}
		p := run(t, c, src, time.Minute, nil)
		want := []usage.ID{{Agent: agentID, Epoch: epochID, Seq: 2}}
		if !slices.Equal(src.clash, want) || p.Stats().Conflicts != 1 {
			t.Errorf("conflicts = %v, want %v", src.clash, want)
		}
	})
}

// TestRequestsAreSpread wants the same delay after a start and after a rest,
// and none between the requests of a backlog.
func TestRequestsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, c := newSource(t, 30), &collector{}
		began := time.Now()
		again := began.Add(30 * time.Minute)
		time.AfterFunc(30*time.Minute, func() { src.add(t) })
		run(t, c, src, time.Hour, func(cfg *push.Config) { cfg.Spread, cfg.MaxBytes = 10*time.Second, 3000 })
		if n := len(c.posts); n < 3 || src.left() != 0 {
			t.Fatalf("%d requests, %d batches left, want several and 0", n, src.left())
		}
		d := c.posts[0].at.Sub(began)
		if d <= 0 || d >= 10*time.Second {
			t.Errorf("first request after %s, want within 10s and not at once", d)
		}
		for _, p := range c.posts[:len(c.posts)-1] {
			if p.at != c.posts[0].at {
				t.Errorf("a request of the backlog waits for %s", p.at.Sub(c.posts[0].at))
			}
		}
		// Nobody woke the pusher: it looks by itself within a minute.
		if late := c.posts[len(c.posts)-1].at.Sub(again); late < d || late > time.Minute+d {
			t.Errorf("request after the rest comes %s late, want between %s and a minute more", late, d)
		}
	})
}

func TestTokenFileIsReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "token")
		src, c := newSource(t, 1), &collector{}
		c.refuse = func(n int, _ []uint64) *http.Response {
			if n > 1 {
				return nil
			}
			if err := os.WriteFile(file, []byte("second\n"), 0o600); err != nil {
				t.Error(err)
			}
			return refusal(401)
		}
		if err := os.WriteFile(file, []byte("first\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, c, src, time.Minute, func(cfg *push.Config) { cfg.TokenFile = file })
		if len(c.posts) != 2 || c.posts[0].token != "Bearer first" || c.posts[1].token != "Bearer second" {
			t.Errorf("requests = %+v, want one with each token", c.posts)
		}
	})
}

func TestMissingTokenIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, c := newSource(t, 1), &collector{}
		p := run(t, c, src, time.Minute, func(cfg *push.Config) { cfg.TokenFile = "/nowhere/token" })
		if len(c.posts) != 0 || p.Stats().Failures[push.ReasonToken] == 0 {
			t.Errorf("%d requests without a token, failures %v", len(c.posts), p.Stats().Failures)
		}
	})
}

func TestNewRefusesAddresses(t *testing.T) {
	for _, u := range []string{
		"", "collector", "ftp://collector", "http://collector:9410", "http://10.0.0.1", "http://127.0.0.1.example.com",
		"https://user:secret@collector", "https://collector?x=1", "://",
	} {
		_, err := push.New(push.Config{URL: u})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("New(%q) = %v, want an error without the password", u, err)
		}
	}
	for _, u := range []string{"https://collector", "https://collector:9410/base", "http://localhost:9410", "http://[::1]:1", "http://127.1.2.3"} {
		if _, err := push.New(push.Config{URL: u}); err != nil {
			t.Errorf("New(%q) = %v, want none", u, err)
		}
	}
}

// TestCAFilePinsTheCollector talks TLS to a real server whose certificate no
// system trusts.
func TestCAFilePinsTheCollector(t *testing.T) {
	c := &collector{}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/base/v1/usage" || r.Method != http.MethodPost {
			t.Errorf("request %s %s, want POST /base/v1/usage", r.Method, r.URL.Path)
		}
		res, err := c.RoundTrip(r)
		if err != nil {
			t.Error(err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.Copy(w, res.Body)
	}))
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pemOf(srv.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"", ca} {
		src := newSource(t, 1)
		p, err := push.New(push.Config{URL: srv.URL + "/base", CAFile: file})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); p.Run(ctx, src) }()
		for st := p.Stats(); st.LastError == "" && st.Acknowledged == 0; st = p.Stats() {
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-done
		if st := p.Stats(); (st.Acknowledged == 1) != (file != "") {
			t.Errorf("with CA file %q: stats %+v", file, st)
		}
	}
	if _, err := push.New(push.Config{URL: srv.URL, CAFile: os.Args[0]}); err == nil {
		t.Error("a CA file without a certificate is accepted")
	}
	if _, err := push.New(push.Config{URL: srv.URL, CAFile: "/nowhere"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing CA file: %v, want ErrNotExist", err)
	}
}

// TestSessionIsResumed has a collector that ends each connection.
func TestSessionIsResumed(t *testing.T) {
	c := &collector{}
	var mu sync.Mutex
	var resumed []bool
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, err := c.RoundTrip(r)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		resumed = append(resumed, r.TLS.DidResume)
		mu.Unlock()
		w.Header().Set("Connection", "close")
		w.Header().Set("Content-Type", "application/json")
		io.Copy(w, res.Body)
	}))
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pemOf(srv.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := push.New(push.Config{URL: srv.URL, CAFile: ca, MaxBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); p.Run(ctx, newSource(t, 2)) }()
	for st := p.Stats(); st.LastError == "" && st.Acknowledged < 2; st = p.Stats() {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	if !slices.Equal(resumed, []bool{false, true}) {
		t.Errorf("sessions resumed: %v, want the second; %+v", resumed, p.Stats())
	}
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
