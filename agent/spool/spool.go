// Package spool keeps sealed batches on disk until a collector has them.
//
// It owns the identity of what it keeps: an agent id, an epoch, and sequence
// numbers that are never used twice within an epoch. A batch gets its number in
// the transaction that makes it durable, and is handed out only after that; so
// a number that anybody has seen is a number that the disk has.
//
// A disk that is full, read-only or failing stops nothing: batches wait in
// memory, without numbers, and go to disk when it takes them again. What must
// be given up, there or because the spool is full, is given up with a number,
// as an event in the next batch.
package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/gpumeter/gpumeter/usage"
)

// Defaults of Options.
const (
	DefaultMaxBytes = 256 << 20      // 77 days of a node with 8 GPUs
	DefaultKeep     = 72 * time.Hour // a nightly backup of the collector, and a weekend
	DefaultHold     = 2 * time.Hour
)

// Options says how to keep batches. The zero Options uses the defaults.
type Options struct {
	// MachineID is a fingerprint of the machine. A spool that wakes up on
	// another machine was copied: it goes on under a new agent id.
	MachineID string
	// MaxBytes bounds the stored batches. The file is a little larger, and
	// does not shrink: its free pages are used again.
	MaxBytes int64
	// Keep is how long acknowledged batches are kept, to be sent again to a
	// collector that was restored from an older backup.
	Keep time.Duration
	// Hold is how long a batch waits in memory for a disk that takes nothing.
	Hold time.Duration
	Now  func() time.Time
	Log  *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.Keep <= 0 {
		o.Keep = DefaultKeep
	}
	if o.Hold <= 0 {
		o.Hold = DefaultHold
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Spool is an open spool. Its methods may be called concurrently; all but
// Stats wait for the disk. Make one with Open.
type Spool struct {
	path    string
	o       Options
	lock    *os.File
	commit  func(*bbolt.DB, func(*bbolt.Tx) error) error // (*bbolt.DB).Update
	stats   atomic.Pointer[Stats]
	turn    uint64 // counts Unacked, to take turns between streams
	mu      sync.Mutex
	db      *bbolt.DB // guarded by mu, as is all that follows; nil while the file cannot be trusted
	closed  bool
	id      identity
	index   index
	state   map[string][]byte // as last given; written with the next batch
	held    []held            // oldest first
	attempt string            // hash of the last batch given to the file, whatever came of it
	lost    []usage.Event     // to be told with the next batch
	count   counters
}

// counters are the parts of Stats that are not derived from anything else.
type counters struct {
	origin   Origin
	dropped  uint64
	failures uint64
	lastErr  error
}

// ErrHeld is returned by Open for a spool that another process has open.
var ErrHeld = errors.New("another gpumeter-agent holds it")

// Open opens the spool in the file path, or makes one. A damaged file is set
// aside under another name, never deleted; what can still be read of it is
// taken over, and a new epoch begins. Stats tells what happened. On a full disk
// the spool begins in memory.
func Open(path string, o Options) (*Spool, error) {
	s := &Spool{path: path, o: o.withDefaults(), commit: (*bbolt.DB).Update, state: map[string][]byte{}}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	var err error
	if s.lock, err = takeLock(path + ".lock"); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", path, err)
	}
	if err := s.load(); errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		s.stumble(err) // begin in memory
	} else if err != nil {
		s.lock.Close()
		return nil, fmt.Errorf("open spool %s: %w", path, err)
	}
	s.publish()
	return s, nil
}

// Append gives b an identity and makes it durable together with the named
// states, in one transaction. It takes every batch: with a disk that cannot be
// written, the batch waits in memory and is written with a later call; the
// Sealed is then empty (Seq 0), and Stats counts it as held. The caller must
// not offer it again. The only error is that of a closed spool.
func (s *Spool) Append(b usage.Batch, state map[string][]byte) (usage.Sealed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return usage.Sealed{}, fmt.Errorf("append to spool %s: it is closed", s.path)
	}
	defer s.publish()
	now := s.o.Now()
	s.hold(b, now)
	maps.Copy(s.state, state)
	return s.drain(now), nil
}

// Flush writes batches that wait in memory, takes a file in doubt into use again
// after writing it anew, and lets go of what was kept long enough. It is for
// callers that append rarely; Append does the same.
func (s *Spool) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	defer s.publish()
	now := s.o.Now()
	if s.drain(now); len(s.held) > 0 || s.db == nil {
		return fmt.Errorf("flush spool %s: %d batches wait in memory: %w", s.path, len(s.held), s.count.lastErr)
	}
	return s.prune(now)
}

// State returns the state that was stored last under a name; nil if there is
// none. The caller must not change it. The error is always nil.
func (s *Spool) State(name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state[name], nil
}

// PutState stores a state without a batch.
func (s *Spool) PutState(name string, v []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state[name] = v
	if s.closed || s.db == nil {
		return fmt.Errorf("store state %q: the spool is not open", name)
	}
	return s.write(change{state: s.state})
}

// Close writes what waits in memory, if the disk takes it, and closes the
// spool. Repetition does nothing.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.drain(s.o.Now())
	s.closed = true
	s.publish()
	err := s.closeFile()
	s.lock.Close()
	if n := len(s.held); n > 0 && err == nil {
		err = fmt.Errorf("close spool %s: %d batches could not be written: %w", s.path, n, s.count.lastErr)
	}
	return err
}
