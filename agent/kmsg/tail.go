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
	// busyReads is for how many reads without waiting one look at the clock does.
	busyReads = 100
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
	rest     []byte   // a line whose end was not read yet
	records  []record // reused
	// emptyAt is the last boot time at which the log is known to have been read
	// to its end; 0 for never. What is read later was written later.
	emptyAt time.Duration
	live    bool
	// asked is a boot time not after the last read began, busy the number of
	// reads since: asking the clock costs more than reading a line.
	asked time.Duration
	busy  int
}

// batch is what one read found. It is good until the next read.
type batch struct {
	records []record
	// live says that the log had been read to its end before.
	live bool
}

// read reads once. Waiting in vain and an overrun are no errors: the gap in the
// sequence says how much was lost.
func (t *tail) read(wait time.Duration) (batch, error) {
	if t.buf == nil {
		t.buf, t.busy = make([]byte, readSize), busyReads
	}
	if t.busy++; t.busy >= busyReads {
		t.asked, t.busy = t.clock().Boot, 0
	}
	n, waited, err := t.src.Read(t.buf, wait)
	if waited {
		t.emptyAt, t.live, t.busy = t.asked, true, busyReads
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
	t.rest = append(t.rest, t.buf[:n]...)
	b.records = t.parse()
	return b, nil
}

// parse takes whole lines out of the rest.
func (t *tail) parse() []record {
	var now Clocks
	t.records = t.records[:0]
	lines := t.rest
	for {
		line, rest, whole := bytes.Cut(lines, []byte{'\n'})
		if !whole {
			break
		}
		if r, ok := parseRecord(line, t.injected); ok {
			if r.reports && now.Boot == 0 {
				now = t.clock()
			}
			r.at = min(max(now.boot(r.stamp), t.emptyAt, 0), now.Boot)
			t.records = append(t.records, r)
		}
		lines = rest
	}
	// What has no end within a buffer's length is no line of a log.
	t.rest = append(t.rest[:0], lines[:min(len(lines), readSize)]...)
	return t.records
}
