package collector_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gpumeter/gpumeter/collector"
	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/collector/store/storetest"
	"github.com/gpumeter/gpumeter/usage"
)

// counting is a store that counts and can be told to fail.
type counting struct {
	store.Store
	appends atomic.Int64
	// fail says whether to refuse an Append; nil never does.
	fail func(batches []usage.Sealed) error
	// delay is how long a commit takes.
	delay time.Duration
	// perBatch is how much longer it takes for each of its batches.
	perBatch time.Duration
}

func (c *counting) Append(ctx context.Context, batches []usage.Sealed) ([]store.Status, error) {
	c.appends.Add(1)
	time.Sleep(c.delay + c.perBatch*time.Duration(len(batches)))
	if c.fail != nil {
		if err := c.fail(batches); err != nil {
			return nil, err
		}
	}
	return c.Store.Append(ctx, batches)
}

const (
	agentA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	agentB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	epoch  = "00000000000000000000000000000001"
)

// testNow is some moment that batches lie before.
var testNow = time.Date(2026, 10, 5, 12, 0, 0, 0, time.UTC)

// batch is a minute of one busy GPU.
func batch(agent string, seq uint64) usage.Batch {
	start := testNow.Add(-24*time.Hour).UnixMilli() + int64(seq)*60_000
	uuid := "GPU-" + agent[:4]
	return usage.Batch{
		Version: usage.WireVersion, Agent: agent, Epoch: epoch, Seq: seq, Evidence: usage.EvidenceAgent, IntervalMs: 1000,
		Node: usage.Node{Name: "n-" + agent[:4], Cloud: usage.Cloud{Provider: "aws", Region: "us-east-1"}},
		GPUs: []usage.GPU{{UUID: uuid, Model: "H100"}},
		Records: []usage.Record{{
			GPU: uuid, StartMs: start, EndMs: start + 60_000,
			Holder: usage.Holder{Basis: usage.BasisProcess, Kind: "user", Name: "ann"},
			Sums:   usage.Sums{BusyMs: 45_000, IdleMs: 15_000},
		}},
	}
}

