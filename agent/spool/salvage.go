package spool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"

	"github.com/gpumeter/gpumeter/usage"
)

// replaceDamaged sets the file aside and begins a new one with all batches
// that can still be read. They are sent again, under the identities that they
// have: one that the collector already has changes nothing there.
func (s *Spool) replaceDamaged(cause error) error {
	if err := s.closeFile(); err != nil {
		s.o.Log.Warn("damaged spool does not close", "path", s.path, "err", err)
	}
	aside, err := s.setAside()
	if err != nil {
		return fmt.Errorf("set the damaged file aside (%w): %w", cause, err)
	}
	f, err := os.Open(aside)
	if err != nil {
		return err
	}
	defer f.Close()
	found, err := salvage(f)
	if err != nil {
		return fmt.Errorf("salvage %s: %w", aside, err)
	}
	found = newest(found, s.o.MaxBytes)
	if err := s.begin(newIdentity(s.o.MachineID, OriginDamaged), readAll(f, found)); err != nil {
		return err
	}
	s.o.Log.Error("spool was damaged; it is set aside, and a new one begins",
		"path", s.path, "aside", aside, "saved", len(found), "err", cause)
	s.lost = append(s.lost, usage.Event{
		AtMs: s.o.Now().UnixMilli(), Kind: usage.EventDropped,
		Detail: fmt.Sprintf("the spool was damaged; %d batches of it were saved, how many were lost is not known", len(found)),
	})
	return nil
}

// setAside gives the file a second name under which it stays. Until the new
// file takes the first name, a restart finds the damaged one again.
func (s *Spool) setAside() (string, error) {
	base := s.path + ".damaged-" + s.o.Now().UTC().Format("20060102T150405Z")
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		err := os.Link(s.path, name)
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			// A file system without links: the name has to move.
			return name, os.Rename(s.path, name)
		}
	}
}

// find is a stored batch found in a damaged file.
type find struct {
	at int64
	stored
	bodyLen int
}

// salvage finds all stored batches in r that prove themselves, wherever they
// lie, each once, by stream and number.
func salvage(r io.ReaderAt) ([]find, error) {
	var out []find
	seen := map[usage.ID]bool{}
	err := eachMagic(r, func(at int64) error {
		x, err := readStored(r, at)
		if errors.Is(err, errDamaged) || seen[x.id] {
			return nil
		}
		if err != nil {
			return err
		}
		seen[x.id] = true
		out = append(out, find{at, stored{id: x.id, records: x.records, hash: x.hash}, len(x.body)})
		return nil
	})
	slices.SortFunc(out, func(a, b find) int {
		return cmp.Or(cmp.Compare(a.id.Agent, b.id.Agent), cmp.Compare(a.id.Epoch, b.id.Epoch), cmp.Compare(a.id.Seq, b.id.Seq))
	})
	return out, err
}

// eachMagic calls f with every offset at which a stored batch may begin.
func eachMagic(r io.ReaderAt, f func(at int64) error) error {
	const overlap = len(magic) - 1
	buf := make([]byte, 1<<20)
	for off := int64(0); ; {
		n, err := r.ReadAt(buf, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for at := 0; ; at++ {
			i := bytes.Index(buf[at:n], []byte(magic))
			if i < 0 {
				break
			}
			at += i
			if err := f(off + int64(at)); err != nil {
				return err
			}
		}
		if err != nil || n <= overlap {
			return nil
		}
		off += int64(n - overlap)
	}
}

// readStored reads and proves the stored batch at an offset.
func readStored(r io.ReaderAt, at int64) (stored, error) {
	head := make([]byte, headerLen)
	if _, err := r.ReadAt(head, at); err != nil {
		return stored{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	x, n, err := parseHeader(head)
	if err != nil {
		return x, err
	}
	v := make([]byte, headerLen+n)
	if _, err := r.ReadAt(v, at); err != nil {
		return x, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return parseStored(v)
}

// newest keeps the last of found that fit into limit.
func newest(found []find, limit int64) []find {
	for i := len(found) - 1; i >= 0; i-- {
		limit -= headerLen + 8 + int64(found[i].bodyLen)
		if limit < 0 {
			return found[i+1:]
		}
	}
	return found
}

func readAll(r io.ReaderAt, found []find) iter.Seq2[stored, error] {
	return func(yield func(stored, error) bool) {
		for _, x := range found {
			if !yield(readStored(r, x.at)) {
				return
			}
		}
	}
}
