package usage

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// WireVersion is the version that this package writes and reads.
const WireVersion = 1

// Limits of one sealed batch. A node has at most 72 GPUs with seven MIG
// instances each; anything far beyond that is not a batch.
const (
	MaxBatchBytes   = 4 << 20
	MaxBatchGPUs    = 1024
	MaxBatchRecords = 100_000
	MaxBatchEvents  = 10_000
	maxText         = 256
)

// Hash is the SHA-256 of a sealed batch's body. It is also the Prev of the
// batch that follows.
type Hash [sha256.Size]byte

// String returns the hash as 64 hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Sealed is a batch as it is stored and sent: the exact bytes and their hash.
// The bytes are made once and never again, because no encoder promises to
// write the same bytes twice.
type Sealed struct {
	Body  []byte // JSON, without a newline
	Hash  Hash
	Batch Batch // what Body says
}

// Seal encodes b. The caller has set Agent, Epoch, Seq and Prev.
func Seal(b Batch) (Sealed, error) {
	b.Version = WireVersion
	body, err := json.Marshal(b)
	if err != nil {
		return Sealed{}, fmt.Errorf("encode batch %s: %w", b.ID(), err)
	}
	if len(body) > MaxBatchBytes {
		return Sealed{}, fmt.Errorf("encode batch %s: %d bytes, more than the limit of %d", b.ID(), len(body), MaxBatchBytes)
	}
	return Sealed{Body: body, Hash: sha256.Sum256(body), Batch: b}, nil
}

// Open decodes a body that was sealed before. The body is kept, not copied.
// An error means that the bytes are not a batch; whether the batch makes sense
// is for Check to say.
func Open(body []byte) (Sealed, error) {
	s := Sealed{Body: body, Hash: sha256.Sum256(body)}
	if !decodeQuick(body, &s.Batch) {
		s.Batch = Batch{}
		if err := json.Unmarshal(body, &s.Batch); err != nil {
			return s, fmt.Errorf("decode batch: %w", err)
		}
	}
	if s.Batch.Version != WireVersion {
		return s, fmt.Errorf("decode batch %s: wire version %d is not %d", s.Batch.ID(), s.Batch.Version, WireVersion)
	}
	return s, nil
}

// AppendLine appends the form in which a sealed body travels: its hash in hex,
// a space, the body, a newline. A POST is a sequence of such lines.
func AppendLine(dst []byte, body []byte, hash Hash) []byte {
	dst = hex.AppendEncode(dst, hash[:])
	dst = append(dst, ' ')
	dst = append(dst, body...)
	return append(dst, '\n')
}

// ErrHash is returned by Lines for a body that does not have the hash that
// it travelled with.
var ErrHash = errors.New("content hash does not match the content")

// lineBuffers hold the line that is read, of eight GPUs as a rule; a longer one
// gets a buffer of its own.
var lineBuffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// Lines reads sealed bodies from r and calls f for each, in order. It stops at
// the first error: of r, of a malformed line, or of f. Errors name the line.
// The body given to f is f's to keep.
func Lines(r io.Reader, f func(body []byte) error) error {
	buffer := lineBuffers.Get().(*[16 << 10]byte)
	defer lineBuffers.Put(buffer)
	sc := bufio.NewScanner(r)
	sc.Buffer(buffer[:], MaxBatchBytes+128)
	for n := 1; sc.Scan(); n++ {
		body, err := splitLine(sc.Bytes())
		if err == nil {
			err = f(body)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return sc.Err()
}

func splitLine(line []byte) ([]byte, error) {
	const digits = 2 * sha256.Size
	if len(line) <= digits || line[digits] != ' ' {
		return nil, errors.New("not of the form HASH BODY")
	}
	var want Hash
	if _, err := hex.Decode(want[:], line[:digits]); err != nil {
		return nil, fmt.Errorf("content hash: %w", err)
	}
	body := bytes.Clone(line[digits+1:])
	if sha256.Sum256(body) != want {
		return nil, ErrHash
	}
	return body, nil
}
