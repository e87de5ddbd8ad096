// Package fleet makes up a fleet of GPUs in five clouds and writes down what
// an agent on each of its nodes would have recorded.
//
// Everything is a pure function of the seed, the size and the start: the same
// Config gives the same bytes for ever. An hour record is the sum of its 60
// minute records, exactly, because it is made by adding them. Nothing here is
// measured: every node says so in its agent version.
package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// AgentVersion is the agent version that every made-up node reports.
const AgentVersion = "simulated"

// DefaultGPUs is about how many GPUs a fleet has that nobody gave a size.
const DefaultGPUs = 1000

// Clouds is in how many clouds a fleet may be.
const Clouds = 5

// maxGPUs keeps a mistyped size from filling the memory.
const maxGPUs = 1_000_000

// Config says which fleet to make up.
type Config struct {
	Seed uint64
	// GPUs is about how many GPUs there are; every pool keeps at least one
	// node. 0 means DefaultGPUs.
	GPUs int
	// Clouds is in how many clouds they stand, from 1 to Clouds; 0 is all.
	Clouds int
	// Start is when the story begins; its UTC date is day 0 of every pool, in
	// the pool's own time zone.
	Start time.Time
}

// Fleet is a made-up fleet. It does not change; its methods may be called
// concurrently.
type Fleet struct {
	seed  uint64
	start time.Time // midnight UTC of day 0
	nodes []*node
	pools []pool // scaled
}

// node is one machine of a pool.
type node struct {
	pool  *pool
	index int // in the pool
	name  string
	model string
	zone  *time.Location
	from  int64 // Unix minute of its first record
	quiet []span
	slots []slot
	blind bool // no source of holders works
}

// slot is one place for a GPU in a node.
type slot struct{ faults []fault }

// New makes up a fleet.
func New(cfg Config) (*Fleet, error) {
	if cfg.GPUs == 0 {
		cfg.GPUs = DefaultGPUs
	}
	if cfg.GPUs < 0 || cfg.GPUs > maxGPUs {
		return nil, fmt.Errorf("fleet of %d GPUs: not between 1 and %d", cfg.GPUs, maxGPUs)
	}
	if cfg.Clouds == 0 {
		cfg.Clouds = Clouds
	}
	if cfg.Clouds < 0 || cfg.Clouds > Clouds {
		return nil, fmt.Errorf("fleet in %d clouds: not between 1 and %d", cfg.Clouds, Clouds)
	}
	if cfg.Start.Unix() < 0 {
		return nil, fmt.Errorf("fleet from %s: before 1970", cfg.Start.Format(time.RFC3339))
	}
	y, m, d := cfg.Start.UTC().Date()
	f := &Fleet{seed: cfg.Seed, start: time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}
	table, size := ofClouds(cfg.Clouds)
	for _, p := range table {
		f.pools = append(f.pools, p.scaled(cfg.GPUs, size))
	}
	for i := range f.pools {
		if err := f.build(&f.pools[i]); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// build makes the nodes of a pool.
func (f *Fleet) build(p *pool) error {
	zone, err := time.LoadLocation(p.zone)
	if err != nil {
		return fmt.Errorf("pool %s: %w", p.name, err)
	}
	for i := range p.nodes {
		f.nodes = append(f.nodes, &node{
			pool: p, index: i, zone: zone,
			name:  fmt.Sprintf("%s-%03d", p.host, i+1),
			model: p.modelOf(i),
			from:  f.minuteOf(p.arrival(i), zone),
			slots: make([]slot, p.per),
		})
	}
	f.strike(f.nodes[len(f.nodes)-p.nodes:])
	return nil
}

// minuteOf returns the Unix minute of an offset from day 0 in a zone. Whole
// days are calendar days, so that they meet the dates of a contract.
func (f *Fleet) minuteOf(after time.Duration, zone *time.Location) int64 {
	const day = 24 * time.Hour
	y, m, d := f.start.Date()
	t := time.Date(y, m, d+int(after/day), 0, 0, 0, 0, zone).Add(after % day)
	return t.Unix() / 60
}

// GPUs returns how many places for GPUs the fleet has when all of it is there.
func (f *Fleet) GPUs() int {
	n := 0
	for _, x := range f.nodes {
		n += len(x.slots)
	}
	return n
}

// Nodes returns how many nodes the fleet has when all of it is there.
func (f *Fleet) Nodes() int { return len(f.nodes) }

// Contracted returns how many GPUs a contract should name for a pool, such as
// "aws/h100": at first, and when the pool has grown. ok is false where there
// is no such pool, or where it is one that nobody has contracted.
func (f *Fleet) Contracted(name string) (first, full int, ok bool) {
	for i := range f.pools {
		if p := &f.pools[i]; p.name == name && !p.stray {
			return p.early * p.per, (p.nodes+p.missing)*p.per - p.surplus, true
		}
	}
	return 0, 0, false
}

// id makes 32 hex digits out of names, for ever the same.
func (f *Fleet) id(kind string, names ...any) string {
	h := sha256.Sum256(fmt.Append(nil, f.seed, "/", kind, names))
	return hex.EncodeToString(h[:16])
}

// uuid is the name of the GPU that a slot holds in its gen'th generation.
func (f *Fleet) uuid(n *node, slot, gen int) string {
	s := f.id("gpu", n.name, slot, gen)
	return "GPU-" + s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
