// Package kmsg is a kernel log out of nothing: a ring of records that behaves
// like /dev/kmsg towards one reader or several, overruns included.
package kmsg

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Log is a kernel log. Its methods may be called concurrently. Make one with
// New.
type Log struct {
	capacity int
	clock    func() time.Duration

	mu    sync.Mutex // guards what follows
	ring  []string
	first uint64        // sequence number of ring[0]
	more  chan struct{} // closed when a record comes
}

// New returns an empty log that keeps so many records. Its clock stamps them.
func New(capacity int, clock func() time.Duration) *Log {
	return &Log{capacity: capacity, clock: clock, more: make(chan struct{})}
}

// kernelWarning is the priority of the driver's lines.
const kernelWarning = 4

// Write adds a line of the kernel's own.
func (l *Log) Write(text string) { l.WriteAs(kernelWarning, text) }

// WriteAs adds a line with a priority (facility × 8 + level), as programs write
// them with another facility.
func (l *Log) WriteAs(priority int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seq := l.first + uint64(len(l.ring))
	l.ring = append(l.ring, fmt.Sprintf("%d,%d,%d,-;%s\n", priority, seq, l.clock().Microseconds(), Escape(text)))
	if over := len(l.ring) - l.capacity; over > 0 {
		l.ring = append([]string(nil), l.ring[over:]...)
		l.first += uint64(over)
	}
	close(l.more)
	l.more = make(chan struct{})
}

// Escape writes a text as the log does.
func Escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 127 || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Next returns the sequence number of the next record.
func (l *Log) Next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first + uint64(len(l.ring))
}

// Open returns a reader that begins with the oldest record there is.
func (l *Log) Open() *Tail {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &Tail{log: l, next: l.first, closed: make(chan struct{})}
}

// Tail is an open log. Read has one caller at a time.
type Tail struct {
	log    *Log
	next   uint64
	closed chan struct{}
	once   sync.Once
}

// Read reads one record into p, waiting for it at most so long; waited says
// that there was none at first. It returns os.ErrDeadlineExceeded after waiting
// in vain, and EPIPE once after records were overwritten.
func (t *Tail) Read(p []byte, wait time.Duration) (n int, waited bool, err error) {
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for {
		record, more, err := t.get()
		if err != nil || record != "" {
			return copy(p, record), waited, err
		}
		waited = true
		select {
		case <-more:
		case <-limit.C:
			return 0, waited, os.ErrDeadlineExceeded
		case <-t.closed:
			return 0, waited, os.ErrClosed
		}
	}
}

// get returns the next record, or what is closed when there is one.
func (t *Tail) get() (record string, more chan struct{}, err error) {
	select {
	case <-t.closed:
		return "", nil, os.ErrClosed
	default:
	}
	l := t.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.next < l.first {
		t.next = l.first
		return "", nil, syscall.EPIPE
	}
	if i := t.next - l.first; i < uint64(len(l.ring)) {
		t.next++
		return l.ring[i], nil, nil
	}
	return "", l.more, nil
}

// Close ends a Read that waits. It may be called twice.
func (t *Tail) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}