func seal(t testing.TB, b usage.Batch) usage.Sealed {
	t.Helper()
	s, err := usage.Seal(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines is the body of a post.
func lines(t testing.TB, batches ...usage.Batch) []byte {
	t.Helper()
	var out []byte
	for _, b := range batches {
		s := seal(t, b)
		out = usage.AppendLine(out, s.Body, s.Hash)
	}
	return out
}

func packed(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// start runs a collector until the test ends.
func start(t testing.TB, cfg collector.Config) http.Handler {
	t.Helper()
	if cfg.Store == nil {
		cfg.Store = storetest.NewModel()
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return testNow }
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	c := collector.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c.Handler()
}

func do(h http.Handler, method, url string, body []byte, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, bytes.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func post(h http.Handler, body []byte, header ...string) *httptest.ResponseRecorder {
	return do(h, http.MethodPost, "/v1/usage", body, header...)
}

func answer(t testing.TB, w *httptest.ResponseRecorder) collector.Answer {
	t.Helper()
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var a collector.Answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// problem returns the sentence of an error answer.
func problem(t testing.TB, w *httptest.ResponseRecorder, status int) string {
	t.Helper()
	var e struct{ Error string }
	if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error == "" || w.Code != status {
		t.Errorf("status %d, want %d; body %q, %v", w.Code, status, w.Body, err)
	}
	return e.Error
}

func TestPostIsAnsweredWithAllThatIsCommitted(t *testing.T) {
	m := storetest.NewModel()
	h := start(t, collector.Config{Store: m})
	answer(t, post(h, lines(t, batch(agentA, 1), batch(agentA, 2))))
	got := answer(t, post(h, packed(t, lines(t, batch(agentA, 2), batch(agentA, 4), batch(agentB, 7))), "Content-Encoding", "gzip"))
	want := collector.Answer{
		StoreID: m.ID(),
		Committed: map[string]usage.Ranges{
			agentA + "/" + epoch: {{Lo: 1, Hi: 2}, {Lo: 4, Hi: 4}},
			agentB + "/" + epoch: {{Lo: 7, Hi: 7}},
		},
		Duplicates: 1, Conflicts: []uint64{}, Quarantined: []collector.Quarantined{}, ServerTimeMs: testNow.UnixMilli(),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answer differs (-want +got):\n%s", d)
	}
}

func TestPostWithoutBatchesTellsTheStore(t *testing.T) {
	m := storetest.NewModel()
	if a := answer(t, post(start(t, collector.Config{Store: m}), nil)); a.StoreID != m.ID() || len(a.Committed) != 0 {
		t.Errorf("answer = %+v", a)
	}
}

func TestPostTellsConflictsAndCountsTheFirst(t *testing.T) {
	m := storetest.NewModel()
	h := start(t, collector.Config{Store: m})
	answer(t, post(h, lines(t, batch(agentA, 1))))
	other := batch(agentA, 1)
	other.Records[0].BusyMs = 1
	a := answer(t, post(h, lines(t, other)))
	if d := cmp.Diff([]uint64{1}, a.Conflicts); d != "" {
		t.Errorf("conflicts differ:\n%s", d)
	}
	if c, err := m.Counts(t.Context()); err != nil || c.Batches != 1 || c.Conflicts != 1 {
		t.Errorf("counts = %+v, %v", c, err)
	}
}

func TestPostQuarantinesWhatCannotCountAndTakesTheRest(t *testing.T) {
	m := storetest.NewModel()
	h := start(t, collector.Config{Store: m})
	bad := batch(agentA, 2)
	bad.Records[0].BusyMs = 61_000
	// A body of the wrong types, whose identity can be read all the same.
	odd := fmt.Appendf(nil, `{"v":1,"agent":%q,"epoch":%q,"seq":3,"records":"none"}`, agentA, epoch)
	body := lines(t, batch(agentA, 1), bad)
	body = usage.AppendLine(body, odd, mustOpenHash(odd))
	for range 2 { // repetition changes nothing
		a := answer(t, post(h, body))
		if len(a.Quarantined) != 2 || a.Quarantined[0].Seq != 2 || a.Quarantined[1].Seq != 3 || a.Quarantined[0].Agent != agentA {
			t.Fatalf("quarantined = %+v", a.Quarantined)
		}
		if !strings.Contains(a.Quarantined[0].Reason, "61000 ms") || !strings.Contains(a.Quarantined[1].Reason, "records") {
			t.Errorf("reasons = %+v", a.Quarantined)
		}
		if d := cmp.Diff(usage.Ranges{{Lo: 1, Hi: 3}}, a.Committed[agentA+"/"+epoch]); d != "" {
			t.Errorf("committed differs, the sender would send again:\n%s", d)
		}
	}
	if c, err := m.Counts(t.Context()); err != nil || c.Batches != 1 || c.Quarantined != 2 {
		t.Errorf("counts = %+v, %v", c, err)
	}
}

func mustOpenHash(body []byte) usage.Hash {
	s, _ := usage.Open(body)
	return s.Hash
}

// TestPostRefusesAMalformedLineWhole holds that nothing of such a post counts.
func TestPostRefusesAMalformedLineWhole(t *testing.T) {
	good := lines(t, batch(agentA, 1))
	noID, newer := batch("nobody", 2), []byte(`{"v":2,"agent":"x"}`)
	changed := bytes.Replace(lines(t, batch(agentA, 2)), []byte(`"busy_ms":45000`), []byte(`"busy_ms":45001`), 1)
	noJSON := []byte(`{"v":1,`)
	f := func(name string, line []byte, status int, want string) {
		t.Helper()
		m := storetest.NewModel()
		h := start(t, collector.Config{Store: m})
		if got := problem(t, post(h, append(bytes.Clone(good), line...)), status); !strings.Contains(got, want) || !strings.HasPrefix(got, "line 2: ") {
			t.Errorf("%s: %q, want line 2 and %q", name, got, want)
		}
		if c, err := m.Counts(t.Context()); err != nil || c.Batches != 0 || c.Quarantined != 0 {
			t.Errorf("%s: counts = %+v, %v", name, c, err)
		}
	}
	f("no hash", []byte("hello\n"), 400, "not of the form HASH BODY")
	f("wrong hash", changed, 400, "content hash does not match")
	f("no identity", lines(t, noID), 400, "without a readable identity")
	f("no JSON", usage.AppendLine(nil, noJSON, mustOpenHash(noJSON)), 400, "without a readable identity")
	f("newer wire version", usage.AppendLine(nil, newer, mustOpenHash(newer)), 415, "wire version 2")
}

func TestPostHoldsItsLimits(t *testing.T) {
	h := start(t, collector.Config{})
	f := func(name string, want int, body []byte, header ...string) {
		t.Helper()
		if w := post(h, body, header...); w.Code != want {
			t.Errorf("%s: status %d, want %d: %s", name, w.Code, want, w.Body)
		}
	}
	f("other encoding", 415, lines(t, batch(agentA, 1)), "Content-Encoding", "zstd")
	f("no gzip", 400, lines(t, batch(agentA, 1)), "Content-Encoding", "gzip")
	f("cut gzip", 408, packed(t, lines(t, batch(agentA, 1)))[:50], "Content-Encoding", "gzip")
	f("bomb", 413, packed(t, bytes.Repeat([]byte{'0'}, 3<<20)), "Content-Encoding", "gzip")
	f("long line", 413, bytes.Repeat([]byte{'0'}, usage.MaxBatchBytes+1000))
	f("too many bytes", 413, bytes.Repeat(lines(t, batch(agentA, 1)), collector.MaxPostRawBytes/400))
	var many []byte
	s := seal(t, batch(agentA, 1))
	for range collector.MaxPostBatches + 1 {
		many = usage.AppendLine(many, s.Body, s.Hash)
	}
	f("too many batches", 413, packed(t, many), "Content-Encoding", "gzip") // also packs too well
	f("too many batches", 413, many)
	f("as many batches as may be", 200, many[:len(many)/(collector.MaxPostBatches+1)*collector.MaxPostBatches])
}

// TestBombIsStoppedBeforeItIsUnpacked reads at most a little more than the
// free part of a gigabyte that is packed 1000 to 1.
func TestBombIsStoppedBeforeItIsUnpacked(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	chunk := bytes.Repeat([]byte{'\n'}, 1<<20)
	for range 64 {
		if _, err := z.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	z.Close()
	body := &measured{Reader: bytes.NewReader(bomb.Bytes())}
	r := httptest.NewRequest(http.MethodPost, "/v1/usage", body)
	r.Header.Set("Content-Encoding", "gzip")
	w := httptest.NewRecorder()
	start(t, collector.Config{}).ServeHTTP(w, r)
	if w.Code < 400 || body.n > int64(bomb.Len())/4 {
		t.Errorf("status %d after %d of %d bytes", w.Code, body.n, bomb.Len())
	}
}

type measured struct {
	io.Reader
	n int64
}

func (m *measured) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.n += int64(n)
	return n, err
}

func TestPostsShareCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storetest.NewModel()
		s := &counting{Store: m, delay: 100 * time.Millisecond}
		h := start(t, collector.Config{Store: s})
		const posts = 200
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range posts {
			wg.Go(func() {
				agent := fmt.Sprintf("%032x", i)
				a := answer(t, post(h, lines(t, batch(agent, 1), batch(agent, 2))))
				if d := cmp.Diff(map[string]usage.Ranges{agent + "/" + epoch: {{Lo: 1, Hi: 2}}}, a.Committed); d != "" {
					t.Errorf("agent %d:\n%s", i, d)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begin); took > 500*time.Millisecond {
			t.Errorf("the last post was answered after %s", took)
		}
		if n := s.appends.Load(); n > 4 {
			t.Errorf("%d commits for %d posts", n, posts)
		}
		if c, err := m.Counts(t.Context()); err != nil || c.Batches != 2*posts {
			t.Errorf("counts = %+v, %v", c, err)
		}
	})
}

func TestStoreFailureAcknowledgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("disk full at /secret/path")
		s := &counting{Store: storetest.NewModel(), fail: func([]usage.Sealed) error { return broken }}
		h := start(t, collector.Config{Store: s})
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				w := post(h, lines(t, batch(fmt.Sprintf("%032x", i), 1)))
				if got := problem(t, w, 503); strings.Contains(got, "secret") {
					t.Errorf("the answer tells about the inside: %q", got)
				}
				if w.Header().Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			})
		}
		wg.Wait()
		if n := s.appends.Load(); n > 8 {
			t.Errorf("%d commits tried against a broken store", n)
		}
		s.fail = nil
		answer(t, post(h, lines(t, batch(agentA, 1))))
	})
}

