package duckdb

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/gpumeter/gpumeter/usage"
)

// imprint is all that the tables keep of one batch, or of one batch kept aside:
// a head, and lines whose order does not matter. It is made from a batch when
// it is stored and from the rows when they are audited, and has the same
// digest as long as no row was changed, added or taken away.
//
// Values are written one after the other, texts and bytes with their length
// before them, so that no two imprints share their bytes. The zero imprint is
// empty.
type imprint struct {
	buf   []byte
	ends  []int // of the head and of each line in buf
	order []int
}

func (p *imprint) reset() { p.buf, p.ends = p.buf[:0], p.ends[:0] }

func (p *imprint) text(all ...string) {
	for _, s := range all {
		p.buf = binary.AppendUvarint(p.buf, uint64(len(s)))
		p.buf = append(p.buf, s...)
	}
}

func (p *imprint) number(all ...int64) {
	for _, v := range all {
		p.buf = binary.AppendVarint(p.buf, v)
	}
}

func (p *imprint) end() { p.ends = append(p.ends, len(p.buf)) }

// line returns the n-th line; 0 is the head.
func (p *imprint) line(n int) []byte {
	from := 0
	if n > 0 {
		from = p.ends[n-1]
	}
	return p.buf[from:p.ends[n]]
}

// append adds all that o has as lines.
func (p *imprint) append(o *imprint) {
	at := len(p.buf)
	p.buf = append(p.buf, o.buf...)
	for _, end := range o.ends {
		p.ends = append(p.ends, at+end)
	}
}

// digest is the SHA-256 of the head and of the lines in order of their bytes,
// each with its length before it.
func (p *imprint) digest() usage.Hash {
	p.order = p.order[:0]
	for n := 1; n < len(p.ends); n++ {
		p.order = append(p.order, n)
	}
	slices.SortFunc(p.order, func(a, b int) int { return bytes.Compare(p.line(a), p.line(b)) })
	h := sha256.New()
	var length [binary.MaxVarintLen64]byte
	write := func(b []byte) {
		h.Write(binary.AppendUvarint(length[:0], uint64(len(b))))
		h.Write(b)
	}
	write(p.line(0))
	for _, n := range p.order {
		write(p.line(n))
	}
	return usage.Hash(h.Sum(nil))
}

// batchHead is what the row of a batch says, and its stream and node.
type batchHead struct {
	stream                           stream
	node                             usage.Node
	seq                              uint64
	hash                             []byte
	prev                             []byte // nil if it has none
	receivedMs, intervalMs, offsetMs int64
	records, events                  int32
	fromMs, toMs                     int64 // both -1 if it has no records
}

// head begins the imprint of a batch. origin is that of the store.
func (p *imprint) head(origin string, b *batchHead) {
	p.reset()
	p.text(origin, b.stream.agent, b.stream.epoch, string(b.stream.evidence), fmt.Sprint(b.seq), string(b.hash), string(b.prev))
	p.node(b.node)
	p.number(int64(len(b.prev)), b.receivedMs, b.intervalMs, b.offsetMs, int64(b.records), int64(b.events), b.fromMs, b.toMs)
	p.end()
}

func (p *imprint) node(n usage.Node) {
	c := &n.Cloud
	p.text(n.Name, n.MachineID, c.Provider, c.Account, c.Region, c.Zone, c.InstanceType, c.InstanceID, c.Reservation,
		c.Cluster, c.NodePool, c.Rack)
	p.number(int64(n.ExpectedGPUs))
}

// unit writes a GPU; here is whether it is in the batch's own node, which the
// head has.
func (p *imprint) unit(u unit, node usage.Node, here bool) {
	p.text(u.gpu, u.model)
	if here {
		p.number(0)
		return
	}
	p.number(1)
	p.node(node)
}

// The kinds of lines.
const (
	lineRecord    = "record"
	lineEvent     = "event"
	lineInventory = "inventory"
	lineDoubt     = "doubt"
)

