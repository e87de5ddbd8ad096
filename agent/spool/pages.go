package spool

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt maps its file and follows the numbers it finds there. A wrong one can
// make it panic in a goroutine of its own, overflow its stack or never return.
// So every page that it could reach is checked before it is let near the file.
//
// The layout is that of bbolt's version 2: two meta pages, then branch and leaf
// pages, in the byte order of the machine (little endian on all that we build
// for).
const (
	boltMagic       = 0xED0CDAED
	boltVersion     = 2
	boltNoFreelist  = ^uint64(0)
	pageHeaderLen   = 16
	branchLen       = 16 // of a branch element: pos u32, ksize u32, pgid u64
	leafLen         = 16 // of a leaf element: flags, pos, ksize, vsize u32
	metaSumAt       = 56 // of the meta: its checksum, over all before
	metaLen         = 64
	flagBranch      = 0x01
	flagLeaf        = 0x02
	flagBucket      = 0x01 // of a leaf element
	maxTreeDepth    = 32
	maxPageElements = 1 << 16
	maxPageBytes    = 64 << 20 // with overflow; two of the largest batches are 8 MiB
)

// meta is one of the two meta pages.
type meta struct {
	pageSize             int64
	root, freelist, high uint64 // page numbers; high is the first beyond all
	txid                 uint64
}

func parseMeta(page []byte) (m meta, ok bool) {
	if len(page) < pageHeaderLen+metaLen {
		return m, false
	}
	b := page[pageHeaderLen:]
	sum := fnv.New64a()
	sum.Write(b[:metaSumAt])
	le := binary.LittleEndian
	if le.Uint32(b) != boltMagic || le.Uint32(b[4:]) != boltVersion || le.Uint64(b[metaSumAt:]) != sum.Sum64() {
		return m, false
	}
	m = meta{
		pageSize: int64(le.Uint32(b[8:])), root: le.Uint64(b[16:]), freelist: le.Uint64(b[32:]),
		high: le.Uint64(b[40:]), txid: le.Uint64(b[48:]),
	}
	return m, m.pageSize >= 512 && m.pageSize <= 1<<16 && m.pageSize&(m.pageSize-1) == 0
}

// checkFile reads the file without bbolt and returns errDamaged if bbolt must
// not open it. torn is true if one of the two meta pages is no good: the other
// one is sound, but may be older by one transaction.
func checkFile(path string) (torn bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	return checkPages(f, info.Size())
}

func checkPages(r io.ReaderAt, size int64) (torn bool, err error) {
	m, torn, err := readMeta(r, size)
	if err != nil {
		return false, err
	}
	if m.freelist != boltNoFreelist {
		return false, fmt.Errorf("meta page: it names a list of free pages: %w", errDamaged)
	}
	if m.high < 3 || m.high > uint64(size/m.pageSize) {
		return false, fmt.Errorf("meta page: %d pages in a file of %d bytes: %w", m.high, size, errDamaged)
	}
	t := &tree{r: r, meta: m, seen: make([]bool, m.high)}
	return torn, t.walk(m.root, bounds{}, 0, 0)
}

// readMeta returns the newer of the two meta pages.
func readMeta(r io.ReaderAt, size int64) (m meta, torn bool, err error) {
	first, ok0 := metaAt(r, 0)
	var second meta
	ok1 := false
	// Without the first, the place of the second has to be found.
	for at := int64(512); at <= 1<<16 && at < size && !ok1; at *= 2 {
		if ok0 && at != first.pageSize {
			continue
		}
		second, ok1 = metaAt(r, at)
		ok1 = ok1 && second.pageSize == at
	}
	switch {
	case !ok0 && !ok1:
		return m, false, fmt.Errorf("no meta page is sound: %w", errDamaged)
	case ok0 && (!ok1 || first.txid > second.txid):
		return first, !ok1, nil
	}
	return second, !ok0, nil
}

func metaAt(r io.ReaderAt, at int64) (meta, bool) {
	page := make([]byte, pageHeaderLen+metaLen)
	if _, err := r.ReadAt(page, at); err != nil {
		return meta{}, false
	}
	return parseMeta(page)
}

// tree walks the pages below a root. seen has the pages that were met.
type tree struct {
	r    io.ReaderAt
	meta meta
	seen []bool
}

// bounds is the half-open interval that the keys of a page must lie in; nil is
// open.
type bounds struct{ lo, hi []byte }

// walk checks a page and all below it. Buckets lie in the root bucket (nest 0)
// only, as ours do.
func (t *tree) walk(id uint64, in bounds, depth, nest int) error {
	b, err := t.page(id)
	if err != nil {
		return err
	}
	p := page{id: id, b: b, count: int(binary.LittleEndian.Uint16(b[10:]))}
	flags := binary.LittleEndian.Uint16(b[8:])
	switch {
	case depth > maxTreeDepth:
		return p.bad("too deep")
	case flags == flagBranch && p.count > 0:
		return t.walkBranch(p, in, depth, nest)
	case flags == flagLeaf && (p.count > 0 || depth == 0):
		return t.walkLeaf(p, in, nest)
	}
	return p.bad("neither a branch nor a leaf")
}

