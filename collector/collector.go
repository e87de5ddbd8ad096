// Package collector is the central program as a library: it takes batches
// from agents over HTTP, keeps them in a store, and answers with reports.
//
// A batch is acknowledged only after the store made it durable. Everything
// that a report says is computed by package contract; this package asks,
// carries and prints.
package collector

import (
	"log/slog"
	"time"

	"github.com/gpumeter/gpumeter/collector/focus"
	"github.com/gpumeter/gpumeter/collector/store"
)

// Config is what a Collector is made of. Store, Now and Log are required.
type Config struct {
	Store store.Store
	// Book holds the contracts; nil is a book without any.
	Book *Book
	// Focus holds what clouds billed; nil is nothing.
	Focus *focus.Folder
	// Tokens say who may do what; none at all lets everybody, which Listen
	// allows on loopback only.
	Tokens Tokens
	Now    func() time.Time
	Log    *slog.Logger
	// Linger is how long a commit waits for more batches to join it; zero is
	// DefaultLinger.
	Linger time.Duration
	// Backups are made of a store that can copy itself.
	Backups Backups
	// KeepMinutes is how long a store that can prune keeps records that say no
	// more than hour records; zero keeps them for ever.
	KeepMinutes time.Duration
	// Version is the program's, for the page and the metrics.
	Version string
}

// Limits of what is taken in at one time.
const (
	// DefaultLinger is short beside the 60 s of a window and long enough for
	// hundreds of posts to share one fsync.
	DefaultLinger = 20 * time.Millisecond

	maxHeld     = 128 << 20        // bytes of posts in memory, all together; decoded they take several times as much
	commitLimit = 30 * time.Second // for one commit
	storeRest   = 2 * time.Second  // what a sender is asked to wait while the store is in trouble
	maxReports  = 4                // reports computed at one time
)

// Collector takes batches and answers with reports. Handler may be used
// before and after Run; posts are committed only while Run runs.
type Collector struct {
	cfg        Config
	queue      *queue
	stopped    chan struct{} // closed when Run has returned
	held       budget
	allowances allowances
	reports    chan struct{} // a place in it is the right to compute a report
	metrics    *metrics
	tally      *tally
	outlook    *outlook
	books      *Books
	keeper     *keeper
	verifier   *verifier
}

// New returns a Collector. It starts nothing.
func New(cfg Config) *Collector {
	if cfg.Linger == 0 {
		cfg.Linger = DefaultLinger
	}
	if cfg.Book == nil {
		cfg.Book = &Book{}
	}
	c := &Collector{
		cfg:        cfg,
		queue:      newQueue(),
		stopped:    make(chan struct{}),
		held:       budget{limit: maxHeld},
		allowances: allowances{used: map[string]spent{}},
		reports:    make(chan struct{}, maxReports),
	}
	c.tally = &tally{store: cfg.Store, contracts: cfg.Book.Contracts, now: cfg.Now, log: cfg.Log}
	c.outlook = newOutlook(c)
	c.metrics = newMetrics(c)
	c.books = NewBooks(cfg.Store)
	c.verifier = newVerifier(c)
	c.keeper = newKeeper(c.books, &c.cfg, c.metrics.ledgerErrors.Inc)
	return c
}
