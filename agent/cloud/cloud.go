// Package cloud finds out where a node stands: whose cloud, account, region,
// zone, instance, reservation, cluster and rack. It asks the cloud's metadata
// service, the node's own object in Kubernetes, Slurm and the firmware's
// tables, in an order in which the first that knows a field wins; what the
// operator configured wins over all of them.
//
// Nothing is guessed: a service is asked only where the firmware, the
// configuration or Kubernetes names its cloud, and what nobody says stays
// empty. Answers are foreign text. They are bounded in time and size, and a
// value that is not a short printable name is left out, so that a service that
// lies, hangs, redirects or floods costs three seconds at most and never makes
// a batch that a collector refuses.
package cloud

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

const (
	// DefaultEvery is the time between two looks when nothing is wrong. An
	// instance's identity changes with a reboot at most; labels and tags may
	// change at any time.
	DefaultEvery = 10 * time.Minute
	// soon is when a look is repeated after a source failed; it doubles up to
	// Every.
	soon = 30 * time.Second
	// perLook bounds a look, perService what one metadata service gets of it.
	perLook    = 3 * time.Second
	perService = 2 * time.Second
)

// Config says what is known already and where to look. The zero Config looks
// everywhere on this node.
type Config struct {
	// Off asks nobody: Given is all there is.
	Off bool
	// Given is what the operator says; it wins per field. Its Provider also
	// decides which metadata service is asked.
	Given usage.Cloud
	// NodeName is the name of the node in Kubernetes where the environment's
	// NODE_NAME does not say it.
	NodeName string
	// Every is the time between two looks.
	Every time.Duration
	// Root is the folder below which the node's files lie; empty is "/".
	Root string
	// Getenv reads the environment; nil is os.Getenv.
	Getenv func(string) string
	// Dial replaces the connection to metadata services, for tests. It is
	// asked for the fixed addresses of the services and no others.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Log is told what was found and when a source begins or ceases to fail;
	// nil is silent.
	Log *slog.Logger
	// Now stamps what is found.
	Now func() time.Time
}

// Found is what is known of where the node stands.
type Found struct {
	Cloud usage.Cloud `json:"cloud"`
	// From tells for each field that is known, by its JSON name, who said so:
	// "config", a provider for its metadata service, "node" for Kubernetes,
	// "slurm" or "dmi".
	From map[string]string `json:"from,omitempty"`
	// Signed reports that the cloud offers a signed statement of this
	// identity. The statement itself is not kept.
	Signed bool `json:"signed,omitempty"`
	// Failed has what is wrong with each source that did not answer in full at
	// the last look.
	Failed map[string]string `json:"failed,omitempty"`
	// At is when the last look ended; zero before the first.
	At time.Time `json:"at,omitzero"`
}

// Finder looks again and again. Its methods may be called concurrently. Make
// one with New.
type Finder struct {
	cfg  Config
	wake chan struct{}

	turn    sync.Mutex        // held for the length of a look; guards what follows
	last    map[string]reply  // newest answer of each source
	failing map[string]string // what is wrong with a source; replaced, never changed

	mu    sync.Mutex // guards what follows
	found Found
}

// New returns a finder that knows what the operator says. It asks nobody yet.
func New(cfg Config) *Finder {
	if cfg.Every <= 0 {
		cfg.Every = DefaultEvery
	}
	if cfg.Root == "" {
		cfg.Root = "/"
	}
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	f := &Finder{cfg: cfg, wake: make(chan struct{}, 1), last: map[string]reply{}, failing: map[string]string{}}
	f.found = merge(cfg.Given, nil)
	return f
}

// Cloud returns where the node stands, without waiting for anybody.
func (f *Finder) Cloud() usage.Cloud { return f.Found().Cloud }

// Found returns what is known and who said so, without waiting for anybody.
// The caller must not change it.
func (f *Finder) Found() Found {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.found
}

// Refresh makes Run look at once. It never waits.
func (f *Finder) Refresh() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Run looks until ctx ends. It is called once; who needs the identity before
// the first record calls Look first, and Run then waits before it looks again.
func (f *Finder) Run(ctx context.Context) {
	if f.cfg.Off {
		<-ctx.Done()
		return
	}
	again := soon
	for {
		if f.Found().At.IsZero() {
			f.Look(ctx)
		}
		wait := f.cfg.Every
		if len(f.Found().Failed) > 0 {
			wait = min(again, f.cfg.Every)
			again = min(2*again, f.cfg.Every)
		} else {
			again = soon
		}
		if !f.sleep(ctx, spread(wait)) {
			return
		}
		f.Look(ctx)
	}
}

// spread keeps the agents of a fleet, which were started together, from asking
// Kubernetes together for ever: 80 to 120 % of d.
func spread(d time.Duration) time.Duration {
	return d*4/5 + time.Duration(rand.Int64N(int64(d*2/5)+1))
}

// sleep waits for d or for Refresh; it returns false if ctx ended first.
func (f *Finder) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-f.wake:
	}
	return true
}

// Look asks everybody once and returns what is known then. It takes three
// seconds at most.
func (f *Finder) Look(ctx context.Context) Found {
	f.turn.Lock()
	defer f.turn.Unlock()
	if !f.cfg.Off {
		ctx, cancel := context.WithTimeout(ctx, perLook)
		f.ask(ctx)
		cancel()
	}
	found := merge(f.cfg.Given, f.last)
	found.At, found.Failed = f.cfg.Now(), f.failing
	f.mu.Lock()
	before := f.found
	f.found = found
	f.mu.Unlock()
	f.report(before, found)
	return found
}

// report logs what a look changed.
func (f *Finder) report(before, found Found) {
	var changes []any
	for _, d := range fields {
		if is := *d.of(&found.Cloud); is != *d.of(&before.Cloud) || before.At.IsZero() && is != "" {
			changes = append(changes, d.name, is)
		}
	}
	if len(changes) > 0 {
		f.cfg.Log.Info("where the node stands", changes...)
	}
}
