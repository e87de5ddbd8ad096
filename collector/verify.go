package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/collector/ledger"
	"github.com/gpumeter/gpumeter/collector/store"
)

// Verified is what was found when all that is kept was read.
type Verified struct {
	// AsOf is when it was begun: nothing that was stored later is in it.
	AsOf time.Time `json:"as_of"`
	// Store is what was read of the store; absent for one that keeps no digests.
	Store    *store.Audited  `json:"store,omitempty"`
	Ledger   ledger.Audit    `json:"ledger"`
	Findings []store.Finding `json:"findings"`
}

// auditor is a store that can find what is not what was stored.
type auditor interface {
	Audit(ctx context.Context, found func(store.Finding)) (store.Audited, error)
}

// dayAuditor is a store that writes days as files, and can find what in them is
// not what was written.
type dayAuditor interface {
	AuditDays(ctx context.Context, found func(store.Finding)) (days int, err error)
}

// Verify reads all that a store keeps, and finds what is not what was stored:
// rows, documents, files of closed days, and batches that closed months were made of. head, unless
// empty, is the SHA-256 of an entry that the ledger must have.
func Verify(ctx context.Context, st store.Store, head string, now time.Time) (Verified, error) {
	v := Verified{AsOf: now.UTC(), Findings: []store.Finding{}}
	found := func(f store.Finding) { v.Findings = append(v.Findings, f) }
	if a, ok := st.(auditor); ok {
		seen, err := a.Audit(ctx, found)
		if err != nil {
			return v, err
		}
		v.Store = &seen
	}
	if a, ok := st.(dayAuditor); ok {
		if _, err := a.AuditDays(ctx, found); err != nil {
			return v, err
		}
	}
	var err error
	v.Ledger, err = ledger.Verify(ctx, st, head, func(document, problem string) {
		found(store.Finding{Where: "document " + document, Problem: problem})
	})
	return v, err
}

// Verification is what GET /api/v1/verify answers: what was found last, or,
// while the collector reads, since when it does.
type Verification struct {
	Running *time.Time `json:"running_since,omitempty"`
	Last    *Verified  `json:"verified,omitempty"`
}

const (
	// verifyEvery is for how long what was found is good: reading everything
	// takes a disk and a core.
	verifyEvery = time.Hour
	// verifyShare bounds what of its time a collector spends on it.
	verifyShare = 10
	// maxFindings bounds what is kept of the findings: more say no more.
	maxFindings = 10_000
)

// verifier reads what a collector keeps when somebody asks for it, once at a
// time and not more often than verifyEvery.
type verifier struct {
	verify func(ctx context.Context) (Verified, error)
	now    func() time.Time
	log    *slog.Logger
	asked  chan struct{} // has room for one

	mu      sync.Mutex // guards what follows
	running *time.Time
	last    *Verified
	err     error
	again   time.Time // not before
}

func newVerifier(c *Collector) *verifier {
	return &verifier{
		verify: func(ctx context.Context) (Verified, error) { return Verify(ctx, c.cfg.Store, "", c.cfg.Now()) },
		now:    c.cfg.Now, log: c.cfg.Log, asked: make(chan struct{}, 1),
	}
}

// run reads whenever it is asked to, until ctx ends.
func (v *verifier) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.asked:
		}
		started := v.now()
		found, err := v.verify(ctx)
		if len(found.Findings) > maxFindings {
			found.Findings = found.Findings[:maxFindings]
		}
		switch {
		case err != nil && ctx.Err() == nil:
			v.log.Error("not verified", "err", err)
		case len(found.Findings) > 0:
			v.log.Error("what is kept is not what was stored", "findings", len(found.Findings), "first", found.Findings[0].Where)
		}
		v.end(&found, err, started)
	}
}

// end keeps what was found.
func (v *verifier) end(found *Verified, err error, started time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	v.running, v.last, v.err = nil, found, err
	v.again = now.Add(max(verifyEvery, verifyShare*now.Sub(started)))
	if err != nil {
		v.again = now.Add(time.Minute)
	}
}

// ask returns how it stands, and lets the collector read if it is time to.
func (v *verifier) ask() (Verification, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now()
	if v.running == nil && !now.Before(v.again) {
		v.running = &now
		v.asked <- struct{}{} // there is room: nothing is running
	}
	switch {
	case v.running != nil:
		since := v.running.UTC()
		return Verification{Running: &since}, nil
	case v.err != nil:
		return Verification{}, v.err
	}
	last := *v.last
	return Verification{Last: &last}, nil
}

// serveVerify is GET /api/v1/verify. head=SHA256 asks for an entry that the
// ledger must have.
func (c *Collector) serveVerify(w http.ResponseWriter, r *http.Request) {
	head, err := parseHead(r)
	var v Verification
	if err == nil {
		v, err = c.verifier.ask()
	}
	if err == nil && v.Last != nil && head != "" {
		err = c.wantHead(r.Context(), v.Last, head)
	}
	if err != nil {
		var ask *AskError
		if errors.As(err, &ask) {
			writeError(w, http.StatusBadRequest, err)
			return
		}
		writeError(w, http.StatusInternalServerError, errors.New("not verified: the collector's log has the reason"))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, v)
}

func parseHead(r *http.Request) (string, error) {
	for key, values := range r.URL.Query() {
		if key != "head" || len(values) != 1 {
			return "", badAsk("unknown or repeated parameter %q: want head, once", key)
		}
	}
	return r.URL.Query().Get("head"), nil
}

// wantHead adds a finding if the ledger has no entry with a hash.
func (c *Collector) wantHead(ctx context.Context, v *Verified, head string) error {
	entries, err := c.books.journal.Entries(ctx)
	if err != nil {
		return fmt.Errorf("read ledger: %w", err)
	}
	if !slices.ContainsFunc(entries, func(e ledger.Sealed) bool { return e.SHA256 == head }) {
		v.Findings = append(slices.Clone(v.Findings), ledger.NoHead(head))
	}
	return nil
}
