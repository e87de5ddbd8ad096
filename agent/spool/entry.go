package spool

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/gpumeter/gpumeter/usage"
)

// A stored batch is a header and the sealed body:
//
//	magic[8] crc32c[4] body_len[4] records[4] seq[8] agent[16] epoch[16] sha256[32] body
//
// The checksum covers the header after itself, the SHA-256 the body. So a
// stored batch proves itself, wherever in a damaged file it is found.
const (
	magic     = "gpm\xb5bat\x01"
	headerLen = 92
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged marks a file that must not be used any more.
var errDamaged = errors.New("damaged")

// stored is a batch as it stands in the file.
type stored struct {
	id      usage.ID
	records int64
	hash    usage.Hash
	body    []byte
}

func (x stored) size() int64 { return headerLen + 8 + int64(len(x.body)) }

func storedFrom(s usage.Sealed) stored {
	return stored{s.Batch.ID(), int64(len(s.Batch.Records)), s.Hash, s.Body}
}

// marshal returns the value to store. Agent and epoch are 32 hex digits.
func (x stored) marshal() ([]byte, error) {
	v := make([]byte, headerLen, headerLen+len(x.body))
	copy(v, magic)
	binary.LittleEndian.PutUint32(v[12:], uint32(len(x.body)))
	binary.LittleEndian.PutUint32(v[16:], uint32(x.records))
	binary.LittleEndian.PutUint64(v[20:], x.id.Seq)
	for at, id := range map[int]string{28: x.id.Agent, 44: x.id.Epoch} {
		if n, err := hex.Decode(v[at:at+16], []byte(id)); err != nil || n != 16 {
			return nil, fmt.Errorf("encode batch %s: id %q is not 32 hex digits", x.id, id)
		}
	}
	copy(v[60:], x.hash[:])
	binary.LittleEndian.PutUint32(v[8:], crc32.Checksum(v[12:], castagnoli))
	return append(v, x.body...), nil
}

// parseHeader reads the first headerLen bytes of a stored batch. The body is
// left out; its length is returned.
func parseHeader(v []byte) (x stored, bodyLen int, err error) {
	if len(v) < headerLen || string(v[:8]) != magic {
		return x, 0, fmt.Errorf("stored batch: no header: %w", errDamaged)
	}
	if crc32.Checksum(v[12:headerLen], castagnoli) != binary.LittleEndian.Uint32(v[8:]) {
		return x, 0, fmt.Errorf("stored batch: header checksum: %w", errDamaged)
	}
	bodyLen = int(binary.LittleEndian.Uint32(v[12:]))
	if bodyLen > usage.MaxBatchBytes {
		return x, 0, fmt.Errorf("stored batch: body of %d bytes: %w", bodyLen, errDamaged)
	}
	x.records = int64(binary.LittleEndian.Uint32(v[16:]))
	x.id = usage.ID{
		Agent: hex.EncodeToString(v[28:44]),
		Epoch: hex.EncodeToString(v[44:60]),
		Seq:   binary.LittleEndian.Uint64(v[20:]),
	}
	copy(x.hash[:], v[60:])
	return x, bodyLen, nil
}

// parseStored reads a whole stored batch and proves it. The body points into v.
func parseStored(v []byte) (stored, error) {
	x, n, err := parseHeader(v)
	if err != nil {
		return x, err
	}
	if len(v) != headerLen+n || sha256.Sum256(v[headerLen:]) != x.hash {
		return x, fmt.Errorf("stored batch %s: body: %w", x.id, errDamaged)
	}
	x.body = v[headerLen:]
	return x, nil
}

// guardValue and openValue put a checksum over key and value of what is not a
// batch.
func guardValue(key, v []byte) []byte {
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, v)
	return append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(v)), sum), v...)
}

func openValue(key, v []byte) ([]byte, error) {
	if len(v) < 4 || crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, v[4:]) != binary.LittleEndian.Uint32(v) {
		return nil, fmt.Errorf("value of %q: checksum: %w", key, errDamaged)
	}
	return v[4:], nil
}