func TestQuarantineFailureAcknowledgesNothing(t *testing.T) {
	bad := batch(agentA, 1)
	bad.Records[0].BusyMs = 61_000
	h := start(t, collector.Config{Store: &noQuarantine{Store: storetest.NewModel()}})
	problem(t, post(h, lines(t, bad)), 503)
}

type noQuarantine struct{ store.Store }

func (*noQuarantine) Quarantine(context.Context, usage.ID, usage.Sealed, string) error {
	return errors.New("disk full")
}

// TestPoisonHoldsUpNobodyElse has one batch that the store never takes in a
// group of many.
func TestPoisonHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counting{Store: storetest.NewModel(), fail: func(batches []usage.Sealed) error {
			for _, b := range batches {
				if b.Batch.Agent == agentB {
					return errors.New("poison")
				}
			}
			return nil
		}}
		h := start(t, collector.Config{Store: s})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { answer(t, post(h, lines(t, batch(fmt.Sprintf("%032x", i), 1)))) })
		}
		wg.Go(func() { problem(t, post(h, lines(t, batch(agentB, 1))), 503) })
		wg.Wait()
	})
}

func TestRequesterWhoLeavesBreaksNoGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storetest.NewModel()
		h := start(t, collector.Config{Store: &counting{Store: m, delay: time.Second}})
		ctx, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/usage", bytes.NewReader(lines(t, batch(agentA, 1))))
			h.ServeHTTP(httptest.NewRecorder(), r)
		})
		wg.Go(func() { answer(t, post(h, lines(t, batch(agentB, 1)))) })
		time.Sleep(500 * time.Millisecond)
		leave()
		wg.Wait()
		if c, err := m.Counts(t.Context()); err != nil || c.Batches != 2 {
			t.Errorf("counts = %+v, %v", c, err)
		}
	})
}

