package clickhouse

import (
	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/usage"
)

const batchColumns = "agent, epoch, seq, hash, prev_hash, evidence, node, node_name, received_ms, interval_ms, clock_offset_ms, " +
	"from_ms, to_ms, day, part, " +
	"records.unit, records.holder, records.reason, records.start_ms, records.end_ms, " +
	"records.unhealthy_ms, records.unallocated_ms, records.idle_ms, records.unmeasured_ms, records.busy_ms, " +
	"records.sm_active_ms, records.sm_known_ms, records.energy_mj, records.energy_known_ms, " +
	"events.at_ms, events.kind, events.gpu, events.value, events.detail"

// batchTable returns a row for each batch. Where a batch stands follows from
// its content alone, so that it stands in one place however often it is
// written. When it was received is not before what counts of its day after the
// prunings, whatever the clock says.
func batchTable(batches []*usage.Sealed, prunings map[uint32]pruning, nowMs int64) rows {
	t := rows{table: "batches", columns: batchColumns}
	for _, s := range batches {
		b := &s.Batch
		node := nodeOf(b.Node)
		number := nameOfNode(&node)
		x := hullOf(b)
		p := partitionOf(b, x)
		row := []any{b.Agent, b.Epoch, b.Seq, s.Hash[:], prevHash(b), string(b.Evidence), number, b.Node.Name, max(nowMs, prunings[p.day].sinceMs),
			b.IntervalMs, b.ClockOffsetMs, x.FromMs, x.ToMs, p.day, p.part}
		row = append(row, recordColumns(b, number)...)
		t.list = append(t.list, append(row, eventColumns(b)...))
	}
	return t
}

// partitionOf says where a batch stands whose records have a hull.
func partitionOf(b *usage.Batch, hull owner.Span) partition {
	p := partition{day: dayOf(hull.FromMs)}
	if len(b.Records) == 0 && len(b.Events) > 0 {
		p.day = dayOf(b.Events[0].AtMs)
	}
	if p.day == 0 || hull.ToMs-hull.FromMs > dayMs {
		p.part = partLong
	}
	return p
}

// recordColumns returns an array for each column of a batch's records.
func recordColumns(b *usage.Batch, node int64) []any {
	n := len(b.Records)
	gpus := gpusOf(b)
	units := map[string]int64{}
	holders := map[usage.Holder]int64{}
	var unitList, holderList, start, end []int64
	var energy []uint64
	reasons := make([]string, 0, n)
	var ms [8][]uint32
	for i := range b.Records {
		r := &b.Records[i]
		if _, ok := units[r.GPU]; !ok {
			units[r.GPU] = unit{node, r.GPU, gpus[r.GPU].Model}.number()
		}
		if _, ok := holders[r.Holder]; !ok {
			holders[r.Holder] = nameOfHolder(r.Holder)
		}
		unitList, holderList = append(unitList, units[r.GPU]), append(holderList, holders[r.Holder])
		reasons = append(reasons, r.Reason)
		start, end, energy = append(start, r.StartMs), append(end, r.EndMs), append(energy, uint64(r.EnergyMJ))
		for j, v := range []int64{r.UnhealthyMs, r.UnallocatedMs, r.IdleMs, r.UnmeasuredMs, r.BusyMs, r.SMActiveMs, r.SMKnownMs, r.EnergyKnownMs} {
			ms[j] = append(ms[j], uint32(v))
		}
	}
	return []any{unitList, holderList, reasons, start, end, ms[0], ms[1], ms[2], ms[3], ms[4], ms[5], ms[6], energy, ms[7]}
}

// eventColumns returns an array for each column of a batch's events.
func eventColumns(b *usage.Batch) []any {
	var at, value []int64
	var kind, gpu, detail []string
	for i := range b.Events {
		e := &b.Events[i]
		at, value = append(at, e.AtMs), append(value, e.Value)
		kind, gpu, detail = append(kind, string(e.Kind)), append(gpu, e.GPU), append(detail, e.Detail)
	}
	return []any{at, kind, gpu, value, detail}
}