// page reads a page with its overflow, and takes it off the unseen ones.
func (t *tree) page(id uint64) ([]byte, error) {
	p := page{id: id}
	if id < 2 || id >= t.meta.high {
		return nil, p.bad("out of bounds")
	}
	head := make([]byte, pageHeaderLen)
	if _, err := t.r.ReadAt(head, int64(id)*t.meta.pageSize); err != nil {
		return nil, fmt.Errorf("page %d: %w: %w", id, errDamaged, err)
	}
	n := uint64(binary.LittleEndian.Uint32(head[12:])) + 1
	if binary.LittleEndian.Uint64(head) != id || n > t.meta.high-id || n > uint64(maxPageBytes/t.meta.pageSize) {
		return nil, p.bad("header")
	}
	for i := id; i < id+n; i++ {
		if t.seen[i] {
			return nil, p.bad("met twice")
		}
		t.seen[i] = true
	}
	b := make([]byte, int64(n)*t.meta.pageSize)
	if _, err := t.r.ReadAt(b, int64(id)*t.meta.pageSize); err != nil {
		return nil, fmt.Errorf("page %d: %w: %w", id, errDamaged, err)
	}
	return b, nil
}

func (t *tree) walkBranch(p page, in bounds, depth, nest int) error {
	if err := p.checkKeys(branchLen, 0, in); err != nil {
		return err
	}
	for i := range p.count {
		child := bounds{p.key(i, branchLen, 0), in.hi}
		if i+1 < p.count {
			child.hi = p.key(i+1, branchLen, 0)
		}
		at := pageHeaderLen + i*branchLen
		if err := t.walk(binary.LittleEndian.Uint64(p.b[at+8:]), child, depth+1, nest); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) walkLeaf(p page, in bounds, nest int) error {
	if err := p.checkKeys(leafLen, 4, in); err != nil {
		return err
	}
	for i := range p.count {
		isBucket := binary.LittleEndian.Uint32(p.b[pageHeaderLen+i*leafLen:])&flagBucket != 0
		if isBucket != (nest == 0) {
			return p.bad("a bucket in a bucket, or a value outside of one")
		}
		if !isBucket {
			continue
		}
		if err := t.walkBucket(p, p.value(i)); err != nil {
			return err
		}
	}
	return nil
}

// walkBucket checks a bucket: the number of its root page, or 0 and the page
// itself.
func (t *tree) walkBucket(p page, v []byte) error {
	if len(v) < 16 {
		return p.bad("bucket header")
	}
	if root := binary.LittleEndian.Uint64(v); root != 0 {
		return t.walk(root, bounds{}, 0, 1)
	}
	b := v[16:]
	if len(b) < pageHeaderLen || binary.LittleEndian.Uint16(b[8:]) != flagLeaf {
		return p.bad("inline bucket")
	}
	inline := page{id: p.id, b: b, count: int(binary.LittleEndian.Uint16(b[10:]))}
	return t.walkLeaf(inline, bounds{}, 1)
}

// page is the bytes of one page with its overflow.
type page struct {
	id    uint64
	b     []byte
	count int
}

func (p page) bad(what string) error { return fmt.Errorf("page %d: %s: %w", p.id, what, errDamaged) }

// checkKeys checks that all elements lie within the page, and that their keys
// ascend within bounds. at is where pos stands in an element.
func (p page) checkKeys(elem, at int, in bounds) error {
	if p.count > maxPageElements || pageHeaderLen+p.count*elem > len(p.b) {
		return p.bad("count")
	}
	prev := in.lo
	for i := range p.count {
		start, ksize, vsize := p.extent(i, elem, at)
		if ksize == 0 || start+ksize+vsize > uint64(len(p.b)) {
			return p.bad("element")
		}
		k := p.key(i, elem, at)
		if c := bytes.Compare(prev, k); c > 0 || c == 0 && i > 0 || in.hi != nil && bytes.Compare(k, in.hi) >= 0 {
			return p.bad("key order")
		}
		prev = k
	}
	return nil
}

// extent returns where element i's key begins in the page, and the lengths.
func (p page) extent(i, elem, at int) (start, ksize, vsize uint64) {
	le := binary.LittleEndian
	off := pageHeaderLen + i*elem
	start = uint64(off) + uint64(le.Uint32(p.b[off+at:]))
	ksize = uint64(le.Uint32(p.b[off+at+4:]))
	if at > 0 { // a leaf
		vsize = uint64(le.Uint32(p.b[off+at+8:]))
	}
	return start, ksize, vsize
}

func (p page) key(i, elem, at int) []byte {
	start, ksize, _ := p.extent(i, elem, at)
	return p.b[start : start+ksize]
}

func (p page) value(i int) []byte {
	start, ksize, vsize := p.extent(i, leafLen, 4)
	return p.b[start+ksize : start+ksize+vsize]
}
