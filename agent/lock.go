package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Lock holds a node for one agent. Close gives it back; so does the end of the
// process, however it ends.
type Lock struct{ f *os.File }

// DefaultLock returns where the node's lock is by default: in the folder below
// /run that systemd makes for the service, below /run, or else, where this user
// may write neither, in the state folder.
func DefaultLock(state string) string {
	for _, path := range []string{"/run/gpumeter-agent/lock", "/run/gpumeter-agent.lock"} {
		if f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644); err == nil {
			f.Close()
			return path
		}
	}
	return filepath.Join(state, "agent.lock")
}

// AcquireLock takes the lock or says who has it.
func AcquireLock(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another agent meters this node: process %s holds %s (one agent per node; --lock gives another lock)", owner(path), path)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return &Lock{f}, nil
}

func owner(path string) string {
	b, err := os.ReadFile(path)
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return pid
	}
	return "unknown"
}

// Close gives the lock back.
func (l *Lock) Close() error { return l.f.Close() }