func TestStoppedCollectorTakesNothing(t *testing.T) {
	c := collector.New(collector.Config{Store: storetest.NewModel(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	problem(t, post(c.Handler(), lines(t, batch(agentA, 1))), 503)
	problem(t, do(c.Handler(), "GET", "/readyz", nil), 503)
	if w := do(c.Handler(), "GET", "/healthz", nil); w.Code != 200 {
		t.Errorf("healthz = %d", w.Code)
	}
}

// FuzzPost holds that a post is answered in one of the documented ways, and
// that what is acknowledged as committed or quarantined is.
func FuzzPost(f *testing.F) {
	bad := batch(agentA, 2)
	bad.Records[0].BusyMs = 61_000
	f.Add(lines(f, batch(agentA, 1)), false)
	f.Add(lines(f, batch(agentA, 1), bad), false)
	f.Add(packed(f, lines(f, batch(agentA, 1), batch(agentB, 1))), true)
	f.Add([]byte("x\n"), false)
	odd := fmt.Appendf(nil, `{"v":1,"agent":%q,"epoch":%q,"seq":3,"records":"none"}`, agentA, epoch)
	f.Add(usage.AppendLine(nil, odd, mustOpenHash(odd)), false)
	documented := map[int]bool{200: true, 400: true, 408: true, 413: true, 415: true}
	m := storetest.NewModel()
	// A minute passes between two posts, so that no agent sends too much.
	var posts atomic.Int64
	now := func() time.Time { return testNow.Add(time.Duration(posts.Load()) * time.Minute) }
	h := start(f, collector.Config{Store: m, Linger: time.Nanosecond, Now: now})
	f.Fuzz(func(t *testing.T, body []byte, zip bool) {
		var header []string
		if zip {
			header = []string{"Content-Encoding", "gzip"}
		}
		posts.Add(1)
		w := post(h, body, header...)
		if !documented[w.Code] {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if w.Code != 200 {
			problem(t, w, w.Code)
			return
		}
		a := answer(t, w)
		for _, q := range a.Quarantined {
			if !a.Committed[q.Agent+"/"+q.Epoch].Has(q.Seq) {
				t.Errorf("quarantined batch %d is not committed", q.Seq)
			}
		}
	})
}
