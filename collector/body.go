package collector

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/gpumeter/gpumeter/usage"
)

// Limits of one post. Agents send at most 1 MiB at a time; an importer of
// history may send more.
const (
	MaxPostBytes    = 8 << 20  // as it travels
	MaxPostRawBytes = 64 << 20 // unpacked
	MaxPostBatches  = 5000
	// maxRatio is of unpacked to travelled bytes. Every batch carries two
	// hashes that do not pack, so that honest posts stay below 50.
	maxRatio = 100
	// ratioFree bytes are unpacked before the ratio counts.
	ratioFree = 1 << 20
)

// Reasons why a post is refused. statusOf has the HTTP status of each.
var (
	errTooLarge = errors.New("post is too large")
	errBusy     = errors.New("too many posts are waiting")
	errEncoding = errors.New("unsupported form")
)

// remembering keeps the error that ended its reading.
type remembering struct {
	r   io.Reader
	err error
}

func (m *remembering) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}

// add sorts one batch, and returns it: good, bad, or not to be told whose it
// is.
func (p *post) add(body []byte) (usage.Batch, error) {
	s, err := usage.Open(body)
	switch {
	case s.Batch.Version > usage.WireVersion:
		return usage.Batch{}, fmt.Errorf("%w: wire version %d, this collector reads %d (upgrade it before its agents)", errEncoding, s.Batch.Version, usage.WireVersion)
	case !readable(s.Batch.ID()):
		if err == nil {
			err = s.Batch.Check()
		}
		return usage.Batch{}, fmt.Errorf("batch without a readable identity: %w", err)
	case err == nil:
		err = s.Batch.Check()
	}
	if err != nil {
		p.bad = append(p.bad, refused{s, err.Error()})
		return s.Batch, nil
	}
	p.good = append(p.good, s)
	return s.Batch, nil
}

// readable reports whether an identity is one that agents make.
func readable(id usage.ID) bool {
	return id.Seq > 0 && isHex32(id.Agent) && isHex32(id.Epoch)
}

func isHex32(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 32
}

// unpacker is a gzip reader and what it reads from.
type unpacker struct {
	gzip   gzip.Reader
	packed bufio.Reader // gzip would make one for every post
}

// unpackers are of some 40 kB each, which is more than most posts.
var unpackers = sync.Pool{New: func() any { return new(unpacker) }}

// unpacked returns the body of a request, bounded before anything is
// allocated for it. It is read before free is called.
func unpacked(w http.ResponseWriter, r *http.Request) (body io.Reader, free func(), err error) {
	switch e := r.Header.Get("Content-Encoding"); e {
	case "", "identity":
		return http.MaxBytesReader(w, r.Body, MaxPostRawBytes), func() {}, nil
	case "gzip":
		packed := &counter{r: http.MaxBytesReader(w, r.Body, MaxPostBytes)}
		u := unpackers.Get().(*unpacker)
		u.packed.Reset(packed)
		if err := u.gzip.Reset(&u.packed); err != nil {
			return nil, nil, fmt.Errorf("unpack post: %w", err)
		}
		return &bounded{r: &u.gzip, packed: packed}, func() { u.packed.Reset(nil); unpackers.Put(u) }, nil
	default:
		return nil, nil, fmt.Errorf("%w: content encoding %q is neither gzip nor identity", errEncoding, e)
	}
}

// counter counts what is read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// bounded stops unpacking at the limits.
type bounded struct {
	r      io.Reader
	packed *counter
	n      int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	switch {
	case b.n > MaxPostRawBytes:
		return 0, fmt.Errorf("%w: more than %d bytes unpacked", errTooLarge, MaxPostRawBytes)
	case b.n > ratioFree && b.n > maxRatio*b.packed.n:
		return 0, fmt.Errorf("%w: packed more than %d to 1", errTooLarge, maxRatio)
	}
	return n, err
}
