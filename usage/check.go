package usage

import (
	"fmt"
	"sort"
	"unicode/utf8"
)

// maxSpanMs bounds one record. Agents write windows of at most 5 minutes;
// imported and generated history writes hours.
const maxSpanMs = 3_600_000

// maxPower is far above what one GPU draws: 10 kW, in mJ per ms. It keeps one
// wild value from drowning a sum.
const maxPower = 10_000

// Check says whether b can be accepted as evidence: identities are well
// formed, sums fit into their spans, records of one GPU do not overlap. It
// returns the first thing that is wrong, naming the record.
func (b *Batch) Check() error {
	if err := b.checkHead(); err != nil {
		return err
	}
	known := make(map[string]bool, len(b.GPUs))
	for _, g := range b.GPUs {
		if g.UUID == "" || !clean(g.UUID) {
			return fmt.Errorf("gpu %q: not a UUID", g.UUID)
		}
		for _, s := range []string{g.Model, g.Name, g.Serial, g.PCI} {
			if !clean(s) {
				return fmt.Errorf("gpu %q: %q is not clean text of at most %d bytes", g.UUID, s, maxText)
			}
		}
		if known[g.UUID] {
			return fmt.Errorf("gpu %q is listed twice", g.UUID)
		}
		known[g.UUID] = true
	}
	for i := range b.Records {
		if err := b.Records[i].check(known); err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
	}
	for i, e := range b.Events {
		if e.Kind == "" || !clean(string(e.Kind)) || !clean(e.GPU) || len(e.Detail) > 16*maxText || !utf8.ValidString(e.Detail) {
			return fmt.Errorf("event %d: malformed", i)
		}
	}
	return b.checkOverlap()
}

func (b *Batch) checkHead() error {
	switch {
	case !isID(b.Agent):
		return fmt.Errorf("agent %q: not 32 hex digits", b.Agent)
	case !isID(b.Epoch):
		return fmt.Errorf("epoch %q: not 32 hex digits", b.Epoch)
	case b.Prev != "" && !isHex(b.Prev, 64):
		return fmt.Errorf("prev_hash %q: not 64 hex digits", b.Prev)
	case b.Seq == 0:
		return fmt.Errorf("seq 0: sequence numbers start at 1")
	case b.Evidence != EvidenceAgent && b.Evidence != EvidencePrometheus:
		return fmt.Errorf("evidence %q: neither %q nor %q", b.Evidence, EvidenceAgent, EvidencePrometheus)
	case len(b.GPUs) > MaxBatchGPUs || len(b.Records) > MaxBatchRecords || len(b.Events) > MaxBatchEvents:
		return fmt.Errorf("%d gpus, %d records, %d events: more than the limits of %d, %d, %d",
			len(b.GPUs), len(b.Records), len(b.Events), MaxBatchGPUs, MaxBatchRecords, MaxBatchEvents)
	}
	return b.Node.Check()
}

// Check says whether a node's texts can be accepted in a batch: a collector
// refuses every batch of a node that does not pass.
func (n Node) Check() error {
	if n.Name == "" {
		return fmt.Errorf("node has no name")
	}
	if n.ExpectedGPUs < 0 || n.ExpectedGPUs > MaxBatchGPUs {
		return fmt.Errorf("node %q: %d expected GPUs are not between 0 and %d", n.Name, n.ExpectedGPUs, MaxBatchGPUs)
	}
	c := n.Cloud
	for _, s := range []string{n.Name, n.MachineID, n.Driver, n.Agent, c.Provider, c.Account, c.Region,
		c.Zone, c.InstanceType, c.InstanceID, c.Reservation, c.Cluster, c.NodePool, c.Rack} {
		if !clean(s) {
			return fmt.Errorf("node %q: %q is not clean text of at most %d bytes", n.Name, s, maxText)
		}
	}
	return nil
}

