package duckdb

import (
	"database/sql/driver"
	"strings"

	"github.com/gpumeter/gpumeter/usage"
)

// tables returns what the draft adds to each table.
func (d *draft) tables(nowMs int64) []rows {
	return []rows{
		dictTable("nodes", &d.nodes, func(id int32, n usage.Node) []driver.Value {
			c := n.Cloud
			return []driver.Value{id, n.Name, n.MachineID, c.Provider, c.Account, c.Region, c.Zone,
				c.InstanceType, c.InstanceID, c.Reservation, c.Cluster, c.Rack, c.NodePool, int64(n.ExpectedGPUs)}
		}),
		dictTable("units", &d.units, func(id int32, u unit) []driver.Value {
			return []driver.Value{id, u.node, u.gpu, u.model}
		}),
		dictTable("streams", &d.streams, func(id int32, s stream) []driver.Value {
			return []driver.Value{id, s.agent, s.epoch, string(s.evidence)}
		}),
		dictTable("holders", &d.holders, func(id int32, h usage.Holder) []driver.Value {
			return []driver.Value{id, string(h.Basis), h.Kind, h.Group, h.Name, h.Part, h.Labels}
		}),
		dictTable("reasons", &d.reasons, func(id int32, reason string) []driver.Value {
			return []driver.Value{id, reason}
		}),
		d.inventoryTable(), d.batchTable(nowMs), d.recordTable(), d.doubtTable(), d.eventTable(), d.asideTable(nowMs), d.documentTable(), d.lifeTable(), d.hourTable(), d.overlapTable(), d.roughTable(),
	}
}

func dictTable[T comparable](name string, d *draftDict[T], row func(int32, T) []driver.Value) rows {
	return rows{name, len(d.fresh.list), func(i int) []driver.Value {
		return row(int32(len(d.base.list)+i+1), d.fresh.list[i])
	}}
}

func (d *draft) inventoryTable() rows {
	return rows{"inventory", len(d.inventory), func(i int) []driver.Value {
		r := &d.inventory[i]
		t := &r.traits
		return []driver.Value{r.unit, r.seenMs, t.name, int64(t.index), t.serial, t.pci, t.memoryBytes, t.driver, t.agent,
			d.batches[r.batch].stream, d.batches[r.batch].sealed.Batch.Seq}
	}}
}

func (d *draft) batchTable(nowMs int64) rows {
	var p imprint
	return rows{"batches", len(d.batches), func(i int) []driver.Value {
		r := &d.batches[i]
		h := d.head(r, nowMs)
		digest := d.digest(&p, r, &h)
		var prev, fromMs, toMs any // NULL where there is none
		if h.prev != nil {
			prev = h.prev
		}
		if h.records > 0 {
			fromMs, toMs = h.fromMs, h.toMs
		}
		return []driver.Value{r.stream, h.seq, h.hash, prev, r.node, nowMs,
			h.intervalMs, h.offsetMs, h.records, h.events, fromMs, toMs, digest[:]}
	}}
}

// recordTable fills one slice again and again: there are many records.
func (d *draft) recordTable() rows {
	row := make([]driver.Value, 16)
	return rows{"records", len(d.records), func(i int) []driver.Value {
		r := &d.records[i]
		u := r.record
		row[0], row[1], row[2], row[3], row[4] = r.unit, r.stream, r.seq, r.holder, r.reason
		row[5], row[6] = u.StartMs, u.EndMs
		row[7], row[8], row[9], row[10], row[11] = u.UnhealthyMs, u.UnallocatedMs, u.IdleMs, u.UnmeasuredMs, u.BusyMs
		row[12], row[13], row[14], row[15] = u.SMActiveMs, u.SMKnownMs, u.EnergyMJ, u.EnergyKnownMs
		return row
	}}
}

func (d *draft) doubtTable() rows {
	return rows{"doubts", len(d.doubts), func(i int) []driver.Value {
		r := &d.doubts[i]
		return []driver.Value{r.gpu, r.fromMs, r.toMs, d.batches[r.batch].stream, d.batches[r.batch].sealed.Batch.Seq}
	}}
}

func (d *draft) eventTable() rows {
	batch, next := 0, 0 // the event that comes next
	return rows{"events", d.events, func(int) []driver.Value {
		for next == len(d.batches[batch].sealed.Batch.Events) {
			batch, next = batch+1, 0
		}
		r := &d.batches[batch]
		e := &r.sealed.Batch.Events[next]
		next++
		return []driver.Value{r.stream, r.sealed.Batch.Seq, r.node, e.AtMs, string(e.Kind), e.GPU, e.Value, e.Detail}
	}}
}

func (d *draft) asideTable(nowMs int64) rows {
	var p imprint
	return rows{"aside", len(d.aside), func(i int) []driver.Value {
		r := &d.aside[i]
		body := append([]byte{}, r.sealed.Body...) // nil would be NULL
		reason := strings.ToValidUTF8(r.reason, "\ufffd")
		p.aside(d.state.origin, r.id, r.sealed.Hash[:], r.kind, reason, nowMs, body)
		digest := p.digest()
		return []driver.Value{r.id.Agent, r.id.Epoch, r.id.Seq, r.sealed.Hash[:], r.kind, reason, nowMs, body, digest[:]}
	}}
}
