package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// Sums answers a query: see store.Store. Every shard adds up its own records;
// what is left to do here is as large as the answer.
func (d *DB) Sums(ctx context.Context, q contract.Query) (contract.Answer, error) {
	for i := 1; i < len(q.Edges); i++ {
		if q.Edges[i-1] >= q.Edges[i] {
			return contract.Answer{}, fmt.Errorf("add up: edge %d is not after the one before", i)
		}
	}
	if len(q.Edges) < 2 || len(q.Spans) == 0 {
		return contract.Answer{}, nil
	}
	a := question{Query: q, db: d, byHours: true}
	if err := a.ask(ctx, a.overlaps, a.sums, a.straddles); err != nil {
		return contract.Answer{}, fmt.Errorf("add up %d spans: %w", len(q.Spans), err)
	}
	return a.answer, nil
}

// maxBuckets bounds the buckets of a question: they are as wide as an hour, or
// wider where that would make too many.
const maxBuckets = 1 << 16

// question is one query while it is answered.
type question struct {
	contract.Query
	db      *DB
	byHours bool       // hour records may be read
	within  owner.Span // the part of the slots that records cover
	reading reading
	numbers map[string]int64
	tables  []*ext.Table // that all statements of the question may use
	needs   needs        // what these need, beside hour records
	lost    int          // claims that do not count
	cut     int          // spans that start or end amid the records
	answer  contract.Answer
}

// maxLooks bounds how often a question is begun anew.
const maxLooks = 100

// ask lets the parts read what counts, one after the other, if there is
// anything. The parts look later than it was found what counts. So it looks
// again afterwards: what does not count once never counts, so that if it is no
// more than before, it was the same all the time; else the parts read anew.
func (a *question) ask(ctx context.Context, parts ...func(context.Context) error) error {
	v, err := a.db.settle(ctx)
	if err != nil {
		return err
	}
	p, err := a.look(ctx, v, reading{})
	if a.within.Empty() {
		return err
	}
	for looks := 0; err == nil && looks < maxLooks; looks++ {
		if err := a.read(ctx, p, parts); err != nil {
			return err
		}
		if v, err = a.db.settle(ctx); err != nil {
			return err
		}
		before := p
		if p, err = a.look(ctx, v, p.reading); err == nil && p.same(before) {
			return nil
		}
	}
	if err == nil {
		err = errors.New("several agents claim the same time faster than it can be added up")
	}
	return err
}

// picture is what one look finds: how the question is read, and what does not
// count of the records that are read.
type picture struct {
	view
	reading
	lost []owner.Claim
}

func (a *question) look(ctx context.Context, v view, before reading) (p picture, err error) {
	p.view = v
	extent, err := v.extent(ctx)
	if err != nil {
		return p, err
	}
	edges := owner.Span{FromMs: a.Edges[0], ToMs: a.Edges[len(a.Edges)-1]}
	if a.within = edges.Clip(extent); a.within.Empty() {
		return p, nil
	}
	a.numbers = bounds(a.within)
	a.numbers["width"] = max(hourMs, (a.within.ToMs-a.within.FromMs)/maxBuckets+1)
	if p.reading, err = a.plan(ctx, v, before); err != nil {
		return p, err
	}
	for _, x := range p.runs {
		lost, err := v.lost(ctx, x)
		if err != nil {
			return p, err
		}
		p.lost = append(p.lost, lost...)
	}
	return p, nil
}

func (p *picture) same(o picture) bool {
	return p.conflicts == o.conflicts && len(p.lost) == len(o.lost) && sameTold(p.reading.told, o.reading.told)
}

