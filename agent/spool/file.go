package spool

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Buckets of the file. Keys of batches and marks are positions, big endian.
var (
	bucketMeta    = []byte("meta")    // keyIdentity: guarded JSON identity
	bucketBatches = []byte("batches") // stored batches
	bucketMarks   = []byte("marks")   // guarded JSON marks
	bucketState   = []byte("state")   // guarded opaque states, by name
	keyIdentity   = []byte("identity")
)

// lockWait is how long bbolt may wait for its own lock. Ours comes first, so
// that only a foreign tool can hold it.
const lockWait = 2 * time.Second

// takeLock holds name for this process alone until the file is closed.
func takeLock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrHeld
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}

// guard calls f, which touches the file through bbolt. A page that is not what
// bbolt expects, or that the disk cannot read, is a panic there and an error here.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errDamaged, r)
		}
	}()
	return f()
}

// openBolt opens a file whose pages have been checked. The list of free pages
// is not stored but found anew each time, so that it cannot be wrong.
func openBolt(path string, noSync bool) (db *bbolt.DB, err error) {
	err = guard(func() error {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout: lockWait, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoSync: noSync,
		})
		return err
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrHeld
	}
	if err != nil {
		return nil, err
	}
	db.AllocSize = 1 << 20
	return db, nil
}

// change is one transaction. What is nil or empty stays as it is.
type change struct {
	id    *identity
	put   *stored
	pos   uint64
	drop  []uint64
	marks map[uint64]mark   // the zero mark removes one
	state map[string][]byte // nil removes one
}

func key(pos uint64) []byte { return binary.BigEndian.AppendUint64(nil, pos) }

func (c change) apply(tx *bbolt.Tx) error {
	batches, marks := tx.Bucket(bucketBatches), tx.Bucket(bucketMarks)
	for _, pos := range c.drop {
		if err := errors.Join(batches.Delete(key(pos)), marks.Delete(key(pos))); err != nil {
			return err
		}
	}
	for pos, m := range c.marks {
		if err := putMark(marks, pos, m); err != nil {
			return err
		}
	}
	if c.put != nil {
		v, err := c.put.marshal()
		if err != nil {
			return err
		}
		batches.FillPercent = 0.9 // keys only grow
		if err := batches.Put(key(c.pos), v); err != nil {
			return err
		}
	}
	for name, v := range c.state {
		if err := putState(tx.Bucket(bucketState), []byte(name), v); err != nil {
			return err
		}
	}
	if c.id == nil {
		return nil
	}
	v, err := json.Marshal(c.id)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketMeta).Put(keyIdentity, guardValue(keyIdentity, v))
}

func putState(states *bbolt.Bucket, name, v []byte) error {
	if v == nil {
		return states.Delete(name)
	}
	return states.Put(name, guardValue(name, v))
}

func putMark(marks *bbolt.Bucket, pos uint64, m mark) error {
	if m == (mark{}) {
		return marks.Delete(key(pos))
	}
	v, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return marks.Put(key(pos), guardValue(key(pos), v))
}

// write makes a change durable. After an error that leaves open what the disk
// has, the file is not used again before it was written anew: a second fsync
// may report success for pages that the first one lost.
func (s *Spool) write(c change) error {
	err := guard(func() error { return s.commit(s.db, c.apply) })
	if err == nil {
		return nil
	}
	s.count.failures++
	if !unwritten(err) {
		s.distrust(err)
	}
	return err
}

// unwritten reports whether a transaction failed before it could become
// visible: bbolt wraps errors of its writes in a PathError, those of fsync not.
func unwritten(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p)
}

func (s *Spool) distrust(err error) {
	s.o.Log.Warn("spool file is put in doubt", "path", s.path, "err", err)
	if err := s.closeFile(); err != nil {
		s.o.Log.Warn("spool file does not close", "path", s.path, "err", err)
	}
}

func (s *Spool) closeFile() error {
	if s.db == nil {
		return nil
	}
	db := s.db
	s.db = nil
	return guard(db.Close)
}

// syncFolder makes a rename durable.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
