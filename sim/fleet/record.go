package fleet

import (
	"fmt"

	"github.com/gpumeter/gpumeter/usage"
)

// account adds up the minutes of one GPU: one sum for each tenant.
type account struct {
	from, to int64 // minutes; from == to is empty
	gen      int
	parts    []part
}

type part struct {
	tenant tenant
	sums   usage.Sums
	reason string
}

// of returns the part of a tenant.
func (a *account) of(t tenant) *part {
	for i := range a.parts {
		if a.parts[i].tenant == t {
			return &a.parts[i]
		}
	}
	a.parts = append(a.parts, part{tenant: t})
	return &a.parts[len(a.parts)-1]
}

// writer fills one batch of a node.
type writer struct {
	f     *Fleet
	n     *node
	b     usage.Batch
	known map[string]bool // GPUs in the batch's inventory
	a     account
}

// records writes what the node's agent would about minutes [from, to) of one
// hour: nothing while the agent is not there or down.
func (w *writer) records(from, to int64) {
	at := w.n.moment(from)
	for slot := range w.n.slots {
		for at.minute = max(from, w.n.from); at.minute < to; at.minute++ {
			since := at.minute - w.f.day0()
			if w.n.silent(since) {
				continue
			}
			c, gen := w.n.slots[slot].at(since)
			if w.a.from < w.a.to && w.a.gen != gen {
				w.flush(slot)
			}
			if w.a.from == w.a.to {
				w.a.from, w.a.gen = at.minute, gen
			}
			w.a.to = at.minute + 1
			w.add(slot, at, c)
		}
		w.flush(slot)
	}
}

// day0 is the Unix minute at which troubles are counted from.
func (f *Fleet) day0() int64 { return f.start.Unix() / 60 }

// flush writes the account of a slot down and empties it.
func (w *writer) flush(slot int) {
	a := &w.a
	if a.from < a.to {
		uuid := w.gpu(slot, a.gen)
		for _, p := range a.parts {
			w.b.Records = append(w.b.Records, usage.Record{
				GPU: uuid, StartMs: a.from * minuteMs, EndMs: a.to * minuteMs,
				Holder: w.n.holder(p.tenant), Sums: p.sums, Reason: p.reason,
			})
		}
	}
	*a = account{parts: a.parts[:0]}
}

// gpu returns the UUID of a GPU and sees to it that the inventory has it.
func (w *writer) gpu(slot, gen int) string {
	uuid := w.f.uuid(w.n, slot, gen)
	if !w.known[uuid] {
		w.known[uuid] = true
		p := products[w.n.model]
		w.b.GPUs = append(w.b.GPUs, usage.GPU{
			UUID: uuid, Model: w.n.model, Name: p.name, Index: slot,
			PCI: fmt.Sprintf("00000000:%02X:00.0", 0x10+8*slot), MemoryBytes: p.memoryBytes,
		})
	}
	return uuid
}

// add adds one minute of a slot.
func (w *writer) add(slot int, at moment, c condition) {
	if c != good {
		p := w.a.of(w.n.nobody())
		p.reason = reasons[c]
		if c == lost {
			p.sums.UnhealthyMs += minuteMs
		}
		return
	}
	l := w.f.load(w.n, slot, at)
	if w.n.blind {
		l = load{tenants: [2]tenant{unknown}, busyMs: [2]int64{l.busyMs[0] + l.busyMs[1]}, n: 1}
	}
	if l.n == 0 {
		s := &w.a.of(nobody).sums
		s.UnallocatedMs += minuteMs
		w.n.spend(s, 0, minuteMs)
		return
	}
	rest := minuteMs - l.busyMs[0] - l.busyMs[1]
	for i := range l.n {
		share := rest / int64(l.n-i)
		rest -= share
		w.tenant(l.tenants[i], l.busyMs[i], share)
	}
}

// tenant adds a tenant's part of a minute: busy, and the rest of it.
func (w *writer) tenant(t tenant, busyMs, restMs int64) {
	s := &w.a.of(t).sums
	s.BusyMs += busyMs
	if w.n.blind {
		s.UnmeasuredMs += restMs
	} else {
		s.IdleMs += restMs
	}
	w.n.spend(s, busyMs, busyMs+restMs)
}

// nobody is what stands in for a tenant while a GPU cannot be looked at.
func (n *node) nobody() tenant {
	if n.blind {
		return unknown
	}
	return nobody
}

// spend adds the activity and energy of spanMs, of which busyMs were busy.
func (n *node) spend(s *usage.Sums, busyMs, spanMs int64) {
	p := products[n.model]
	s.SMKnownMs += spanMs
	s.SMActiveMs += busyMs * smPermille[n.pool.work] / 1000
	s.EnergyKnownMs += spanMs
	s.EnergyMJ += p.idleWatts*spanMs + (p.maxWatts-p.idleWatts)*busyMs*9/10 // W × ms = mJ
}
