package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Names in the demo's data folder.
const (
	demoStateFile     = "demo.json"
	demoLockFile      = "demo.lock"
	demoLogFile       = "demo.log"
	demoContractsFile = "contracts.yaml"
	demoStoreFolder   = "store"
	demoAgentsFolder  = "agents"
)

// holdDemo takes a data folder for this demo alone, and makes it if need be.
// The caller closes what it returns.
func holdDemo(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, demoLockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock of data folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data folder %s is held by another demo (end it, or give --data another folder)", dir)
		}
		return nil, fmt.Errorf("lock data folder %s: %w", dir, err)
	}
	return lock, nil
}

// freshDemo empties a data folder that is held. It refuses a folder with other
// things in it, unless it can see that it was a demo's.
func freshDemo(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("empty data folder: %w", err)
	}
	is := func(name string) bool {
		return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == name })
	}
	if !is(demoStateFile) && (is(demoStoreFolder) || is(demoAgentsFolder) || is(demoContractsFile)) {
		return fmt.Errorf("empty data folder %s: it has no %s, so what is in it is not a demo's", dir, demoStateFile)
	}
	// The state goes last: until then the folder can be recognised.
	for _, name := range []string{demoStoreFolder, demoAgentsFolder, demoContractsFile, demoLogFile, demoStateFile} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("empty data folder %s: %w", dir, err)
		}
	}
	return nil
}

// missingFile reports whether a file is not there.
func missingFile(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, fs.ErrNotExist)
}
