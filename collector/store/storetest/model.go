package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/gpumeter/gpumeter/collector/store"
	"github.com/gpumeter/gpumeter/contract"
	"github.com/gpumeter/gpumeter/usage"
)

// Model is a store.Store in memory. It keeps the batches and works every
// answer out anew with plain loops, so that it can be believed by reading it;
// it is too slow for more than some thousand records of one GPU.
type Model struct {
	id string

	mu        sync.Mutex // guards what follows
	batches   []usage.Sealed
	hashes    map[usage.ID]usage.Hash // of committed batches
	aside     map[setAside]bool       // to whether it is a conflict
	units     []unit                  // the unit n is units[n-1]
	documents map[string][]byte
	lives     []contract.Life
}

// unit is a GPU in a node under a cloud identity. The versions in its node are
// empty: they change without another unit.
type unit struct {
	gpu, model string
	node       usage.Node
}

// setAside is the identity and content of a batch that counts in no sum.
type setAside struct {
	id   usage.ID
	hash usage.Hash
}

// NewModel returns an empty Model.
func NewModel() *Model {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails, says its documentation
	return &Model{id: hex.EncodeToString(id[:]), hashes: map[usage.ID]usage.Hash{}, aside: map[setAside]bool{}, documents: map[string][]byte{}}
}

// ID returns the id minted by NewModel.
func (m *Model) ID() string { return m.id }

// Append keeps the batches themselves: the caller must not change them later.
func (m *Model) Append(ctx context.Context, batches []usage.Sealed) ([]store.Status, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("append %d batches: %w", len(batches), err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]store.Status, len(batches))
	for i, s := range batches {
		out[i] = m.append(s)
	}
	return out, nil
}

func (m *Model) append(s usage.Sealed) store.Status {
	id := s.Batch.ID()
	first, committed := m.hashes[id]
	_, kept := m.aside[setAside{id, s.Hash}]
	switch {
	case committed && first == s.Hash, !committed && kept:
		return store.Duplicate
	case committed || m.quarantined(id):
		if !kept {
			m.aside[setAside{id, s.Hash}] = true
		}
		return store.Conflict
	}
	m.hashes[id] = s.Hash
	m.batches = append(m.batches, s)
	for _, r := range s.Batch.Records {
		if u := unitOf(&s.Batch, r.GPU); !slices.Contains(m.units, u) {
			m.units = append(m.units, u)
		}
	}
	return store.Committed
}

func (m *Model) quarantined(id usage.ID) bool {
	for a := range m.aside {
		if a.id == id {
			return true
		}
	}
	return false
}

// unitOf returns the unit that a batch's records of a GPU belong to.
func unitOf(b *usage.Batch, gpu string) unit {
	node := b.Node
	node.Driver, node.Agent = "", ""
	for _, g := range b.GPUs {
		if g.UUID == gpu {
			return unit{gpu, g.Model, node}
		}
	}
	return unit{gpu, "", node}
}

// Quarantine keeps the identity and the hash; the bytes are nobody's to read.
func (m *Model) Quarantine(ctx context.Context, id usage.ID, s usage.Sealed, _ string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("quarantine batch %s: %w", id, err)
	}
	if !utf8.ValidString(id.Agent) || !utf8.ValidString(id.Epoch) {
		return fmt.Errorf("quarantine batch %q: its identity is not text", id)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	_, kept := m.aside[setAside{id, s.Hash}]
	if first, ok := m.hashes[id]; kept || ok && first == s.Hash {
		return nil
	}
	m.aside[setAside{id, s.Hash}] = false
	return nil
}

// Seqs returns a set that is the caller's to keep.
func (m *Model) Seqs(_ context.Context, agent, epoch string) (usage.Ranges, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out usage.Ranges
	for id := range m.hashes {
		if id.Agent == agent && id.Epoch == epoch {
			out = out.Add(id.Seq)
		}
	}
	for a := range m.aside {
		if a.id.Agent == agent && a.id.Epoch == epoch {
			out = out.Add(a.id.Seq)
		}
	}
	return out, nil
}

// Events returns events in the order of store.Event.Compare.
func (m *Model) Events(_ context.Context, fromMs, toMs int64, limit int) ([]store.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.Event
	for _, s := range m.batches {
		for _, e := range s.Batch.Events {
			if fromMs <= e.AtMs && e.AtMs < toMs {
				out = append(out, store.Event{Node: s.Batch.Node.Name, Cloud: s.Batch.Node.Cloud, Event: e})
			}
		}
	}
	slices.SortFunc(out, store.Event.Compare)
	return out[:min(len(out), max(limit, 0))], nil
}

// Extent looks at every record.
func (m *Model) Extent(context.Context) (store.Extent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out store.Extent
	for _, s := range m.batches {
		for _, r := range s.Batch.Records {
			if out == (store.Extent{}) {
				out = store.Extent{FromMs: r.StartMs, ToMs: r.EndMs}
			}
			out = store.Extent{FromMs: min(out.FromMs, r.StartMs), ToMs: max(out.ToMs, r.EndMs)}
		}
	}
	return out, nil
}

// Counts counts.
func (m *Model) Counts(context.Context) (store.Counts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := store.Counts{Batches: int64(len(m.batches)), Units: int64(len(m.units))}
	for _, s := range m.batches {
		out.Records += int64(len(s.Batch.Records))
	}
	for _, conflict := range m.aside {
		if conflict {
			out.Conflicts++
		} else {
			out.Quarantined++
		}
	}
	return out, nil
}

// Close keeps everything: a Model has no files.
func (m *Model) Close() error { return nil }