func (p *imprint) record(h usage.Holder, reason string, fromMs, toMs int64, s *usage.Sums) {
	p.text(string(h.Basis), h.Kind, h.Group, h.Name, h.Part, h.Labels, reason)
	p.number(fromMs, toMs, s.UnhealthyMs, s.UnallocatedMs, s.IdleMs, s.UnmeasuredMs, s.BusyMs,
		s.SMActiveMs, s.SMKnownMs, s.EnergyMJ, s.EnergyKnownMs)
	p.end()
}

func (p *imprint) event(e *usage.Event, node usage.Node, here bool) {
	p.text(lineEvent)
	p.unit(unit{gpu: e.GPU}, node, here)
	p.text(string(e.Kind), e.Detail)
	p.number(e.AtMs, e.Value)
	p.end()
}

func (p *imprint) traits(seenMs int64, t *traits) {
	p.text(t.name, t.serial, t.pci, t.driver, t.agent)
	p.number(seenMs, int64(t.index), int64(t.memoryBytes))
	p.end()
}

func (p *imprint) doubt(gpu string, x span) {
	p.text(lineDoubt, gpu)
	p.number(x.fromMs, x.toMs)
	p.end()
}

// aside makes the imprint of a batch that is kept aside.
func (p *imprint) aside(origin string, id usage.ID, hash []byte, kind, reason string, receivedMs int64, body []byte) {
	p.reset()
	p.text(origin, id.Agent, id.Epoch, fmt.Sprint(id.Seq), string(hash), kind, reason, string(body))
	p.number(receivedMs)
	p.end()
}

// life makes the imprint of a sign of life.
func (p *imprint) life(origin string, startMs, beatMs int64) {
	p.reset()
	p.text(origin)
	p.number(startMs, beatMs)
	p.end()
}

// head returns what the row of a batch says.
func (d *draft) head(r *batchRow, nowMs int64) batchHead {
	b := &r.sealed.Batch
	h := batchHead{
		stream: d.streams.at(r.stream), node: d.nodes.at(r.node), seq: b.Seq, hash: r.sealed.Hash[:], prev: prevHash(b),
		receivedMs: nowMs, intervalMs: b.IntervalMs, offsetMs: b.ClockOffsetMs,
		records: int32(len(b.Records)), events: int32(len(b.Events)), fromMs: -1, toMs: -1,
	}
	for i := range b.Records {
		if i == 0 {
			h.fromMs = b.Records[i].StartMs
		}
		h.fromMs, h.toMs = min(h.fromMs, b.Records[i].StartMs), max(h.toMs, b.Records[i].StartMs)
	}
	return h
}

// digest returns the digest of all that a draft adds with a batch; p is
// working memory.
func (d *draft) digest(p *imprint, r *batchRow, h *batchHead) usage.Hash {
	p.head(d.state.origin, h)
	for i := r.records[0]; i < r.records[1]; i++ {
		x := &d.records[i]
		p.text(lineRecord)
		p.unit(d.units.at(x.unit), h.node, true)
		p.record(x.record.Holder, x.record.Reason, x.record.StartMs, x.record.EndMs, &x.record.Sums)
	}
	events := r.sealed.Batch.Events
	for i := range events {
		p.event(&events[i], h.node, true)
	}
	for i := r.inventory[0]; i < r.inventory[1]; i++ {
		x := &d.inventory[i]
		p.text(lineInventory)
		p.unit(d.units.at(x.unit), h.node, true)
		p.traits(x.seenMs, &x.traits)
	}
	for i := r.doubts[0]; i < r.doubts[1]; i++ {
		p.doubt(d.doubts[i].gpu, d.doubts[i].span)
	}
	return p.digest()
}

// prevHash returns the hash in a batch's Prev, or nil if it has none.
func prevHash(b *usage.Batch) []byte {
	if raw, err := hex.DecodeString(b.Prev); err == nil && len(raw) == len(usage.Hash{}) {
		return raw
	}
	return nil
}