// read makes the temporary tables and lets the parts read.
func (a *question) read(ctx context.Context, p picture, parts []func(context.Context) error) error {
	a.answer = contract.Answer{}
	a.reading, a.lost, a.tables, a.needs = p.reading, len(p.lost), []*ext.Table{p.losers, p.pruned}, p.needs
	for _, make := range []func() (*ext.Table, error){
		func() (*ext.Table, error) { return lostTable(p.lost) },
		func() (*ext.Table, error) { return p.partTable(p.runs) },
		a.spanTable, a.cutTable, a.slotTable, a.edgeTable,
	} {
		t, err := make()
		if err != nil {
			return err
		}
		a.tables = append(a.tables, t)
	}
	for _, make := range []func() ([]*ext.Table, error){a.readingTables, a.slotTables} {
		more, err := make()
		if err != nil {
			return err
		}
		a.tables = append(a.tables, more...)
	}
	for _, part := range parts {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lostTable names records by what one batch says of a window of a unit.
func lostTable(lost []owner.Claim) (*ext.Table, error) {
	return table("lost", lost, func(c owner.Claim) []any {
		return []any{c.Unit, c.Agent, c.Epoch, c.Seq, c.FromMs}
	}, ext.Column("unit", "Int64"), ext.Column("agent", "String"), ext.Column("epoch", "String"), ext.Column("seq", "UInt64"), ext.Column("start_ms", "Int64"))
}

// spanTable has the spans that were asked for.
func (a *question) spanTable() (*ext.Table, error) {
	return spanTable("asked_spans", a.Spans)
}

// cutTable has those of them that start or end amid the records.
func (a *question) cutTable() (*ext.Table, error) {
	var cut []contract.Span
	for _, s := range a.Spans {
		if a.within.FromMs < s.FromMs && s.FromMs < a.within.ToMs || a.within.FromMs < s.ToMs && s.ToMs < a.within.ToMs {
			cut = append(cut, s)
		}
	}
	a.cut = len(cut)
	return spanTable("cut_spans", cut)
}

func spanTable(name string, all []contract.Span) (*ext.Table, error) {
	var spans []contract.Span
	for _, s := range all {
		if s.FromMs < s.ToMs {
			spans = append(spans, s)
		}
	}
	return table(name, spans, func(s contract.Span) []any {
		return []any{s.Unit, s.FromMs, s.ToMs, int64(s.Key)}
	}, ext.Column("unit", "Int64"), ext.Column("lo", "Int64"), ext.Column("hi", "Int64"), ext.Column("key", "Int64"))
}

// slotTable has a row for every bucket that the records of a slot can start
// in, so that a record finds its slot by equality.
func (a *question) slotTable() (*ext.Table, error) {
	type part struct {
		slot   int
		bucket int64
	}
	var parts []part
	width := a.numbers["width"]
	for slot := range len(a.Edges) - 1 {
		x := owner.Span{FromMs: a.Edges[slot], ToMs: a.Edges[slot+1]}.Clip(a.within)
		if x.Empty() {
			continue
		}
		for bucket := x.FromMs / width; bucket <= (x.ToMs-1)/width; bucket++ {
			parts = append(parts, part{slot, bucket})
		}
	}
	return table("asked_slots", parts, func(p part) []any {
		return []any{p.bucket, a.Edges[p.slot], a.Edges[p.slot+1], int64(p.slot)}
	}, ext.Column("bucket", "Int64"), ext.Column("from_ms", "Int64"), ext.Column("to_ms", "Int64"), ext.Column("slot", "Int64"))
}

// edgeTable has a row for every bucket that a record which crosses an edge can
// start in: records are not longer than a bucket.
func (a *question) edgeTable() (*ext.Table, error) {
	type part struct{ bucket, edge int64 }
	var parts []part
	width := a.numbers["width"]
	for _, e := range a.Edges {
		if e > 0 && e < math.MaxInt64 {
			parts = append(parts, part{e / width, e}, part{e/width - 1, e})
		}
	}
	return table("asked_edges", parts, func(p part) []any { return []any{p.bucket, p.edge} },
		ext.Column("bucket", "Int64"), ext.Column("edge", "Int64"))
}

func (a *question) query(text string) query {
	q := ask(text, a.numbers, a.tables...)
	q.needs = a.needs
	return q.on(a.db.needsOfHours(a.reading.told))
}

// texts returns the statements that answer a part of the question: of records,
// of hour records, and of those of which more must be known than their hour.
func (a *question) texts(records, hours, cut string) (out []string) {
	if len(a.reading.runs) > 0 {
		out = append(out, records)
	}
	if len(a.reading.told) > 0 && a.reading.slots > 0 {
		out = append(out, hours)
	}
	if len(a.reading.told) > 0 && a.reading.cut {
		out = append(out, cut)
	}
	return out
}

// overlaps counts the records that were asked for and do not count.
func (a *question) overlaps(ctx context.Context) error {
	var texts []string
	if a.lost > 0 {
		texts = append(texts, sqlOverlaps)
	}
	if len(a.reading.told) > 0 {
		texts = append(texts, sqlHourOverlaps)
	}
	for _, text := range texts {
		list, err := gather(ctx, a.db, a.query(text), func(r driver.Rows) (n uint64, err error) { return n, r.Scan(&n) })
		if err != nil {
			return err
		}
		for _, n := range list {
			a.answer.Overlaps += int64(n)
		}
	}
	return nil
}

// cell is where a sum belongs.
type cell struct {
	key, slot int64
	group     string
}

// subtotal is what one shard says of one cell, or of one holder in it.
type subtotal struct {
	key, slot, holder int64
	usage.Sums
}

func scanSubtotal(r driver.Rows) (p subtotal, err error) {
	var v [9]uint64
	err = r.Scan(&p.key, &p.slot, &p.holder, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8])
	p.Sums = sumsOf(v)
	return p, err
}

// sums adds up what the shards added up.
func (a *question) sums(ctx context.Context) error {
	texts := a.texts(sqlSums, sqlHourSums, sqlCutSums)
	if a.By.Held() {
		texts = a.texts(sqlSumsByHolder, sqlHourSumsBy, sqlCutSumsBy)
	}
	var parts []subtotal
	for _, text := range texts {
		list, err := gather(ctx, a.db, a.query(text), scanSubtotal)
		if err != nil {
			return err
		}
		parts = append(parts, list...)
	}
	group, err := a.grouping(ctx, parts)
	if err != nil {
		return err
	}
	index, groups := map[cell]int{}, map[string]int{}
	for _, p := range parts {
		at := cell{p.key, p.slot, group(p.holder)}
		i, ok := index[at]
		if !ok {
			i = len(a.answer.Sums)
			index[at] = i
			a.answer.Sums = append(a.answer.Sums, contract.Sum{Key: int(p.key), Slot: int(p.slot), Group: a.groupNumber(groups, at.group)})
		}
		a.answer.Sums[i].Add(p.Sums)
	}
	return nil
}

// grouping returns what says of which group a holder is.
func (a *question) grouping(ctx context.Context, parts []subtotal) (func(holder int64) string, error) {
	if !a.By.Held() {
		return func(int64) string { return "" }, nil
	}
	var numbers []int64
	for i := range parts {
		numbers = append(numbers, parts[i].holder)
	}
	named, err := a.db.holdersOf(ctx, numbers)
	return func(holder int64) string { return a.By.Group(named[holder]) }, err
}

// groupNumber numbers the groups that an answer speaks of.
func (a *question) groupNumber(known map[string]int, name string) int {
	n, ok := known[name]
	if !ok && a.By.Held() {
		n = len(a.answer.Groups)
		known[name] = n
		a.answer.Groups = append(a.answer.Groups, name)
	}
	return n
}

// sumsOf takes the columns in the order of the table. A sum of energy beyond 63
// bits is held at their limit.
func sumsOf(v [9]uint64) usage.Sums {
	n := func(i int) int64 { return int64(min(v[i], math.MaxInt64)) }
	return usage.Sums{UnhealthyMs: n(0), UnallocatedMs: n(1), IdleMs: n(2), UnmeasuredMs: n(3), BusyMs: n(4),
		SMActiveMs: n(5), SMKnownMs: n(6), EnergyMJ: n(7), EnergyKnownMs: n(8)}
}
