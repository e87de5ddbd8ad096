package nvml

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/gpumeter/gpumeter/metric"
)

// Limits of what one side takes from the other. A worker whose library
// overwrote its memory must not take the parent with it.
const (
	maxMessage = 1 << 20
	maxText    = 4096
	maxSlots   = 256
	maxGroups  = 64
)

// kind is the first byte of a message.
type kind byte

const (
	kindSettings kind = iota + 1 // parent to worker, once
	kindHello
	kindGPU
	kindLook
	kindXid
	kindBeat
	kindStale
	kindDown
	kindLayout
	kindPortions
)

// A message is its length as 32 bits, its kind, and its fields in order, all
// little endian; text and lists have their length before them. Both ends are
// the same binary, so there is no version, only a check that they are.

// begin starts a message of a kind at the end of b.
func begin(b []byte, k kind) []byte { return append(b, 0, 0, 0, 0, byte(k)) }

// finish writes the length of the message that begins at start.
func finish(b []byte, start int) []byte {
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// readMessage reads one message into buf, which it may replace.
func readMessage(r io.Reader, buf []byte) (kind, []byte, error) {
	buf = append(buf[:0], 0, 0, 0, 0)
	if _, err := io.ReadFull(r, buf); err != nil {
		return 0, buf, err
	}
	n := binary.LittleEndian.Uint32(buf)
	if n == 0 || n > maxMessage {
		return 0, buf, fmt.Errorf("message of %d bytes", n)
	}
	if cap(buf) < int(n) {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return 0, buf, fmt.Errorf("message of %d bytes: %w", n, err)
	}
	return kind(buf[0]), buf, nil
}

func appendText(b []byte, s string) []byte {
	s = s[:min(len(s), maxText)]
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendTime(b []byte, t time.Duration) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(t))
}

func appendFloat(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendShare(b []byte, s metric.Share) []byte {
	return appendFloat(appendBool(b, s.Known), s.Value)
}

// appendProcesses appends at most maxProcesses of a list.
func appendProcesses(b []byte, list []metric.Process) []byte {
	n := min(len(list), maxProcesses)
	b = binary.LittleEndian.AppendUint16(b, uint16(n))
	for _, p := range list[:n] {
		b = binary.LittleEndian.AppendUint32(b, uint32(p.PID))
		b = binary.LittleEndian.AppendUint64(b, p.MemoryBytes)
	}
	return b
}

// appendValues appends the values that are there, each with its row.
func appendValues(b []byte, values []float64) []byte {
	at, n := len(b), 0
	b = binary.LittleEndian.AppendUint16(b, 0)
	for row, v := range values {
		if !math.IsNaN(v) {
			b = appendFloat(binary.LittleEndian.AppendUint16(b, uint16(row)), v)
			n++
		}
	}
	binary.LittleEndian.PutUint16(b[at:], uint16(n))
	return b
}

var errShort = errors.New("message ends too early")

// decoder takes a message apart. After an error it gives zeros, and keeps the
// first error.
type decoder struct {
	b   []byte
	err error
}

func newDecoder(message []byte) *decoder { return &decoder{b: message[1:]} }

func (d *decoder) take(n int) []byte {
	if d.err == nil && len(d.b) < n {
		d.fail(errShort)
	}
	if d.err != nil {
		return make([]byte, n)
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) byte() byte          { return d.take(1)[0] }
func (d *decoder) uint16() uint16      { return binary.LittleEndian.Uint16(d.take(2)) }
func (d *decoder) uint32() uint32      { return binary.LittleEndian.Uint32(d.take(4)) }
func (d *decoder) uint64() uint64      { return binary.LittleEndian.Uint64(d.take(8)) }
func (d *decoder) float() float64      { return math.Float64frombits(d.uint64()) }
func (d *decoder) time() time.Duration { return time.Duration(d.uint64()) }

// bool takes a byte that is 0 or 1.
func (d *decoder) bool() bool {
	v := d.byte()
	if v > 1 {
		d.fail(fmt.Errorf("%d is neither true nor false", v))
	}
	return v == 1
}

func (d *decoder) text() string {
	n := d.list(maxText)
	return string(d.take(n))
}

// list takes the length of a text or list, at most limit.
func (d *decoder) list(limit int) int {
	n := int(d.uint16())
	if n > limit {
		d.fail(fmt.Errorf("list of %d, more than %d", n, limit))
		return 0
	}
	return n
}

// slot takes a GPU's place in the worker.
func (d *decoder) slot() int { return d.list(maxSlots - 1) }

func (d *decoder) share() metric.Share {
	s := metric.Share{Known: d.bool(), Value: d.float()}
	if s.Known && !(s.Value >= 0 && s.Value <= 1) {
		d.fail(fmt.Errorf("share of %v", s.Value))
	}
	return s
}

// processes takes a list of processes, in the memory of an older one.
func (d *decoder) processes(list []metric.Process) []metric.Process {
	list = list[:0]
	for range d.list(maxProcesses) {
		list = append(list, metric.Process{PID: int(d.uint32()), MemoryBytes: d.uint64()})
	}
	return list
}

// values takes the values of a table's rows; those that are not there become
// NaN.
func (d *decoder) values(values []float64) {
	for i := range values {
		values[i] = math.NaN()
	}
	last := -1
	for range d.list(len(values)) {
		row, v := int(d.uint16()), d.float()
		if row >= len(values) || row <= last || math.IsNaN(v) {
			d.fail(fmt.Errorf("row %d after %d of %d", row, last, len(values)))
			return
		}
		last, values[row] = row, v
	}
}

// done returns the first error; a message that is too long is one.
func (d *decoder) done() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail(fmt.Errorf("%d bytes too many", len(d.b)))
	}
	return d.err
}
