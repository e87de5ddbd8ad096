package clickhouse

import (
	"encoding/hex"
	"time"

	"github.com/gpumeter/gpumeter/collector/store/owner"
	"github.com/gpumeter/gpumeter/usage"
)

// vocabulary are the words of some batches that this process does not know to
// be in the tables.
type vocabulary struct {
	nodes   map[int64]usage.Node
	units   map[int64]unit
	holders map[int64]usage.Holder
	traits  map[int64]traitsRow
}

type traitsRow struct {
	traits
	seenMs int64
}

// newVocabulary returns the words of batches that w does not have.
func (w *words) newVocabulary(batches []*usage.Sealed) vocabulary {
	v := vocabulary{map[int64]usage.Node{}, map[int64]unit{}, map[int64]usage.Holder{}, map[int64]traitsRow{}}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range batches {
		b := &s.Batch
		node := nodeOf(b.Node)
		number := nameOfNode(&node)
		unknown(w.nodes, v.nodes, number, node)
		gpus := gpusOf(b)
		for i := range b.Records {
			r := &b.Records[i]
			unknown(w.holders, v.holders, nameOfHolder(r.Holder), r.Holder)
			g := gpus[r.GPU]
			u := unit{number, g.UUID, g.Model}
			n := u.number()
			unknown(w.units, v.units, n, u)
			t := traits{n, g.Index, g.Name, g.Serial, g.PCI, g.MemoryBytes, b.Node.Driver, b.Node.Agent}
			if key := t.number(); !w.traits[key] {
				v.traits[key] = traitsRow{t, r.EndMs}
			}
		}
	}
	return v
}

func unknown[V any](known, fresh map[int64]V, number int64, v V) {
	if _, ok := known[number]; !ok {
		fresh[number] = v
	}
}

// keep remembers words that are in the tables now.
func (w *words) keep(v vocabulary) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n, x := range v.nodes {
		put(&w.nodes, n, x, maxUnits)
	}
	for n, x := range v.units {
		put(&w.units, n, x, maxUnits)
	}
	for n, x := range v.holders {
		put(&w.holders, n, x, maxWords)
	}
	for n := range v.traits {
		put(&w.traits, n, true, maxUnits)
	}
}

// nodeOf returns a node without what may change: the versions.
func nodeOf(n usage.Node) usage.Node {
	n.Driver, n.Agent = "", ""
	return n
}

func gpusOf(b *usage.Batch) map[string]*usage.GPU {
	out := make(map[string]*usage.GPU, len(b.GPUs))
	for i := range b.GPUs {
		out[b.GPUs[i].UUID] = &b.GPUs[i]
	}
	return out
}

// tables returns the rows of new words.
func (v vocabulary) tables() []rows {
	out := []rows{
		{table: "nodes", columns: "node, name, machine_id, provider, account, region, zone, instance_type, instance_id, reservation, cluster, node_pool, rack, expected_gpus"},
		{table: "units", columns: "unit, node, gpu, model"},
		{table: "holders", columns: "holder, basis, kind, team, name, part, labels"},
		{table: "inventory", columns: "unit, gpu_index, name, serial, pci, memory_bytes, driver, agent, seen_ms"},
	}
	for number, n := range v.nodes {
		c := &n.Cloud
		out[0].list = append(out[0].list, []any{number, n.Name, n.MachineID, c.Provider, c.Account, c.Region, c.Zone,
			c.InstanceType, c.InstanceID, c.Reservation, c.Cluster, c.NodePool, c.Rack, uint32(n.ExpectedGPUs)})
	}
	for number, u := range v.units {
		out[1].list = append(out[1].list, []any{number, u.node, u.gpu, u.model})
	}
	for number, h := range v.holders {
		out[2].list = append(out[2].list, []any{number, string(h.Basis), h.Kind, h.Group, h.Name, h.Part, h.Labels})
	}
	for _, t := range v.traits {
		out[3].list = append(out[3].list, []any{t.unit, int64(t.index), t.name, t.serial, t.pci, t.memoryBytes, t.driver, t.agent, t.seenMs})
	}
	return out
}

func asideTable(list []asideRow, nowMs int64) rows {
	t := rows{table: "aside", columns: "agent, epoch, seq, hash, kind, reason, received_ms, body"}
	for _, r := range list {
		t.list = append(t.list, []any{r.id.Agent, r.id.Epoch, r.id.Seq, r.sealed.Hash[:], r.kind, r.reason, nowMs, string(r.sealed.Body)})
	}
	return t
}

// prevHash returns the bytes of a batch's Prev; empty if it has none.
func prevHash(b *usage.Batch) string {
	raw, err := hex.DecodeString(b.Prev)
	if err != nil {
		return ""
	}
	return string(raw)
}

// dayMs is how long a batch's records may be together without being long.
const dayMs = 86_400_000

// dayOf returns YYYYMMDD, or 0 outside of this century.
func dayOf(ms int64) uint32 {
	t := time.UnixMilli(ms).UTC()
	if t.Year() < 2000 || t.Year() > 2099 {
		return 0
	}
	return uint32(t.Year()*10_000 + int(t.Month())*100 + t.Day())
}

// spanOfDay returns the span of a YYYYMMDD.
func spanOfDay(day uint32) owner.Span {
	from := time.Date(int(day/10_000), time.Month(day/100%100), int(day%100), 0, 0, 0, 0, time.UTC).UnixMilli()
	return owner.Span{FromMs: from, ToMs: from + dayMs}
}
