package storetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gpumeter/gpumeter/collector/store"
)

// PutDocument keeps a copy: see store.Documents.
func (m *Model) PutDocument(ctx context.Context, name string, body []byte) error {
	if err := store.CheckDocument(name, body); err != nil {
		return fmt.Errorf("put document: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("put document %q: %w", name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept, ok := m.documents[name]
	if ok && !bytes.Equal(kept, body) {
		return fmt.Errorf("put document %q: %w", name, store.ErrTaken)
	}
	m.documents[name] = append([]byte{}, body...)
	return nil
}

// Document returns a copy: see store.Documents.
func (m *Model) Document(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, ok := m.documents[name]
	if !ok {
		return nil, fmt.Errorf("read document %q: %w", name, store.ErrNoDocument)
	}
	return slices.Clone(body), nil
}

// DocumentNames looks at every name.
func (m *Model) DocumentNames(_ context.Context, prefix string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for name := range m.documents {
		if strings.HasPrefix(name, prefix) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}
