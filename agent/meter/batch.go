package meter

import (
	"time"

	"github.com/gpumeter/gpumeter/metric"
	"github.com/gpumeter/gpumeter/usage"
)

// Batch returns what was closed as a batch of a node, with the inventory that
// its records refer to. The spool gives it its identity.
func (c Closed) Batch(node usage.Node, interval time.Duration) usage.Batch {
	b := usage.Batch{
		Evidence:      usage.EvidenceAgent,
		IntervalMs:    interval.Milliseconds(),
		ClockOffsetMs: c.ClockOffsetMs,
		Node:          node,
		Records:       c.Records,
		Events:        c.Events,
	}
	for _, g := range c.GPUs {
		name := g.Name
		if usage.IsSlot(g.UUID) {
			name = "" // the driver calls it nothing
		}
		b.GPUs = append(b.GPUs, usage.GPU{
			UUID: g.UUID, Model: metric.Model(g.Name), Name: name, Index: g.Index,
			Serial: g.Serial, PCI: g.PCI, MemoryBytes: g.MemoryBytes,
		})
	}
	return b
}
