package duckdb

import (
	"math"
	"slices"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// draft is what one transaction will add to the tables and then to the state.
// It reads the state and does not change it before keep.
type draft struct {
	state *state

	nodes   draftDict[usage.Node]
	units   draftDict[unit]
	streams draftDict[stream]
	holders draftDict[usage.Holder]
	reasons draftDict[string]

	hashes  map[usage.ID]usage.Hash // committed here
	seqs    map[feed]usage.Ranges
	courses map[course]spans
	byGPU   map[string][]course // courses that the state does not know
	traits  map[int32]traits

	batches   []batchRow
	records   []recordRow
	inventory []inventoryRow
	doubts    []doubtRow
	aside     []asideRow
	documents []documentRow
	lives     []contract.Life
	events    int

	gpus    map[string]gpuHere // by UUID, of the batch that is put
	touched map[unitHour]bool  // hours whose hour records no longer hold
	roll    *roll              // what replaces hour records; nil if nothing does
	late    []lateRow          // records of hours whose records are gone
	prune   *pruning           // what takes records away; nil if nothing does
	day     *closedDay         // nil if none is
}

// gpuHere is a GPU of the batch that is put.
type gpuHere struct {
	of     *usage.GPU
	unit   int32 // 0 if no record speaks of it
	seenMs int64 // the end of its last record
}

type batchRow struct {
	stream, node int32
	sealed       *usage.Sealed
	// Rows of the draft that came with the batch, half-open.
	records, inventory, doubts [2]int
}

type recordRow struct {
	unit, stream, holder, reason int32
	seq                          uint64
	record                       *usage.Record
}

type inventoryRow struct {
	unit   int32
	batch  int // index in draft.batches
	seenMs int64
	traits traits
}

type doubtRow struct {
	gpu   string
	batch int // index in draft.batches
	span
}

type asideRow struct {
	id     usage.ID
	sealed *usage.Sealed
	kind   string
	reason string
}

// Kinds of rows of the table aside.
const (
	kindConflict   = "conflict"
	kindQuarantine = "quarantine"
)

func newDraft(s *state) *draft {
	return &draft{
		state: s,
		nodes: draftDict[usage.Node]{base: &s.nodes}, units: draftDict[unit]{base: &s.units},
		streams: draftDict[stream]{base: &s.streams}, holders: draftDict[usage.Holder]{base: &s.holders},
		reasons: draftDict[string]{base: &s.reasons},
		hashes:  map[usage.ID]usage.Hash{}, seqs: map[feed]usage.Ranges{}, courses: map[course]spans{},
		byGPU: map[string][]course{}, traits: map[int32]traits{}, touched: map[unitHour]bool{},
		gpus: map[string]gpuHere{},
	}
}

// empty reports whether there is nothing to write.
func (d *draft) empty() bool {
	return len(d.batches)+len(d.aside)+len(d.documents)+len(d.lives) == 0 && d.roll == nil && d.prune == nil && d.day == nil
}

// has reports whether a sequence number is taken.
func (d *draft) has(id usage.ID) bool {
	f := feed{id.Agent, id.Epoch}
	if seqs, ok := d.seqs[f]; ok {
		return seqs.Has(id.Seq)
	}
	return d.state.seqs[f].Has(id.Seq)
}

func (d *draft) take(id usage.ID) {
	f := feed{id.Agent, id.Epoch}
	if _, ok := d.seqs[f]; !ok {
		d.seqs[f] = slices.Clone(d.state.seqs[f])
	}
	d.seqs[f] = d.seqs[f].Add(id.Seq)
}

// gone reports whether the batch of this identity was pruned.
func (d *draft) gone(id usage.ID) bool { return d.state.goneSeqs[feed{id.Agent, id.Epoch}].Has(id.Seq) }

// kept reports whether these bytes are kept aside under this identity.
func (d *draft) kept(id usage.ID, hash usage.Hash) bool {
	if slices.Contains(d.state.aside[id], hash) {
		return true
	}
	return slices.ContainsFunc(d.aside, func(r asideRow) bool { return r.id == id && r.sealed.Hash == hash })
}

// put decides what becomes of one batch. first is the hash of the batch that
// an earlier transaction committed under the same identity, if committed.
func (d *draft) put(s *usage.Sealed, first usage.Hash, committed bool) store.Status {
	id := s.Batch.ID()
	if !d.has(id) {
		d.hashes[id] = s.Hash
		d.take(id)
		d.commit(s)
		return store.Committed
	}
	if here, ok := d.hashes[id]; ok {
		first, committed = here, true
	}
	if d.gone(id) {
		return store.Duplicate // its hash is gone too
	}
	kept := d.kept(id, s.Hash)
	if committed && first == s.Hash || !committed && kept {
		return store.Duplicate
	}
	if !kept {
		d.aside = append(d.aside, asideRow{id: id, sealed: s, kind: kindConflict})
	}
	return store.Conflict
}

// quarantine keeps bytes aside that nobody can accept.
func (d *draft) quarantine(id usage.ID, s *usage.Sealed, reason string) {
	if !d.has(id) {
		d.take(id)
	}
	d.aside = append(d.aside, asideRow{id: id, sealed: s, kind: kindQuarantine, reason: reason})
}

func (d *draft) commit(s *usage.Sealed) {
	b := &s.Batch
	node := d.nodes.id(nodeOf(b.Node))
	stream := d.streams.id(stream{b.Agent, b.Epoch, b.Evidence})
	at := len(d.batches)
	d.batches = append(d.batches, batchRow{stream: stream, node: node, sealed: s,
		records: [2]int{len(d.records)}, inventory: [2]int{len(d.inventory)}, doubts: [2]int{len(d.doubts)}})
	d.events += len(b.Events)
	clear(d.gpus)
	for i := range b.GPUs {
		d.gpus[b.GPUs[i].UUID] = gpuHere{of: &b.GPUs[i]}
	}
	for i := range b.Records {
		r := &b.Records[i]
		g := d.gpus[r.GPU]
		if g.unit == 0 {
			g.unit = d.units.id(unit{node, r.GPU, g.of.Model})
		}
		g.seenMs = max(g.seenMs, r.EndMs)
		d.gpus[r.GPU] = g
		d.records = append(d.records, recordRow{g.unit, stream, d.holders.id(r.Holder), d.reasons.id(r.Reason), b.Seq, r})
	}
	d.extend(d.records[len(d.records)-len(b.Records):])
	d.notice(b)
	row := &d.batches[at]
	row.records[1], row.inventory[1], row.doubts[1] = len(d.records), len(d.inventory), len(d.doubts)
}

// extend adds the records of one batch to their courses. Time that the stream
// recorded before is doubted.
func (d *draft) extend(rows []recordRow) {
	for _, r := range rows {
		x := span{r.record.StartMs, r.record.EndMs}
		if d.recorded(r, x) {
			d.doubt(r.record.GPU, x)
		}
	}
	for _, r := range rows {
		c := course{r.unit, r.stream}
		d.courses[c] = d.own(c).add(span{r.record.StartMs, r.record.EndMs})
		d.touch(r)
	}
}

// touch makes the hours of a record rough where hour records are made already,
// in every unit of its GPU: the record may own time that they claim. Hours whose
// records are gone have their owner.
func (d *draft) touch(r recordRow) {
	if first := r.record.StartMs / hourMs; first <= math.MaxInt32 && d.state.gone[r.unit].has(int32(first)) {
		d.late = append(d.late, lateRow{unitHour{r.unit, int32(first)}, r.stream, r.seq})
	}
	made := int64(max(d.state.rolled, d.state.rolling))
	for hour := r.record.StartMs / hourMs; hour < min(ceilHour(r.record.EndMs), made); hour++ {
		d.roughen(r.unit, int32(hour))
		for _, known := range [][]course{d.state.byGPU[r.record.GPU], d.byGPU[r.record.GPU]} {
			for _, c := range known {
				d.roughen(c.unit, int32(hour))
			}
		}
	}
}

func (d *draft) roughen(unit, hour int32) {
	if !d.state.gone[unit].has(hour) {
		d.touched[unitHour{unit, hour}] = true
	}
}

// recorded reports whether a stream may have recorded a GPU in x already,
// under any unit.
func (d *draft) recorded(r recordRow, x span) bool {
	for _, known := range [][]course{d.state.byGPU[r.record.GPU], d.byGPU[r.record.GPU]} {
		for _, c := range known {
			if c.stream == r.stream && d.spansOf(c).overlap(x) {
				return true
			}
		}
	}
	return false
}

func (d *draft) doubt(gpu string, x span) {
	batch := len(d.batches) - 1
	if n := len(d.doubts); n > 0 && d.doubts[n-1].batch == batch && d.doubts[n-1].gpu == gpu && d.doubts[n-1].fromMs <= x.fromMs && x.fromMs <= d.doubts[n-1].toMs {
		d.doubts[n-1].toMs = max(d.doubts[n-1].toMs, x.toMs)
		return
	}
	d.doubts = append(d.doubts, doubtRow{gpu, batch, x})
}

func (d *draft) spansOf(c course) spans {
	if s, ok := d.courses[c]; ok {
		return s
	}
	return d.state.courses[c]
}

// own returns spans of a course that may be changed.
func (d *draft) own(c course) spans {
	if s, ok := d.courses[c]; ok {
		return s
	}
	s, ok := d.state.courses[c]
	if !ok {
		gpu := d.units.at(c.unit).gpu
		d.byGPU[gpu] = append(d.byGPU[gpu], c)
	}
	return slices.Clone(s)
}

// notice writes down what has changed of the batch's units.
func (d *draft) notice(b *usage.Batch) {
	for _, here := range d.gpus {
		g, unit := here.of, here.unit
		if unit == 0 {
			continue // no record speaks of it
		}
		t := traits{g.Name, g.Serial, g.PCI, g.Index, g.MemoryBytes, b.Node.Driver, b.Node.Agent}
		known, ok := d.traits[unit]
		if !ok {
			known, ok = d.state.traits[unit]
		}
		if !ok || known != t {
			d.traits[unit] = t
			d.inventory = append(d.inventory, inventoryRow{unit, len(d.batches) - 1, here.seenMs, t})
		}
	}
}

// keep makes the draft part of the state, after its transaction is durable.
func (d *draft) keep() {
	s := d.state
	d.nodes.keep()
	d.units.keep()
	d.streams.keep()
	d.holders.keep()
	d.reasons.keep()
	for f, seqs := range d.seqs {
		s.seqs[f] = seqs
	}
	for c, spans := range d.courses {
		if _, ok := s.courses[c]; ok {
			s.courses[c] = spans
			continue
		}
		s.addCourse(c, spans)
	}
	for unit, t := range d.traits {
		s.traits[unit] = t
	}
	for _, x := range d.doubts {
		s.doubts[x.gpu] = union(append(slices.Clone(s.doubts[x.gpu]), x.span))
	}
	for i := range d.aside {
		s.keepAside(&d.aside[i])
	}
	for i := range d.batches {
		s.keepGoodbyes(d.batches[i].node, d.batches[i].sealed.Batch.Events)
	}
	s.moves++
	for h := range d.touched {
		s.rough.set(h, touch{at: s.moves})
	}
	d.roll.keep(s)
	d.prune.keep(s)
	d.day.keep(s)
	s.others += int64(len(d.documents) + len(d.lives))
	s.counts.Batches += int64(len(d.batches))
	s.counts.Records += int64(len(d.records))
}

func (s *state) keepAside(r *asideRow) {
	s.aside[r.id] = append(s.aside[r.id], r.sealed.Hash)
	if r.kind == kindConflict {
		s.counts.Conflicts++
	} else {
		s.counts.Quarantined++
	}
}

func (s *state) keepGoodbyes(node int32, events []usage.Event) {
	for _, e := range events {
		if e.Kind == usage.EventGoodbye {
			s.goodbyes[node] = append(s.goodbyes[node], goodbye{e.GPU, e.AtMs})
		}
	}
}
