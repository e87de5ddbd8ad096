package duckdb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// DuckDB writes blocks of metadata anew where they stand, although the file
// needs pieces of them until its header says otherwise. A process that is
// killed within such a write, or a machine that stops before it is durable,
// leaves a block that DuckDB refuses, and the whole file with it. So these
// blocks are written beside the file before a checkpoint, which databases call
// a doublewrite buffer, and are put back when a checkpoint was cut short.

// doublewriteName is there during a checkpoint, and after one that was cut
// short.
const doublewriteName = databaseName + ".doublewrite"

// headersSize is what comes before the blocks of a DuckDB file: what the file
// is, and two headers of which the newer one holds. A checkpoint is complete
// when it has written one of them, which it does last.
const headersSize = 3 * 4096

// maxSavedBlocks bounds what a damaged file is believed: 64 TiB of database.
const maxSavedBlocks = 1 << 28

var doublewriteMagic = [8]byte{'g', 'p', 'm', 'd', 'b', 'l', 'w', '1'}

// doublewriteHead begins the file. The numbers of the blocks follow, the
// database's headers, the blocks, and the SHA-256 of all that.
type doublewriteHead struct {
	Magic             [8]byte
	Store             [32]byte // its id
	BlockSize, Blocks uint64
}

// saveBlocks makes a durable copy of what a checkpoint may write in place.
func (f *folder) saveBlocks(ctx context.Context, conn *sql.Conn, storeID string) error {
	head := doublewriteHead{Magic: doublewriteMagic}
	copy(head.Store[:], storeID)
	ids, err := f.metadataBlocks(ctx, conn, &head.BlockSize)
	if err != nil {
		return fmt.Errorf("list the blocks of metadata: %w", err)
	}
	head.Blocks = uint64(len(ids))
	out, err := os.OpenFile(f.path(doublewriteName), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	sum := sha256.New()
	to := io.MultiWriter(out, sum)
	err = errors.Join(binary.Write(to, binary.LittleEndian, head), binary.Write(to, binary.LittleEndian, ids))
	if err == nil {
		_, err = io.Copy(to, io.NewSectionReader(f.database, 0, headersSize))
	}
	for _, id := range ids {
		if err == nil {
			_, err = io.CopyN(to, io.NewSectionReader(f.database, head.offset(id), int64(head.BlockSize)), int64(head.BlockSize))
		}
	}
	if err == nil {
		_, err = out.Write(sum.Sum(nil))
	}
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	return f.sync()
}

func (h doublewriteHead) offset(block int64) int64 { return headersSize + block*int64(h.BlockSize) }

// metadataBlocks returns the numbers of the blocks of metadata that the
// database file has.
func (f *folder) metadataBlocks(ctx context.Context, conn *sql.Conn, blockSize *uint64) (ids []int64, err error) {
	err = conn.QueryRowContext(ctx, "SELECT block_size FROM pragma_database_size() WHERE database_name = 'store'").Scan(blockSize)
	if err != nil {
		return nil, err
	}
	info, err := f.database.Stat()
	if err != nil {
		return nil, err
	}
	whole := (info.Size() - headersSize) / int64(*blockSize)
	return ids, each(ctx, conn, "SELECT block_id FROM pragma_metadata_info('store') ORDER BY block_id", func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		if id < whole {
			ids = append(ids, id)
		}
		return err
	})
}

// savedBlocks is a whole doublewrite file.
type savedBlocks struct {
	doublewriteHead
	ids     []int64
	headers []byte
	blocks  *io.SectionReader
}