func (r *Record) check(known map[string]bool) error {
	span := r.EndMs - r.StartMs
	switch {
	case !known[r.GPU]:
		return fmt.Errorf("gpu %q is not in the batch's inventory", r.GPU)
	case r.StartMs < 0 || span <= 0 || span > maxSpanMs:
		return fmt.Errorf("gpu %s: span [%d, %d) is empty, negative or longer than an hour", r.GPU, r.StartMs, r.EndMs)
	}
	for _, v := range []int64{r.UnhealthyMs, r.UnallocatedMs, r.IdleMs, r.UnmeasuredMs, r.BusyMs, r.SMActiveMs, r.SMKnownMs, r.EnergyMJ, r.EnergyKnownMs} {
		if v < 0 {
			return fmt.Errorf("gpu %s: a sum is negative", r.GPU)
		}
	}
	// Each sum is bounded before they are added: a sum of wild values could
	// overflow and look small.
	for _, v := range []int64{r.UnhealthyMs, r.UnallocatedMs, r.IdleMs, r.UnmeasuredMs, r.BusyMs, r.SMKnownMs, r.EnergyKnownMs} {
		if v > span {
			return fmt.Errorf("gpu %s: a sum of %d ms is longer than its span of %d ms", r.GPU, v, span)
		}
	}
	if r.EnergyMJ/maxPower > r.EnergyKnownMs {
		return fmt.Errorf("gpu %s: %d mJ in %d ms is more than any GPU draws", r.GPU, r.EnergyMJ, r.EnergyKnownMs)
	}
	if r.ObservedMs() > span || r.SMActiveMs > r.SMKnownMs {
		return fmt.Errorf("gpu %s: observed %d ms of a span of %d ms", r.GPU, r.ObservedMs(), span)
	}
	h := r.Holder
	for _, s := range []string{string(h.Basis), h.Kind, h.Group, h.Name, h.Part, r.Reason} {
		if !clean(s) {
			return fmt.Errorf("gpu %s: holder or reason is not clean text of at most %d bytes", r.GPU, maxText)
		}
	}
	if !cleanLabels(h.Labels) {
		return fmt.Errorf("gpu %s: labels %.80q are not KEY=VALUE, sorted by key, of at most %d bytes", r.GPU, h.Labels, MaxLabels)
	}
	return nil
}

// checkOverlap holds the rule of Record: equal bounds or disjoint, and the
// holders of one span together within it.
func (b *Batch) checkOverlap() error {
	order := make([]int, len(b.Records))
	for i := range order {
		order[i] = i
	}
	rec := b.Records
	sort.Slice(order, func(i, j int) bool {
		x, y := &rec[order[i]], &rec[order[j]]
		if x.GPU != y.GPU {
			return x.GPU < y.GPU
		}
		if x.StartMs != y.StartMs {
			return x.StartMs < y.StartMs
		}
		return x.EndMs < y.EndMs
	})
	var observed int64
	for i := range order {
		r := &rec[order[i]]
		if i == 0 || rec[order[i-1]].GPU != r.GPU || rec[order[i-1]].EndMs <= r.StartMs {
			observed = 0
		} else if p := &rec[order[i-1]]; p.StartMs != r.StartMs || p.EndMs != r.EndMs {
			return fmt.Errorf("gpu %s: records [%d, %d) and [%d, %d) overlap", r.GPU, p.StartMs, p.EndMs, r.StartMs, r.EndMs)
		}
		observed += r.ObservedMs()
		if observed > r.EndMs-r.StartMs {
			return fmt.Errorf("gpu %s: holders of [%d, %d) together observed %d ms", r.GPU, r.StartMs, r.EndMs, observed)
		}
	}
	return nil
}

func isID(s string) bool { return isHex(s, 32) }

// isHex reports whether s is n lower-case hex digits.
func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// clean reports whether s is short valid UTF-8 without control characters, fit
// for logs, tables, CSV and metric labels.
func clean(s string) bool { return len(s) <= maxText && cleanText(s) }

// cleanText is clean for a text of any length.
func cleanText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return true
}
