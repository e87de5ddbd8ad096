package fleet

import (
	"fmt"
	"iter"
	"time"

	"github.com/gpumeter/gpumeter/usage"
)

// Minutes of the two kinds of records.
const (
	minutesAnHour = 60
	hoursABatch   = 24
)

// intervalMs is the sampling interval that the records stand for.
const intervalMs = 1000

// stream numbers and chains the batches of one epoch of every node.
type stream struct {
	f     *Fleet
	tails []tail // by node
}

type tail struct {
	epoch string
	seq   uint64
	prev  string
}

// stream begins an epoch: of one kind of records, from one minute on. The
// same beginning is the same epoch.
func (f *Fleet) stream(kind string, from int64) *stream {
	s := &stream{f, make([]tail, len(f.nodes))}
	for i, n := range f.nodes {
		s.tails[i].epoch = f.id("epoch", n.name, kind, from)
	}
	return s
}

// seal gives a batch the next place in the chain.
func (t *tail) seal(b usage.Batch) (usage.Sealed, error) {
	b.Epoch, b.Seq, b.Prev = t.epoch, t.seq+1, t.prev
	sealed, err := usage.Seal(b)
	if err != nil {
		return usage.Sealed{}, fmt.Errorf("node %s: %w", b.Node.Name, err)
	}
	t.seq, t.prev = b.Seq, sealed.Hash.String()
	return sealed, nil
}

// History yields the hour records of the whole hours in [from, to), in batches
// of a node and a UTC day, day by day. An hour that from or to cuts is left
// out. The identities depend on from, and those of the last day on to: the
// same span twice is the same batches twice.
func (f *Fleet) History(from, to time.Time) iter.Seq2[usage.Sealed, error] {
	first := ceil(from.Unix(), 3600) * minutesAnHour
	last := to.Unix() / 3600 * minutesAnHour
	return func(yield func(usage.Sealed, error) bool) {
		s := f.stream("hours", first)
		for at := first; at < last; {
			next := min(last, (at/(hoursABatch*minutesAnHour)+1)*hoursABatch*minutesAnHour)
			for i, n := range f.nodes {
				b := f.hours(n, at, next)
				if len(b.Records) == 0 {
					continue
				}
				sealed, err := s.tails[i].seal(b)
				if !yield(sealed, err) || err != nil {
					return
				}
			}
			at = next
		}
	}
}

// ceil is a ÷ b rounded up; b is positive. A negative a gives at most 0.
func ceil(a, b int64) int64 { return (a + b - 1) / b }

// hours returns a batch of hour records.
func (f *Fleet) hours(n *node, from, to int64) usage.Batch {
	w := f.writer(n, from, to)
	for at := from; at < to; at += minutesAnHour {
		w.records(at, at+minutesAnHour)
	}
	return w.b
}

// Minutes writes minute records for the whole fleet, one minute after the
// other. It is not for concurrent use.
type Minutes struct {
	agents []*Agent
	at     time.Time
}

// Minutes begins at the first whole minute from a time on.
func (f *Fleet) Minutes(from time.Time) *Minutes {
	return &Minutes{f.Agents(from), time.Unix(ceil(from.Unix(), 60)*60, 0).UTC()}
}

// Start is when the minute begins that Next will return.
func (m *Minutes) Start() time.Time { return m.at }

// Next returns the next minute: one batch for each node that has anything to
// say.
func (m *Minutes) Next() ([]usage.Sealed, error) {
	var out []usage.Sealed
	for _, a := range m.agents {
		sealed, ok, err := a.Next()
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, sealed)
		}
	}
	m.at = m.at.Add(time.Minute)
	return out, nil
}

// writer begins a batch about minutes [from, to): its head and its events.
func (f *Fleet) writer(n *node, from, to int64) *writer {
	cloud := n.pool.cloud
	cloud.InstanceID = "example-" + f.id("instance", n.name)[:12]
	if per := n.pool.rack; per > 0 {
		cloud.Rack = fmt.Sprintf("%s-rack-%d", n.pool.host, n.index/per+1)
	}
	return &writer{f: f, n: n, known: map[string]bool{}, b: usage.Batch{
		Agent:    f.id("agent", n.name),
		Evidence: usage.EvidenceAgent, IntervalMs: intervalMs,
		Node: usage.Node{
			Name: n.name, MachineID: f.id("machine", n.name), Cloud: cloud,
			Driver: "580.95.05", Agent: AgentVersion,
		},
		Events: f.events(n, from, to),
	}}
}
