package clickhouse

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// row names a record in the tables.
type row struct {
	feed
	seq   uint64
	place uint32 // in its batch, from 1
}

// found is a record in the tables, with what its words stand for.
type found struct {
	row
	holder int64
	store.Entry
}

// straddles gathers the records that a span's end or an edge cuts. Some are
// cut by both.
func (a *question) straddles(ctx context.Context) error {
	if len(a.reading.runs) == 0 {
		return nil
	}
	texts := []string{sqlStraddleEdges}
	if a.cut > 0 {
		texts = append(texts, sqlStraddleSpans)
	}
	list, err := a.records(ctx, texts...)
	for _, x := range list {
		a.answer.Straddles = append(a.answer.Straddles, contract.Straddle{Unit: x.Unit, Record: x.Record})
	}
	return err
}

// records returns what some statements find, each record once.
func (a *question) records(ctx context.Context, texts ...string) ([]store.Entry, error) {
	var all []found
	for _, text := range texts {
		list, err := gather(ctx, a.db, a.query(text), scanFound)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	var units, holders []int64
	for i := range all {
		units, holders = append(units, all[i].Unit), append(holders, all[i].holder)
	}
	named, err := a.db.holdersOf(ctx, holders)
	if err != nil {
		return nil, err
	}
	known, _, err := a.db.unitsOf(ctx, units)
	if err != nil {
		return nil, err
	}
	var out []store.Entry
	seen := map[row]bool{}
	for _, x := range all {
		if !seen[x.row] {
			seen[x.row] = true
			x.GPU, x.Holder = known[x.Unit].gpu, named[x.holder]
			out = append(out, x.Entry)
		}
	}
	return out, nil
}

func scanFound(r driver.Rows) (x found, err error) {
	var ms [8]uint32
	var energy uint64
	err = r.Scan(&x.agent, &x.epoch, (*string)(&x.Evidence), &x.seq, &x.place, &x.Unit, &x.holder, &x.Reason, &x.StartMs, &x.EndMs,
		&ms[0], &ms[1], &ms[2], &ms[3], &ms[4], &ms[5], &ms[6], &energy, &ms[7])
	x.Batch = usage.ID{Agent: x.agent, Epoch: x.epoch, Seq: x.seq}
	x.Sums = sumsOf([9]uint64{uint64(ms[0]), uint64(ms[1]), uint64(ms[2]), uint64(ms[3]), uint64(ms[4]),
		uint64(ms[5]), uint64(ms[6]), energy, uint64(ms[7])})
	return x, err
}
