package collector

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

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

// budget bounds the bytes that all posts hold in memory together.
type budget struct {
	limit int64
	used  atomic.Int64
}

func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

// readPost reads the batches of a request. Nothing of a post counts if any
// of its lines is malformed: the error names the line. The caller gives held
// bytes back to the budget, also after an error.
func readPost(w http.ResponseWriter, r *http.Request, b *budget) (p *post, held int64, err error) {
	raw, err := unpacked(w, r)
	if err != nil {
		return nil, 0, err
	}
	p = &post{done: make(chan outcome, 1)}
	source := &remembering{r: raw}
	err = usage.Lines(source, func(body []byte) error {
		if len(p.good)+len(p.bad) >= MaxPostBatches {
			return fmt.Errorf("%w: more than %d batches", errTooLarge, MaxPostBatches)
		}
		if !b.take(int64(len(body))) {
			return errBusy
		}
		held += int64(len(body))
		return p.add(body)
	})
	if source.err != nil { // and not what is wrong with the line that it cut
		err = fmt.Errorf("read post: %w", source.err)
	}
	return p, held, err
}

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

// add sorts one batch: good, bad, or not to be told whose it is.
func (p *post) add(body []byte) error {
	s, err := usage.Open(body)
	switch {
	case s.Batch.Version > usage.WireVersion:
		return fmt.Errorf("%w: wire version %d, this collector reads %d (upgrade it before its agents)", errEncoding, s.Batch.Version, usage.WireVersion)
	case !readable(s.Batch.ID()):
		if err == nil {
			err = s.Batch.Check()
		}
		return fmt.Errorf("batch without a readable identity: %w", err)
	case err == nil:
		err = s.Batch.Check()
	}
	if err != nil {
		p.bad = append(p.bad, refused{s, err.Error()})
		return nil
	}
	p.good = append(p.good, s)
	return nil
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

// unpacked returns the body of a request, bounded before anything is
// allocated for it.
func unpacked(w http.ResponseWriter, r *http.Request) (io.Reader, error) {
	switch e := r.Header.Get("Content-Encoding"); e {
	case "", "identity":
		return http.MaxBytesReader(w, r.Body, MaxPostRawBytes), nil
	case "gzip":
		packed := &counter{r: http.MaxBytesReader(w, r.Body, MaxPostBytes)}
		z, err := gzip.NewReader(packed)
		if err != nil {
			return nil, fmt.Errorf("unpack post: %w", err)
		}
		return &bounded{r: z, packed: packed}, nil
	default:
		return nil, fmt.Errorf("%w: content encoding %q is neither gzip nor identity", errEncoding, e)
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