// readSaved returns nil if the file is not whole: then its checkpoint did not
// begin.
func readSaved(in *os.File) (*savedBlocks, error) {
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	body := info.Size() - sha256.Size
	sum := sha256.New()
	from := io.TeeReader(io.NewSectionReader(in, 0, max(body, 0)), sum)
	s := &savedBlocks{headers: make([]byte, headersSize)}
	if binary.Read(from, binary.LittleEndian, &s.doublewriteHead) != nil || s.Magic != doublewriteMagic ||
		s.Blocks > maxSavedBlocks || s.BlockSize > 1<<30 {
		return nil, nil
	}
	before := int64(binary.Size(s.doublewriteHead)) + int64(s.Blocks)*8 + headersSize
	if body != before+int64(s.Blocks*s.BlockSize) {
		return nil, nil
	}
	s.ids = make([]int64, s.Blocks)
	if err := binary.Read(from, binary.LittleEndian, s.ids); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(from, s.headers); err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.Discard, from); err != nil {
		return nil, err
	}
	want := make([]byte, sha256.Size)
	if _, err := in.ReadAt(want, body); err != nil || !bytes.Equal(want, sum.Sum(nil)) {
		return nil, err
	}
	s.blocks = io.NewSectionReader(in, before, body-before)
	return s, nil
}

// mend puts blocks back if a checkpoint of the database was cut short, and
// returns how many it had to. It is called before DuckDB opens the file.
func (f *folder) mend(readOnly bool) (int, error) {
	in, err := os.Open(f.path(doublewriteName))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer in.Close()
	n := 0
	saved, err := readSaved(in)
	if err == nil && saved != nil && f.owns(saved) {
		n, err = f.putBack(saved, readOnly)
	}
	if err == nil && !readOnly {
		// A header that a killed process wrote may not be durable yet, and DuckDB
		// takes the log away if it sees it.
		err = f.database.Sync()
	}
	if err != nil {
		return 0, fmt.Errorf("put back what a checkpoint that was cut short left in %s: %w", doublewriteName, err)
	}
	if readOnly {
		return n, nil // whoever writes next takes the file away
	}
	return n, os.Remove(in.Name())
}

// owns reports whether blocks are of the store that the tally names. A store in
// which nothing was committed has none.
func (f *folder) owns(s *savedBlocks) bool {
	text, err := os.ReadFile(f.path(tallyName))
	return err != nil || bytes.HasPrefix(text, s.Store[:])
}

// putBack writes the blocks that differ, if the database's headers are those
// of before the checkpoint.
func (f *folder) putBack(s *savedBlocks, readOnly bool) (n int, err error) {
	if torn, err := f.differing(s); err != nil || len(torn) == 0 {
		return 0, err
	}
	out, done, err := f.writeDatabase(readOnly)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, done()) }()
	torn, err := f.differing(s) // others may have been here
	block := make([]byte, s.BlockSize)
	for _, i := range torn {
		if err == nil {
			_, err = s.blocks.ReadAt(block, int64(i)*int64(s.BlockSize))
		}
		if err == nil {
			_, err = out.WriteAt(block, s.offset(s.ids[i]))
		}
	}
	return len(torn), err
}

// differing returns which blocks of the database are not as they were saved;
// none if the headers have changed since.
func (f *folder) differing(s *savedBlocks) (torn []int, err error) {
	headers, was, is := make([]byte, headersSize), make([]byte, s.BlockSize), make([]byte, s.BlockSize)
	if _, err := f.database.ReadAt(headers, 0); err != nil {
		return nil, err
	}
	if !bytes.Equal(headers, s.headers) {
		return nil, nil
	}
	for i, id := range s.ids {
		if _, err := s.blocks.ReadAt(was, int64(i)*int64(s.BlockSize)); err != nil {
			return nil, err
		}
		if _, err := f.database.ReadAt(is, s.offset(id)); err != nil || !bytes.Equal(was, is) {
			torn = append(torn, i)
		}
	}
	return torn, nil
}

// writeDatabase opens the database file for writing; done makes that durable.
// A reader holds the folder alone meanwhile.
func (f *folder) writeDatabase(readOnly bool) (out *os.File, done func() error, err error) {
	if readOnly {
		if err := syscall.Flock(int(f.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return nil, nil, fmt.Errorf("others read the folder: %w", err)
		}
	}
	out, err = os.OpenFile(f.path(databaseName), os.O_WRONLY, 0)
	if err != nil {
		return nil, nil, err
	}
	return out, func() error {
		err := errors.Join(out.Sync(), out.Close())
		if readOnly {
			err = errors.Join(err, syscall.Flock(int(f.lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB))
		}
		return err
	}, nil
}
