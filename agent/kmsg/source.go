package kmsg

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Source is an open log.
type Source interface {
	// Read reads a record, or lines of several. Where there is none yet it
	// waits at most so long for one. waited says that the log was empty when it
	// was asked; after waiting in vain err is os.ErrDeadlineExceeded. EPIPE
	// says that records were overwritten: the next Read has the oldest that is
	// left.
	Read(p []byte, wait time.Duration) (n int, waited bool, err error)
	// Closer ends a Read that waits. Close may be called twice, and concurrently.
	io.Closer
}

// file is a Source that is a device or a FIFO.
type file struct {
	f   *os.File
	raw syscall.RawConn
}

func newFile(f *os.File) (Source, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, err
	}
	if err := f.SetReadDeadline(time.Time{}); err != nil {
		f.Close()
		return nil, fmt.Errorf("open %s: it can be no log: %w", f.Name(), err)
	}
	return &file{f, raw}, nil
}

// Read asks the kernel itself, so that it knows whether the log was empty.
func (f *file) Read(p []byte, wait time.Duration) (n int, waited bool, err error) {
	if err := f.f.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return 0, false, err
	}
	outer := f.raw.Read(func(fd uintptr) bool {
		for {
			n, err = unix.Read(int(fd), p)
			if !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if errors.Is(err, unix.EAGAIN) {
			waited = true
			return false
		}
		return true
	})
	switch {
	case outer != nil:
		return 0, waited, outer
	case err != nil:
		return 0, waited, err
	case n == 0:
		return 0, waited, io.EOF
	}
	return n, waited, nil
}

func (f *file) Close() error { return f.f.Close() }

// Clocks are readings of the node's clocks at one moment.
type Clocks struct {
	Boot time.Duration // CLOCK_BOOTTIME
	Mono time.Duration // CLOCK_MONOTONIC: without the time that the node slept
	Raw  time.Duration // CLOCK_MONOTONIC_RAW: never slewed, as the log's own clock
}

func readClocks() Clocks {
	return Clocks{readClock(unix.CLOCK_BOOTTIME), readClock(unix.CLOCK_MONOTONIC), readClock(unix.CLOCK_MONOTONIC_RAW)}
}

func readClock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0 // every kernel that the driver supports has these clocks
	}
	return time.Duration(ts.Nano())
}

// boot turns a stamp of the log into boot time. The stamps are of a clock that
// nobody slews and that stands while the node sleeps, like the raw clock; a
// constant between the two is not known.
func (c Clocks) boot(stamp time.Duration) time.Duration { return stamp + c.Boot - c.Raw }
