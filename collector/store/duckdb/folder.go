package duckdb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Names of the files in a data folder.
const (
	databaseName = "gpumeter.duckdb"
	lockName     = "lock"
	spillName    = "spill" // what DuckDB puts on disk while it works on a query
)

// folder is a data folder that this process holds.
type folder struct {
	dir  string
	lock *os.File
	// database is open, for reading, from before DuckDB opens the file until
	// after it closes it; nil before. Whoever closes any descriptor of a file
	// loses the locks that the process has on it (fcntl(2)), and with DuckDB's
	// nothing would keep another program from writing.
	database *os.File
}

// hold takes a data folder for this process alone, or together with other
// readers. It makes the folder if it writes.
func hold(dir string, readOnly bool) (*folder, error) {
	if strings.Contains(dir, "?") {
		return nil, fmt.Errorf("data folder %q: DuckDB takes no question mark in a name", dir)
	}
	if readOnly {
		if _, err := os.Stat(filepath.Join(dir, databaseName)); err != nil {
			return nil, fmt.Errorf("data folder %s holds no store: %w", dir, err)
		}
	} else if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open lock of data folder: %w", err)
	}
	how := syscall.LOCK_EX
	if readOnly {
		how = syscall.LOCK_SH
	}
	err = syscall.Flock(int(lock.Fd()), how|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("data folder %s is held by %s", dir, holderOf(lock))
	case err != nil:
		err = fmt.Errorf("lock data folder %s: %w", dir, err)
	default:
		err = sign(lock)
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &folder{dir: dir, lock: lock}, nil
}

// holderOf names the process that has signed a lock.
func holderOf(lock *os.File) string {
	text, err := io.ReadAll(io.LimitReader(lock, 20))
	pid := strings.TrimSpace(string(text))
	if err != nil || pid == "" {
		return "another process"
	}
	return "process " + pid
}

// sign writes this process's id into a lock. The file stays when the lock is
// let go: to remove it would let two processes lock two files of one name.
func sign(lock *os.File) error {
	if err := lock.Truncate(0); err != nil {
		return fmt.Errorf("write lock of data folder: %w", err)
	}
	if _, err := fmt.Fprintln(lock, os.Getpid()); err != nil {
		return fmt.Errorf("write lock of data folder: %w", err)
	}
	return nil
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// release lets others have the folder. A process that is being started has a
// copy of the descriptor for a moment, so that closing it would not be enough.
func (f *folder) release() error {
	var err error
	if f.database != nil {
		err = f.database.Close()
	}
	return errors.Join(err, syscall.Flock(int(f.lock.Fd()), syscall.LOCK_UN), f.lock.Close())
}

// sync makes the names in the folder durable.
func (f *folder) sync() error { return syncFolder(f.dir) }
