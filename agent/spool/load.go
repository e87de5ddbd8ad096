package spool

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"

	"go.etcd.io/bbolt"
)

// load opens the file and takes over what it holds, or begins a new one.
func (s *Spool) load() error {
	torn, err := checkFile(s.path)
	if err == nil {
		err = s.openFile()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		torn = false
		err = s.begin(newIdentity(s.o.MachineID, OriginNew), nil)
	case errors.Is(err, errDamaged):
		torn = false
		err = s.replaceDamaged(err)
	}
	if err != nil {
		return err
	}
	s.settle(torn)
	return nil
}

// openFile opens the file and reads its index.
func (s *Spool) openFile() error {
	db, err := openBolt(s.path, false)
	if err != nil {
		return err
	}
	s.db, s.index = db, index{}
	s.count.origin = OriginContinued
	if err := guard(func() error { return db.View(s.read) }); err != nil {
		return errors.Join(err, s.closeFile())
	}
	return nil
}

// read fills the index, and proves every value on the way.
func (s *Spool) read(tx *bbolt.Tx) error {
	for _, name := range [][]byte{bucketMeta, bucketBatches, bucketMarks, bucketState} {
		if tx.Bucket(name) == nil {
			return fmt.Errorf("bucket %q is missing: %w", name, errDamaged)
		}
	}
	v, err := openValue(keyIdentity, tx.Bucket(bucketMeta).Get(keyIdentity))
	if err != nil {
		return err
	}
	if s.id, err = parseIdentity(v); err != nil {
		return err
	}
	if err := s.readStates(tx); err != nil {
		return err
	}
	marks, err := readMarks(tx)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketBatches).ForEach(func(k, v []byte) error {
		x, err := parseStored(v)
		if err != nil {
			return err
		}
		if len(k) != 8 {
			return fmt.Errorf("stored batch %s: key of %d bytes: %w", x.id, len(k), errDamaged)
		}
		if x.id.Agent == s.id.Agent && x.id.Epoch == s.id.Epoch && x.id.Seq > s.id.Seq {
			return fmt.Errorf("stored batch %s: beyond the last number %d: %w", x.id, s.id.Seq, errDamaged)
		}
		pos := binary.BigEndian.Uint64(k)
		s.index.add(entry{
			pos: pos, stream: s.index.intern(stream{x.id.Agent, x.id.Epoch}), seq: x.id.Seq,
			size: x.size(), records: x.records, mark: marks[pos],
		})
		return nil
	})
}

// readStates adds the states of the file to those that memory has: where
// memory has one, it is newer.
func (s *Spool) readStates(tx *bbolt.Tx) error {
	return tx.Bucket(bucketState).ForEach(func(k, v []byte) error {
		state, err := openValue(k, v)
		if err != nil {
			return err
		}
		if _, newer := s.state[string(k)]; !newer {
			s.state[string(k)] = append([]byte(nil), state...)
		}
		return nil
	})
}

func readMarks(tx *bbolt.Tx) (map[uint64]mark, error) {
	out := map[uint64]mark{}
	err := tx.Bucket(bucketMarks).ForEach(func(k, v []byte) error {
		v, err := openValue(k, v)
		if err != nil {
			return err
		}
		var m mark
		if err := json.Unmarshal(v, &m); err != nil || len(k) != 8 {
			return fmt.Errorf("mark %x: %w", k, errDamaged)
		}
		out[binary.BigEndian.Uint64(k)] = m
		return nil
	})
	return out, err
}

// settle decides under which identity the spool goes on.
func (s *Spool) settle(torn bool) {
	id := s.id
	switch {
	case id.Machine != s.o.MachineID:
		id = newIdentity(s.o.MachineID, OriginMoved)
		id.Store = s.id.Store
		// The inventory is that of the other machine.
		for name := range s.state {
			s.state[name] = nil
		}
	case torn:
		id = id.newEpoch(OriginTorn)
	default:
		return
	}
	s.adopt(id)
}

// adopt goes on under another identity. If the disk does not take it now, it
// becomes durable with the first batch that needs it.
func (s *Spool) adopt(id identity) {
	s.o.Log.Warn("spool begins a new epoch", "path", s.path, "why", id.Origin, "agent", id.Agent, "epoch", id.Epoch)
	s.id, s.count.origin = id, id.Origin
	if s.db == nil {
		return
	}
	if err := s.write(change{id: &id, state: s.state}); err != nil {
		s.stumble(err)
	}
}

// begin makes a new file beside the old one, with the given batches in it, and
// puts it in place in one step.
func (s *Spool) begin(id identity, batches iter.Seq2[stored, error]) error {
	next := s.path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := build(next, id, batches); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	if err := s.replaceBy(next); err != nil {
		return err
	}
	s.count.origin = id.Origin
	return nil
}

// replaceBy puts a complete file in place of the old one and opens it.
func (s *Spool) replaceBy(next string) error {
	if err := os.Rename(next, s.path); err != nil {
		return err
	}
	if err := syncFolder(s.path); err != nil {
		return err
	}
	return s.openFile()
}

// build writes a complete file. It is synced once, at the end.
func build(path string, id identity, batches iter.Seq2[stored, error]) error {
	db, err := openBolt(path, true)
	if err != nil {
		return err
	}
	err = guard(func() error { return fill(db, id, batches) })
	if err == nil {
		err = db.Sync()
	}
	return errors.Join(err, guard(db.Close))
}

func fill(db *bbolt.DB, id identity, batches iter.Seq2[stored, error]) error {
	err := db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketBatches, bucketMarks, bucketState} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return change{id: &id}.apply(tx)
	})
	if err != nil || batches == nil {
		return err
	}
	pos := uint64(0)
	for x, err := range batches {
		if err != nil {
			return err
		}
		pos++
		if err := db.Update(change{put: &x, pos: pos}.apply); err != nil {
			return err
		}
	}
	return nil
}

// reopen writes the file anew, because the disk may not have what the old one
// seems to hold, and goes on with the copy.
func (s *Spool) reopen() error {
	before := s.id
	if err := s.copyFile(); err != nil && !errors.Is(err, errDamaged) {
		s.count.failures++
		return fmt.Errorf("write spool anew: %w", err)
	}
	if err := s.load(); err != nil {
		s.count.failures++
		return err
	}
	again := before == (identity{}) || s.id.stream() == before.stream() && s.id.Seq == before.Seq && s.id.Prev == before.Prev
	if again || s.count.origin != OriginContinued {
		return nil
	}
	if s.id.stream() == before.stream() && s.id.Seq == before.Seq+1 && s.id.Prev == s.attempt && len(s.held) > 0 {
		// The write that failed is in the file, and durable now.
		s.held, s.lost = s.held[1:], nil
		return nil
	}
	s.adopt(s.id.newEpoch(OriginTorn))
	return nil
}

// copyFile replaces the file by a copy of its contents.
func (s *Spool) copyFile() error {
	if _, err := checkFile(s.path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	old, err := openBolt(s.path, false)
	if err != nil {
		return err
	}
	next := s.path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, guard(old.Close))
	}
	err = compact(next, old)
	if err := errors.Join(err, guard(old.Close)); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	if err := os.Rename(next, s.path); err != nil {
		return err
	}
	return syncFolder(s.path)
}

func compact(path string, old *bbolt.DB) error {
	db, err := openBolt(path, true)
	if err != nil {
		return err
	}
	err = guard(func() error { return bbolt.Compact(db, old, 1<<20) })
	if err == nil {
		err = db.Sync()
	}
	return errors.Join(err, guard(db.Close))
}
