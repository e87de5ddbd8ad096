package clickhouse

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/ext"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/gpumeter/gpumeter/usage"
)

// unit is a GPU in a node.
type unit struct {
	node       int64
	gpu, model string
}

// traits is what may change of a unit while it stays the same unit.
type traits struct {
	unit              int64
	index             int
	name, serial, pci string
	memoryBytes       uint64
	driver, agent     string // versions
}

// nameOf returns the number of what the texts say, taken from their SHA-256:
// whoever says the same calls it the same. It is above zero.
func nameOf(kind string, texts ...string) int64 {
	h := sha256.New()
	var length [4]byte
	for _, s := range append([]string{kind}, texts...) {
		binary.BigEndian.PutUint32(length[:], uint32(len(s)))
		h.Write(length[:])
		h.Write([]byte(s))
	}
	return max(int64(binary.BigEndian.Uint64(h.Sum(nil))>>1), 1)
}

// nameOfNode returns the number of a node, whose versions are empty.
func nameOfNode(n *usage.Node) int64 {
	c := &n.Cloud
	return nameOf("node", n.Name, n.MachineID, c.Provider, c.Account, c.Region, c.Zone, c.InstanceType, c.InstanceID,
		c.Reservation, c.Cluster, c.NodePool, c.Rack, strconv.Itoa(n.ExpectedGPUs))
}

func (u unit) number() int64 {
	return nameOf("unit", strconv.FormatInt(u.node, 10), u.gpu, u.model)
}

func nameOfHolder(h usage.Holder) int64 {
	return nameOf("holder", string(h.Basis), h.Kind, h.Group, h.Name, h.Part, h.Labels)
}

func (t traits) number() int64 {
	return nameOf("traits", strconv.FormatInt(t.unit, 10), strconv.Itoa(t.index), t.name, t.serial, t.pci,
		strconv.FormatUint(t.memoryBytes, 10), t.driver, t.agent)
}

// words are nodes, units and holders that this process has read or written.
// As a number never means anything else, they are never out of date; what is
// not here is read from the tables.
type words struct {
	mu      sync.Mutex // guards what follows
	nodes   map[int64]usage.Node
	units   map[int64]unit
	holders map[int64]usage.Holder
	traits  map[int64]bool
}

// maxUnits and maxWords bound what is kept: 16 million units with their nodes,
// and a million holders, which come and go for ever.
const (
	maxUnits = 1 << 24
	maxWords = 1 << 20
)

// put keeps something in a map. One that is full begins anew.
func put[K comparable, V any](m *map[K]V, k K, v V, limit int) {
	if *m == nil || len(*m) >= limit {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

// missing returns those of the numbers that m lacks, each once.
func missing[V any](m map[int64]V, numbers []int64) []int64 {
	var out []int64
	seen := map[int64]bool{}
	for _, n := range numbers {
		if _, ok := m[n]; !ok && !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// unitsOf returns units by their numbers, with their nodes.
func (d *DB) unitsOf(ctx context.Context, numbers []int64) (map[int64]unit, map[int64]usage.Node, error) {
	units, err := lookUp(ctx, d, &d.words.units, numbers, "unit", sqlUnits, func(r driver.Rows) (number int64, u unit, err error) {
		err = r.Scan(&number, &u.node, &u.gpu, &u.model)
		return number, u, err
	}, maxUnits)
	if err != nil {
		return nil, nil, err
	}
	var all []int64
	for _, u := range units {
		all = append(all, u.node)
	}
	nodes, err := lookUp(ctx, d, &d.words.nodes, all, "node", sqlNodes, scanNode, maxUnits)
	return units, nodes, err
}

func scanNode(r driver.Rows) (number int64, n usage.Node, err error) {
	c := &n.Cloud
	var expected uint32
	err = r.Scan(&number, &n.Name, &n.MachineID, &c.Provider, &c.Account, &c.Region, &c.Zone, &c.InstanceType, &c.InstanceID,
		&c.Reservation, &c.Cluster, &c.NodePool, &c.Rack, &expected)
	n.ExpectedGPUs = int(expected)
	return number, n, err
}

// holdersOf returns holders by their numbers.
func (d *DB) holdersOf(ctx context.Context, numbers []int64) (map[int64]usage.Holder, error) {
	return lookUp(ctx, d, &d.words.holders, numbers, "holder", sqlHolders, func(r driver.Rows) (number int64, h usage.Holder, err error) {
		err = r.Scan(&number, (*string)(&h.Basis), &h.Kind, &h.Group, &h.Name, &h.Part, &h.Labels)
		return number, h, err
	}, maxWords)
}

// lookUp returns words by their numbers: from memory, and from the tables
// those that are not there. It is an error if the tables lack one.
func lookUp[V any](ctx context.Context, d *DB, known *map[int64]V, numbers []int64, what, statement string,
	scan func(driver.Rows) (int64, V, error), limit int) (map[int64]V, error) {
	out := make(map[int64]V, len(numbers))
	d.words.mu.Lock()
	for _, n := range numbers {
		if v, ok := (*known)[n]; ok {
			out[n] = v
		}
	}
	d.words.mu.Unlock()
	rest := missing(out, numbers)
	if len(rest) == 0 {
		return out, nil
	}
	asked, err := table("asked", rest, func(n int64) []any { return []any{n} }, ext.Column("number", "Int64"))
	if err != nil {
		return nil, err
	}
	err = d.each(ctx, ask(statement, nil, asked), func(r driver.Rows) error {
		number, v, err := scan(r)
		out[number] = v
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %ss: %w", what, err)
	}
	if lost := missing(out, rest); len(lost) > 0 {
		return nil, fmt.Errorf("records have the %s %d, which is not there", what, lost[0])
	}
	d.words.mu.Lock()
	defer d.words.mu.Unlock()
	for _, n := range rest {
		put(known, n, out[n], limit)
	}
	return out, nil
}
