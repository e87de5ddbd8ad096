package kmsg

import (
	"bytes"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// idle is how long a read waits. It bounds by how much a report's time can
	// be wrong while the log is followed.
	idle = time.Second
	// readSize is above the kernel's limit on a record with its dictionary
	// (8192 bytes); a smaller buffer would be refused.
	readSize = 16 << 10
)

// tail reads records from a source and says when they were written.
type tail struct {
	src      Source
	clock    func() Clocks
	injected bool
	buf      []byte
	rest     []byte // a line whose end was not read yet
	// emptyAt is the last boot time at which the log is known to have been read
	// to its end; 0 for never. What is read later was written later.
	emptyAt time.Duration
	live    bool
}

// batch is what one read found.
type batch struct {
	records []record
	// live says that the log had been read to its end before.
	live bool
}

// read reads once. Waiting in vain and an overrun are no errors: the gap in the
// sequence says how much was lost.
func (t *tail) read(wait time.Duration) (batch, error) {
	if t.buf == nil {
		t.buf = make([]byte, readSize)
	}
	asked := t.clock().Boot
	n, waited, err := t.src.Read(t.buf, wait)
	if waited {
		t.emptyAt, t.live = asked, true
	}
	b := batch{live: t.live}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return b, nil
	case errors.Is(err, unix.EPIPE):
		t.rest = t.rest[:0]
		return b, nil
	case err != nil:
		return b, err
	}
	now := t.clock()
	t.rest = append(t.rest, t.buf[:n]...)
	for {
		line, rest, whole := bytes.Cut(t.rest, []byte{'\n'})
		if !whole {
			break
		}
		if r, ok := parseRecord(line, t.injected); ok {
			r.at = min(max(now.boot(r.stamp), t.emptyAt, 0), now.Boot)
			b.records = append(b.records, r)
		}
		t.rest = rest
	}
	t.rest = append(t.buf[:0:0], t.rest[:min(len(t.rest), readSize)]...)
	return b, nil
}
