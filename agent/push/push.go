// Package push sends sealed batches to a collector until it has them.
//
// Nothing is given up here: what the collector does not acknowledge stays with
// its source and is offered again, for as long as it takes. Only a single batch
// that the collector itself calls malformed is set aside, so that it cannot
// hold up the others.
package push

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// Source holds sealed batches until they are acknowledged. *spool.Spool is one.
// Its methods are called from one goroutine.
type Source interface {
	// Unacked calls f with batches that wait, all of one agent and epoch, at
	// most maxBytes of them but at least one if any waits.
	Unacked(maxBytes int, f func(id usage.ID, body []byte, hash usage.Hash)) error
	// Ack takes a collector's answer: the id of its store, what it has by
	// "agent/epoch", and the batches that it has with other content.
	// Repetition changes nothing.
	Ack(storeID string, committed map[string]usage.Ranges, conflicts []usage.ID) error
	// SetAside marks a batch that is not to be sent again.
	SetAside(id usage.ID, reason string) error
}

// Defaults of Config, and what bounds a retry.
const (
	DefaultMaxBytes = 1 << 20
	DefaultTimeout  = time.Minute
	retryBase       = time.Second
	retryCap        = 5 * time.Minute
	retryAfterCap   = time.Hour
	// idle is how often a source is asked that nobody has woken us for.
	idle = time.Minute
)

// Config says where to send. URL is required.
type Config struct {
	// URL is the collector's address; "/v1/usage" is added to its path. Plain
	// http is refused except to loopback.
	URL string
	// TokenFile holds the bearer token; it is read for every request, so that
	// a changed one needs no restart. Empty sends none.
	TokenFile string
	// CAFile holds the only certificate authorities to trust, PEM. Empty
	// trusts those of the system.
	CAFile string
	// MaxBytes bounds one request before compression.
	MaxBytes int
	// Spread is the interval over which agents that have something new at the
	// same time, as at a window's edge, spread their requests. Zero does not
	// wait.
	Spread time.Duration
	// Timeout bounds one request.
	Timeout time.Duration
	// Client replaces the client that is made from CAFile.
	Client *http.Client
	Log    *slog.Logger
	Now    func() time.Time
	// Rand returns numbers in [0, 1), for jitter.
	Rand func() float64
}

// Pusher sends what a Source holds. Make one with New.
type Pusher struct {
	cfg    Config
	url    string
	client *http.Client
	wake   chan struct{}
	stats  stats
	// maxBytes of Run only: it shrinks when the collector finds a request too large.
	maxBytes int
}

// New checks the configuration; it sends nothing yet.
func New(cfg Config) (*Pusher, error) {
	u, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultMaxBytes
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Float64
	}
	client, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Pusher{cfg: cfg, url: u, client: client, wake: make(chan struct{}, 1), maxBytes: cfg.MaxBytes}, nil
}

// Wake tells Run that the source has something new. It never waits, and may be
// called at any time.
func (p *Pusher) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run sends what src holds, one request at a time, until ctx ends; then it
// returns nil. It is called once.
func (p *Pusher) Run(ctx context.Context, src Source) error {
	defer p.client.CloseIdleConnections()
	var retries int
	rested := true
	for {
		sent, err := p.once(ctx, src, rested)
		if ctx.Err() != nil {
			return nil
		}
		wait := idle
		wake := p.wake
		rested = !sent && err == nil
		switch {
		case err != nil:
			p.failed(err)
			wait, wake = p.pause(err, retries), nil
			retries++
		case sent:
			p.recovered()
			retries = 0
			continue
		}
		if !sleep(ctx, wait, wake) {
			return nil
		}
	}
}

// once sends one request's worth of batches. sent is false if there are none.
// After a rest it waits for this agent's place in the spread.
func (p *Pusher) once(ctx context.Context, src Source, rested bool) (sent bool, err error) {
	var items []item
	err = src.Unacked(p.maxBytes, func(id usage.ID, body []byte, hash usage.Hash) {
		items = append(items, item{id, body, hash})
	})
	if err != nil {
		return false, &Failure{Reason: ReasonSource, Err: err}
	}
	if len(items) == 0 {
		return false, nil
	}
	if rested && !sleep(ctx, p.spread(items[0].id.Agent), nil) {
		return false, ctx.Err()
	}
	return true, p.deliver(ctx, src, items)
}

// spread is where in the interval an agent's request falls.
func (p *Pusher) spread(agent string) time.Duration {
	if p.cfg.Spread <= 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(agent))
	return time.Duration(h.Sum64() % uint64(p.cfg.Spread))
}

// pause is how long to wait after a failure: full jitter, doubling, and not
// less than the collector asks for.
func (p *Pusher) pause(err error, retries int) time.Duration {
	most := retryCap
	if retries < 16 {
		most = min(retryCap, retryBase<<retries)
	}
	d := time.Duration(p.cfg.Rand() * float64(most))
	var f *Failure
	if errors.As(err, &f) {
		d = max(d, min(f.RetryAfter, retryAfterCap))
	}
	return d
}

// sleep waits for d or for wake; it returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-wake:
	}
	return true
}

// parseURL returns the address to post to.
func parseURL(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", err
	case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("collector URL " + quote(u) + ": want https://HOST[:PORT][/PATH]")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", errors.New("collector URL " + quote(u) + ": plain http goes to loopback only (use https)")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("collector URL " + quote(u) + ": the scheme is neither https nor http")
	}
	return u.JoinPath("v1", "usage").String(), nil
}
